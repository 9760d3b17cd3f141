"""Message documents: a state as fields, and fields, whoever wrote them, as a state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from whatsapp_backend.domain.events import Content, Origin, Status
from whatsapp_backend.domain.moments import YEAR_10000_MS, at_ms
from whatsapp_backend.domain.states import MessageState
from whatsapp_backend.domain.writes import Document
from whatsapp_backend.rules import amendments
from whatsapp_backend.rules.content import is_as_edited
from whatsapp_backend.rules.document_ids import thread_id
from whatsapp_backend.rules.generations import is_stub, message_id_of
from whatsapp_backend.rules.identity import ME, canonical_jid, is_person, lid_among, sender_lid_of, sender_of
from whatsapp_backend.rules.limits import document_bytes
from whatsapp_backend.rules.messages import FOREIGN, unseen
from whatsapp_backend.rules.shown import Shown, shown_of
from whatsapp_backend.rules.stored import integer, json_object, moment_ms, typed

SERVER_TIMES_ONCE = ("createdAt", "syncedAt", "tsServer", "updatedAt")
SERVER_TIMES_AGAIN = ("updatedAt",)
_SHORT = 20_000
_FEW = 300
_ROOM_BYTES = 1_000_000
"""Of the 1 MiB of a document; the rest is for its path and its server times."""
_LEAST_WORTH = ("reactionsRemoved", "votes", "reactions", "revokes", "receipts", "versions")
_ORIGINS = {origin.name.lower(): origin for origin in Origin}


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
    fields |= _sender_fields(state) | _content_fields(shown.content) | _amended_fields(state, shown)
    return fields if _surely_fits(state) else _fitted(fields)


def _surely_fits(state: MessageState) -> bool:
    """Whether it need not be measured, as hardly any has to be."""
    body = (state.content.body if state.content else None) or ""
    return len(body) < _SHORT and (state.amendments is None or amendments.count(state.amendments) < _FEW)


def _fitted(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what there is no room for beside a longest text that liars have edited and reacted to: it would be no
    document, and nothing more would ever land on it. What is left out is named; merge states still hold it.
    """
    left_out = []
    for name in _LEAST_WORTH:
        if document_bytes("", fields) <= _ROOM_BYTES:
            break
        if fields.pop(name, None) is not None:
            left_out.append(name)
    return {**fields, "leftOut": left_out} if left_out else fields


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
        versions = amendments.versions(told, original.body, state.sent_at_ms, counting)
        fields["versions"] = versions[1:] if is_as_edited(original) else versions
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
        "receipts": amendments.receipts_told(
            amendments.receipts_of(told.receipts, state.client_jid if is_person(state.client_jid) else None)
        ),
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
        name_order=_clock(clocks, "name") if name else FOREIGN,
        content=_content_in(fields),
        content_order=_clock(clocks, "content"),
        amendments=amendments.read_in(fields),
    )


def moved_in(document: Document, account: str, client_jid: str) -> MessageState:
    """The state in a document that is to lie elsewhere: there is no sighting beside it, whoever wrote it.

    What a receipt left where there was no message is a status and waits for its message. Where nothing says which
    message it is, it keeps the document's own id, and without a time of its own it has that of the document.
    """
    fields, own_id = document.fields, document.id
    message_id = message_id_of(own_id, fields) or own_id
    blank = unseen(account, client_jid, message_id)
    if is_stub(fields):
        return replace(blank, status=_named_status(fields.get("status")))
    written = (moment_ms(fields.get(name)) for name in ("createdAt", "tsServer", "updatedAt"))
    written_ms = integer(fields, "createdAtMs", below=YEAR_10000_MS) or next(filter(None, written), None)
    return state_in(fields, replace(blank, sent_at_ms=written_ms or document.updated_at_ns // 1_000_000))


def _status_in(clocks: Mapping[str, Any], shown: Any) -> Status:
    """Its own: what a document of ours shows may be a receipt's word, which is kept apart."""
    own = integer(clocks, "status", below=len(Status))
    return Status(own) if own is not None else _named_status(shown)


def _clock(clocks: Mapping[str, Any], name: str) -> int:
    order = integer(clocks, name, below=FOREIGN)
    return FOREIGN if order is None else order


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
