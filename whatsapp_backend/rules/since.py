"""Moments as people write them: `2h` (so long ago), or ISO 8601, taken as UTC where it names no zone."""

from __future__ import annotations

import re
from datetime import datetime

from whatsapp_backend.domain.moments import ms_at

FORMS = "a duration as 90s, 30m, 2h or 7d, or a moment as 2026-01-31 or 2026-01-31T08:00:00Z"
_DURATION = re.compile(r"([0-9]{1,40})([smhd])")
_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)


def moment_of(text: str, now_ms: int) -> int:
    """The moment in ms. Raises ValueError, which says what is wrong, for what is none or lies before 1970."""
    if _DURATION.fullmatch(text):
        ms = now_ms - span_ms(text)
    elif _ISO.fullmatch(text):
        ms = _iso_ms(text)
    else:
        raise ValueError(f"must be {FORMS}")
    if ms < 0:
        raise ValueError("lies before 1970: say 1970-01-01 for everything")
    return ms


def span_ms(text: str) -> int:
    """A duration in ms. Raises ValueError, which says what is wrong."""
    duration = _DURATION.fullmatch(text)
    if not duration:
        raise ValueError("must be a duration as 90s, 30m, 2h or 7d")
    return int(duration[1]) * _UNITS_MS[duration[2]]


def _iso_ms(text: str) -> int:
    try:
        return ms_at(datetime.fromisoformat(text.upper()))
    except ValueError as error:
        raise ValueError(f"is no moment that exists ({error})") from None
