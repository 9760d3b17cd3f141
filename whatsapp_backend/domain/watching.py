"""What operators watch of the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """What a consumer of the journal has not passed yet."""

    position: int
    entries: int
    oldest_at_ms: int | None
    """When the first of them was received, None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pile:
    """Things of one account that wait, and since when the oldest of them does."""

    count: int
    oldest_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What waits in the store, by account. What nobody waits for is absent."""

    gaps: Mapping[tuple[str, str, str], Pile] = field(default_factory=dict)
    """Those that are not closed, by account, reason and state."""
    debts: Mapping[str, Pile] = field(default_factory=dict)
    """Open ones."""
    parked: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By account and consumer."""
    held_back: Mapping[str, int] = field(default_factory=dict)
    free_bytes: int | None = None
    """On the disk of the store."""
