"""Ids of requests to the phone: like those of WhatsApp Web, and their last digit says who asked.

The answer names the request it is for, so what is journaled tells by itself how its messages came, also when it is
replayed years later and nobody remembers the request.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from whatsapp_backend.domain.jobs import Kind

RANDOM_DIGITS = 17
_ID = re.compile(r"3EB0[0-9A-F]{17}([0-9A-F])")
_LAST = {Kind.RECENT_SYNC: "1", Kind.BACKFILL: "2", Kind.RESYNC: "3", None: "4"}
_ANY_ID = re.compile(rb"3EB0[0-9A-F]{18}")
_CHECKED_DIGITS = 10
_SOURCES = {_LAST[Kind.RECENT_SYNC]: "recent_sync", _LAST[Kind.BACKFILL]: "backfill"}


def request_id(by: Kind | None, digits: str) -> str:
    """The id of a request that a run makes, or a person (None); `digits` are random hexadecimal ones."""
    return f"3EB0{digits[:RANDOM_DIGITS].upper()}{_LAST[by]}"


def echo_id(digits: str) -> str:
    """The id of an echo: its last digits are made of the others, so that it tells by itself."""
    begin = f"3EB0{digits[:_CHECKED_DIGITS].upper()}"
    return begin + _check_digits(begin)


def is_echo(request: object) -> bool:
    """Whether this is the id of an echo. One of 4,294,967,296 others looks like it."""
    return isinstance(request, str) and request[-8:] == _check_digits(request[:-8])


def echoes_in(text: bytes | None) -> Iterator[str]:
    """The ids of echoes that stand anywhere in it."""
    found = _ANY_ID.findall(text or b"")
    return (one for one in map(bytes.decode, found) if is_echo(one))


def _check_digits(begin: str) -> str:
    return hashlib.sha256(b"echo " + begin.encode()).hexdigest()[:8].upper()


def sync_source(session: object) -> str:
    """How messages came that answer this request. Whatever is no run's own was wanted by a person."""
    made = _ID.fullmatch(session) if isinstance(session, str) else None
    return _SOURCES.get(made[1], "manual_sync") if made else "manual_sync"
