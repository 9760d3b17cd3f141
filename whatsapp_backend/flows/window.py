"""One window: events become documents, and what is to be remembered of them becomes one progress.

What the documents hold after landing decides what follows: their threads, what is unread, what is owed no longer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.coverage import Answer
from whatsapp_backend.domain.events import PARTS, Amended, ChatRead, Event, MessageSeen, Owed, Unreadable
from whatsapp_backend.domain.mirror import Alias, Debt, Gathered, Nameless, Progress, Unread
from whatsapp_backend.domain.states import MessageState, ThreadState
from whatsapp_backend.flows.land import Landed, Lander
from whatsapp_backend.flows.reckon import Reckoned
from whatsapp_backend.ports import DocumentQueries, Mirror
from whatsapp_backend.rules import debts, gathering, landing, messages, threads
from whatsapp_backend.rules.document_ids import thread_id, thread_path
from whatsapp_backend.rules.gathering import State
from whatsapp_backend.rules.landing import Arrival, Slot
from whatsapp_backend.rules.unread import is_unread

log = structlog.get_logger()

_LOOKED_BACK = 20
"""So many messages are looked through for the newest that shows."""
Reckon = Callable[[Landed], Awaitable[Reckoned]]
"""What the ledger makes of what landed."""
_Parked = tuple[int, str, str]
"""(order, account, reason)"""


@dataclass(slots=True)
class WindowLanded:
    """What became of a window. `parked` are the orders and reasons of what could not land."""

    landed: Landed
    parked: list[_Parked] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    """What came of requests, to be told when it is durable."""

    @property
    def refused(self) -> frozenset[int]:
        """The orders of what was parked."""
        return frozenset(order for order, _, _ in self.parked)


class WindowLander:
    """Lands windows, one after the other."""

    def __init__(self, mirror: Mirror, queries: DocumentQueries, lander: Lander, clock: Clock) -> None:
        self._mirror = mirror
        self._queries = queries
        self._lander = lander
        self._clock = clock

    async def land(
        self, events: Sequence[Event], reckon: Reckon, *, consumer: str, cursor: int, aliases: tuple[Alias, ...] = ()
    ) -> tuple[WindowLanded, Progress]:
        """Land a window's events, which name people by their numbers."""
        arrivals = [landing.arrival_of(event) for event in events if isinstance(event, MessageSeen | Amended)]
        window = await self.land_arrivals(arrivals)
        window.parked += [(e.order, e.account, e.reason) for e in events if isinstance(e, Unreadable)]
        reckoned = await reckon(window.landed)
        window.answers = reckoned.answers
        progress = await self.progress_of(events, window, consumer=consumer, covered=reckoned.threads)
        progress = replace(progress, ledger=reckoned.change)
        parked = tuple((order // PARTS, order % PARTS, account, reason) for order, account, reason in window.parked)
        return window, replace(progress, cursor=cursor, aliases=aliases, parked=parked)

    async def land_arrivals(self, arrivals: Sequence[Arrival]) -> WindowLanded:
        """Land them, those aside whose place is another sender's."""
        window = WindowLanded(Landed())
        left = list(arrivals)
        while left:
            slots, displaced = await self._slots(left, window.landed)
            if displaced:
                moved, displaced = await self._slots([landing.aside(one) for one in displaced], window.landed)
                slots |= moved
                log.warning("message_id_used_by_another_sender", count=len(moved))
            homeless = "two other senders use its id already"
            window.parked += [(one.order, one.state.account, homeless) for one in displaced]
            landed = await self._lander.land(slots.values())
            window.landed.add(landed)
            left = landed.displaced
        for slot, detail in window.landed.invalid:
            window.parked += [(order, slot.incoming.account, f"Firestore: {detail}") for order in slot.orders]
        return window

    async def _slots(self, arrivals: list[Arrival], landed: Landed) -> tuple[dict[str, Slot], list[Arrival]]:
        lies = await self._mirror.adopted({one.path for one in arrivals})
        if lies:
            arrivals = [landing.adopted(one, lies) for one in arrivals]
        paths = {one.path for one in arrivals}
        known, waiting = await self._mirror.messages(paths), await self._mirror.waiting(paths)
        known |= {one.path: one for one in landed.mirrored}
        waiting |= {one.path: one for one in landed.waiting}
        return landing.slots_for(arrivals, known, waiting)

    async def progress_of(
        self,
        events: Sequence[Event],
        window: WindowLanded,
        *,
        consumer: str,
        covered: Iterable[ThreadState] = (),
    ) -> Progress:
        """What is to be remembered of what landed, and of what the events, or the ledger of threads, tell beside."""
        landed = window.landed
        owed = {event.order: event for event in events if isinstance(event, Owed)}
        unread = tuple(filter(None, map(_newly_unread, landed.there)))
        read = {_thread_of(event.account, event.client_jid) for event in events if isinstance(event, ChatRead)}
        told = gathering.gathered_by_path(
            [
                *gathering.states_told(events),
                *covered,
                *(threads.state_after(slot.outcome) for slot in landed.there if messages.is_here(slot.outcome)),
            ]
        )
        not_unread = tuple(filter(None, map(_unread_no_longer, landed.there)))
        touched = read | {one.thread for one in (*unread, *not_unread)}
        gathered = await self._gathered(told, touched, landed)
        return Progress(
            consumer=consumer,
            mirrored=tuple(landed.mirrored),
            waited=(*landed.left, *(slot.waited.path for slot in landed.there if slot.waited)),
            waiting=tuple(landed.waiting),
            gathered=tuple(gathered),
            unread=unread,
            not_unread=not_unread,
            read=tuple((row.path, threads.loaded(row.state).read_at_ms) for row in gathered if row.path in touched),
            nameless=tuple(_nameless(landed)),
            debts=tuple(_owed(owed, landed)),
            paid=tuple(_paid(owed, landed, self._clock.wall_ms())),
        )

    def paid_by(self, window: WindowLanded) -> tuple[tuple[str, str, int], ...]:
        """Debts that are none where these messages lie: they may have been opened elsewhere."""
        here = (slot.path for slot in window.landed.there if not debts.is_owed(slot.outcome))
        return tuple((path, debts.ARRIVED, self._clock.wall_ms()) for path in here)

    async def _gathered(self, told: Mapping[str, State], touched: set[str], landed: Landed) -> list[Gathered]:
        """The rows of threads and contacts that change."""
        changed_ones: dict[str, list[MessageState]] = defaultdict(list)
        for slot in landed.there:
            if slot.base is not None:
                changed_ones[_thread_of(slot.outcome.account, slot.outcome.client_jid)].append(slot.outcome)
        known = await self._mirror.gathered({*told, *changed_ones, *touched})
        rows = {row.path: row for row in gathering.changed(told, known)}
        for path in changed_ones.keys() | touched:
            row = rows.get(path) or known.get(path)
            if row is not None and gathering.is_ahead(row, changed_ones.get(path, ())):
                rows[path] = gathering.derived_anew(row, await self._newest_of(row))
            elif row is not None and path in touched:
                rows[path] = gathering.to_be_written(row)
        return list(rows.values())

    async def _newest_of(self, row: Gathered) -> list[MessageState]:
        """The newest messages of a thread as Firestore has them: asked for when the newest we knew is none any more."""
        thread = threads.loaded(row.state)
        place = thread_id(thread.account, thread.client_jid)
        newest = await self._lander.patiently(lambda: self._queries.messages(place, limit=_LOOKED_BACK))
        found = (landing.moved_in(document, thread.account, thread.client_jid) for document in newest)
        return [state for state in found if state is not None]


def _thread_of(account: str, client_jid: str) -> str:
    return thread_path(thread_id(account, client_jid))


def _newly_unread(slot: Slot) -> Unread | None:
    """A message that is not counted yet. One whose document was read may or may not be: counting again does no harm."""
    after = slot.outcome
    if not is_unread(after) or (slot.read is None and is_unread(slot.base)):
        return None
    return _unread_of(after)


def _unread_no_longer(slot: Slot) -> Unread | None:
    counted = is_unread(slot.before) or (slot.read is not None and not messages.is_here(slot.outcome))
    return _unread_of(slot.outcome) if counted and not is_unread(slot.outcome) else None


def _unread_of(state: MessageState) -> Unread:
    thread = _thread_of(state.account, state.client_jid)
    # Not its own time, where that cannot be believed: no reading would ever reach it.
    sent_at_ms = min(state.sent_at_ms, state.active_at_ms)
    return Unread(thread=thread, message_id=state.message_id, sent_at_ms=sent_at_ms)


def _nameless(landed: Landed) -> Iterable[Nameless]:
    for slot in landed.there:
        for lid in messages.nameless(slot.outcome):
            yield Nameless(account=slot.incoming.account, lid=lid, path=slot.path)
    for waiting in landed.waiting:
        for lid in messages.nameless(messages.loaded(waiting.state)):
            yield Nameless(account=waiting.account, lid=lid, path=waiting.path)


def _owed(owed: Mapping[int, Owed], landed: Landed) -> Iterable[Debt]:
    """New debts, also those that were paid before we knew of them."""
    for slot in landed.there:
        for order in owed.keys() & slot.orders:
            yield debts.debt_of(owed[order], slot.path)


def _paid(owed: Mapping[int, Owed], landed: Landed, now_ms: int) -> Iterable[tuple[str, str, int]]:
    """Debts whose message is here. What was read may have been paid by a write whose answer was lost."""
    for slot in landed.there:
        was_owed = debts.is_owed(slot.before) or slot.read is not None or not owed.keys().isdisjoint(slot.orders)
        if was_owed and not debts.is_owed(slot.outcome):
            yield slot.path, debts.ARRIVED, now_ms
