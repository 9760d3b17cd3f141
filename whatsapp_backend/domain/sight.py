"""What operators see of a daemon at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.journal import StoreStats
from whatsapp_backend.domain.operations import Operations
from whatsapp_backend.domain.watching import Counts, Lag


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was counted last, and when."""

    counts: Counts
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the store said last, and when."""

    at_ms: int
    stats: StoreStats
    lags: Mapping[str, Lag]
    """By consumer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Stanzas of an account that are not answered yet, and when the oldest of them came."""

    count: int
    since_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A daemon. By account is by its id."""

    now_ms: int
    version: str
    active: bool
    ready: bool
    firestore_connected: bool
    store_answers: bool
    known: Known | None
    counted: Counted | None
    views: Sequence[AccountView]
    trust_s: Mapping[str, float]
    """For how long yet each account is ours, by account."""
    bridge_up: bool
    bridge_starts: int
    protocol_errors: int
    heard_at_ms: Mapping[str, int]
    unanswered: Mapping[str, Waiting]
    resident_bytes: Mapping[str, int]
    """Of the daemon and of the bridge."""
    operations: Operations
    landing: Mapping[str, tuple[Sequence[int], float]]
    """Counts by bucket and the sum of seconds, by kind."""
    requests: Mapping[tuple[str, str], int]
    """By account and outcome."""
    deafness: Mapping[str, int] = field(default_factory=dict)
    """How often a connection was found deaf, by account."""
    commits: Mapping[str, int] = field(default_factory=dict)
    """Not answered yet, by account."""
