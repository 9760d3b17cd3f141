"""Where a page of a list ended: the next one begins after it, whatever came in meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

JobPlace = tuple[int, str]
"""Of a job: when it was created, and its id."""
DebtPlace = tuple[int, str]
"""Of a debt: since when it is owed, and its document's path."""
GapPlace = tuple[bool, int, str, int]
"""Of a gap: whether nothing is below it, its upper end negated, its thread, its number (`rules.requests.turn`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Of a document: the value of the field by which the list is sorted, and the document's id."""

    value: Any
    id: str
