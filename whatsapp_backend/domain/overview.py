"""What is seen of an account at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from whatsapp_backend.domain.coverage import GapState


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What is missing of one account.

    `holes` are its gaps that are not closed and have a message on both sides, by state; `deep` are those below which
    there is nothing: history that was not fetched yet. `oldest_hole_at_ms` is when the oldest hole that may still be
    filled was found. Its phone did not
    answer, and is asked for nothing until `paused_until_ms`.
    """

    holes: Mapping[GapState, int] = field(default_factory=dict)
    deep: int = 0
    oldest_hole_at_ms: int | None = None
    debts: int = 0
    paused_until_ms: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Activity:
    """When the newest message of a thread (its document's path) that is here was sent; 0: there is none."""

    newest_ms: int
    thread: str
