"""What the end of a history says (docs/frames.md, `history-end`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from whatsapp_backend.domain.journal import NewEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEnd:
    """`session` names the request this answers, `end` is the phone's word on what is left (None: it said nothing)."""

    messages: int
    result: str
    sync_type: int | None
    session: str | None
    end: int | None


def history_end(entry: NewEntry) -> HistoryEnd | None:
    """Read an entry that ends a history; None for any other. Never raises: what is odd in it is left out."""
    if entry.kind != "history-end" or entry.payload is None:
        return None
    try:
        payload = orjson.loads(entry.payload)
    except ValueError:
        return None
    if not isinstance(payload, Mapping):
        return None
    session = payload.get("session")
    return HistoryEnd(
        messages=_integer(payload.get("messages")) or 0,
        result=str(payload.get("result")),
        sync_type=_integer(payload.get("syncType")),
        session=session if isinstance(session, str) and session else None,
        end=_end(payload.get("chats")),
    )


def _end(chats: Any) -> int | None:
    ends = [_integer(chat.get("end")) for chat in chats if isinstance(chat, Mapping)] if isinstance(chats, list) else []
    return next((end for end in ends if end is not None), None)


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) else None
