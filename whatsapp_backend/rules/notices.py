"""When a history notice is open, and when it has done enough harm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from whatsapp_backend.domain.journal import NewEntry

CRASHES_TO_PARK = 2
PARKED_CONSUMER = "history"
"""Under this name notices are parked; no consumer of the journal has it."""


def is_notice(entry: NewEntry) -> bool:
    """Tell whether this entry opens a history notice."""
    return entry.kind == "history-notice"


def closed_by(entry: NewEntry) -> str | None:
    """The source of the notice that this entry closes."""
    if entry.kind != "history-end" or entry.payload is None:
        return None
    try:
        payload = json.loads(entry.payload)
    except (ValueError, RecursionError):
        # It stays open and is downloaded again, which costs time; a commit that fails costs the message beside it.
        return None
    source = payload.get("notice") if isinstance(payload, dict) else None
    return source if isinstance(source, str) else None


def parked_reason(crashes: int) -> str:
    """Say why a notice is no longer handed over."""
    return f"the bridge crashed {crashes} times in a row while downloading this history"
