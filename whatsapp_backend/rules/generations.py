"""Which generation of the system wrote a document, and which message it holds. It is told by the shape alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from whatsapp_backend.domain.surveys import Generation
from whatsapp_backend.rules.stored import typed

MESSAGE_FIELDS = (
    "clientMessageId",
    "clocks",
    "direction",
    "key",
    "messageType",
    "providerMessageId",
    "senderJid",
    "tsClient",
    "waMessageId",
)
"""What has to be read of a message to recognise it."""
_STABLE_KEY = re.compile(r"[0-9a-f]{24}")
"""The beginning of a SHA-1. WhatsApp's own ids are of capital letters where they look like it."""
_MADE_UP = re.compile(r"[0-9a-f]{24}|[0-9a-f]{40}|[0-9a-f]{64}")
_DISPLACED = re.compile(r".*[^~]~[0-9a-f]{8}", re.DOTALL)


def generation_of(document_id: str, fields: Mapping[str, Any]) -> Generation:
    """Of a message document."""
    if typed(fields, "clocks", dict) is not None:
        return Generation.OURS
    if is_stub(fields):
        return Generation.STUB
    if _STABLE_KEY.fullmatch(document_id):
        return Generation.SECOND
    if _is_made_up(document_id, fields):
        return Generation.APP
    return _by_time(fields.get("tsClient"))


def _by_time(sent_at: Any) -> Generation:
    if isinstance(sent_at, str):
        return Generation.FIRST
    return Generation.THIRD if isinstance(sent_at, datetime) else Generation.UNKNOWN


def is_stub(fields: Mapping[str, Any]) -> bool:
    """Whether it is what a receipt wrote where there was no message: a status and its times, nothing of a message."""
    return not any(fields.get(name) for name in ("tsClient", "messageType", "direction", "body", "clocks"))


def message_id_of(document_id: str, fields: Mapping[str, Any]) -> str | None:
    """WhatsApp's id of the message in a document: as it says, else the document's own, unless that was made up."""
    return said_id(fields) or (None if _is_made_up(document_id, fields) else document_id)


def said_id(fields: Mapping[str, Any]) -> str | None:
    """WhatsApp's id of the message as its document says it."""
    key: Mapping[str, Any] = typed(fields, "key", dict) or {}
    told = (fields.get("waMessageId"), fields.get("providerMessageId"), key.get("id"))
    return next((said for said in told if isinstance(said, str) and said), None)


def _is_made_up(document_id: str, fields: Mapping[str, Any]) -> bool:
    return bool(_MADE_UP.fullmatch(document_id)) or fields.get("clientMessageId") == document_id


def is_displaced(document_id: str) -> bool:
    """Whether it lies aside because its place is another sender's. It stays there."""
    return bool(_DISPLACED.fullmatch(document_id))
