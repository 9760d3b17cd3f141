"""Message documents: one sighting as a state, two states as one, a state as fields and back.

`merged` is commutative, associative and idempotent: every part of a state is a minimum, a maximum, or the value that
came with the smallest or largest clock. The clocks lie in the document, so a document read back merges like a state
from memory. That is why syncing again, in any order, never makes it worse.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from whatsapp_backend.domain.events import Content, MessageSeen, Origin, Status
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.domain.states import MessageState
from whatsapp_backend.rules.document_ids import thread_id
from whatsapp_backend.rules.identity import ME, is_phone

SERVER_TIMES_ONCE = ("createdAt", "syncedAt", "tsServer", "updatedAt")
SERVER_TIMES_AGAIN = ("updatedAt",)
_FOREIGN = 1 << 62
"""The clock of what an earlier generation of the system wrote without clocks: anything of ours wins over it."""


def state_of(seen: MessageSeen) -> MessageState:
    """The state after this one sighting."""
    return MessageState(
        account=seen.account,
        client_jid=seen.client_jid,
        message_id=seen.message_id,
        sender=seen.sender,
        sent_at_ms=seen.sent_at_ms,
        first=seen.order,
        sync_source=seen.sync_source,
        offline=seen.origin is Origin.OFFLINE,
        key=seen.key,
        origin=seen.origin,
        status=seen.status,
        failed=seen.failed,
        name=seen.sender_name,
        name_order=seen.order if seen.sender_name else _FOREIGN,
        content=seen.content,
        content_order=seen.order,
    )


def merged(one: MessageState, other: MessageState) -> MessageState:
    """The state after both."""
    first, later = (one, other) if one.first <= other.first else (other, one)
    named = min(one, other, key=lambda state: state.name_order)
    best = min(one, other, key=lambda state: (-_richness(state.content), state.content_order))
    return replace(
        first,
        sender=_better_sender(one.sender, other.sender),
        sent_at_ms=min(one.sent_at_ms, other.sent_at_ms),
        origin=min(one.origin, other.origin),
        status=max(one.status, other.status),
        failed=one.failed or other.failed,
        name=named.name,
        name_order=named.name_order,
        content=replace(best.content, media=_filled_in(first.content.media, later.content.media)),
        content_order=best.content_order,
    )


def digest(state: MessageState) -> bytes:
    """16 bytes that stay the same when the same thing is merely seen again, whatever brought it."""
    told = (state.sender, state.sent_at_ms, state.status, state.failed, state.name, _plain(state.content))
    return hashlib.blake2b(orjson.dumps(told, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def dumped(state: MessageState) -> bytes:
    """The state as JSON text."""
    return orjson.dumps({**_plain(state), "content": _plain(state.content)}, option=orjson.OPT_SORT_KEYS)


def loaded(text: bytes) -> MessageState:
    """The state from JSON text."""
    data = orjson.loads(text)
    data.update(origin=Origin(data["origin"]), status=Status(data["status"]), content=Content(**data["content"]))
    return MessageState(**data)


def fields_of(state: MessageState) -> dict[str, Any]:
    """The document, but for the server's times."""
    own = state.sender == ME
    content = state.content
    sent_at = at_ms(state.sent_at_ms)
    fields: dict[str, Any] = {
        "accountId": state.account,
        "clientJid": state.client_jid,
        "threadId": thread_id(state.account, state.client_jid),
        "waMessageId": state.message_id,
        "providerMessageId": state.message_id,
        "direction": "outbound" if own else "inbound",
        "body": content.body,
        "messageType": content.kind,
        "status": _shown(state),
        "tsClient": sent_at,
        "tsSort": sent_at,
        "tsClientMs": state.sent_at_ms,
        "createdAtMs": state.sent_at_ms,
        "key": dict(state.key),
        "syncSource": state.sync_source,
        "origin": state.origin.name.lower(),
        "clocks": {"first": state.first, "content": state.content_order, "status": int(state.status)},
    }
    if state.failed:
        fields["failed"] = True
    if state.offline:
        fields["offlineSync"] = True
    if state.sender and not own:
        fields["senderJid"] = fields["senderId"] = state.sender
    if own:
        fields["senderName"] = ME
    elif state.name:
        fields["senderName"] = fields["lastSenderName"] = state.name
        fields["clocks"]["name"] = state.name_order
    if content.content_kind:
        fields["contentKind"] = content.content_kind
    if content.quoted:
        fields["quoted"] = dict(content.quoted)
    if content.media:
        fields |= _media_fields(content.media)
    return fields


def state_in(fields: Mapping[str, Any]) -> MessageState:
    """The state that a document holds. Raises ValueError for one that is no message document."""
    try:
        return _state_in(fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a message document: {error!r}") from error


def _plain(value: MessageState | Content) -> dict[str, Any]:
    """Its fields. orjson would read them itself, at three times the price."""
    return {name: getattr(value, name) for name in value.__slots__}


def _state_in(fields: Mapping[str, Any]) -> MessageState:
    clocks = fields.get("clocks") or {}
    own = fields.get("direction") in ("outbound", "out")
    status = fields.get("status")
    name = fields.get("senderName") if not own else None
    sent_at_ms = fields.get("tsClientMs") or int(fields["tsClient"].timestamp() * 1000)
    return MessageState(
        account=fields["accountId"],
        client_jid=fields["clientJid"],
        message_id=fields.get("waMessageId") or fields["key"]["id"],
        sender=ME if own else fields.get("senderJid"),
        sent_at_ms=sent_at_ms,
        first=clocks.get("first", _FOREIGN),
        sync_source=fields.get("syncSource") or "history_sync",
        offline=bool(fields.get("offlineSync")),
        key=fields.get("key") or {},
        origin=Origin[fields.get("origin", "derived").upper()],
        status=Status(clocks["status"]) if "status" in clocks else _named_status(status),
        failed=bool(fields.get("failed")) or status == "failed",
        name=name,
        name_order=clocks.get("name", _FOREIGN),
        content=Content(
            kind=fields.get("messageType") or "unknown",
            body=fields.get("body"),
            media=_media_in(fields.get("media")),
            quoted=fields.get("quoted"),
            content_kind=fields.get("contentKind"),
        ),
        content_order=clocks.get("content", _FOREIGN),
    )


def _shown(state: MessageState) -> str:
    """A refused send is `failed`, unless somebody got it after all."""
    return "failed" if state.failed and state.status < Status.DELIVERED else state.status.name.lower()


def _named_status(name: Any) -> Status:
    return Status[name.upper()] if isinstance(name, str) and name.upper() in Status.__members__ else Status.NONE


def _richness(content: Content) -> int:
    return 1 if content.kind == "unknown" else 2


def _better_sender(one: str | None, other: str | None) -> str | None:
    """A phone number rather than a LID rather than nothing."""
    known = [sender for sender in (one, other) if sender]
    return min(known, key=lambda sender: (sender != ME, not is_phone(sender), sender)) if known else None


def _filled_in(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Every detail either has. Where both differ the greater wins: any rule would do that forgets the order."""
    if not one or not other:
        return one or other
    both = dict(one)
    for name, detail in other.items():
        if name not in both or (str(type(detail)), str(detail)) > (str(type(both[name])), str(both[name])):
            both[name] = detail
    return both


def _media_fields(media: Mapping[str, Any]) -> dict[str, Any]:
    """Nested and flat: the app reads both."""
    nested = dict(media)
    if "mimetype" in nested:
        nested["mimeType"] = nested["mimetype"]
    flat = {"mediaType": "type", "mediaUrl": "url", "mediaMimetype": "mimetype", "mediaFilename": "filename"}
    return {"media": nested, **{field: media[name] for field, name in flat.items() if name in media}}


def _media_in(nested: Any) -> dict[str, Any] | None:
    if not nested:
        return None
    media = dict(nested)
    mime_type = media.pop("mimeType", None)
    if mime_type is not None:
        media.setdefault("mimetype", mime_type)
    return media
