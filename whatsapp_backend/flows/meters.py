"""What is counted as it happens, for /metrics; all else is looked at when it is asked for."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from whatsapp_backend.domain.coverage import Outcome
from whatsapp_backend.domain.events import REALTIME
from whatsapp_backend.domain.journal import Entry

LIVE: Final = "live"
HISTORY: Final = "history"
_LIVE_ORIGINS: Final = frozenset(origin.name.lower() for origin in REALTIME)
BUCKETS_S: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21_600)


@dataclass(slots=True)
class Times:
    """How often something took how long: `counts` by bucket, those beyond the last one at the end."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Once more."""
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.sum_s += seconds


class Meters:
    """Running totals of this process."""

    def __init__(self) -> None:
        self.landing = {LIVE: Times(), HISTORY: Times()}
        """From when an entry was received until it landed."""
        self.requests: Counter[tuple[str, Outcome]] = Counter()
        """What came of requests for history, by account."""
        self.commits: Counter[str] = Counter()
        """Commits that the store has not answered yet, by account."""

    def on_landed(self, entries: Iterable[Entry], now_ms: int) -> None:
        """These entries have landed."""
        for entry in entries:
            kind = LIVE if entry.new.origin in _LIVE_ORIGINS else HISTORY
            self.landing[kind].add(max(0, now_ms - entry.new.received_at_ms) / 1000)

    def on_outcome(self, account: str, outcome: Outcome) -> None:
        """A request came to its end."""
        self.requests[account, outcome] += 1


def cumulated(counts: Sequence[int]) -> list[tuple[str, float]]:
    """The buckets of a histogram as Prometheus wants them."""
    total, buckets = 0, []
    for bound, count in zip([*BUCKETS_S, float("inf")], counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else repr(float(bound)), float(total)))
    return buckets
