"""Messages: one sighting as a state, two states as one. How a document holds a state is told in message_fields.py.

`merged` is commutative, associative and idempotent: every part of a state is a minimum, a maximum, or the value that
came with the smallest or largest clock. The clocks lie in the document, so a document read back merges like a state
from memory. That is why syncing again, in any order, never makes it worse.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from whatsapp_backend.domain.amendments import Amendments
from whatsapp_backend.domain.events import Amended, Content, MessageSeen, Origin, Status
from whatsapp_backend.domain.moments import YEAR_10000_MS
from whatsapp_backend.domain.states import MessageState
from whatsapp_backend.rules import amendments
from whatsapp_backend.rules.content import MEDIA_DETAILS, NOTHING, richness
from whatsapp_backend.rules.identity import ME, is_lid, is_phone

FOREIGN = 1 << 62
"""The clock of what an earlier generation of the system wrote without clocks: anything of ours wins over it."""
_UNSEEN = FOREIGN + 1
"""The clock of a message that was not seen: anything wins over it."""


def state_of(event: MessageSeen | Amended) -> MessageState:
    """The state after this one event."""
    if isinstance(event, MessageSeen):
        return _seen(event)
    return unseen(event.account, event.client_jid, event.message_id, event.amendments, failed=event.failed)


def unseen(
    account: str, client_jid: str, message_id: str, told: Amendments | None = None, *, failed: bool = False
) -> MessageState:
    """The state of a message of which nothing is known but what happened to it."""
    return MessageState(
        account=account,
        client_jid=client_jid,
        message_id=message_id,
        sender=None,  # whose message it is said to be proves nothing
        sent_at_ms=YEAR_10000_MS,
        active_at_ms=YEAR_10000_MS,
        first=_UNSEEN,
        sync_source="",
        offline=False,
        key={},
        origin=Origin.DERIVED,
        status=Status.NONE,
        failed=failed,
        name=None,
        name_order=_UNSEEN,
        content=None,
        content_order=_UNSEEN,
        amendments=told,
    )


def _seen(seen: MessageSeen) -> MessageState:
    return MessageState(
        account=seen.account,
        client_jid=seen.client_jid,
        message_id=seen.message_id,
        sender=seen.sender,
        sent_at_ms=seen.sent_at_ms,
        active_at_ms=seen.sent_at_ms if seen.activity_at_ms is None else seen.activity_at_ms,
        first=seen.order,
        sync_source=seen.sync_source,
        offline=seen.origin is Origin.OFFLINE,
        key=seen.key,
        origin=seen.origin,
        status=seen.status,
        failed=seen.failed,
        name=seen.sender_name,
        name_order=seen.order if seen.sender_name else FOREIGN,
        content=seen.content,
        content_order=seen.order,
        sender_lid=seen.sender_lid,
        amendments=seen.amendments,
    )


def is_here(state: MessageState | None) -> bool:
    """Whether there is a message to be shown: not amendments alone, nor what turned out to be no message of its own."""
    return state is not None and state.content is not None and state.content.kind != NOTHING


def merged(one: MessageState, other: MessageState) -> MessageState:
    """The state after both."""
    first = one if one.first <= other.first else other
    named = min(one, other, key=lambda state: (state.name_order, not state.name, state.name or ""))
    best, less = (one, other) if _content_rank(one) <= _content_rank(other) else (other, one)
    return replace(
        first,
        sender=_better_sender(one.sender, other.sender),
        sender_lid=min(filter(None, (one.sender_lid, other.sender_lid)), default=None),
        sent_at_ms=min(one.sent_at_ms, other.sent_at_ms),
        active_at_ms=min(one.active_at_ms, other.active_at_ms),
        origin=min(one.origin, other.origin),
        status=max(one.status, other.status),
        failed=one.failed or other.failed,
        name=named.name,
        name_order=named.name_order,
        content=_with_additions(best.content, less.content),
        content_order=best.content_order,
        amendments=amendments.merged(one.amendments, other.amendments),
    )


def parted(state: MessageState) -> tuple[MessageState, dict[str, MessageState]]:
    """Its own part; and what certainly is about other senders' messages under its id, by whose they are said to be."""
    foreign = amendments.of_others(state.amendments, state.sender, state.sender_lid)
    if not foreign or state.amendments is None:
        return state, {}
    left = amendments.without(state.amendments, foreign.values())
    own = replace(state, amendments=left if left != Amendments() else None)
    others = {
        author: unseen(state.account, state.client_jid, state.message_id, told) for author, told in foreign.items()
    }
    return own, others


def identified(state: MessageState, number_of: Callable[[str], str | None]) -> MessageState:
    """The same, with the numbers of those who were known by their LID."""
    state = replace(
        state,
        client_jid=number_of(state.client_jid) or state.client_jid,
        amendments=amendments.identified(state.amendments, number_of),
    )
    number = number_of(state.sender) if state.sender else None
    return replace(state, sender=number, sender_lid=state.sender) if number else state


def nameless(state: MessageState) -> set[str]:
    """The LIDs it names people by because their numbers are not known."""
    people = (state.client_jid, state.sender, *amendments.doers(state.amendments))
    return {who for who in people if who and is_lid(who)}


def digest(state: MessageState) -> bytes:
    """16 bytes that stay the same when the same thing is merely seen again, whatever brought it.

    Without the sender's name, which a history often lacks, and without what others added to the media.
    """
    content: dict[str, Any] = _plain(state.content) if state.content else {"media": None}
    if content["media"]:
        content["media"] = {name: detail for name, detail in content["media"].items() if name in MEDIA_DETAILS} or None
    told: tuple[Any, ...] = (state.sender, state.sent_at_ms, state.status, state.failed, content)
    if state.amendments:
        told = (*told, amendments.plain(state.amendments))
    return hashlib.blake2b(orjson.dumps(told, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def dumped(state: MessageState) -> bytes:
    """The state as JSON text."""
    plain: dict[str, Any] = _plain(state)
    if state.content:
        plain["content"] = _plain(state.content)
    if state.amendments:
        plain["amendments"] = amendments.plain(state.amendments)
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)


def loaded(text: bytes) -> MessageState:
    """The state from JSON text."""
    data = orjson.loads(text)
    data.setdefault("active_at_ms", data["sent_at_ms"])  # version 1 of the store did not know these two
    data.setdefault("amendments", None)
    data.update(
        origin=Origin(data["origin"]),
        status=Status(data["status"]),
        content=Content(**data["content"]) if data["content"] else None,
        amendments=amendments.from_plain(data["amendments"]),
    )
    return MessageState(**data)


def _content_rank(state: MessageState) -> tuple[int, int]:
    return (-richness(state.content) if state.content else 1, state.content_order)


def _better_sender(one: str | None, other: str | None) -> str | None:
    """A phone number rather than a LID rather than nothing."""
    known = [sender for sender in (one, other) if sender]
    return min(known, key=lambda sender: (sender != ME, not is_phone(sender), sender)) if known else None


def _with_additions(best: Content | None, other: Content | None) -> Content | None:
    """The better content, its media as they came, and what others added to the media of either (where they put them).

    What a message says of its media is never mixed from two sightings: a key of the one opens no file of the other.
    Where two additions differ the greater wins: any rule would do that forgets the order.
    """
    if best is None or other is None or not other.media:
        return best
    added = {name: detail for name, detail in other.media.items() if name not in MEDIA_DETAILS}
    if not added:
        return best
    media = dict(best.media or {})
    for name, detail in added.items():
        if name not in media or (str(type(detail)), str(detail)) > (str(type(media[name])), str(media[name])):
            media[name] = detail
    return replace(best, media=media)


def _plain(value: MessageState | Content) -> dict[str, Any]:
    """Its fields. orjson would read them itself, at three times the price."""
    return {name: getattr(value, name) for name in value.__slots__}
