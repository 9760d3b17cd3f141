"""What was announced against what was journaled: pieces of history in their order, and what waited at the server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from whatsapp_backend.domain.coverage import Chunk, Epoch

_DONE = 100


def missing_chunks(chunks: Iterable[Chunk]) -> Mapping[int, tuple[int, ...]]:
    """By sync type, the places of chunks that failed, or that are not here though a later one is."""
    by_type: dict[int, list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        by_type[chunk.sync_type].append(chunk)
    missing = {sync_type: _missing(of_it) for sync_type, of_it in by_type.items()}
    return {sync_type: orders for sync_type, orders in missing.items() if orders}


def _missing(chunks: list[Chunk]) -> tuple[int, ...]:
    here = {chunk.order for chunk in chunks if not chunk.failed}
    first = min(1, *(chunk.order for chunk in chunks), 1)
    return tuple(order for order in range(first, max(chunk.order for chunk in chunks) + 1) if order not in here)


def unfinished(chunks: Iterable[Chunk]) -> tuple[int, ...]:
    """The sync types whose phone has said that more is to come."""
    progress: dict[int, int] = {}
    for chunk in chunks:
        if chunk.progress is not None:
            progress[chunk.sync_type] = max(chunk.progress, progress.get(chunk.sync_type, 0))
    return tuple(sorted(sync_type for sync_type, done in progress.items() if done < _DONE))


def lost_offline(epoch: Epoch) -> int:
    """How many of the stanzas that the server had announced did not come before it said that it was done."""
    if epoch.caught_up_at_ms is None:
        return 0
    return max(0, (epoch.announced or 0) - (epoch.received or 0))
