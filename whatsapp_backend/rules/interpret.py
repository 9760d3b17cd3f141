"""A journal entry, read: which messages and names it tells of. Never raises: what means nothing is Unreadable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from whatsapp_backend.domain.events import PARTS, ChatNamed, Event, MessageSeen, Origin, Status, Unreadable
from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.rules.content import content_of
from whatsapp_backend.rules.identity import canonical_jid, chat_of, sender_of

_ON_DEMAND = 6
_ORIGINS = {origin.name.lower(): origin for origin in Origin}
_SYNC_SOURCES = {Origin.HISTORY: "history_sync", Origin.ONDEMAND: "manual_sync"}
_STATUSES = (Status.NONE, Status.QUEUED, Status.SENT, Status.DELIVERED, Status.READ, Status.READ)
"""By the protocol's code: 0 error, 1 pending, 2 server, 3 delivery, 4 read, 5 played."""
_MILLISECONDS_SINCE = 10**12
_YEAR_10000_MS = 253_402_300_800_000
NAMED_BY_HISTORY = 2


def events_of(entry: Entry) -> list[Event]:
    """The events of one entry, in their order."""
    new = entry.new
    order = entry.seq * PARTS
    reader = _READERS.get(new.kind)
    if reader is None:
        return []
    if new.payload is None:
        return [Unreadable(order=order, account=entry.account, reason=new.problem or "could not be decoded")]
    try:
        return list(reader(entry, orjson.loads(new.payload)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [Unreadable(order=order, account=entry.account, reason=_reason(error))]


def _message(entry: Entry, payload: Mapping[str, Any]) -> Iterator[Event]:
    seen = _seen(entry, entry.seq * PARTS, _ORIGINS.get(entry.new.origin, Origin.DERIVED), payload)
    if seen:
        yield seen


def _history(entry: Entry, payload: Mapping[str, Any]) -> Iterator[Event]:
    origin = Origin.ONDEMAND if payload.get("syncType") == _ON_DEMAND else Origin.HISTORY
    order = entry.seq * PARTS
    for message in payload.get("messages") or ():
        try:
            seen = _seen(entry, order, origin, message)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            yield Unreadable(order=order, account=entry.account, reason=_reason(error))
        else:
            if seen:
                yield seen
        order += 1
    for chat in payload.get("chats") or ():
        name = chat.get("name") or chat.get("displayName")
        if isinstance(name, str) and name and isinstance(chat.get("id"), str):
            jid = chat_of({"remoteJid": chat["id"], "remoteJidAlt": chat.get("pnJid")})
            yield ChatNamed(order=order, account=entry.account, client_jid=jid, name=name, rank=NAMED_BY_HISTORY)
        order += 1


def _seen(entry: Entry, order: int, origin: Origin, message: Mapping[str, Any]) -> MessageSeen | None:
    key = message["key"]
    message_id = key["id"]
    if not isinstance(message_id, str) or not message_id or not isinstance(key["remoteJid"], str):
        raise ValueError("message without an id or a chat")
    content = content_of(message.get("message") or {})
    if content is None:
        return None
    status = message.get("status")
    code = status if isinstance(status, int) and 0 <= status < len(_STATUSES) else None
    sender = sender_of(key)
    return MessageSeen(
        order=order,
        account=entry.account,
        client_jid=chat_of(key),
        message_id=message_id,
        sender=sender,
        sender_name=_name(message.get("pushName")) if not key.get("fromMe") else None,
        sent_at_ms=_sent_at_ms(message.get("messageTimestamp")),
        origin=origin,
        sync_source=_SYNC_SOURCES.get(origin, "realtime"),
        status=_status(code, from_me=bool(key.get("fromMe"))),
        failed=code == 0 and bool(key.get("fromMe")),
        content=content,
        key=_key(key, message),
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
    if ms >= _YEAR_10000_MS:
        raise ValueError("message from after the year 9999")
    return ms


def _name(name: Any) -> str | None:
    return name.strip() or None if isinstance(name, str) else None


def _reason(error: Exception) -> str:
    """The kind of error and our own words only: an exception's text may quote a message."""
    ours = str(error) if type(error) is ValueError else "unexpected shape"
    return f"{type(error).__name__}: {ours}"


_READERS: dict[str, Callable[[Entry, Any], Iterator[Event]]] = {"message": _message, "history": _history}
