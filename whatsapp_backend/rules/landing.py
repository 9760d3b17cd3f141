"""How arrivals become writes: which document each belongs to, whether it needs a read, and what to write.

An arrival is a sighting of a message, or amendments to it. Amendments whose message is not here wait for it in the
mirror: they never make a document. Those who had a group's message are many and come at once: they wait a moment and
are written together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from whatsapp_backend.domain.amendments import Amendments
from whatsapp_backend.domain.events import Amended, MessageSeen
from whatsapp_backend.domain.mirror import Mirrored, Waiting
from whatsapp_backend.domain.states import MessageState
from whatsapp_backend.domain.writes import Document, Fields, Write
from whatsapp_backend.rules import message_fields, messages, threads
from whatsapp_backend.rules.document_ids import message_path, other_sender, thread_id
from whatsapp_backend.rules.generations import said_id
from whatsapp_backend.rules.identity import certainly_differ, is_person
from whatsapp_backend.rules.shown import shown_of

_ABSENT = object()
_TOGETHER_MS = 5000
"""So long receipts of a group's message wait for one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What is to be merged into the document at `path`. `sender`: whose message it is, or is said to be."""

    path: str
    state: MessageState
    order: int = 0
    """0 for what is no event's."""
    sender: str | None = None
    sender_lid: str | None = None
    waits: bool = True
    """Whether it may wait for others of its kind."""
    exists: bool = False
    """Whether the document is known to be there, though not what it holds."""


@dataclass(slots=True, kw_only=True)
class Slot:
    """One message document on its way: what arrived for it, and what it is known to hold.

    `base` is None for a document believed new. `must_read`: what it holds is not known and has to be looked up first.
    """

    path: str
    incoming: MessageState
    sender: str | None = None
    sender_lid: str | None = None
    orders: list[int] = field(default_factory=list)
    base: MessageState | None = None
    read: Fields | None = None
    """The document that `base` was read from; it may lack fields that `base` has, or spell them differently."""
    updated_at_ns: int | None = None
    must_read: bool = False
    known: bool = False
    """Whether the mirror knew the document. One that it did not know may be there all the same: a crash kept it from
    being remembered, or others wrote it."""
    before: MessageState | None = None
    """What the mirror knew of the document. Where it was `read`, our own write may be in it already, and the answer to
    that have been lost.
    """
    waited: Waiting | None = None
    """What the mirror held for it, now part of `incoming`."""
    waits: bool = True
    _made: tuple[MessageState | None, MessageState, MessageState, dict[str, MessageState]] | None = None

    @property
    def outcome(self) -> MessageState:
        """What the document will hold."""
        return self._parted()[2]

    @property
    def of_others(self) -> Iterable[Arrival]:
        """What had waited here for another sender's message, or was not known to be about one."""
        return [Arrival(path=self.path, state=told, sender=author) for author, told in self._parted()[3].items()]

    def _parted(self) -> tuple[MessageState | None, MessageState, MessageState, dict[str, MessageState]]:
        """They are asked for often, and made once of the same `base` and `incoming`."""
        if self._made is None or self._made[0] is not self.base or self._made[1] is not self.incoming:
            gathered = messages.merged(self.base, self.incoming) if self.base else self.incoming
            self._made = (self.base, self.incoming, *messages.parted(gathered))
        return self._made


def arrival_of(event: MessageSeen | Amended) -> Arrival:
    """An event at its plain path: the one it has unless its id is another sender's already."""
    sent = (event.sender, event.sender_lid) if isinstance(event, MessageSeen) else (event.author, event.author_lid)
    return Arrival(
        path=message_path(thread_id(event.account, event.client_jid), event.message_id),
        state=messages.state_of(event),
        order=event.order,
        sender=sent[0],
        sender_lid=sent[1],
    )


def aside(arrival: Arrival) -> Arrival:
    """Where it lands when its plain path is another sender's already."""
    return replace(arrival, path=other_sender(arrival.path, arrival.sender or ""))


def move_aside(slot: Slot) -> list[Arrival]:
    """As `aside`, for a slot whose document turned out to be another sender's. Returns what is about other messages
    than the sender's, and stays behind.
    """
    own, others = messages.parted(replace(slot.incoming, sender=slot.sender, sender_lid=slot.sender_lid))
    left = [Arrival(path=slot.path, state=told, sender=author, exists=True) for author, told in others.items()]
    if left:
        slot.incoming = replace(own, sender=slot.incoming.sender, sender_lid=slot.incoming.sender_lid)
    slot.path = other_sender(slot.path, slot.sender or "")
    return left


def adopted(arrival: Arrival, lies: Mapping[str, str]) -> Arrival:
    """Where it lands when its message lies in a document that others chose."""
    path = lies.get(arrival.path)
    return arrival if path is None else replace(arrival, path=path, exists=True)


def is_anothers(state: MessageState | None, incoming: MessageState, sender: str | None, lid: str | None) -> bool:
    """Whether this is certainly somebody else's message under the same id, or another that was adopted there."""
    if state and state.message_id != incoming.message_id:
        return True
    if not (state and state.sender and sender):
        return False
    return certainly_differ(state.sender, sender, state.sender_lid, lid)


def slots_for(
    arrivals: Iterable[Arrival], known: Mapping[str, Mirrored], waiting: Mapping[str, Waiting]
) -> tuple[dict[str, Slot], list[Arrival]]:
    """Group arrivals by document; the second value are those whose document is another sender's: place them aside.

    First those whose document is known to be theirs; and sightings before what somebody did to a message, which must
    not take its place.
    """
    slots: dict[str, Slot] = {}
    displaced: list[Arrival] = []
    amended: dict[str, list[MessageState]] = defaultdict(list)
    for one in sorted(arrivals, key=lambda arrival: (arrival.state.content is None, not arrival.exists)):
        slot = slots.get(one.path)
        if slot is None:
            slot = _slot(one, known.get(one.path), waiting.get(one.path))
            if is_anothers(slot.base, one.state, one.sender, one.sender_lid):
                displaced.append(one)
                continue
            slots[one.path] = slot
        elif is_anothers(slot.base, one.state, one.sender, one.sender_lid) or is_anothers(
            slot.incoming, one.state, one.sender, one.sender_lid
        ):
            displaced.append(one)
            continue
        else:
            if one.state.content is None:
                amended[one.path].append(one.state)
            else:
                slot.incoming = messages.merged(slot.incoming, one.state)
            if slot.incoming.content is None and one.sender != slot.sender:
                slot.sender = None  # amendments that name several authors stay together: each counts for itself
        slot.orders.append(one.order)
    for path, states in amended.items():
        slots[path].incoming = _all_of([slots[path].incoming, *states])
    displaced += [arrival for slot in slots.values() for arrival in slot.of_others]
    for slot in slots.values():
        if slot.base and slot.updated_at_ns is None and slot.outcome != slot.base:
            slot.must_read = True  # there is nothing to guard a patch with
    return slots, displaced


def _all_of(states: list[MessageState]) -> MessageState:
    """All of them merged, two and two: one after the other, a thousand reactions would be copied a thousand times."""
    while len(states) > 1:
        pairs = zip(states[::2], states[1::2], strict=False)
        states = [messages.merged(one, other) for one, other in pairs] + states[len(states) & ~1 :]
    return states[0]


def _slot(one: Arrival, mirrored: Mirrored | None, waited: Waiting | None) -> Slot:
    slot = Slot(
        path=one.path,
        incoming=one.state,
        sender=one.sender,
        sender_lid=one.sender_lid,
        waited=waited,
        waits=one.waits,
        known=mirrored is not None,
    )
    if waited is not None:
        slot.incoming = messages.merged(slot.incoming, messages.loaded(waited.state))
    if mirrored is None:
        # A message nobody told us of is looked for once; if it is not there, the mirror remembers that we wait for it.
        # What has a time to be written has been found there.
        amends = one.state.content is None
        slot.must_read = one.exists or (amends and (waited is None or waited.due_at_ms is not None))
    elif mirrored.state is not None:
        slot.base = slot.before = messages.loaded(mirrored.state)
        slot.updated_at_ns = mirrored.updated_at_ns
    elif mirrored.digest == messages.digest(slot.incoming):
        slot.base = slot.incoming  # the merge state aged out, but this is all the document holds
    else:
        slot.must_read = True
    return slot


def settle(slot: Slot, document: Document | None) -> bool:
    """Take in what was read. False when the document turned out to be another sender's: the slot must move aside.

    Raises ValueError, and nothing else, and leaves `must_read` on, for a document that cannot be merged with.
    """
    base = _base_in(document, slot.incoming) if document else None
    said = said_id(document.fields) if document else None
    if said not in (None, slot.incoming.message_id) or is_anothers(base, slot.incoming, slot.sender, slot.sender_lid):
        return False
    slot.base, slot.read, slot.updated_at_ns = base, None, None
    if document:
        slot.read, slot.updated_at_ns = document.fields, document.updated_at_ns
    slot.must_read = False
    return True


def _base_in(document: Document, incoming: MessageState) -> MessageState:
    """The state in a document, tried out: others may have written anything there, and it must not stop the queue."""
    try:
        base = message_fields.state_in(document.fields, incoming)
        _try_out(messages.merged(base, incoming))
    except Exception as error:
        raise ValueError(f"not a message document ({type(error).__name__})") from error
    return base


def moved_in(document: Document, account: str, client_jid: str) -> MessageState | None:
    """The state in a document that is to lie elsewhere, tried out; None for what is no message document."""
    try:
        state = message_fields.moved_in(document, account, client_jid)
        _try_out(state)
    except Exception:  # noqa: BLE001 -- as above: whatever lies there
        return None
    return state


def _try_out(state: MessageState) -> None:
    messages.merged(state, state)
    if state.content is not None:
        message_fields.fields_of(state)
        threads.state_after(state)
    messages.dumped(state)
    messages.digest(state)


def write_for(slot: Slot) -> Write | None:
    """The write that brings the document up to date: a create without a read, a patch, or none at all."""
    outcome = slot.outcome
    if outcome == slot.base:
        return None
    if slot.base is None:
        return Write(
            path=slot.path,
            fields=message_fields.fields_of(outcome),
            server_times=message_fields.SERVER_TIMES_ONCE,
            must_not_exist=True,
        )
    before, after = message_fields.fields_of(slot.base), message_fields.fields_of(outcome)
    held = before if slot.read is None else slot.read
    changed = tuple(
        sorted(name for name in before.keys() | after.keys() if held.get(name, _ABSENT) != after.get(name, _ABSENT))
    )
    return Write(
        path=slot.path,
        fields={name: after[name] for name in changed if name in after},
        mask=changed,
        server_times=message_fields.SERVER_TIMES_AGAIN,
        updated_at_ns=slot.updated_at_ns,
    )


def to_wait(slot: Slot, now_ms: int) -> Waiting | None:
    """What the mirror is to keep for later instead of a write, if this slot is to wait."""
    if slot.base is None and not messages.is_here(slot.outcome):
        return _waiting(slot, None, now_ms)
    if slot.base is None or slot.incoming.content is not None:
        return None
    due_at_ms = slot.waited.due_at_ms if slot.waited else None
    if due_at_ms is None:
        due_at_ms = now_ms + _TOGETHER_MS
    waits = slot.waits and due_at_ms > now_ms and _may_wait(slot)
    return _waiting(slot, due_at_ms, now_ms) if waits else None


def _may_wait(slot: Slot) -> bool:
    """Whether all that is new is that some more of a group had the message."""
    told = slot.incoming.amendments
    if slot.base is None or told is None or slot.incoming.failed or replace(told, receipts={}) != _NO_AMENDMENTS:
        return False
    return not is_person(slot.base.client_jid) and shown_of(slot.base).status == shown_of(slot.outcome).status


_NO_AMENDMENTS = Amendments()


def _waiting(slot: Slot, due_at_ms: int | None, now_ms: int) -> Waiting:
    return Waiting(
        path=slot.path,
        account=slot.incoming.account,
        state=messages.dumped(slot.incoming),
        due_at_ms=due_at_ms,
        touched_at_ms=now_ms,
    )


def mirrored(slot: Slot, updated_at_ns: int | None, now_ms: int) -> Mirrored:
    """What to remember of a slot that landed."""
    outcome = slot.outcome
    return Mirrored(
        path=slot.path,
        digest=messages.digest(outcome),
        state=messages.dumped(outcome),
        updated_at_ns=updated_at_ns,
        touched_at_ms=now_ms,
    )
