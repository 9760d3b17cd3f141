"""One window: events become documents, and what is to be remembered of them becomes one progress.

What the documents hold after landing decides what follows: their threads, what is unread, what is owed no longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.events import PARTS, Amended, ChatRead, Event, MessageSeen, Owed, Unreadable
from whatsapp_backend.domain.mirror import Alias, Debt, Gathered, Nameless, Progress, Unread
from whatsapp_backend.domain.states import MessageState
from whatsapp_backend.flows.land import Landed, Lander
from whatsapp_backend.ports import DocumentQueries, Mirror
from whatsapp_backend.rules import debts, gathering, landing, messages, threads
from whatsapp_backend.rules.document_ids import thread_id, thread_path
from whatsapp_backend.rules.gathering import State
from whatsapp_backend.rules.landing import Arrival, Slot
from whatsapp_backend.rules.unread import is_unread

log = structlog.get_logger()

_LOOKED_BACK = 20
"""So many messages are looked through for the newest that shows."""
_Parked = tuple[int, str, str]
"""(order, account, reason)"""


@dataclass(slots=True)
class WindowLanded:
    """What became of a window. `parked` are the orders and reasons of what could not land."""

    landed: Landed
    parked: list[_Parked] = field(default_factory=list)

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
        self, events: Sequence[Event], *, consumer: str, cursor: int, aliases: tuple[Alias, ...] = ()
    ) -> tuple[WindowLanded, Progress]:
        """Land a window's events, which name people by their numbers."""
        arrivals = [landing.arrival_of(event) for event in events if isinstance(event, MessageSeen | Amended)]
        window = await self.land_arrivals(arrivals)
        window.parked += [(e.order, e.account, e.reason) for e in events if isinstance(e, Unreadable)]
        progress = await self.progress_of(events, window, consumer=consumer)
        return window, replace(progress, cursor=cursor, aliases=aliases)

    async def land_arrivals(self, arrivals: Sequence[Arrival]) -> WindowLanded:
        """Land them, those aside whose place is another sender's."""
        slots, displaced = await self._slots(arrivals)
        if displaced:
            moved, displaced = await self._slots([landing.aside(one) for one in displaced])
            slots |= moved
            log.warning("message_id_used_by_another_sender", count=len(moved))
        window = WindowLanded(await self._lander.land(slots.values()))
        homeless = "two other senders use its id already"
        window.parked += [(one.order, one.state.account, homeless) for one in displaced]
        for slot, detail in window.landed.invalid:
            window.parked += [(order, slot.incoming.account, f"Firestore: {detail}") for order in slot.orders]
        return window

    async def _slots(self, arrivals: Iterable[Arrival]) -> tuple[dict[str, Slot], list[Arrival]]:
        arrivals = list(arrivals)
        lies = await self._mirror.adopted({one.path for one in arrivals})
        if lies:
            arrivals = [landing.adopted(one, lies) for one in arrivals]
        paths = {one.path for one in arrivals}
        return landing.slots_for(arrivals, await self._mirror.messages(paths), await self._mirror.waiting(paths))

    async def progress_of(self, events: Sequence[Event], window: WindowLanded, *, consumer: str) -> Progress:
        """What is to be remembered of what landed, and of what the events tell beside messages."""
        landed = window.landed
        owed = {event.order: event for event in events if isinstance(event, Owed)}
        unread = tuple(filter(None, map(_newly_unread, landed.there)))
        read = {_thread_of(event.account, event.client_jid) for event in events if isinstance(event, ChatRead)}
        told = gathering.gathered_by_path(
            [
                *gathering.states_told(events),
                *(threads.state_after(slot.outcome) for slot in landed.there if messages.is_here(slot.outcome)),
            ]
        )
        not_unread = tuple(filter(None, map(_unread_no_longer, landed.there)))
        touched = read | {one.thread for one in (*unread, *not_unread)}
        gathered = await self._gathered(told, touched, landed)
        return Progress(
            consumer=consumer,
            mirrored=tuple(landed.mirrored),
            waited=tuple(slot.waited.path for slot in landed.there if slot.waited),
            waiting=tuple(landed.waiting),
            gathered=tuple(gathered),
            unread=unread,
            not_unread=not_unread,
            read=tuple((row.path, threads.loaded(row.state).read_at_ms) for row in gathered if row.path in touched),
            nameless=tuple(_nameless(landed)),
            debts=tuple(_owed(owed, landed)),
            paid=tuple(_paid(owed, landed, self._clock.wall_ms())),
            parked=tuple((order // PARTS, order % PARTS, account, reason) for order, account, reason in window.parked),
        )

    async def _gathered(self, told: Mapping[str, State], touched: set[str], landed: Landed) -> list[Gathered]:
        """The rows of threads and contacts that change."""
        back = {_thread_of(s.outcome.account, s.outcome.client_jid): s.outcome for s in landed.there if _goes_back(s)}
        known = await self._mirror.gathered({*told, *back, *touched})
        changed = {row.path: row for row in gathering.changed(told, known, touched)}
        for path in (touched | back.keys()) & known.keys():
            changed.setdefault(path, known[path])
        return [await self._derived_anew(row, back.get(path)) for path, row in changed.items()]

    async def _derived_anew(self, row: Gathered, gone: MessageState | None) -> Gathered:
        """A thread whose newest message is not what it was asks Firestore for the next one: a rare thing."""
        if gone is None or threads.loaded(row.state).last_id != gone.message_id:
            return row
        thread = thread_id(gone.account, gone.client_jid)
        newest = await self._lander.patiently(lambda: self._queries.messages(thread, limit=_LOOKED_BACK))
        found = (landing.moved_in(document, gone.account, gone.client_jid) for document in newest)
        return gathering.derived_anew(row, filter(None, found))


def _goes_back(slot: Slot) -> bool:
    """Whether a message that was its thread's newest may be so no longer."""
    before, after = slot.base, slot.outcome
    if before is None or not messages.is_here(before):
        return False
    return not messages.is_here(after) or after.active_at_ms < before.active_at_ms


def _thread_of(account: str, client_jid: str) -> str:
    return thread_path(thread_id(account, client_jid))


def _newly_unread(slot: Slot) -> Unread | None:
    """A message that is not counted yet. One whose document was read may or may not be: counting again does no harm."""
    after = slot.outcome
    if not is_unread(after) or (slot.read is None and is_unread(slot.base)):
        return None
    return _unread_of(after)


def _unread_no_longer(slot: Slot) -> Unread | None:
    return _unread_of(slot.outcome) if is_unread(slot.base) and not is_unread(slot.outcome) else None


def _unread_of(state: MessageState) -> Unread:
    thread = _thread_of(state.account, state.client_jid)
    return Unread(thread=thread, message_id=state.message_id, sent_at_ms=state.sent_at_ms)


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
    """Debts whose message is here."""
    for slot in landed.there:
        was_owed = debts.is_owed(slot.base) or not owed.keys().isdisjoint(slot.orders)
        if was_owed and not debts.is_owed(slot.outcome):
            yield slot.path, debts.ARRIVED, now_ms
