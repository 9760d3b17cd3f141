"""A journal entry, read: which messages and names it tells of. Never raises: what means nothing is Unreadable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from whatsapp_backend.domain.events import PARTS, ChatNamed, Event, MessageSeen, Origin, Status, Unreadable
from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.domain.moments import YEAR_10000_MS
from whatsapp_backend.rules.content import content_of
from whatsapp_backend.rules.identity import canonical_jid, chat_of, sender_lid_of, sender_of

_ON_DEMAND = 6
_ORIGINS = {origin.name.lower(): origin for origin in Origin}
_SYNC_SOURCES = {Origin.HISTORY: "history_sync", Origin.ONDEMAND: "manual_sync"}
_STATUSES = (Status.NONE, Status.QUEUED, Status.SENT, Status.DELIVERED, Status.READ, Status.READ)
"""By the protocol's code: 0 error, 1 pending, 2 server, 3 delivery, 4 read, 5 played."""
_MILLISECONDS_SINCE = 10**12
_DAY_MS = 86_400_000
"""A sender's clock may be ahead of ours by so much; one who lies would pin his thread to the top for ever."""
_ODD = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading the unexpected raises; quotes may be nested deeper than Python calls."""
NAMED_BY_HISTORY = 2


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
    except _ODD as error:
        return [Unreadable(order=order, account=entry.account, reason=_reason(error))]


def _message(entry: Entry, payload: Mapping[str, Any]) -> Iterator[Event]:
    seen = _seen(entry, entry.seq * PARTS, _ORIGINS.get(entry.new.origin, Origin.DERIVED), payload)
    if seen:
        yield seen


def _history(entry: Entry, payload: Mapping[str, Any]) -> Iterator[Event]:
    origin = Origin.ONDEMAND if payload.get("syncType") == _ON_DEMAND else Origin.HISTORY
    order = entry.seq * PARTS
    for message in _listed(payload, "messages"):
        try:
            seen = _seen(entry, order, origin, message)
        except _ODD as error:
            yield Unreadable(order=order, account=entry.account, reason=_reason(error))
        else:
            if seen:
                yield seen
        order += 1
    for chat in _listed(payload, "chats"):
        try:
            named = _named(entry, order, chat)
        except _ODD as error:
            yield Unreadable(order=order, account=entry.account, reason=_reason(error))
        else:
            if named:
                yield named
        order += 1


def _listed(payload: Mapping[str, Any], field: str) -> Sequence[Any]:
    """What is listed there; what is no list is one thing that cannot be read, and costs nothing else."""
    value = payload.get(field) or ()
    return value if isinstance(value, list) else [value] if value else ()


def _named(entry: Entry, order: int, chat: Mapping[str, Any]) -> ChatNamed | None:
    name = chat.get("name") or chat.get("displayName")
    if not (isinstance(name, str) and name and isinstance(chat.get("id"), str)):
        return None
    jid = chat_of({"remoteJid": chat["id"], "remoteJidAlt": chat.get("pnJid")})
    return ChatNamed(order=order, account=entry.account, client_jid=jid, name=name, rank=NAMED_BY_HISTORY)


def _seen(entry: Entry, order: int, origin: Origin, message: Mapping[str, Any]) -> MessageSeen | None:
    if "key" not in message:
        raise ValueError("message that could not be decoded")
    key = message["key"]
    message_id = key["id"]
    if not isinstance(message_id, str) or not message_id or not isinstance(key["remoteJid"], str):
        raise ValueError("message without an id or a chat")
    content = content_of(message.get("message") or {})
    if content is None:
        return None
    status = message.get("status")
    code = status if isinstance(status, int) and 0 <= status < len(_STATUSES) else None
    sent_at_ms = _sent_at_ms(message.get("messageTimestamp"))
    latest_ms = entry.new.received_at_ms + _DAY_MS
    return MessageSeen(
        order=order,
        account=entry.account,
        client_jid=chat_of(key),
        message_id=message_id,
        sender=sender_of(key),
        sender_name=_name(message.get("pushName")) if not key.get("fromMe") else None,
        sent_at_ms=sent_at_ms,
        origin=origin,
        sync_source=_SYNC_SOURCES.get(origin, "realtime"),
        status=_status(code, from_me=bool(key.get("fromMe"))),
        failed=code == 0 and bool(key.get("fromMe")),
        content=content,
        key=_key(key, message),
        sender_lid=sender_lid_of(key),
        activity_at_ms=latest_ms if sent_at_ms > latest_ms else None,
    )


def _status(code: int | None, *, from_me: bool) -> Status:
    if not from_me:
        return Status.DELIVERED  # what reached us was delivered; nobody's receipt can say less or more
    return _STATUSES[code] if code is not None else Status.SENT


def _key(key: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any]:
    kept = {
        "id": key["id"],
        "remoteJid": canonical_jid(key["remoteJid"]),
        "fromMe": bool(key.get("fromMe")),
        "timestamp": message.get("messageTimestamp"),
    }
    for field in ("remoteJidAlt", "participant", "participantAlt"):
        if key.get(field):
            kept[field] = canonical_jid(key[field])
    return kept


def _sent_at_ms(time: Any) -> int:
    if isinstance(time, bool) or not isinstance(time, int) or time <= 0:
        raise ValueError("message without a time")
    ms = time if time >= _MILLISECONDS_SINCE else time * 1000
    if ms >= YEAR_10000_MS:
        raise ValueError("message from after the year 9999")
    return ms


def _name(name: Any) -> str | None:
    return name.strip() or None if isinstance(name, str) else None


def _reason(error: Exception) -> str:
    """The kind of error and our own words only: an exception's text may quote a message."""
    ours = str(error) if type(error) is ValueError else "unexpected shape"
    return f"{type(error).__name__}: {ours}"


_READERS: dict[str, Callable[[Entry, Any], Iterator[Event]]] = {"message": _message, "history": _history}
