"""What the end of a history says (docs/frames.md, `history-end`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from whatsapp_backend.domain.journal import NewEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEnd:
    """`session` names the request this answers. `ends` is the phone's word on what is left, by the chats as it spells
    them; `end` the first of these (None: it said nothing)."""

    notice: str
    messages: int
    result: str
    sync_type: int | None
    session: str | None
    chunk_order: int | None
    progress: int | None
    ends: Mapping[str, int]

    @property
    def downloaded(self) -> bool:
        """Whether all of it is here."""
        return self.result == "complete"

    @property
    def end(self) -> int | None:
        """Its word where it tells of one chat only."""
        return next(iter(self.ends.values()), None)


def answers(entry: NewEntry) -> str | None:
    """Which request this entry is the first or the last sign of an answer to: history is there, or all of it is here.

    Never raises.
    """
    payload = _told(entry) if entry.kind in ("history-notice", "history-end") else None
    return _session(payload) if payload else None


def history_end(entry: NewEntry) -> HistoryEnd | None:
    """Read an entry that ends a history; None for any other. Never raises: what is odd in it is left out."""
    payload = _told(entry) if entry.kind == "history-end" else None
    if payload is None:
        return None
    return HistoryEnd(
        notice=str(payload.get("notice")),
        messages=_integer(payload.get("messages")) or 0,
        result=str(payload.get("result")),
        sync_type=_integer(payload.get("syncType")),
        session=_session(payload),
        chunk_order=_integer(payload.get("chunkOrder")),
        progress=_integer(payload.get("progress")),
        ends=_ends(payload.get("chats")),
    )


def _told(entry: NewEntry) -> Mapping[str, Any] | None:
    try:
        payload = orjson.loads(entry.payload or b"")
    except ValueError:
        return None
    return payload if isinstance(payload, Mapping) else None


def _session(payload: Mapping[str, Any]) -> str | None:
    session = payload.get("session")
    return session if isinstance(session, str) and session else None


def _ends(chats: Any) -> dict[str, int]:
    told = [chat for chat in chats if isinstance(chat, Mapping)] if isinstance(chats, list) else []
    ends = {str(chat.get("id")): _integer(chat.get("end")) for chat in told}
    return {jid: end for jid, end in ends.items() if end is not None}


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) else None
