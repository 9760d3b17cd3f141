"""What Firestore costs."""

from __future__ import annotations

USD_PER_100_000_WRITES = 0.18
"""Google's list price (cloud.google.com/firestore/pricing) in a multi-region location, the dearest there is; in the
cheapest regions it is half of that. Without the free writes of each day."""


def cost_usd(writes: int) -> float:
    """What so many document writes cost at most."""
    return writes * USD_PER_100_000_WRITES / 100_000
