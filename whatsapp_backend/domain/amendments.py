"""What happens to a message after it was sent: edits, revokes, reactions, receipts, votes.

Each is kept under who did it (or the edit's own id), whoever that is: whether it counts is decided when the document is
made, because the message, or whose number a LID is, may become known only later. `lid` is the doer's LID where `by` is
the number; `of` is the sender whose message the doer spoke of, None where he did not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Another text for the message."""

    at_ms: int
    by: str
    lid: str | None
    body: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What one person did last to the message: a reaction's text (empty: taken back), or nothing but that he did it."""

    at_ms: int
    lid: str | None
    of: str | None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """When one person's devices had the message, first of all times told; None: not told."""

    lid: str | None
    delivered_at_ms: int | None = None
    read_at_ms: int | None = None
    played_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendments:
    """All that happened to one message. Keys are senders (canonical JIDs or ME), of `edits` the edits' own ids."""

    edits: Mapping[str, Edit] = field(default_factory=dict)
    revokes: Mapping[str, Mark] = field(default_factory=dict)
    reactions: Mapping[str, Mark] = field(default_factory=dict)
    votes: Mapping[str, Mark] = field(default_factory=dict)
    receipts: Mapping[str, Handled] = field(default_factory=dict)
