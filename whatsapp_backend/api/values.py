"""Documents as JSON, the way the runbook's callers know them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from whatsapp_backend.domain.writes import Document

_ISO_FIELDS = frozenset({"tsClient"})


def shown(document: Document) -> dict[str, Any]:
    """A document with its id; Timestamps as `{"_seconds", "_nanoseconds"}`, `tsClient` as ISO 8601."""
    values = {name: _value(value, iso=name in _ISO_FIELDS) for name, value in document.fields.items()}
    return {"id": document.path.rpartition("/")[2], **values}


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _value(value: Any, *, iso: bool = False) -> Any:
    if isinstance(value, datetime):
        return _iso(value) if iso else {"_seconds": int(value.timestamp()), "_nanoseconds": value.microsecond * 1000}
    if isinstance(value, Mapping):
        return {name: _value(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_value(part) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value


_iso = iso
