"""A journal entry, read: what it tells. Never raises: what means nothing is Unreadable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from whatsapp_backend.domain.amendments import Amendments, Mark
from whatsapp_backend.domain.events import (
    PARTS,
    Content,
    Event,
    MessageSeen,
    NameRank,
    Origin,
    Owed,
    PersonTold,
    Status,
    Unreadable,
)
from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.rules.amending import amended_by, as_edited, edit_of_itself, told_by_history
from whatsapp_backend.rules.amendments import merged
from whatsapp_backend.rules.content import (
    NOTHING,
    acts_on_another,
    call_content,
    content_of,
    is_as_edited,
    placeholder,
    preview_of,
    seen_once,
    stub_content,
)
from whatsapp_backend.rules.identity import canonical_jid, chat_of, is_person, sender_lid_of, sender_of
from whatsapp_backend.rules.receipts import receipt_events
from whatsapp_backend.rules.request_ids import is_echo, sync_source
from whatsapp_backend.rules.told import (
    LONGEST_BODY,
    ODD,
    given_name,
    identities_of_key,
    jid_of,
    listed,
    moment_ms,
    reason_of,
)
from whatsapp_backend.rules.updates import chat_told, contact_told, each, mapping_told, update_events

_ON_DEMAND = 6
_ORIGINS = {origin.name.lower(): origin for origin in Origin}
_SYNC_SOURCES = {Origin.HISTORY: "history_sync"}
_STATUSES = (Status.NONE, Status.QUEUED, Status.SENT, Status.DELIVERED, Status.READ, Status.READ)
"""By the protocol's code: 0 error, 1 pending, 2 server, 3 delivery, 4 read, 5 played."""
_DAY_MS = 86_400_000
"""A sender's clock may be ahead of ours by so much; one who lies would pin his thread to the top for ever."""
_REVOKED_STUBS = frozenset({1, 132})
"""By its sender, by an admin: the phone hides it either way."""
_GROUP_CALL_STUBS = frozenset({45, 46})
_CALLS = frozenset({"offer", "offer_notice"})
_MISSED = "timeout"
_PEOPLE = ("remoteJid", "remoteJidAlt", "participant", "participantAlt")
_MAY_HAVE_BEEN_OWED = frozenset({Origin.LIVE, Origin.OFFLINE, Origin.RESEND})
"""A stanza that could not be read at first has a placeholder, whatever turns out to be in it."""
_TOLD_WITH_IT = frozenset({"reactions", "pollUpdates", "userReceipt"})


def events_of(entry: Entry) -> list[Event]:
    """The events of one entry, in their order."""
    new = entry.new
    order = entry.seq * PARTS
    reader = _READERS.get(new.kind)
    if new.payload is None and (new.problem or reader):
        return [Unreadable(order=order, account=entry.account, reason=new.problem or "could not be decoded")]
    if new.payload is None or reader is None:
        return []
    try:
        return list(reader(entry, orjson.loads(new.payload)))
    except ODD as error:
        return [Unreadable(order=order, account=entry.account, reason=reason_of(error))]


def _message(entry: Entry, payload: Mapping[str, Any]) -> Iterator[Event]:
    if is_echo(payload.get("requestId")):
        return  # our phone was asked for what we had, only to see whether its answer comes
    yield from _told(entry, entry.seq * PARTS, _ORIGINS.get(entry.new.origin, Origin.DERIVED), payload)


def _history(entry: Entry, payload: Mapping[str, Any]) -> Iterator[Event]:
    origin = Origin.ONDEMAND if payload.get("syncType") == _ON_DEMAND else Origin.HISTORY
    source = sync_source(payload.get("session")) if origin is Origin.ONDEMAND else None
    order = entry.seq * PARTS
    for field, reader in (
        ("messages", lambda entry, order, row: _told(entry, order, origin, row, source=source)),
        ("chats", chat_told),
        ("contacts", contact_told),
        ("mappings", mapping_told),
    ):
        items = listed(payload, field)
        yield from each(entry, order, items, reader)
        order += len(items)


def _debt(entry: Entry, payload: Mapping[str, Any]) -> Iterator[Event]:
    """A message that is owed lands as its placeholder. What may be seen once only is never sent again."""
    key = payload["key"]
    once = bool(key.get("isViewOnce"))
    reason = str(payload.get("reason"))
    content = seen_once() if once else placeholder(reason)
    _check(key)
    row = {**payload, "messageTimestamp": payload.get("messageTimestamp") or entry.new.received_at_ms // 1000}
    yield from identities_of_key(entry, key)
    seen = _seen(entry, entry.seq * PARTS, _ORIGINS.get(entry.new.origin, Origin.LIVE), row, content)
    yield seen
    yield from _push_name(seen, entry.new.received_at_ms)
    if not once:
        yield Owed(
            order=seen.order,
            account=entry.account,
            client_jid=seen.client_jid,
            message_id=seen.message_id,
            reason=reason,
            at_ms=entry.new.received_at_ms,
            key=key,
        )


def _call(entry: Entry, payload: Mapping[str, Any]) -> Iterator[Event]:
    """Somebody calls. That nobody took it is told by the engine, in a message of its own; of a group's call here."""
    group = bool(payload.get("group"))
    if payload.get("what") not in (_CALLS | {_MISSED} if group else _CALLS):
        return
    chat = payload.get("chat") or payload["from"]
    key = {"remoteJid": chat, "id": payload["id"], "fromMe": bool(payload.get("own"))}
    alt = payload.get("fromAlt")
    if is_person(jid_of(chat)):
        key |= {"remoteJidAlt": alt} if alt else {}
    else:
        key |= {"participant": payload["from"]} | ({"participantAlt": alt} if alt else {})
    _check(key)
    yield from identities_of_key(entry, key)
    content = call_content(str(payload["what"]), video=bool(payload.get("video")), group=group)
    row = {"key": key, "messageTimestamp": payload.get("time") or entry.new.received_at_ms // 1000}
    yield _seen(entry, entry.seq * PARTS, _ORIGINS.get(entry.new.origin, Origin.LIVE), row, content)


def _told(
    entry: Entry, order: int, origin: Origin, message: Mapping[str, Any], *, source: str | None = None
) -> Iterator[Event]:
    """A message as the engine gives it: who is who, what it shows, what it does to another one, who sent it."""
    if "key" not in message:
        raise ValueError("message that could not be decoded")
    key = message["key"]
    _check(key)
    yield from identities_of_key(entry, key)
    if origin is Origin.DERIVED and _is_call_of_group(message):
        return  # the engine takes the caller's own conversation for the group's
    content = _content(message)
    if content is not None:
        seen = _seen(entry, order, origin, message, content, source=source)
        yield seen
        yield from _push_name(seen, entry.new.received_at_ms)
    elif message.get("message"):
        seen = _seen(entry, order, origin, message, Content(kind=NOTHING), source=source)
        if origin in _MAY_HAVE_BEEN_OWED and acts_on_another(message["message"]):
            yield seen
        yield from amended_by(entry, order, message, seen.sent_at_ms)
        yield from _push_name(seen, entry.new.received_at_ms)


def _is_call_of_group(message: Mapping[str, Any]) -> bool:
    return message.get("messageStubType") in _GROUP_CALL_STUBS or "call" in (message.get("message") or {})


def _check(key: Mapping[str, Any]) -> None:
    """That it names a message and a conversation. Raises ValueError."""
    if not isinstance(key["id"], str) or not key["id"] or not isinstance(key["remoteJid"], str):
        raise ValueError("message without an id or a chat")
    for field in _PEOPLE:
        if key.get(field):
            jid_of(key[field])


def _content(message: Mapping[str, Any]) -> Content | None:
    stub = message.get("messageStubType")
    if message.get("message") or not isinstance(stub, int) or not stub:
        content = content_of(message.get("message") or {}) or as_edited(message)
    elif stub in _REVOKED_STUBS:
        return placeholder("revoked")
    else:
        content = stub_content(stub, listed(message, "messageStubParameters"), sender_of(message["key"]))
    if content is not None and content.body is None and content.media is None:
        return replace(content, body=preview_of(content))  # the app hides what has neither, and nobody would know of it
    if content is None or content.body is None or len(content.body) <= LONGEST_BODY:
        return content
    cut = {**(content.details or {}), "cutFrom": len(content.body)}
    return replace(content, body=content.body[:LONGEST_BODY], details=cut)


def _seen(
    entry: Entry,
    order: int,
    origin: Origin,
    message: Mapping[str, Any],
    content: Content,
    *,
    source: str | None = None,
) -> MessageSeen:
    key = message["key"]
    own = bool(key.get("fromMe"))
    status = message.get("status")
    code = status if isinstance(status, int) and 0 <= status < len(_STATUSES) else None
    sent_at_ms = moment_ms(message.get("messageTimestamp"))
    latest_ms = entry.new.received_at_ms + _DAY_MS
    chat = chat_of(key)
    return MessageSeen(
        order=order,
        account=entry.account,
        client_jid=chat,
        message_id=key["id"],
        sender=sender_of(key),
        sender_name=None if own else given_name(message.get("pushName")),
        sent_at_ms=sent_at_ms,
        origin=origin,
        sync_source=source or _SYNC_SOURCES.get(origin, "realtime"),
        status=_status(code, own=own),
        failed=code == 0 and own,
        content=content,
        key=_key(key, message),
        sender_lid=sender_lid_of(key),
        activity_at_ms=latest_ms if sent_at_ms > latest_ms else None,
        amendments=_amendments(message, content, chat, sent_at_ms),
    )


def _amendments(message: Mapping[str, Any], content: Content, chat: str, sent_at_ms: int) -> Amendments | None:
    """What a history tells with the message."""
    told = None if _TOLD_WITH_IT.isdisjoint(message) else told_by_history(message, chat, sent_at_ms)
    if is_as_edited(content):
        told = merged(told, edit_of_itself(message, sent_at_ms))
    if message.get("messageStubType") in _REVOKED_STUBS and not message.get("message"):
        by = sender_of(message["key"])
        revokes = {by: Mark(at_ms=sent_at_ms, lid=sender_lid_of(message["key"]), of=by)} if by else {}
        return replace(told, revokes=revokes) if told else Amendments(revokes=revokes)
    return told


def _push_name(seen: MessageSeen, received_at_ms: int) -> Iterator[PersonTold]:
    """What its sender calls himself, also beside what is no message of its own: the engine tells of it nowhere else."""
    if seen.sender_name and seen.sender and is_person(seen.sender):
        yield PersonTold(
            order=seen.order,
            account=seen.account,
            jid=seen.sender,
            lid=seen.sender_lid if seen.sender_lid != seen.sender else None,
            clock=min(seen.sent_at_ms, received_at_ms),
            names={NameRank.PUSHED: seen.sender_name},
        )


def _status(code: int | None, *, own: bool) -> Status:
    if not own:
        return Status.DELIVERED  # what reached us was delivered; nobody's receipt can say less or more
    return _STATUSES[code] if code is not None else Status.SENT


def _key(key: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any]:
    kept = {
        "id": key["id"],
        "remoteJid": canonical_jid(key["remoteJid"]),
        "fromMe": bool(key.get("fromMe")),
        "timestamp": message.get("messageTimestamp"),
    }
    for field in _PEOPLE[1:]:
        if key.get(field):
            kept[field] = canonical_jid(key[field])
    return kept


_READERS: dict[str, Callable[[Entry, Any], Iterator[Event]]] = {
    "message": _message,
    "history": _history,
    "debt": _debt,
    "call": _call,
    "receipt": receipt_events,
    "update": update_events,
}
