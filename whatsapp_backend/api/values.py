"""Documents as JSON, the way the runbook's callers know them."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from whatsapp_backend.domain.moments import YEAR_10000_MS, at_ms
from whatsapp_backend.domain.writes import Document

_ISO_FIELDS = frozenset({"tsClient"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND, _MICROSECOND = timedelta(seconds=1), timedelta(microseconds=1)


def shown(document: Document) -> dict[str, Any]:
    """A document with its id; Timestamps as `{"_seconds", "_nanoseconds"}`, `tsClient` as ISO 8601."""
    values = {
        name: iso(value) if name in _ISO_FIELDS and isinstance(value, datetime) else _value(value)
        for name, value in document.fields.items()
    }
    return {**values, "id": document.id}


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_ms(ms: int | None) -> str | None:
    """`iso` of a moment in ms; None for none, for the beginning of time and for what lies after the year 9999."""
    return iso(at_ms(ms)) if ms is not None and 0 < ms < YEAR_10000_MS else None


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        seconds, rest = divmod(value - _EPOCH, _SECOND)
        return {"_seconds": seconds, "_nanoseconds": rest // _MICROSECOND * 1000}
    if isinstance(value, Mapping):
        return {name: _value(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_value(part) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no word for it
    return value
