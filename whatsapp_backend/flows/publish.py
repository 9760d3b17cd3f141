"""Publish: the journal becomes documents. Read a window, interpret, land, remember; only then the cursor moves.

Windows follow one another, so no document is ever in flight twice; within a window everything is in flight at once. A
lone message makes a window of one and is written immediately; what follows within a twentieth of a second shares the
next one; in a flood each window is as large as the bounds allow, and the journal, not memory, holds what waits.

Threads and contacts are coalesced. Their merged state becomes durable (and `dirty`) together with the cursor, and is
written at most once a second for each; while a backlog is being worked off, only every few seconds. When no window is
left, identities are united and what waited for others of its kind is written: by this loop too, so that there is one
writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import orjson
import structlog

from whatsapp_backend.clock import Clock, within
from whatsapp_backend.domain.coverage import Answer
from whatsapp_backend.domain.events import Event, MessageSeen
from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.domain.mirror import Debt, Progress
from whatsapp_backend.domain.repairs import Correction
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.flows.correct import Correct
from whatsapp_backend.flows.flush import Flush
from whatsapp_backend.flows.hold_back import HoldBack
from whatsapp_backend.flows.identify import identified
from whatsapp_backend.flows.land import Landed, Lander
from whatsapp_backend.flows.late import Late
from whatsapp_backend.flows.reckon import Reckoned, Reckoner
from whatsapp_backend.flows.replay import Replay, Replayed
from whatsapp_backend.flows.survey import Surveyor
from whatsapp_backend.flows.unite import Unite
from whatsapp_backend.flows.window import WindowLanded, WindowLander
from whatsapp_backend.ports import Consumers, DocumentQueries, HeldHistory, Identities, Journal, Ledger, Mirror
from whatsapp_backend.rules.content import NOTHING
from whatsapp_backend.rules.coverage.threads import forgiven, reset
from whatsapp_backend.rules.interpret import events_of

log = structlog.get_logger()

CONSUMER = "documents"
_WINDOW_ENTRIES = 1000
_WINDOW_BYTES = 512 * 1024
"""Bounds of a window: bytes on disk. In memory it takes many times that, and while it is interpreted nothing else runs;
larger ones land no faster."""
_PACE_S = 0.05
"""Between the beginnings of windows: a window of one message costs nearly what one of fifty does."""
_BREATH = 100
"""So many events are interpreted without letting others run."""
_REST_S = 1.0
_STORE_PAUSE_S = 2.0
_BACKLOG = 100
"""So many documents at once are worth a line when all of them are done."""


@dataclass(frozen=True, slots=True)
class Published:
    """One window that landed, for whoever keeps diagnostics."""

    seen: Sequence[MessageSeen]
    entries: Sequence[Entry]
    refused: frozenset[int] = frozenset()
    """The orders of what was parked."""
    processed: int = 0
    """Documents that were written."""
    skipped: int = 0
    """Documents that held all of it already."""


@dataclass(slots=True)
class Backlog:
    """What was found waiting at once, to be told when all of it is done."""

    processed: int = 0
    skipped: int = 0

    def add(self, published: Published) -> None:
        """Another window of it landed."""
        self.processed += published.processed
        self.skipped += published.skipped


class Publisher:
    """The consumer `documents`. `nudge` tells it that there may be something new.

    Without `survey` nothing is known of what others wrote: for a database in which there is nothing else.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        mirror: Mirror,
        identities: Identities,
        consumers: Consumers,
        ledger: Ledger,
        lander: Lander,
        clock: Clock,
        on_published: Callable[[Published], None],
        on_answered: Callable[[Answer], None] = lambda _: None,
        queries: DocumentQueries,
        held: HeldHistory,
        dry_run: bool = False,
        survey: bool = True,
    ) -> None:
        self._journal = journal
        self._mirror = mirror
        self._identities = identities
        self._consumers = consumers
        self._clock = clock
        self._on_published = on_published
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._on_answered = on_answered
        self._reckoner = Reckoner(ledger, clock)
        self._windows = WindowLander(mirror, queries, lander, clock)
        self._flush = Flush(mirror=mirror, lander=lander, clock=clock, keep=self._advance, consumer=CONSUMER)
        self._unite = Unite(
            mirror=mirror,
            identities=identities,
            lander=lander,
            windows=self._windows,
            ledger=ledger,
            settle=self._settled,
            keep=self._keep,
            consumer=CONSUMER,
        )
        self._late = Late(mirror=mirror, windows=self._windows, clock=clock, keep=self._keep, consumer=CONSUMER)
        self._holding = HoldBack(
            held, mirror, identities, clock, keep=self._advance, consumer=CONSUMER, dry_run=dry_run
        )
        self._replay = Replay(consumers, journal, land=self._land_again, holds=self._holding.holds, consumer=CONSUMER)
        self._correct = Correct(mirror=mirror, keep=self._keep, consumer=CONSUMER)
        self._surveyor = survey and Surveyor(
            queries=queries,
            mirror=mirror,
            identities=identities,
            lander=lander,
            clock=clock,
            keep=self._keep,
            consumer=CONSUMER,
        )
        self.position = 0
        self.started = False

    def nudge(self) -> None:
        """Look again soon."""
        self._wake.set()

    def correct(self, corrections: Iterable[Correction]) -> None:
        """Put these rows right, where they have not changed meanwhile, and their documents after them."""
        self._correct.add(corrections)
        self._wake.set()

    async def replay(self, account: str | None = None, *, seq: int | None = None, after: int = 0) -> Replayed:
        """Try again what is parked: of one account or all, of one entry or a page of them after a seq."""
        replayed = self._replay.want(account, seq=seq, after=after)
        self._wake.set()
        return await replayed

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            try:
                if not self.started:
                    await self._resume()
                await self._round()
            except StoreUnwell as error:  # nothing was moved: the round is simply done again
                log.error("publishing_waits_for_the_store", consumer=CONSUMER, reason=str(error))
                await self._clock.sleep(_STORE_PAUSE_S)

    async def _resume(self) -> None:
        self.position = await self._consumers.cursor(CONSUMER)
        end = await self._journal.end()
        await self._flush.resume()
        log.info("consumer_resumes", consumer=CONSUMER, position=self.position, gap=end - self.position)
        self.started = True

    async def _round(self) -> None:
        """Land what is there, then wait for more."""
        self._wake.clear()
        began = rested = self._clock.monotonic_s()
        backlog = Backlog()
        while await self._window(backlog):
            await self._flush.due(backlog=True)
            if began - rested >= _REST_S:  # traffic that never ends must not keep the rest from its turn
                await self._reckoner.step(self._reckoned)
                await self._unite.step()
                await self._late.due()
                await self._release()
                await self._replay.step()
                await self._correct.step()
                rested = self._clock.monotonic_s()
            await self._clock.sleep(max(0.0, began + _PACE_S - self._clock.monotonic_s()))
            began = self._clock.monotonic_s()
        if backlog.processed + backlog.skipped >= _BACKLOG:
            log.info("backlog_drained", consumer=CONSUMER, processed=backlog.processed, skipped=backlog.skipped)
        next_due_s = await self._rest()
        self._idle.set()
        await within(self._clock, next_due_s, self._wake.wait())

    async def _rest(self) -> float | None:
        """What is not urgent. Returns the seconds until there is more to do, None when there is nothing."""
        if await self._reckoner.step(self._reckoned) or await self._unite.step() or await self._release():
            self._wake.set()
        if await self._replay.step():
            self._wake.set()
        await self._correct.step()
        waits_s = [await self._late.due(), await self._flush.due(backlog=False)]
        return min((wait_s for wait_s in waits_s if wait_s is not None), default=None)

    async def drained(self) -> None:
        """Return when everything journaled has landed, threads included."""
        end = await self._journal.end()
        while self.position < end or self._correct.waiting or self._flush.waiting:
            self._idle.clear()
            self._flush.hurry()
            self._wake.set()
            await self._idle.wait()

    async def settled(self) -> None:
        """As `drained`, and nothing waits to be united or written later either."""
        self._late.hurry()
        while True:
            await self.drained()
            settling = (self._unite, self._late, self._reckoner, self._holding)
            if not any(flow.waiting for flow in settling):
                return
            self._late.hurry()
            self._idle.clear()
            self._wake.set()
            await self._idle.wait()

    async def _window(self, backlog: Backlog) -> bool:
        """Land one window. False when there was nothing to land."""
        entries = await self._journal.read(after=self.position, limit=_WINDOW_ENTRIES, max_bytes=_WINDOW_BYTES)
        if not entries:
            return False
        await self._survey(entries)  # what it finds is known, also to a dry run
        passed = await self._holding.passed(entries)
        published = await self.land_entries(passed, cursor=entries[-1].seq)
        self.position = entries[-1].seq
        backlog.add(published)
        self._on_published(published)
        return True

    async def _release(self) -> bool:
        """Land some of what an earlier life held back. False when nothing is left."""
        entries = await self._holding.next_held()
        if entries:
            published = await self.land_entries(entries)
            await self._holding.release(entries)
            self._on_published(published)
        return bool(entries)

    async def _survey(self, entries: Sequence[Entry]) -> None:
        if self._surveyor:
            await self._surveyor.ensure(entry.account for entry in entries)

    async def _land_again(self, entries: Sequence[Entry]) -> Published:
        published = await self.land_entries(entries, unpark=True)
        self._on_published(published)
        return published

    async def land_entries(self, entries: Sequence[Entry], *, cursor: int = 0, unpark: bool = False) -> Published:
        """Land these entries, whatever landed before; a cursor beyond where we are follows. `unpark`: these are
        tried again, and parked no longer but for what is refused again."""
        await self._survey(entries)
        told: list[Event] = []
        breath = _BREATH
        for entry in entries:
            told += events_of(entry)
            if len(told) >= breath:
                breath += _BREATH
                await self._clock.sleep(0)
        events, aliases = await identified(told, self._identities)
        window, progress = await self._windows.land(
            events,
            lambda landed: self._reckoner.of_window(entries, events, landed),
            consumer=CONSUMER,
            cursor=cursor,
            aliases=aliases,
        )
        if unpark:
            progress = replace(progress, unparked=tuple(entry.seq for entry in entries))
        await self._keep(progress)
        for answer in window.answers:
            self._on_answered(answer)
        seen = [event for event in events if isinstance(event, MessageSeen) and event.content.kind != NOTHING]
        skipped = window.landed.unchanged
        return Published(
            seen=seen,
            entries=entries,
            refused=window.refused,
            processed=len(window.landed.there) - skipped,
            skipped=skipped,
        )

    async def settle(self, threads: Iterable[str]) -> None:
        """Return when the gaps of these threads have been worked out anew, from what the connections claim by now."""
        settled = self._reckoner.want(threads)
        self._wake.set()
        await settled

    def settle_since(self, account: str, since_ms: int) -> None:
        """The same, some time soon, for gaps of an account with a message above them after this moment."""
        self._reckoner.want_since(account, since_ms)
        self._wake.set()

    async def distrust(self, thread: str) -> None:
        """Believe nothing of what is known of a thread until now: an operator says so."""
        now_ms = self._clock.wall_ms()
        changed = self._reckoner.want([thread], lambda coverage: reset(coverage, now_ms))
        self._wake.set()
        await changed

    async def forgive(self, debt: Debt) -> None:
        """A message that is owed will never come."""
        message_id = str(orjson.loads(debt.key)["id"])
        thread = "/".join(debt.path.split("/")[:2])
        changed = self._reckoner.want([thread], lambda coverage: forgiven(coverage, message_id))
        self._wake.set()
        await changed

    async def _settled(self, threads: Sequence[str]) -> None:
        await self._reckoned(await self._reckoner.settled(threads))

    async def _reckoned(self, reckoned: Reckoned) -> None:
        progress = await self._windows.progress_of(
            (), WindowLanded(Landed()), consumer=CONSUMER, covered=reckoned.threads
        )
        await self._keep(replace(progress, ledger=reckoned.change))

    async def _keep(self, progress: Progress) -> None:
        await self._advance(progress)
        self._flush.note(progress.gathered)
        self._late.note(progress.waiting)
        if progress.aliases:
            self._unite.look_again()

    async def _advance(self, progress: Progress) -> None:
        """Keep what was done. While the disk says no, nothing more is landed."""
        while True:
            try:
                return await self._consumers.advance(progress)
            except StoreUnwell as error:
                log.error("cursor_cannot_move", consumer=CONSUMER, reason=str(error))
                await self._clock.sleep(_STORE_PAUSE_S)
