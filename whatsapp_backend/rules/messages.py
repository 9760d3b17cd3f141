"""Message documents: one sighting as a state, two states as one, a state as fields and back.

`merged` is commutative, associative and idempotent: every part of a state is a minimum, a maximum, or the value that
came with the smallest or largest clock. The clocks lie in the document, so a document read back merges like a state
from memory. That is why syncing again, in any order, never makes it worse.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from whatsapp_backend.domain.amendments import Amendments
from whatsapp_backend.domain.events import Amended, Content, MessageSeen, Origin, Status
from whatsapp_backend.domain.moments import YEAR_10000_MS, at_ms
from whatsapp_backend.domain.states import MessageState
from whatsapp_backend.rules import amendments
from whatsapp_backend.rules.content import MEDIA_DETAILS, richness
from whatsapp_backend.rules.document_ids import thread_id
from whatsapp_backend.rules.identity import ME, canonical_jid, is_lid, is_phone, lid_among, sender_lid_of, sender_of
from whatsapp_backend.rules.shown import Shown, shown_of
from whatsapp_backend.rules.stored import integer, json_object, moment_ms, typed

SERVER_TIMES_ONCE = ("createdAt", "syncedAt", "tsServer", "updatedAt")
SERVER_TIMES_AGAIN = ("updatedAt",)
_ORIGINS = {origin.name.lower(): origin for origin in Origin}
_FOREIGN = 1 << 62
"""The clock of what an earlier generation of the system wrote without clocks: anything of ours wins over it."""
_UNSEEN = _FOREIGN + 1
"""The clock of a message that was not seen: anything wins over it."""


def state_of(event: MessageSeen | Amended) -> MessageState:
    """The state after this one event."""
    return _seen(event) if isinstance(event, MessageSeen) else _amended(event)


def _amended(event: Amended) -> MessageState:
    return MessageState(
        account=event.account,
        client_jid=event.client_jid,
        message_id=event.message_id,
        sender=None,  # whose message it is said to be proves nothing
        sent_at_ms=YEAR_10000_MS,
        active_at_ms=YEAR_10000_MS,
        first=_UNSEEN,
        sync_source="",
        offline=False,
        key={},
        origin=Origin.DERIVED,
        status=Status.NONE,
        failed=event.failed,
        name=None,
        name_order=_UNSEEN,
        content=None,
        content_order=_UNSEEN,
        amendments=event.amendments,
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
        name_order=seen.order if seen.sender_name else _FOREIGN,
        content=seen.content,
        content_order=seen.order,
        sender_lid=seen.sender_lid,
        amendments=seen.amendments,
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


def fields_of(state: MessageState) -> dict[str, Any]:
    """The document of a message that was seen, but for the server's times."""
    own = state.sender == ME
    shown = shown_of(state)
    sent_at = at_ms(state.sent_at_ms)
    fields: dict[str, Any] = {
        "accountId": state.account,
        "clientJid": state.client_jid,
        "threadId": thread_id(state.account, state.client_jid),
        "waMessageId": state.message_id,
        "providerMessageId": state.message_id,
        "direction": "outbound" if own else "inbound",
        "body": shown.content.body,
        "messageType": shown.content.kind,
        "status": shown.status,
        "tsClient": sent_at,
        "tsSort": sent_at,
        "tsClientMs": state.sent_at_ms,
        "createdAtMs": state.sent_at_ms,
        "key": dict(state.key),
        "syncSource": state.sync_source,
        "origin": state.origin.name.lower(),
        "clocks": _clocks(state),
    }
    if state.failed:
        fields["failed"] = True
    if state.offline:
        fields["offlineSync"] = True
    return fields | _sender_fields(state) | _content_fields(shown.content) | _amended_fields(state, shown)


def _clocks(state: MessageState) -> dict[str, int]:
    clocks = {"first": state.first, "content": state.content_order, "status": int(state.status)}
    if state.name and state.sender != ME:
        clocks["name"] = state.name_order
    if state.active_at_ms != state.sent_at_ms:
        clocks["activeAtMs"] = state.active_at_ms
    return clocks


def _sender_fields(state: MessageState) -> dict[str, Any]:
    if state.sender == ME:
        return {"senderName": ME}
    fields = {}
    if state.sender:
        fields["senderJid"] = fields["senderId"] = state.sender
        if state.sender_lid and state.sender_lid != state.sender:
            fields["senderLid"] = state.sender_lid
    if state.name:
        fields["senderName"] = fields["lastSenderName"] = state.name
    return fields


def _content_fields(content: Content) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if content.content_kind:
        fields["contentKind"] = content.content_kind
    if content.quoted:
        fields["quoted"] = dict(content.quoted)
    if content.details:
        fields["details"] = dict(content.details)
    return fields | _media_fields(content.media) if content.media else fields


def _amended_fields(state: MessageState, shown: Shown) -> dict[str, Any]:
    """What happened to it, for people and for merging: what does not show is kept too."""
    told = state.amendments
    if told is None:
        return {}
    fields: dict[str, Any] = dict(shown.times)
    original = shown.original
    if told.edits:
        counting = [edit_id for edit_id, _ in shown.edits]
        fields["versions"] = amendments.versions(told, original.body, state.sent_at_ms, counting)
    if shown.edits:
        fields |= {"edited": True, "editedAtMs": shown.edits[-1][1].at_ms, "editedAt": at_ms(shown.edits[-1][1].at_ms)}
    if shown.revoked:
        by, mark = shown.revoked
        fields |= {"revoked": True, "revokedBy": by, "revokedAtMs": mark.at_ms, "revokedAt": at_ms(mark.at_ms)}
        fields["kept"] = {"body": original.body, "messageType": original.kind, **_content_fields(original)}
    lists = {
        "revokes": amendments.marks_told(told.revokes),
        "reactions": amendments.marks_told({by: mark for by, mark in told.reactions.items() if mark.text}),
        "reactionsRemoved": amendments.marks_told({by: mark for by, mark in told.reactions.items() if not mark.text}),
        "votes": amendments.marks_told(told.votes),
        "receipts": amendments.receipts_told(told.receipts),
    }
    return fields | {name: told_of for name, told_of in lists.items() if told_of}


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
    sent_at_ms = _sent_at_ms(fields) or incoming.sent_at_ms
    return MessageState(
        account=incoming.account,
        client_jid=incoming.client_jid,
        message_id=incoming.message_id,
        sender=sender,
        sender_lid=sender_lid,
        sent_at_ms=sent_at_ms,
        active_at_ms=integer(clocks, "activeAtMs", below=YEAR_10000_MS) or sent_at_ms,
        first=_clock(clocks, "first"),
        sync_source=typed(fields, "syncSource", str) or incoming.sync_source,
        offline=fields.get("offlineSync") is True,
        key=key,
        origin=_ORIGINS.get(origin, Origin.DERIVED) if isinstance(origin, str) else Origin.DERIVED,
        status=_status_in(clocks, status),
        failed=fields.get("failed") is True or ("status" not in clocks and status == "failed"),
        name=name,
        name_order=_clock(clocks, "name") if name else _FOREIGN,
        content=_content_in(fields),
        content_order=_clock(clocks, "content"),
        amendments=amendments.read_in(fields),
    )


def blank_in(fields: Mapping[str, Any]) -> MessageState | None:
    """A state of which nothing but the place is known, of the message that a document holds; None if it holds none."""
    account, jid = typed(fields, "accountId", str), typed(fields, "clientJid", str)
    message_id = typed(fields, "waMessageId", str) or typed(fields, "providerMessageId", str)
    if not (account and jid and message_id):
        return None
    nothing = Amended(
        order=0, account=account, client_jid=jid, message_id=message_id, amendments=Amendments(), author=None
    )
    return replace(_amended(nothing), amendments=None)


def _status_in(clocks: Mapping[str, Any], shown: Any) -> Status:
    """Its own: what a document of ours shows may be a receipt's word, which is kept apart."""
    own = integer(clocks, "status", below=len(Status))
    return Status(own) if own is not None else _named_status(shown)


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
    """The content as it was sent: a revoke keeps it apart, an edit keeps its text as the first version."""
    kept: Mapping[str, Any] | None = typed(fields, "kept", dict)
    holding = fields if kept is None else kept
    versions: list[Any] = typed(fields, "versions", list) or []
    first = versions[0] if versions else None
    original = first if kept is None and isinstance(first, Mapping) and "id" not in first else holding
    return Content(
        kind=typed(holding, "messageType", str) or "unknown",
        body=typed(original, "body", str),
        media=_media_in(holding),
        quoted=json_object(holding.get("quoted")) or None,
        content_kind=typed(holding, "contentKind", str),
        details=json_object(holding.get("details")) or None,
    )


def _named_status(name: Any) -> Status:
    return Status[name.upper()] if isinstance(name, str) and name.upper() in Status.__members__ else Status.NONE


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
