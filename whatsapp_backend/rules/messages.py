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
from whatsapp_backend.domain.moments import YEAR_10000_MS, at_ms
from whatsapp_backend.domain.states import MessageState
from whatsapp_backend.rules.content import MEDIA_DETAILS, richness
from whatsapp_backend.rules.document_ids import thread_id
from whatsapp_backend.rules.identity import ME, canonical_jid, is_phone, lid_among, sender_lid_of, sender_of
from whatsapp_backend.rules.stored import integer, json_object, moment_ms, typed

SERVER_TIMES_ONCE = ("createdAt", "syncedAt", "tsServer", "updatedAt")
SERVER_TIMES_AGAIN = ("updatedAt",)
_ORIGINS = {origin.name.lower(): origin for origin in Origin}
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
        sender_lid=seen.sender_lid,
    )


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
        origin=min(one.origin, other.origin),
        status=max(one.status, other.status),
        failed=one.failed or other.failed,
        name=named.name,
        name_order=named.name_order,
        content=_with_additions(best.content, less.content),
        content_order=best.content_order,
    )


def digest(state: MessageState) -> bytes:
    """16 bytes that stay the same when the same thing is merely seen again, whatever brought it.

    Without the sender's name, which a history often lacks, and without what others added to the media.
    """
    content = _plain(state.content)
    if content["media"]:
        content["media"] = {name: detail for name, detail in content["media"].items() if name in MEDIA_DETAILS} or None
    told = (state.sender, state.sent_at_ms, state.status, state.failed, content)
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
        if state.sender_lid and state.sender_lid != state.sender:
            fields["senderLid"] = state.sender_lid
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


def state_in(fields: Mapping[str, Any], incoming: MessageState) -> MessageState:
    """The state that a document holds, whoever wrote it, for merging with what was seen of the same message.

    Earlier generations left fields out, spelled them differently, or made a stub of a receipt alone. What is absent or
    of another type says nothing: it comes from the sighting, or is so little that the sighting wins over it.
    """
    clocks = typed(fields, "clocks", dict) or {}
    key = json_object(fields.get("key")) or {}
    own = fields.get("direction") in ("outbound", "out") or key.get("fromMe") is True
    sender, sender_lid = (ME, None) if own else _sender_in(fields, key)
    status = fields.get("status")
    name = None if own else typed(fields, "senderName", str) or None
    origin = fields.get("origin")
    return MessageState(
        account=incoming.account,
        client_jid=incoming.client_jid,
        message_id=incoming.message_id,
        sender=sender,
        sender_lid=sender_lid,
        sent_at_ms=_sent_at_ms(fields) or incoming.sent_at_ms,
        first=_clock(clocks, "first"),
        sync_source=typed(fields, "syncSource", str) or incoming.sync_source,
        offline=fields.get("offlineSync") is True,
        key=key,
        origin=_ORIGINS.get(origin, Origin.DERIVED) if isinstance(origin, str) else Origin.DERIVED,
        status=Status(max(integer(clocks, "status", below=len(Status)) or 0, _named_status(status))),
        failed=fields.get("failed") is True or status == "failed",
        name=name,
        name_order=_clock(clocks, "name") if name else _FOREIGN,
        content=_content_in(fields),
        content_order=_clock(clocks, "content"),
    )


def _plain(value: MessageState | Content) -> dict[str, Any]:
    """Its fields. orjson would read them itself, at three times the price."""
    return {name: getattr(value, name) for name in value.__slots__}


def _clock(clocks: Mapping[str, Any], name: str) -> int:
    order = integer(clocks, name, below=_FOREIGN)
    return _FOREIGN if order is None else order


def _sent_at_ms(fields: Mapping[str, Any]) -> int | None:
    return integer(fields, "tsClientMs", below=YEAR_10000_MS) or moment_ms(fields.get("tsClient"))


def _sender_in(fields: Mapping[str, Any], key: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Who sent it, and his LID: as it was written, else as the message key says."""
    texts = {name: jid for name, jid in key.items() if isinstance(jid, str)}
    written = typed(fields, "senderJid", str) or typed(fields, "senderId", str)
    sender = canonical_jid(written) if written else None
    if sender is None and "remoteJid" in texts:
        sender = sender_of(texts)
    return sender, lid_among(fields.get("senderLid"), sender) or sender_lid_of(texts)


def _content_in(fields: Mapping[str, Any]) -> Content:
    return Content(
        kind=typed(fields, "messageType", str) or "unknown",
        body=typed(fields, "body", str),
        media=_media_in(fields),
        quoted=json_object(fields.get("quoted")) or None,
        content_kind=typed(fields, "contentKind", str),
    )


def _shown(state: MessageState) -> str:
    """A refused send is `failed`, unless somebody got it after all."""
    return "failed" if state.failed and state.status < Status.DELIVERED else state.status.name.lower()


def _named_status(name: Any) -> Status:
    return Status[name.upper()] if isinstance(name, str) and name.upper() in Status.__members__ else Status.NONE


def _content_rank(state: MessageState) -> tuple[int, int]:
    return (-richness(state.content), state.content_order)


def _better_sender(one: str | None, other: str | None) -> str | None:
    """A phone number rather than a LID rather than nothing."""
    known = [sender for sender in (one, other) if sender]
    return min(known, key=lambda sender: (sender != ME, not is_phone(sender), sender)) if known else None


def _with_additions(best: Content, other: Content) -> Content:
    """The better content, its media as they came, and what others added to the media of either (where they put them).

    What a message says of its media is never mixed from two sightings: a key of the one opens no file of the other.
    Where two additions differ the greater wins: any rule would do that forgets the order.
    """
    added = {name: detail for name, detail in (other.media or {}).items() if name not in MEDIA_DETAILS}
    if not added:
        return best
    media = dict(best.media or {})
    for name, detail in added.items():
        if name not in media or (str(type(detail)), str(detail)) > (str(type(media[name])), str(media[name])):
            media[name] = detail
    return replace(best, media=media)


_FLAT_MEDIA = {"mediaType": "type", "mediaUrl": "url", "mediaMimetype": "mimetype", "mediaFilename": "filename"}


def _media_fields(media: Mapping[str, Any]) -> dict[str, Any]:
    """Nested and flat: the app reads both."""
    nested = dict(media)
    if "mimetype" in nested:
        nested["mimeType"] = nested["mimetype"]
    return {"media": nested, **{field: media[name] for field, name in _FLAT_MEDIA.items() if name in media}}


def _media_in(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    media = json_object(fields.get("media")) or {}
    mime_type = media.pop("mimeType", None)
    if mime_type is not None:
        media.setdefault("mimetype", mime_type)
    for field, name in _FLAT_MEDIA.items():
        if isinstance(fields.get(field), str):
            media.setdefault(name, fields[field])
    return media or None
