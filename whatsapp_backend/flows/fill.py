"""Fill: one run, from its gaps to what came of them."""

from __future__ import annotations

from dataclasses import dataclass

from whatsapp_backend.domain.jobs import Plan, ThreadResult, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may do: so many threads, messages a page, messages a thread.

    Of gaps no older than `lookback_ms`; deep history is dug until `oldest_ms`.
    """

    threads: int
    page: int
    thread: int
    lookback_ms: int | None = None
    oldest_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What came of a run. `trouble` says in one word why it is no success, `message` for people."""

    work: Work
    results: tuple[ThreadResult, ...] = ()
    trouble: str | None = None
    message: str | None = None
    plan: Plan | None = None
