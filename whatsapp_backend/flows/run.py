"""Run: one job, from its lock to what came of it.

It lives as long as its work says so (`note`): there is no heartbeat beside the work, so one that hangs falls silent.
The time in which Firestore keeps what it fetched from landing does not count.
It ends once: with what came of its work, or with the verdict of whoever ended it before. Whatever happens, the job says
so and the lock is released; only a run by hand that the daemon's end cut off stays unfinished: it goes on in the next
life.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Any

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.jobs import BY_HAND, SHOWN_RESULTS, Job, JobState, Kind, ThreadResult, Work
from whatsapp_backend.domain.leases import RunLock, Term
from whatsapp_backend.errors import BridgeGone, Busy, DocumentsUnavailable, LeaseLost, StoreUnwell, WhatsAppBackendError
from whatsapp_backend.flows.fill import Filled, Limits
from whatsapp_backend.flows.run_locked import run_locked
from whatsapp_backend.ports import Jobs, RunLocks
from whatsapp_backend.rules import run_fields

log = structlog.get_logger()

SILENT_AFTER_S = 600.0
"""A run that has not shown for so long that it lives is taken for hung. More than its longest wait for the phone: two
requests of two minutes each, and an answer that takes five to download."""
_CODES = {
    LeaseLost: "lease_lost",
    StoreUnwell: "store_unwell",
    DocumentsUnavailable: "firestore_unavailable",
    BridgeGone: "bridge_gone",
}
_NAMES = {Kind.RECENT_SYNC: "Recent-sync", Kind.BACKFILL: "Backfill", Kind.RESYNC: "Resync"}

Note = Callable[[Work, tuple[ThreadResult, ...]], Awaitable[None]]
Fill = Callable[[Job, Limits, Note], Awaitable[Filled]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Why a run ended that did not come to its own end."""

    code: str
    message: str
    state: JobState = JobState.FAILED


CANCELLED = Verdict(code="cancelled", message="it was cancelled", state=JobState.CANCELLED)
LOST = Verdict(code=_CODES[LeaseLost], message=str(LeaseLost()))
INTERRUPTED = Verdict(code="interrupted", message="the daemon stopped while it ran")
PAUSED = Verdict(code="paused", message="an operator paused the account", state=JobState.CANCELLED)
SILENT = Verdict(code="no_heartbeat", message=f"it did not show for {SILENT_AFTER_S:.0f} s that it lives")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all runs share. `tell` takes fields for an account's document; `held_up` says whether Firestore keeps what
    was fetched from landing."""

    jobs: Jobs
    locks: RunLocks
    fill: Fill
    clock: Clock
    tell: Callable[[str, Mapping[str, Any]], None]
    held_up: Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    term: Term
    lock: RunLock
    at_s: float


class Run:
    """One run. `over` is set when nothing more will come of it."""

    def __init__(self, job: Job, near: Surroundings, *, limits: Limits, lock_life_s: float) -> None:
        self.job = job
        self.over = asyncio.Event()
        self.recorded = True
        """False as long as the store does not have the job as it ended."""
        self._near = near
        self._limits = limits
        self._lock_life_s = lock_life_s
        self._held: _Held | None = None
        self.task: asyncio.Task[Any] | None = None
        self._verdict: Verdict | None = None
        self._beat_s = near.clock.monotonic_s()

    # -- Its lock --------------------------------------------------------------------------------------------------

    async def lock(self, term: Term) -> None:
        """Lock the account. Raises Busy, LeaseLost, or DocumentsUnavailable, after which it may be locked all the
        same: the lock ends by itself, and does not outlive the term."""
        started_s = self._near.clock.monotonic_s()
        job = self.job
        lock = await self._near.locks.lock(term, kind=str(job.kind), run=job.id, life_s=self._lock_life_s)
        if lock.run != job.id:
            log.info("[backfill-lock] busy", accountId=job.account, kind=job.kind, holder=lock.owner, job=lock.run)
            raise Busy(lock.owner, lock.run)
        log.info("[backfill-lock] acquired", accountId=job.account, kind=job.kind, holder=lock.owner, job=job.id)
        self._held = _Held(term=term, lock=lock, at_s=started_s)

    async def unlock(self) -> None:
        """Release it, where nothing came of the run."""
        if self._held:
            with suppress(DocumentsUnavailable):
                await self._near.locks.unlock(self._held.lock)
            self._note_released()

    def _note_released(self) -> None:
        self._held = None
        log.info("[backfill-lock] released", accountId=self.job.account, kind=self.job.kind, job=self.job.id)

    # -- Its life --------------------------------------------------------------------------------------------------

    async def carry_out(self, slot: AbstractAsyncContextManager[object] | None = None) -> None:
        """Do the work under the lock, as soon as there is a slot for it."""
        self.task = asyncio.current_task()
        try:
            ended = await self._outcome(lambda: self._locked(slot or nullcontext()))
        except asyncio.CancelledError:
            await self.give_up(self._verdict or INTERRUPTED)
            raise
        await self._finish(ended)

    async def plan(self) -> Job:
        """Carry out a dry run: it asks for nothing, so it needs no lock and no slot. Raises StoreUnwell."""
        self.job = replace(self.job, started_at_ms=self._near.clock.wall_ms())
        self.job = await self._outcome(lambda: self._near.fill(self.job, self._limits, self._stay_silent))
        await self._near.jobs.put_job(self.job)
        return self.job

    def end(self, verdict: Verdict) -> None:
        """Have it end, if nothing else has ended it yet."""
        if self._verdict is None and self.job.ended_at_ms is None:
            self._verdict = verdict
            if self.task:
                self.task.cancel()

    async def give_up(self, verdict: Verdict, *, at_ms: int | None = None) -> None:
        """Nothing more will come of it, from a moment on or from now on; or only in another life."""
        await self.unlock()
        if verdict is not INTERRUPTED or self.job.trigger not in BY_HAND:
            job = replace(self.job, state=verdict.state, error_code=verdict.code, error_message=verdict.message)
            await self._finish(self._at_its_end(job, at_ms))
        elif self.job.started_at_ms is not None:
            self._near.tell(self.job.account, run_fields.let_go(self.job))

    async def record(self) -> None:
        """Keep the job as it is now, if the store can."""
        try:
            await self._near.jobs.put_job(self.job)
        except StoreUnwell as error:
            self.recorded = False
            log.error("job_not_recorded", job=self.job.id, account=self.job.account, reason=str(error))
        else:
            self.recorded = True

    def is_silent(self) -> bool:
        """Whether its work has not shown for long that it lives. What waits for Firestore is well."""
        if self._near.held_up():
            self._beat()
        silent_s = self._near.clock.monotonic_s() - self._beat_s
        return self.job.state is JobState.RUNNING and silent_s > SILENT_AFTER_S

    # -- Its work --------------------------------------------------------------------------------------------------

    async def _outcome(self, work: Callable[[], Awaitable[Filled]]) -> Job:
        """The job as it has ended."""
        if self._verdict:  # it was ended before it began
            raise asyncio.CancelledError
        try:
            filled = await work()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the job must say it
            return self._at_its_end(self._failed(error))
        return self._at_its_end(
            replace(
                self.job,
                state=JobState.FAILED if filled.trouble else JobState.DONE,
                work=filled.work,
                results=filled.results[:SHOWN_RESULTS],
                plan=filled.plan,
                error_code=filled.trouble,
                error_message=filled.message,
            )
        )

    async def _locked(self, slot: AbstractAsyncContextManager[object]) -> Filled:
        held = self._held
        assert held is not None
        try:
            return await run_locked(
                lambda: self._in_slot(slot, held.lock),
                locks=self._near.locks,
                term=held.term,
                lock=held.lock,
                life_s=self._lock_life_s,
                locked_at_s=held.at_s,
                clock=self._near.clock,
            )
        finally:
            self._note_released()

    async def _in_slot(self, slot: AbstractAsyncContextManager[object], lock: RunLock) -> Filled:
        async with slot:
            await self._begin(lock)
            return await self._near.fill(self.job, self._limits, self._note)

    async def _begin(self, lock: RunLock) -> None:
        now_ms = self._beat()
        self.job = job = replace(self.job, state=JobState.RUNNING, started_at_ms=now_ms, beat_at_ms=now_ms)
        await self._near.jobs.put_job(job)
        self._near.tell(job.account, run_fields.begun(job, lock))
        log.info(
            line(job, "start"),
            accountId=job.account,
            trigger=job.trigger,
            holder=lock.owner,
            job=job.id,
        )

    async def _note(self, work: Work, results: tuple[ThreadResult, ...]) -> None:
        """It lives, and has come so far. Raises StoreUnwell."""
        now_ms = self._beat()
        self.job = replace(self.job, work=work, results=results[:SHOWN_RESULTS], beat_at_ms=now_ms)
        await self._near.jobs.put_job(self.job)

    async def _stay_silent(self, _work: Work, _results: tuple[ThreadResult, ...]) -> None:
        """A dry run is kept when it has ended."""

    def _beat(self) -> int:
        self._beat_s = self._near.clock.monotonic_s()
        return self._near.clock.wall_ms()

    def _failed(self, error: Exception) -> Job:
        code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), "exception")
        if code == "exception":
            log.error("run_broke", job=self.job.id, account=self.job.account, exc_info=error)
        message = (isinstance(error, WhatsAppBackendError) and str(error)) or type(error).__name__
        return replace(self.job, state=JobState.FAILED, error_code=code, error_message=message)

    def _at_its_end(self, job: Job, at_ms: int | None = None) -> Job:
        end_ms = self._near.clock.wall_ms() if at_ms is None else at_ms
        return replace(job, ended_at_ms=end_ms, beat_at_ms=end_ms)

    async def _finish(self, job: Job) -> None:
        self.job = job
        await self.record()
        if job.started_at_ms is not None:
            self._near.tell(job.account, run_fields.ended(job))
        well = job.state is JobState.DONE
        write = log.info if well else log.warning
        write(
            line(job, "end"),
            accountId=job.account,
            threads=job.work.threads,
            messages=job.work.fetched,
            durationMs=run_fields.duration_ms(job),
            job=job.id,
            **({} if well else {"errorCode": job.error_code, "errorMessage": job.error_message}),
        )


def line(job: Job, what: str) -> str:
    """The name of a log line, with the tag that operators grep for."""
    by_itself = job.kind is Kind.BACKFILL and job.trigger not in BY_HAND
    return f"{'[auto-backfill]' if by_itself else f'[{job.kind}]'} {_NAMES[job.kind]} {what}"
