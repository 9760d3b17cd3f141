"""Fields of a stored document, whoever wrote it: a value of another type than expected counts as absent."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Any, TypeVar

from whatsapp_backend.domain.moments import YEAR_10000_MS, ms_at

T = TypeVar("T")
_NESTED = 20
"""As deep as Firestore nests."""


def typed(fields: Mapping[str, Any], field: str, kind: type[T]) -> T | None:
    """The field, if it is of this type."""
    value = fields.get(field)
    return value if isinstance(value, kind) else None


def integer(fields: Mapping[str, Any], field: str, *, below: int) -> int | None:
    """The field, if it is an integer from 0 on. A bool is none."""
    value = fields.get(field)
    return value if type(value) is int and 0 <= value < below else None


def moment_ms(value: Any) -> int | None:
    """Milliseconds since 1970, from a timestamp or from ISO text."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    ms = ms_at(value)
    return ms if 0 < ms < YEAR_10000_MS else None


def json_object(value: Any) -> dict[str, Any] | None:
    """A map as JSON can hold it: bytes as base64, moments as ISO text, and without what has no such form."""
    return _json(value, 0) if isinstance(value, Mapping) else None


def _json(value: Any, depth: int) -> Any:
    match value:
        case Mapping() if depth < _NESTED:
            return {name: _json(part, depth + 1) for name, part in value.items() if isinstance(name, str)}
        case list() if depth < _NESTED:
            return [_json(part, depth + 1) for part in value]
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.isoformat()
    kept = isinstance(value, str | int) or (isinstance(value, float) and isfinite(value))
    return value if kept else None
