"""What Firestore costs."""

from __future__ import annotations

USD_PER_100_000_WRITES = 0.18
"""Google's list price (cloud.google.com/firestore/pricing) in a multi-region location, the dearest there is; in the
cheapest regions it is half of that. Without the free writes of each day."""
USD_PER_100_000_READS = 0.06
USD_PER_100_000_DELETES = 0.02
"""From the same list."""


def cost_usd(writes: int, *, reads: int = 0, deletes: int = 0) -> float:
    """What so many operations on documents cost at most."""
    dollars = writes * USD_PER_100_000_WRITES + reads * USD_PER_100_000_READS + deletes * USD_PER_100_000_DELETES
    return dollars / 100_000
