"""Counting what waits in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from whatsapp_backend.domain.watching import Pile

Of = TypeVar("Of")


def piles(waiting: Iterable[tuple[Of, int]]) -> dict[Of, Pile]:
    """By what they are of: how many, and since when the oldest waits."""
    found: dict[Of, Pile] = {}
    for of, at_ms in waiting:
        before = found.get(of, Pile(count=0, oldest_at_ms=at_ms))
        found[of] = Pile(count=before.count + 1, oldest_at_ms=min(before.oldest_at_ms, at_ms))
    return found
