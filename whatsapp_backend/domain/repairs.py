"""Repair: where it goes on, and what it corrects."""

from __future__ import annotations

from dataclasses import dataclass

from whatsapp_backend.domain.mirror import Gathered


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """How far an account's threads have been looked through: up to the id `after`, last at `at_ms`."""

    account: str
    after: str = ""
    at_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a thread's row in the mirror is to become, if it still is as it was when that was worked out."""

    before: Gathered
    after: Gathered

    def still_holds(self, row: Gathered | None) -> bool:
        """Whether the row, as it is now, is the one that this was worked out for."""
        return row is not None and (row.state, row.updated_at_ns) == (self.before.state, self.before.updated_at_ns)
