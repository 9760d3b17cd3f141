"""From Firestore's messages to plain values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from whatsapp_backend.domain.writes import Document

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def document(message: Any, *, root: str) -> Document:
    """A document. `root` is what its name has before its path."""
    return Document(
        path=message.name[len(root) + 1 :],
        fields=fields(message.fields),
        updated_at_ns=nanoseconds(message.update_time),
    )


def fields(message: Any) -> dict[str, Any]:
    """A map's fields."""
    return {name: _value(value) for name, value in message.items()}


def nanoseconds(timestamp: Any) -> int:
    """Nanoseconds since 1970, exact."""
    return int(timestamp.seconds) * 1_000_000_000 + int(timestamp.nanos)


def _value(message: Any) -> Any:
    kind = message.WhichOneof("value_type")
    if kind is None:
        return None
    value = getattr(message, kind)
    convert = _CONVERT.get(kind)
    return value if convert is None else convert(value)


def _moment(timestamp: Any) -> datetime:
    return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "null_value": lambda _: None,
    "timestamp_value": _moment,
    "map_value": lambda value: fields(value.fields),
    "array_value": lambda value: [_value(item) for item in value.values],
    "geo_point_value": lambda value: {"latitude": value.latitude, "longitude": value.longitude},
}
