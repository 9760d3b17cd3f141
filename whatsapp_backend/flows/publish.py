"""Publish: the journal becomes documents. Read a window, interpret, land, remember; only then the cursor moves.

Windows follow one another, so no document is ever in flight twice; within a window everything is in flight at once. A
lone message makes a window of one and is written immediately; what follows within a twentieth of a second shares the
next one; in a flood each window is as large as the bounds allow, and the journal, not memory, holds what waits.

Threads are coalesced. Their merged state becomes durable (and `dirty`) together with the cursor, and is written at most
once a second for each thread; while a backlog is being worked off, only every few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from whatsapp_backend.clock import Clock, within
from whatsapp_backend.domain.events import PARTS, Event, MessageSeen, Unreadable
from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.domain.mirror import MirroredThread, Progress
from whatsapp_backend.domain.states import ThreadState
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.flows.land import Landed, Lander
from whatsapp_backend.flows.thread_flush import ThreadFlush
from whatsapp_backend.ports import Consumers, Journal, Mirror
from whatsapp_backend.rules import landing, threads
from whatsapp_backend.rules.document_ids import thread_id, thread_path
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
_STORE_PAUSE_S = 2.0


@dataclass(frozen=True, slots=True)
class Published:
    """One window that landed, for whoever keeps diagnostics."""

    seen: Sequence[MessageSeen]
    entries: Sequence[Entry]
    refused: frozenset[int] = frozenset()
    """The orders of what was parked."""
    unchanged: int = 0


class Publisher:
    """The consumer `documents`. `nudge` tells it that there may be something new."""

    def __init__(
        self,
        *,
        journal: Journal,
        mirror: Mirror,
        consumers: Consumers,
        lander: Lander,
        clock: Clock,
        on_published: Callable[[Published], None],
    ) -> None:
        self._journal = journal
        self._mirror = mirror
        self._consumers = consumers
        self._lander = lander
        self._clock = clock
        self._on_published = on_published
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._thread_flush = ThreadFlush(
            mirror=mirror, lander=lander, clock=clock, keep=self._advance, consumer=CONSUMER
        )
        self.position = 0
        self.started = False

    def nudge(self) -> None:
        """Look again soon."""
        self._wake.set()

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
        await self._thread_flush.resume()
        log.info("consumer_resumes", consumer=CONSUMER, position=self.position, gap=end - self.position)
        self.started = True

    async def _round(self) -> None:
        """Land what is there, then wait for more."""
        self._wake.clear()
        began = self._clock.monotonic_s()
        while await self._window():
            await self._thread_flush.due(backlog=True)
            await self._clock.sleep(max(0.0, began + _PACE_S - self._clock.monotonic_s()))
            began = self._clock.monotonic_s()
        next_due_s = await self._thread_flush.due(backlog=False)
        self._idle.set()
        await within(self._clock, next_due_s, self._wake.wait())

    async def drained(self) -> None:
        """Return when everything journaled has landed, threads included."""
        end = await self._journal.end()
        while self.position < end or self._thread_flush.waiting:
            self._idle.clear()
            self._thread_flush.hurry()
            self._wake.set()
            await self._idle.wait()

    async def _window(self) -> bool:
        """Land one window. False when there was nothing to land."""
        entries = await self._journal.read(after=self.position, limit=_WINDOW_ENTRIES, max_bytes=_WINDOW_BYTES)
        if not entries:
            return False
        published = await self.land_entries(entries, cursor=entries[-1].seq)
        self.position = entries[-1].seq
        self._on_published(published)
        return True

    async def land_entries(self, entries: Sequence[Entry], *, cursor: int = 0) -> Published:
        """Land these entries, whatever landed before; a cursor beyond where we are follows."""
        events: list[Event] = []
        breath = _BREATH
        for entry in entries:
            events += events_of(entry)
            if len(events) >= breath:
                breath += _BREATH
                await self._clock.sleep(0)
        seen = [event for event in events if isinstance(event, MessageSeen)]
        landed, homeless = await self._land(seen)
        parked = _unreadable(events) + _invalid(landed, seen) + homeless
        refused = frozenset(order for order, _, _ in parked)
        changed = await self._merged_threads(events, refused)
        progress = Progress(
            consumer=CONSUMER,
            cursor=cursor,
            mirrored=tuple(landed.mirrored),
            threads=tuple(changed),
            parked=tuple((order // PARTS, order % PARTS, account, reason) for order, account, reason in parked),
        )
        await self._advance(progress)
        self._thread_flush.note(changed)
        return Published(seen=seen, entries=entries, refused=refused, unchanged=landed.unchanged)

    async def _land(self, seen: Sequence[MessageSeen]) -> tuple[Landed, list[tuple[int, str, str]]]:
        """Land them; the second value is what to park, because even the place aside is somebody else's."""
        known = await self._mirror.messages({landing.path_of(one) for one in seen})
        slots, displaced = landing.slots_for(seen, known)
        if displaced:
            aside = {one.order: landing.aside(landing.path_of(one), one.sender) for one in displaced}
            known = await self._mirror.messages(aside.values())
            moved, displaced = landing.slots_for(displaced, known, lambda one: aside[one.order])
            slots |= moved
            log.warning("message_id_used_by_another_sender", count=len(aside))
        homeless = [(one.order, one.account, "two other senders use its id already") for one in displaced]
        return await self._lander.land(slots.values()), homeless

    async def _merged_threads(self, events: Iterable[Event], refused: frozenset[int]) -> list[MirroredThread]:
        """The threads that these events change, merged into what the mirror holds, dirty where there is a message."""
        incoming: dict[str, ThreadState] = {}
        for event in events:
            if isinstance(event, Unreadable) or event.order in refused:
                continue
            path = thread_path(thread_id(event.account, event.client_jid))
            state = threads.state_of(event)
            incoming[path] = threads.merged(incoming[path], state) if path in incoming else state
        known = await self._mirror.threads(incoming)
        changed = []
        for path, state in incoming.items():
            row = known.get(path)
            before = threads.loaded(row.state) if row else None
            after = threads.merged(before, state) if before else state
            if after != before:
                changed.append(
                    MirroredThread(
                        path=path,
                        account=after.account,
                        state=threads.dumped(after),
                        updated_at_ns=row.updated_at_ns if row else None,
                        dirty=after.last_at_ms > 0,
                    )
                )
        return changed

    async def _advance(self, progress: Progress) -> None:
        """Keep what was done. While the disk says no, nothing more is landed."""
        while True:
            try:
                return await self._consumers.advance(progress)
            except StoreUnwell as error:
                log.error("cursor_cannot_move", consumer=CONSUMER, reason=str(error))
                await self._clock.sleep(_STORE_PAUSE_S)


def _unreadable(events: Iterable[Event]) -> list[tuple[int, str, str]]:
    return [(event.order, event.account, event.reason) for event in events if isinstance(event, Unreadable)]


def _invalid(landed: Landed, seen: Sequence[MessageSeen]) -> list[tuple[int, str, str]]:
    if not landed.invalid:
        return []
    reasons = {order: f"Firestore: {detail}" for slot, detail in landed.invalid for order in slot.orders}
    return [(one.order, one.account, reasons[one.order]) for one in seen if one.order in reasons]
