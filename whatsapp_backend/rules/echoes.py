"""What can be asked of our phone as an echo: a message that is here, and that the phone has too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from whatsapp_backend.domain.journal import NewEntry
from whatsapp_backend.rules.request_ids import echoes_in

OUTSIDE = frozenset(("live", "offline", "resend"))
"""Origins of what came in on the connection, and was not made by the engine or downloaded."""
_FIELDS = ("remoteJid", "fromMe", "id", "participant")
_NO_CHATS = ("status@broadcast", "@newsletter", "@broadcast")
_NO_MESSAGES = frozenset(("protocolMessage", "reactionMessage", "senderKeyDistributionMessage", "pollUpdateMessage"))
_CARRIERS = frozenset(("message", "receipt"))


def brought_by_echo(entry: NewEntry) -> bool:
    """Whether an entry is there only because our phone was asked for an echo."""
    return entry.kind in _CARRIERS and any(echoes_in(entry.payload))


def is_answer(entries: Iterable[NewEntry]) -> bool:
    """Whether one of the entries that an echo brought is the phone's answer, and not only its receipt."""
    return any(entry.kind == "message" for entry in entries)


def key_in(entry: NewEntry) -> dict[str, Any] | None:
    """The key of a message that can be asked for; the newest one of a record of history."""
    if entry.payload is None or entry.kind not in ("message", "history"):
        return None
    try:
        payload = orjson.loads(entry.payload)
        rows: Sequence[Any] = payload["messages"] if entry.kind == "history" else [payload]
        known = [row for row in rows if _is_known(row)]
        newest = max(known, key=lambda row: int(row.get("messageTimestamp") or 0), default=None)
        return {name: newest["key"][name] for name in _FIELDS if name in newest["key"]} if newest else None
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
        return None


def _is_known(row: Mapping[str, Any]) -> bool:
    key, message = row.get("key") or {}, row.get("message") or {}
    chat = str(key.get("remoteJid", ""))
    named = bool(key.get("id")) and isinstance(key.get("fromMe"), bool) and "@" in chat
    return named and not chat.endswith(_NO_CHATS) and bool(message.keys() - _NO_MESSAGES)
