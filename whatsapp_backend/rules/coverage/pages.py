"""What a piece of history proves: an answer to a request, or a chunk."""

from __future__ import annotations

from collections.abc import Iterable

from whatsapp_backend.domain.coverage import BEGINNING, Interval, Point, Proof
from whatsapp_backend.rules.coverage.intervals import Span


def page_spans(messages: Iterable[Point], newer: Point) -> tuple[Span, ...]:
    """What a page proves that ends right before `newer`: everything between any two of its messages is in it.

    Named are those of its first and its last second, where the order is not known: one of them may be what the hole
    ends with.
    """
    page = page_older(messages, newer)
    if not page:
        return ()
    lowest = min(one.second for one in page)
    bottoms = [one for one in page if one.second == lowest]
    tops = [one for one in page if one.second == newer.second > lowest]
    return tuple((bottom, top) for bottom in bottoms for top in (newer, *tops))


def page_older(messages: Iterable[Point], newer: Point) -> list[Point]:
    """What of a page is older than `newer`, as far as times tell."""
    return [one for one in messages if one.second <= newer.second and one != newer]


def chunk_spans(messages: Iterable[Point]) -> tuple[Span, ...]:
    """What a chunk proves of one of its chats, with nothing known of what is before or after it."""
    chunk = list(messages)
    if not chunk:
        return ()
    lowest, highest = min(one.second for one in chunk), max(one.second for one in chunk)
    if lowest == highest:
        return ()
    return tuple((bottom, top) for bottom in chunk if bottom.second == lowest for top in chunk if top.second == highest)


def to_the_beginning(messages: Iterable[Point], newer: Point | None = None) -> tuple[Interval, ...]:
    """What the phone's word proves that it has nothing older: of these messages, and of what is before `newer`."""
    known = [*messages, *([newer] if newer else [])]
    highest = max((one.second for one in known), default=0)
    return tuple(Interval(BEGINNING, one, Proof.PHONE_COMPLETE) for one in known if one.second == highest)
