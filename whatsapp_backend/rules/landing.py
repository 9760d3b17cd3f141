"""How sightings become writes: which document each belongs to, whether it needs a read, and what to write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from whatsapp_backend.domain.events import MessageSeen
from whatsapp_backend.domain.mirror import Mirrored
from whatsapp_backend.domain.states import MessageState
from whatsapp_backend.domain.writes import Document, Fields, Write
from whatsapp_backend.rules import messages
from whatsapp_backend.rules.document_ids import message_path, other_sender, thread_id
from whatsapp_backend.rules.identity import certainly_differ

_ABSENT = object()


@dataclass(slots=True, kw_only=True)
class Slot:
    """One message document on its way: what was seen of it, and what it is known to hold.

    `base` is None for a document believed new. `must_read`: what it holds is not known and has to be looked up first.
    """

    path: str
    incoming: MessageState
    orders: list[int] = field(default_factory=list)
    base: MessageState | None = None
    read: Fields | None = None
    """The document that `base` was read from; it may lack fields that `base` has, or spell them differently."""
    updated_at_ns: int | None = None
    must_read: bool = False

    @property
    def outcome(self) -> MessageState:
        """What the document will hold."""
        return messages.merged(self.base, self.incoming) if self.base else self.incoming


def path_of(seen: MessageSeen) -> str:
    """Where a message lands, unless its id is another sender's already."""
    return message_path(thread_id(seen.account, seen.client_jid), seen.message_id)


def aside(path: str, sender: str | None) -> str:
    """Where a message lands whose plain path is another sender's already."""
    return other_sender(path, sender or "")


def is_anothers(state: MessageState | None, seen: MessageState) -> bool:
    """Whether a document certainly holds somebody else's message under the same id."""
    if not (state and state.sender and seen.sender):
        return False
    return certainly_differ(state.sender, seen.sender, state.sender_lid, seen.sender_lid)


def slots_for(
    seen: Iterable[MessageSeen], known: Mapping[str, Mirrored], paths: Callable[[MessageSeen], str] = path_of
) -> tuple[dict[str, Slot], list[MessageSeen]]:
    """Group sightings by document; the second value are those whose document is another sender's: place them aside."""
    slots: dict[str, Slot] = {}
    displaced: list[MessageSeen] = []
    for one in seen:
        state = messages.state_of(one)
        path = paths(one)
        slot = slots.get(path)
        if slot is None:
            slot = _slot(path, state, known.get(path))
            if is_anothers(slot.base, state):
                displaced.append(one)
                continue
            slots[path] = slot
        elif is_anothers(slot.base, state) or is_anothers(slot.incoming, state):
            displaced.append(one)
            continue
        else:
            slot.incoming = messages.merged(slot.incoming, state)
        slot.orders.append(one.order)
    for slot in slots.values():
        if slot.base and slot.updated_at_ns is None and slot.outcome != slot.base:
            slot.must_read = True  # there is nothing to guard a patch with
    return slots, displaced


def _slot(path: str, state: MessageState, mirrored: Mirrored | None) -> Slot:
    slot = Slot(path=path, incoming=state)
    if mirrored is None:
        return slot
    if mirrored.state is not None:
        slot.base = messages.loaded(mirrored.state)
        slot.updated_at_ns = mirrored.updated_at_ns
    elif mirrored.digest == messages.digest(state):
        slot.base = state  # the merge state aged out, but this is all the document holds
    else:
        slot.must_read = True
    return slot


def settle(slot: Slot, document: Document | None) -> bool:
    """Take in what was read. False when the document turned out to be another sender's: the slot must move aside.

    Raises ValueError, and nothing else, and leaves `must_read` on, for a document that cannot be merged with.
    """
    base = _base_in(document, slot.incoming) if document else None
    if is_anothers(base, slot.incoming):
        return False
    slot.base, slot.read, slot.updated_at_ns = base, None, None
    if document:
        slot.read, slot.updated_at_ns = document.fields, document.updated_at_ns
    slot.must_read = False
    return True


def _base_in(document: Document, incoming: MessageState) -> MessageState:
    """The state in a document, tried out: others may have written anything there, and it must not stop the queue."""
    try:
        base = messages.state_in(document.fields, incoming)
        outcome = messages.merged(base, incoming)
        messages.fields_of(outcome)
        messages.dumped(outcome)
        messages.digest(outcome)
    except Exception as error:
        raise ValueError(f"not a message document ({type(error).__name__})") from error
    return base


def write_for(slot: Slot) -> Write | None:
    """The write that brings the document up to date: a create without a read, a patch, or none at all."""
    outcome = slot.outcome
    if slot.base is None:
        return Write(
            path=slot.path,
            fields=messages.fields_of(outcome),
            server_times=messages.SERVER_TIMES_ONCE,
            must_not_exist=True,
        )
    if outcome == slot.base:
        return None
    before, after = messages.fields_of(slot.base), messages.fields_of(outcome)
    held = before if slot.read is None else slot.read
    changed = tuple(
        sorted(name for name in before.keys() | after.keys() if held.get(name, _ABSENT) != after.get(name, _ABSENT))
    )
    return Write(
        path=slot.path,
        fields={name: after[name] for name in changed if name in after},
        mask=changed,
        server_times=messages.SERVER_TIMES_AGAIN,
        updated_at_ns=slot.updated_at_ns,
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
