"""What was asked of the document database, counted as it is billed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Operations:
    """Running totals. An attempt counts, whatever became of it; a read of a document that is absent counts too."""

    writes: int = 0
    """Deletes included."""
    deletes: int = 0
    reads: int = 0
    """Those of queries included."""
    queried: int = 0
    """Documents that queries read, and one for each query that found none."""
    rpcs: int = 0
    transactions: int = 0
    """Attempts: one that is aborted is made again, and all that it reads is read again."""

    def __add__(self, other: Operations) -> Operations:
        return Operations(
            writes=self.writes + other.writes,
            deletes=self.deletes + other.deletes,
            reads=self.reads + other.reads,
            queried=self.queried + other.queried,
            rpcs=self.rpcs + other.rpcs,
            transactions=self.transactions + other.transactions,
        )
