"""Ids of requests to the phone: like those of WhatsApp Web, and their last digit says who asked.

The answer names the request it is for, so what is journaled tells by itself how its messages came, also when it is
replayed years later and nobody remembers the request.
"""

from __future__ import annotations

import re

from whatsapp_backend.domain.jobs import Kind

RANDOM_DIGITS = 17
_ID = re.compile(r"3EB0[0-9A-F]{17}([0-9A-F])")
_LAST = {Kind.RECENT_SYNC: "1", Kind.BACKFILL: "2", Kind.RESYNC: "3", None: "4"}
_SOURCES = {_LAST[Kind.RECENT_SYNC]: "recent_sync", _LAST[Kind.BACKFILL]: "backfill"}


def request_id(by: Kind | None, digits: str) -> str:
    """The id of a request that a run makes, or a person (None); `digits` are random hexadecimal ones."""
    return f"3EB0{digits[:RANDOM_DIGITS].upper()}{_LAST[by]}"


def sync_source(session: object) -> str:
    """How messages came that answer this request. Whatever is no run's own was wanted by a person."""
    made = _ID.fullmatch(session) if isinstance(session, str) else None
    return _SOURCES.get(made[1], "manual_sync") if made else "manual_sync"
