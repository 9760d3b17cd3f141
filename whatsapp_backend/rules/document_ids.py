"""Ids of documents. Message ids are chosen by senders, so they are encoded: two ids never share a document."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

_PLAIN = re.compile(rb"[A-Za-z0-9._@:+=-]+")
_RESERVED = re.compile(r"__.*__", re.DOTALL)
_ENCODED = re.compile(r"[A-Za-z0-9._@:+=~%-]+")
_LIMIT = 1500
"""Firestore's, in bytes."""
_LONGEST = _LIMIT - len("~01234567")
"""Room is left for another sender's suffix."""


def encoded(raw: str) -> str:
    """Make any text a document id.

    Bytes outside `A-Z a-z 0-9 . _ @ : + = -` and the forms that Firestore forbids become `%XX`; what is too long keeps
    its beginning and ends in `~~` and its SHA-256. `~` never comes out otherwise.
    """
    data = raw.encode("utf-8", "surrogatepass")
    if _PLAIN.fullmatch(data):
        text = raw
    else:
        text = "".join(chr(b) if _PLAIN.fullmatch(bytes([b])) else f"%{b:02X}" for b in data)
    if text in ("", ".", "..") or _RESERVED.fullmatch(text):
        text = f"%{data[0]:02X}{text[1:]}" if data else "%"
    if len(text) > _LONGEST:
        return f"{text[:1400]}~~{hashlib.sha256(data).hexdigest()}"
    return text


def is_document_id(text: str) -> bool:
    """Whether `encoded` or `other_sender` could have made it."""
    return bool(_ENCODED.fullmatch(text)) and len(text) <= _LIMIT and not _RESERVED.fullmatch(text)


def other_sender(document_id: str, sender: str) -> str:
    """The id under which a message lands whose plain id is another sender's already."""
    return f"{document_id}~{hashlib.sha256(sender.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


@lru_cache(1024)
def thread_id(account: str, client_jid: str) -> str:
    """`<accountId>__<clientJid>`, safe as a document id."""
    return encoded(f"{account}__{client_jid}")


def thread_path(thread: str) -> str:
    """Where a thread's document lies."""
    return f"threads/{thread}"


def message_path(thread: str, message_id: str) -> str:
    """Where a message's document lies, unless its id is another sender's already."""
    return f"threads/{thread}/messages/{encoded(message_id)}"
