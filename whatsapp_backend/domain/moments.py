"""Moments, as documents hold them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR_10000_MS = 253_402_300_800_000
"""Where what documents can hold ends."""


def at_ms(ms: int) -> datetime:
    """The moment this many milliseconds after 1970, exactly."""
    return _EPOCH + timedelta(milliseconds=ms)


def ms_at(moment: datetime) -> int:
    """Milliseconds from 1970 to this moment; one without a zone is taken for UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(milliseconds=1)
