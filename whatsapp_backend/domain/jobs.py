"""Jobs: runs of a kind on an account, from when they were asked for until what came of them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from whatsapp_backend.domain.coverage import ENDLESS_MS

SHOWN_RESULTS = 10
"""So many threads a job tells of one by one."""


class Kind(enum.StrEnum):
    """What a run does. Also the `kind` of the lock it runs under."""

    RECENT_SYNC = "recent-sync"
    """Fills recent gaps."""
    BACKFILL = "backfill"
    """Fills all other gaps, then digs for history."""
    RESYNC = "resync"
    """Fills the gaps between two moments, whatever was given up there before."""


class Trigger(enum.StrEnum):
    """Who wanted it."""

    CONNECT = "connect"
    PERIODIC = "periodic"
    MANUAL = "manual"
    ADMIN = "admin"


BY_HAND = frozenset({Trigger.MANUAL, Trigger.ADMIN})
"""Somebody waits for it: no cooldown, no quiet hours, and it goes on after a restart."""


class JobState(enum.StrEnum):
    """Where a job is."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED = frozenset({JobState.PENDING, JobState.RUNNING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a run may touch: gaps with something unknown between these moments, in these chats (JIDs; none: in all)."""

    since_ms: int = 0
    until_ms: int = ENDLESS_MS
    chats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How much a run has done. `duplicates` were fetched and had been here; `errors` are threads that it had to leave
    because of something that should not be."""

    threads: int = 0
    requests: int = 0
    unanswered: int = 0
    fetched: int = 0
    stored: int = 0
    duplicates: int = 0
    gaps_closed: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadResult:
    """What a run did in one thread (its document's id). `status` is `ok`, `partial` (there is more to ask for),
    `no-answer`, `unreachable`, `no-access` or `error`."""

    thread: str
    status: str
    fetched: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would do, in place of doing it.

    How much is missing in a gap only the phone knows. So `requests` are those that are certain, one for each gap as far
    as the run's limits go; `writes` and their price are what these bring at most, every page full and new. Further
    requests bring no more each.
    """

    threads: int
    gaps: int
    requests: int
    writes: int
    cost_usd: float
    most_writes: int | None = None
    """Of the whole run, by its limits; None where it has none and goes on until its gaps are closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run. `beat_at_ms` is when it last showed that it lives; `results` are of the first threads.

    An `error_code` says in one word why it is no success, `error_message` for people.
    """

    id: str
    account: str
    kind: Kind
    trigger: Trigger
    created_at_ms: int
    bounds: Bounds = field(default_factory=Bounds)
    dry_run: bool = False
    state: JobState = JobState.PENDING
    work: Work = field(default_factory=Work)
    results: tuple[ThreadResult, ...] = ()
    plan: Plan | None = None
    error_code: str | None = None
    error_message: str | None = None
    started_at_ms: int | None = None
    beat_at_ms: int = 0
    ended_at_ms: int | None = None
