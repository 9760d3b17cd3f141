"""What was asked of the document database, counted as it is billed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Operations:
    """Running totals. An attempt counts, whatever became of it; a read of a document that is absent counts too."""

    writes: int = 0
    reads: int = 0
    rpcs: int = 0
