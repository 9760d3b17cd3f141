"""Moments, as documents hold them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at_ms(ms: int) -> datetime:
    """The moment this many milliseconds after 1970, exactly."""
    return _EPOCH + timedelta(milliseconds=ms)
