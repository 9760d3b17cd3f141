"""Which accounts run now, of those that could, and why the others do not."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from whatsapp_backend.domain.jobs import Trigger


class Skip(enum.StrEnum):
    """Why an account does not run by itself now. The first ones have the names that the Node system logged."""

    IN_FLIGHT = "in-flight"
    """A run of this kind waits or works already."""
    RUNNING = "running"
    """A run of another kind has come between."""
    COOLDOWN_SUCCESS = "cooldown-success"
    COOLDOWN_ATTEMPT = "cooldown-attempt"
    LEASE = "lease"
    """Another has the account, or its lock."""
    NOTHING_DUE = "nothing-due"
    QUIET_HOURS = "quiet-hours"
    PAUSED = "paused"
    """An operator paused it."""
    PHONE_PAUSED = "phone-paused"
    """Its phone did not answer for long, and is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How runs of one kind follow each other by themselves. So many accounts begin in one tick."""

    per_tick: int
    cooldown_ms: int = 0
    """An account rests so long after a success."""
    backoff_ms: int = 0
    """At least so much lies between the beginnings of two runs, however they ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """When a run of one kind last began on an account, and when one last ended well."""

    attempt_ms: int | None = None
    success_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An account that is connected and ours."""

    account: str
    past: Past = Past()
    in_flight: bool = False
    running: bool = False
    opened_ms: int | None = None
    """When the youngest of the gaps that are due was opened; None: nothing is due."""
    paused: bool = False
    phone_paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Who runs in this tick, in this order; who could, and waits for the next one; and why the others do not."""

    chosen: tuple[str, ...]
    waiting: tuple[str, ...]
    skipped: Mapping[str, Skip]


def choose(candidates: Iterable[Candidate], pace: Pace, *, quiet: bool, now_ms: int) -> Choice:
    """The accounts of one tick: whoever was tried longest ago comes first, so that no failing one is in the way."""
    eligible: list[Candidate] = []
    skipped: dict[str, Skip] = {}
    for one in candidates:
        why = why_not(one, Trigger.PERIODIC, pace, quiet=quiet, now_ms=now_ms)
        if why is None:
            eligible.append(one)
        else:
            skipped[one.account] = why
    eligible.sort(key=lambda one: (one.past.attempt_ms or 0, one.account))
    turn = tuple(one.account for one in eligible)
    return Choice(chosen=turn[: pace.per_tick], waiting=turn[pace.per_tick :], skipped=skipped)


def why_not(candidate: Candidate, trigger: Trigger, pace: Pace, *, quiet: bool, now_ms: int) -> Skip | None:
    """Why this account does not run by itself now, None where it does.

    A connection may have brought what the last success could not know of: then its cooldown does not count, and only
    the time between attempts keeps one that comes and goes from running again and again.
    """
    past, opened_ms = candidate.past, candidate.opened_ms
    news = trigger is Trigger.CONNECT and opened_ms is not None and opened_ms > (past.success_ms or 0)
    reasons = {
        Skip.IN_FLIGHT: candidate.in_flight,
        Skip.RUNNING: candidate.running,
        Skip.QUIET_HOURS: quiet,
        Skip.PAUSED: candidate.paused,
        Skip.NOTHING_DUE: opened_ms is None,
        Skip.COOLDOWN_SUCCESS: _is_recent(past.success_ms, pace.cooldown_ms, now_ms) and not news,
        Skip.COOLDOWN_ATTEMPT: _is_recent(past.attempt_ms, pace.backoff_ms, now_ms),
        Skip.PHONE_PAUSED: candidate.phone_paused,
    }
    return next((skip for skip, holds in reasons.items() if holds), None)


def _is_recent(then_ms: int | None, span_ms: int, now_ms: int) -> bool:
    """A moment that lies ahead is none: the clock was set back."""
    return then_ms is not None and 0 <= now_ms - then_ms < span_ms
