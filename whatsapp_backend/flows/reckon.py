"""Reckon: what a window means for the ledger. What came, what it proves, and which gaps follow.

Coverages are changed here alone, in the publisher's loop, so that two changes of one never cross. What does not come
with a window (a connection caught up, somebody is about to ask) is done as a step of that loop, too.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.coverage import (
    ENDLESS_MS,
    SECOND_MS,
    AccountLedger,
    Answer,
    Around,
    Asked,
    Coverage,
    Epoch,
    LedgerChange,
)
from whatsapp_backend.domain.events import PARTS, Event, MessageSeen
from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.domain.states import ThreadState
from whatsapp_backend.flows.land import Landed
from whatsapp_backend.ports import Ledger
from whatsapp_backend.rules.coverage import reckoning
from whatsapp_backend.rules.coverage.epochs import Claims, as_of, claims_of
from whatsapp_backend.rules.coverage.ledger import NO_MORE, to_look_at
from whatsapp_backend.rules.coverage.news import (
    Carried,
    News,
    came_in,
    chunk_of,
    of_history,
    page_in,
    request_of,
    words_on,
)
from whatsapp_backend.rules.coverage.pages import page_older, to_the_beginning
from whatsapp_backend.rules.coverage.reckoning import Matter
from whatsapp_backend.rules.coverage.shown import coverage_shown
from whatsapp_backend.rules.history import HistoryEnd, history_end
from whatsapp_backend.rules.identity import canonical_jid
from whatsapp_backend.rules.requests import asking_after, outcome_of

_AT_ONCE = 200
"""Threads that are settled in one step: new messages wait no longer than that takes."""
_ALL = 10_000
_CALM = 10_000

_Change = Callable[[Coverage], Coverage]
_Wish = tuple[_Change, asyncio.Future[None]]
"""How to change what is known of a thread, and whom to tell when that is durable."""


@dataclass(slots=True)
class Reckoned:
    """What is to be made durable, what the threads' documents show of it, and whom to tell afterwards."""

    change: LedgerChange = field(default_factory=LedgerChange)
    threads: list[ThreadState] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def add(self, **more: Iterable[object]) -> None:
        """More to be made durable."""
        self.change = replace(self.change, **{name: (*getattr(self.change, name), *new) for name, new in more.items()})


class _Claimed:
    """What an account's epochs claim, now and as of a moment: worked out once for all of its threads."""

    def __init__(self, epochs: Sequence[Epoch]) -> None:
        self.now = claims_of(epochs)
        self.at = cache(lambda at_ms: claims_of(as_of(epochs, at_ms)))


@dataclass(slots=True)
class _Window:
    """A window, by what it is about."""

    ledgers: Mapping[str, AccountLedger]
    claimed: Mapping[str, _Claimed]
    matters: dict[str, Matter]
    asked: dict[tuple[str, str], Asked]
    rows: dict[int, list[MessageSeen]]
    fresh: dict[int, int]
    """By entry, how many of its messages are new."""

    def matter(self, account: str, thread: str, jid: str = "") -> Matter:
        """What there is to say of a thread."""
        return self.matters.setdefault(thread, Matter(News(account, jid)))


class Reckoner:
    """Reckons windows as they land, and threads whenever somebody wants it."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._carried: dict[tuple[str, str], Carried] = defaultdict(dict)
        """By account and notice, where its chats were cut. A restart forgets it: then a gap is asked for."""
        self._came: dict[str, tuple[int, int]] = {}
        """By request, how many messages came for it, and how many of them were new."""
        self._calm: dict[str, int] = {}
        """Threads whose newest message came live, with the connection: what comes on it later changes nothing."""
        self._wanted: dict[str, list[_Wish]] = {}
        self._since: dict[str, int] = {}

    # -- Windows ---------------------------------------------------------------------------------------------------

    async def of_window(self, entries: Sequence[Entry], events: Sequence[Event], landed: Landed) -> Reckoned:
        """What a window means whose events have landed."""
        reckoned = Reckoned()
        window = await self._window(entries, events, landed)
        for entry in entries:
            if entry.new.kind == "history":
                self._record(entry, window)
            elif (end := history_end(entry.new)) is not None:
                self._end(entry, end, window, reckoned)
        reckoned.add(asked=[one for key, one in window.asked.items() if key[1] in self._came])
        busy = [
            thread for thread, matter in sorted(window.matters.items()) if not self._is_calm(thread, matter, window)
        ]
        known = await self._ledger.coverages(busy) if busy else {}
        for thread in busy:
            matter = window.matters[thread]
            before = known.get(thread)
            new = Coverage(account=matter.news.account, thread=thread, jid=matter.news.jid)
            if before or matter.held:
                await self._reckon(before, before or new, matter, window.claimed[new.account], reckoned)
        reckoned.add(held=[one for matter in window.matters.values() for one in matter.held])
        return reckoned

    async def _window(self, entries: Sequence[Entry], events: Sequence[Event], landed: Landed) -> _Window:
        ledgers = {name: await self._ledger.account_ledger(name) for name in {entry.account for entry in entries}}
        slots = {order: slot for slot in landed.there for order in slot.orders}
        by_seq = {entry.seq: entry for entry in entries}
        epochs = {name: ledger.epochs for name, ledger in ledgers.items()}
        matters = {thread: Matter(news) for thread, news in came_in(events, by_seq, slots, epochs).items()}
        asked = {(name, one.id): one for name, ledger in ledgers.items() for one in ledger.asked}
        claimed = {name: _Claimed(rows) for name, rows in epochs.items()}
        window = _Window(ledgers, claimed, matters, asked, defaultdict(list), defaultdict(int))
        for event in events:
            slot = slots.get(event.order)
            if isinstance(event, MessageSeen) and slot is not None:
                window.rows[event.order // PARTS].append(event)
                window.fresh[event.order // PARTS] += slot.base is None
        return window

    def _record(self, entry: Entry, window: _Window) -> None:
        """A record of a history: a page that was asked for, or a piece that the phone sent by itself."""
        request = request_of(entry.new) if entry.new.origin == "ondemand" else None
        asked = window.asked.get((entry.account, request)) if request else None
        if asked is not None:
            page = page_in(entry.new, asked.account, asked.gap.thread)
            older = asked.older + len(page_older(page, asked.anchor))
            window.asked[asked.account, asked.id] = replace(asked, older=older)
            fetched, stored = self._came.get(asked.id, (0, 0))
            self._came[asked.id] = fetched + len(page), stored + window.fresh[entry.seq]
            window.matter(asked.account, asked.gap.thread).pages.append((asked, page))
            return
        notice = entry.new.source.rpartition("#")[0]
        for thread, row, proven in of_history(window.rows[entry.seq], self._carried[entry.account, notice]):
            window.matter(entry.account, thread, row.client_jid).news.chunks.append(proven)

    def _end(self, entry: Entry, end: HistoryEnd, window: _Window, reckoned: Reckoned) -> None:
        """A history is here with all its records."""
        carried = self._carried.pop((entry.account, end.notice), {})
        asked = window.asked.pop((entry.account, end.session), None) if end.session else None
        if asked is not None:
            self._answered(asked, words_on(end, asked.account, asked.gap.thread), window, reckoned)
            return
        for jid, word in end.ends.items():
            if word == NO_MORE and (told := carried.get(canonical_jid(jid))):
                window.matter(entry.account, told[0]).news.chunks += to_the_beginning([told[1]])
        if entry.new.origin == "history" and (chunk := chunk_of(entry.account, end)):
            reckoned.add(chunks=[chunk])

    def _answered(self, asked: Asked, end: HistoryEnd, window: _Window, reckoned: Reckoned) -> None:
        outcome = outcome_of(asked.older, end.end, downloaded=end.downloaded)
        word = end.end if end.downloaded else None
        window.matter(asked.account, asked.gap.thread).ends.append((asked, outcome, word))
        last = {one.account: one for one in reckoned.change.askings}.get(asked.account)
        asking = asking_after(last or window.ledgers[asked.account].asking, outcome, self._clock.wall_ms())
        fetched, stored = self._came.pop(asked.id, (0, 0))
        reckoned.add(askings=[asking], answered=[asked])
        reckoned.answers.append(
            Answer(
                account=asked.account,
                request=asked.id,
                outcome=outcome,
                fetched=fetched,
                stored=stored,
                end=word,
            )
        )

    # -- One thread ------------------------------------------------------------------------------------------------

    def _is_calm(self, thread: str, matter: Matter, window: _Window) -> bool:
        number = self._calm.get(thread)
        if number is None or matter.pages or matter.ends:
            return False
        lives = window.claimed[matter.news.account].now.lives
        return number in lives and matter.news.only_live_on(number, lives[number][0])

    async def _reckon(
        self, before: Coverage | None, coverage: Coverage, matter: Matter, claimed: _Claimed, reckoned: Reckoned
    ) -> None:
        """Take in what came, look at what the store holds around the holes, and see which gaps there are now."""
        claims = claimed.now
        coverage = reckoning.told(coverage, matter, claimed.at)
        ranges = [(one.first * SECOND_MS, one.last * SECOND_MS) for one in to_look_at(coverage, claims)]
        around = [*await self._ledger.around(coverage.thread, ranges), Around(inside=matter.held)]
        coverage = reckoning.concluded(coverage, matter, claims, around, self._clock.wall_ms())
        reckoned.add(coverages=reckoning.put(before, coverage) if before else [coverage])
        shown = coverage_shown(coverage, claims, around)
        thread = ThreadState(account=coverage.account, client_jid=coverage.jid, coverage=shown)
        if matter.ends:
            thread = replace(thread, backfilled_at_ms=self._clock.wall_ms())
        reckoned.threads.append(thread)
        self._note_calm(coverage.thread, matter, claims)

    def _note_calm(self, thread: str, matter: Matter, claims: Claims) -> None:
        live = {one.epoch for one in matter.held if one.epoch in claims.lives}
        if not live:
            self._calm.pop(thread, None)
        elif len(self._calm) >= _CALM:
            self._calm.clear()
        for number in live:
            if number is not None:
                self._calm[thread] = number

    # -- Beside windows --------------------------------------------------------------------------------------------

    def want(self, threads: Iterable[str], change: _Change | None = None) -> Awaitable[object]:
        """Work out the gaps of these threads anew, where anything is known of them; after a change of that. What is
        returned is done when that is durable."""
        done: list[asyncio.Future[None]] = []
        for thread in threads:
            done.append(asyncio.get_running_loop().create_future())
            self._wanted.setdefault(thread, []).append((change or _as_it_is, done[-1]))
        return asyncio.gather(*done)

    def want_since(self, account: str, since_ms: int) -> None:
        """The same for all threads of an account with a gap that has a message after this moment above it."""
        self._since[account] = min(since_ms, self._since.get(account, since_ms))

    @property
    def waiting(self) -> bool:
        """Whether there is something to do beside windows."""
        return bool(self._wanted or self._since)

    async def step(self, keep: Callable[[Reckoned], Awaitable[None]]) -> bool:
        """Do some of it. False when nothing is left."""
        while self._since:
            account, since_ms = next(iter(self._since.items()))
            for gap in await self._ledger.open_gaps(account, limit=_ALL, above=(since_ms, ENDLESS_MS)):
                self._wanted.setdefault(gap.thread, [])
            if self._since[account] == since_ms:  # else more was wanted meanwhile
                del self._since[account]
        # What is wanted meanwhile comes next: its thread, or what the connections claim, was looked at before.
        wanted = {thread: tuple(self._wanted[thread]) for thread in islice(self._wanted, _AT_ONCE)}
        if wanted:
            await keep(await self._settled(wanted))
            for thread, wishes in wanted.items():
                if left := self._wanted.pop(thread)[len(wishes) :]:
                    self._wanted[thread] = left
                for _, done in wishes:
                    if not done.done():  # whoever waited may have gone
                        done.set_result(None)
        return self.waiting

    async def settled(self, threads: Iterable[str]) -> Reckoned:
        """What working out the gaps of these threads anew comes to. To be kept by the publisher's loop before anything
        else is reckoned."""
        return await self._settled(dict.fromkeys(threads, ()))

    async def _settled(self, wanted: Mapping[str, Sequence[_Wish]]) -> Reckoned:
        reckoned = Reckoned()
        known = await self._ledger.coverages(wanted)
        accounts = {coverage.account for coverage in known.values()}
        claimed = {name: _Claimed((await self._ledger.account_ledger(name)).epochs) for name in accounts}
        for thread, before in known.items():
            coverage = before
            for change, _ in wanted[thread]:
                coverage = change(coverage)
            matter = Matter(News(before.account, before.jid))
            await self._reckon(before, coverage, matter, claimed[before.account], reckoned)
        return reckoned


def _as_it_is(coverage: Coverage) -> Coverage:
    return coverage
