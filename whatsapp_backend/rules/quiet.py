"""Hours in which no run begins by itself."""

from __future__ import annotations


def is_quiet(minute: int, hours: tuple[int, int] | None) -> bool:
    """Whether this minute of the day lies in them; the last one excluded. They may go over midnight."""
    if hours is None:
        return False
    begin, end = hours
    return begin <= minute < end if begin < end else minute >= begin or minute < end
