"""What was announced against what was journaled: pieces of history in their order, and what waited at the server.

Only what is certain is said. Whether WhatsApp numbers the pieces of each sync type by themselves or all of a pairing in
one sequence, and from 0 or from 1, nobody has written down; that the first type never comes to 100 %, and the others
not always, several who use it have. So a number is missing only when no piece of any type has it, though lower and
higher ones are here; and a progress is what the phone said, no promise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from whatsapp_backend.domain.coverage import Chunk, Epoch


def missing_chunks(chunks: Iterable[Chunk]) -> Mapping[int | None, tuple[int, ...]]:
    """By sync type, the places of chunks that failed; under None, those that no chunk took, of whatever type."""
    missing: dict[int | None, list[int]] = defaultdict(list)
    taken: set[int] = set()
    for chunk in chunks:
        taken.add(chunk.order)
        if chunk.failed:
            missing[chunk.sync_type].append(chunk.order)
    if holes := set(range(min(taken, default=0), max(taken, default=0))) - taken:
        missing[None] += holes
    return {sync_type: tuple(sorted(orders)) for sync_type, orders in missing.items()}


def progress_of(chunks: Iterable[Chunk]) -> Mapping[int, int]:
    """By sync type, how far the phone has said to be, in percent."""
    progress: dict[int, int] = {}
    for chunk in chunks:
        if chunk.progress is not None:
            progress[chunk.sync_type] = max(chunk.progress, progress.get(chunk.sync_type, 0))
    return progress


def lost_offline(epoch: Epoch) -> int:
    """How many of the stanzas that the server had announced did not come before it said that it was done."""
    if epoch.caught_up_at_ms is None:
        return 0
    return max(0, (epoch.announced or 0) - (epoch.received or 0))
