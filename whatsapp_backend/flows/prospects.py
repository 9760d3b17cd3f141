"""Prospects: what there is to do for an account, and when it was last done. Asks the store only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.coverage import ENDLESS_MS, Due
from whatsapp_backend.domain.jobs import Job, JobState, Kind
from whatsapp_backend.flows.fill import Limits
from whatsapp_backend.ports import Jobs, Ledger
from whatsapp_backend.rules.requests import is_paused
from whatsapp_backend.rules.runs import Candidate, Pace, Past

_LOOKED_AT = 50
"""So many of the newest gaps tell whether there is anything new."""
_ALL_THREADS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How runs of one kind are made: so many at a time, each under a lock that lives so long and within these limits.

    Deep history is dug `dig_ms` back; None: as far as `limits` say.
    """

    enabled: bool
    """Whether there are any but those by hand."""
    pace: Pace
    slots: int
    lock_life_s: float
    limits: Limits
    dig_ms: int | None = None

    def limits_at(self, now_ms: int) -> Limits:
        """The limits of a run that begins now."""
        return self.limits if self.dig_ms is None else replace(self.limits, oldest_ms=max(0, now_ms - self.dig_ms))


def policies(*, recent_sync: Policy, backfill: Policy) -> dict[Kind, Policy]:
    """Those of all kinds. Who asks for a resync knows what he asks for: it goes to the end of it."""
    all_of_it = replace(backfill.limits, threads=_ALL_THREADS, thread=None)
    resync = replace(backfill, limits=all_of_it, dig_ms=None)
    return {Kind.RECENT_SYNC: recent_sync, Kind.BACKFILL: backfill, Kind.RESYNC: resync}


class Prospects:
    """Looks at the gaps, and remembers when runs of each kind began and ended well; at first the jobs tell it."""

    def __init__(
        self,
        policies: Mapping[Kind, Policy],
        *,
        ledger: Ledger,
        jobs: Jobs,
        clock: Clock,
        paused: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._policies = policies
        self._ledger = ledger
        self._jobs = jobs
        self._clock = clock
        self._paused = paused
        self._pasts: dict[tuple[str, Kind], Past] = {}

    async def of(self, account: str, kind: Kind) -> Candidate:
        """An account, as far as the store knows it. Raises StoreUnwell."""
        now_ms = self._clock.wall_ms()
        limits = self._policies[kind].limits_at(now_ms)
        since_ms = 0 if limits.lookback_ms is None else max(0, now_ms - limits.lookback_ms)
        due = Due(now_ms=now_ms, oldest_ms=limits.oldest_ms)
        gaps = await self._ledger.open_gaps(account, limit=_LOOKED_AT, due=due, above=(since_ms, ENDLESS_MS))
        return Candidate(
            account=account,
            past=await self._past(account, kind),
            opened_ms=max((gap.opened_at_ms for gap in gaps), default=None),
            phone_paused=bool(gaps) and is_paused((await self._ledger.account_ledger(account)).asking, now_ms),
            paused=self._paused(account),  # last: it may change while the others are looked up
        )

    def on_ended(self, job: Job) -> None:
        """A run ended. One that never began was no attempt."""
        known = self._pasts.get((job.account, job.kind))
        if known and job.started_at_ms is not None:
            done_ms = job.ended_at_ms if job.state is JobState.DONE else known.success_ms
            self._pasts[job.account, job.kind] = Past(attempt_ms=job.started_at_ms, success_ms=done_ms)

    async def _past(self, account: str, kind: Kind) -> Past:
        if (account, kind) not in self._pasts:
            last, done = await self._jobs.last_jobs(account, kind)
            self._pasts[account, kind] = Past(
                attempt_ms=(last.started_at_ms or last.created_at_ms) if last else None,
                success_ms=done.ended_at_ms if done else None,
            )
        return self._pasts[account, kind]
