"""One window: events become documents, and what is to be remembered of them becomes one progress.

What the documents hold after landing decides what follows: their threads, what is unread, what is owed no longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.events import PARTS, Amended, ChatRead, Event, MessageSeen, Owed, Unreadable
from whatsapp_backend.domain.mirror import Alias, Debt, Nameless, Progress, Unread
from whatsapp_backend.flows.land import Landed, Lander
from whatsapp_backend.ports import Mirror
from whatsapp_backend.rules import debts, gathering, landing, messages, threads
from whatsapp_backend.rules.document_ids import thread_id, thread_path
from whatsapp_backend.rules.landing import Arrival, Slot
from whatsapp_backend.rules.unread import is_unread

log = structlog.get_logger()

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

    def __init__(self, mirror: Mirror, lander: Lander, clock: Clock) -> None:
        self._mirror = mirror
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
            [*gathering.states_told(events), *(threads.state_after(slot.outcome) for slot in landed.there)]
        )
        touched = read | {one.thread for one in unread}
        gathered = gathering.changed(told, await self._mirror.gathered(told), touched)
        return Progress(
            consumer=consumer,
            mirrored=tuple(landed.mirrored),
            waited=tuple(slot.waited.path for slot in landed.there if slot.waited),
            waiting=tuple(landed.waiting),
            gathered=tuple(gathered),
            unread=unread,
            read=tuple((row.path, threads.loaded(row.state).read_at_ms) for row in gathered if row.path in touched),
            nameless=tuple(_nameless(landed)),
            debts=tuple(_owed(owed, landed)),
            paid=tuple(_paid(owed, landed, self._clock.wall_ms())),
            parked=tuple((order // PARTS, order % PARTS, account, reason) for order, account, reason in window.parked),
        )


def _thread_of(account: str, client_jid: str) -> str:
    return thread_path(thread_id(account, client_jid))


def _newly_unread(slot: Slot) -> Unread | None:
    """A message that is not counted yet. One whose document was read may or may not be: counting again does no harm."""
    after = slot.outcome
    if not is_unread(after) or (slot.read is None and is_unread(slot.base)):
        return None
    thread = _thread_of(after.account, after.client_jid)
    return Unread(thread=thread, message_id=after.message_id, sent_at_ms=after.sent_at_ms)


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
