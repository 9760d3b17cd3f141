"""The port Overview, in memory."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from whatsapp_backend.domain.coverage import ASKABLE, UNCLOSED
from whatsapp_backend.domain.overview import Activity, Tally

if TYPE_CHECKING:
    from whatsapp_backend.domain.coverage import Asking, Coverage, Gap, Held, Point
    from whatsapp_backend.domain.mirror import Debt


class MemoryOverview:
    """The part of MemoryStore that looks over what its other parts keep."""

    _gaps: dict[tuple[str, int], Gap]
    _debts: dict[str, Debt]
    _askings: dict[str, Asking]
    _coverages: dict[str, Coverage]
    _held: dict[str, dict[Point, Held]]

    def _check(self, *, writes: bool) -> None:
        raise NotImplementedError

    async def tallies(self) -> dict[str, Tally]:
        """See the port."""
        self._check(writes=False)
        accounts = {gap.account for gap in self._gaps.values()} | {debt.account for debt in self._debts.values()}
        accounts |= self._askings.keys()
        return {account: self._tally(account) for account in accounts}

    def _tally(self, account: str) -> Tally:
        gaps = [gap for gap in self._gaps.values() if gap.account == account and gap.state in UNCLOSED]
        holes = [gap for gap in gaps if gap.below is not None]
        asking = self._askings.get(account)
        return Tally(
            holes=dict(Counter(gap.state for gap in holes)),
            deep=len(gaps) - len(holes),
            oldest_hole_at_ms=min((gap.opened_at_ms for gap in holes if gap.state in ASKABLE), default=None),
            debts=sum(debt.account == account and debt.closed is None for debt in self._debts.values()),
            paused_until_ms=asking.paused_until_ms if asking else 0,
        )

    async def active_threads(self, account: str, *, limit: int, below: Activity | None = None) -> list[Activity]:
        """See the port."""
        self._check(writes=False)
        known = [
            Activity(max((point.ms for point in self._held.get(thread, {})), default=0), thread)
            for thread, coverage in self._coverages.items()
            if coverage.account == account
        ]
        return [one for one in sorted(known, reverse=True) if below is None or one < below][:limit]
