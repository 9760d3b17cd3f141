"""Which gaps a run is to fill, what doing so would take, and what is left of a thread afterwards."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from whatsapp_backend.domain.coverage import ASKABLE, UNCLOSED, Due, Gap, GapState, Reason
from whatsapp_backend.domain.jobs import Bounds, Kind, Plan
from whatsapp_backend.rules.prices import cost_usd

OK, PARTIAL, NO_ANSWER, UNREACHABLE, NO_ACCESS, ERROR = (
    "ok",
    "partial",
    "no-answer",
    "unreachable",
    "no-access",
    "error",
)
"""How a run left a thread (domain.jobs.ThreadResult)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a run may fill: gaps with something unknown between two moments.

    `deep`: deep history, too, down to `oldest_ms`; `again`: also what was given up or waits for its time.
    """

    since_ms: int
    until_ms: int
    oldest_ms: int
    deep: bool
    again: bool

    def has(self, gap: Gap, now_ms: int) -> bool:
        """Whether this gap is to be asked for now."""
        overlaps = gap.start_ms < self.until_ms and self.since_ms < gap.end_ms
        return overlaps and (self.deep or not is_deep(gap)) and Due(now_ms=now_ms, oldest_ms=self.oldest_ms).has(gap)


def scope_of(kind: Kind, bounds: Bounds, *, lookback_ms: int | None, oldest_ms: int, now_ms: int) -> Scope:
    """A run that looks back only so far leaves deep history to others. None digs below its own bounds."""
    looks_back_to_ms = 0 if lookback_ms is None else now_ms - lookback_ms
    return Scope(
        since_ms=max(bounds.since_ms, looks_back_to_ms),
        until_ms=bounds.until_ms,
        oldest_ms=max(oldest_ms, bounds.since_ms),
        deep=lookback_ms is None,
        again=kind is Kind.RESYNC,
    )


def is_deep(gap: Gap) -> bool:
    """Whether nothing is known below it. A chat that began while we were away has no message below its gap, either."""
    return gap.start_ms == 0


def renewed(gap: Gap, now_ms: int) -> Gap:
    """The gap as if it had never been given up and waited for nothing."""
    if gap.state not in UNCLOSED or (gap.state in ASKABLE and gap.next_at_ms <= now_ms):
        return gap
    return replace(gap, state=GapState.OPEN, tried=0, rounds=0, next_at_ms=0)


def within_threads(gaps: Iterable[Gap], limit: int) -> list[Gap]:
    """Those of the first threads that are named."""
    chosen: dict[str, None] = {}
    kept = []
    for gap in gaps:
        if gap.thread in chosen or len(chosen) < limit:
            chosen[gap.thread] = None
            kept.append(gap)
    return kept


def plan_of(gaps: Iterable[Gap], *, page: int, thread: int | None) -> Plan:
    """What filling these takes with pages of so many messages, and at most so many messages of one thread.

    A page is as many writes as it has messages, and one of its thread.
    """
    counts = Counter(gap.thread for gap in gaps)
    if thread is None:
        requests, writes, most = counts.total(), counts.total() * (page + 1), None
    else:
        pages = math.ceil(thread / page)
        requests = sum(min(count, pages) for count in counts.values())
        writes = sum(min(count * page, thread) + min(count, pages) for count in counts.values())
        most = len(counts) * (thread + pages)
    return Plan(
        threads=len(counts),
        gaps=counts.total(),
        requests=requests,
        writes=writes,
        cost_usd=cost_usd(writes),
        most_writes=most,
    )


def left_as(gaps: Iterable[Gap], scope: Scope, now_ms: int) -> str:
    """How a thread is left after an answer, by its gaps that are not closed."""
    own = [gap for gap in gaps if gap.reason is not Reason.DEBT and scope.has(renewed(gap, now_ms), now_ms)]
    if any(gap.state in ASKABLE for gap in own):
        return PARTIAL
    states = {gap.state for gap in own}
    if GapState.UNREACHABLE in states:
        return UNREACHABLE
    return NO_ACCESS if states else OK
