"""Ids of documents. Message ids are chosen by senders, so they are encoded: two ids never share a document."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

_PLAIN = re.compile(rb"[A-Za-z0-9._@:+=-]+")
_RESERVED = re.compile(r"__.*__", re.DOTALL)
_ENCODED = re.compile(r"[A-Za-z0-9._@:+=~%-]+")
_BYTES = tuple(chr(byte) if _PLAIN.fullmatch(bytes([byte])) else f"%{byte:02X}" for byte in range(256))
_LIMIT = 1500
"""Firestore's, in bytes."""
_KEPT = 1400
_LONGEST = _LIMIT - len("~01234567")
"""Room is left for another sender's suffix."""


def encoded(raw: str) -> str:
    """Make any text a document id.

    Bytes outside `A-Z a-z 0-9 . _ @ : + = -` and the forms that Firestore forbids become `%XX`; what is too long keeps
    its beginning and ends in `~~` and its SHA-256. `~` never comes out otherwise.
    """
    data = raw.encode("utf-8", "surrogatepass")
    if len(data) > _LONGEST:  # whatever comes out is longer still: a sender may choose a megabyte
        return _shortened("".join(map(_BYTES.__getitem__, data[:_KEPT])), data)
    text = raw if _PLAIN.fullmatch(data) else "".join(map(_BYTES.__getitem__, data))
    if text in ("", ".", "..") or _RESERVED.fullmatch(text):
        text = f"%{data[0]:02X}{text[1:]}" if data else "%"
    return _shortened(text, data) if len(text) > _LONGEST else text


def _shortened(text: str, data: bytes) -> str:
    return f"{text[:_KEPT]}~~{hashlib.sha256(data).hexdigest()}"


def is_document_id(text: str) -> bool:
    """Whether `encoded` or `other_sender` could have made it."""
    if text in (".", "..") or len(text) > _LIMIT:
        return False
    return bool(_ENCODED.fullmatch(text)) and not _RESERVED.fullmatch(text)


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


@lru_cache(1024)
def contact_path(account: str, jid: str) -> str:
    """Where a contact's document lies."""
    return f"contacts/{encoded(f'{account}__{jid}')}"
