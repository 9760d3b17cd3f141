"""Runs: who runs when (docs/runs.md).

An account has one run at a time, whatever its kind, and a kind has only so many. Both are decided here, in memory and
without a pause in between: the lock in the database is for other instances. Runs that begin by themselves first get a
slot and then look whether there still is something to do. Those by hand first lock their account, so that whoever asks
is told at once who has it, and then wait for a slot.

When an account last ran is told by the jobs alone, so it holds over restarts and costs no read. What a crash leaves
behind stops nobody: its lock ends with its term, and its job is failed, or goes on, when the daemon starts.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from typing import Any

import structlog

from whatsapp_backend.clock import Clock, within
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.jobs import BY_HAND, Bounds, Job, Kind, Trigger
from whatsapp_backend.domain.leases import Term
from whatsapp_backend.errors import (
    AccountUnknown,
    Busy,
    DocumentsUnavailable,
    HistoryHeldBack,
    LeaseLost,
    NotConnected,
    StoreUnwell,
)
from whatsapp_backend.flows.prospects import Policy, Prospects, policies
from whatsapp_backend.flows.run import (
    CANCELLED,
    INTERRUPTED,
    LOST,
    PAUSED,
    SILENT,
    Fill,
    Run,
    Surroundings,
    Verdict,
    line,
)
from whatsapp_backend.ports import Jobs, Ledger, RunLocks
from whatsapp_backend.rules.runs import Candidate, Skip, choose, why_not

log = structlog.get_logger()

_JITTER_S = (10.0, 40.0)
"""After connecting: not all accounts ask their phones at once, and what waited for us comes first."""
_STOP_S = 1.0
_PATIENCE_MS = 24 * 60 * 60 * 1000
_NOT_CONNECTED = Verdict(code="not_connected", message="the account did not connect for a day")
_HELD_BACK = Verdict(code="history_dry_run", message=str(HistoryHeldBack()))
_TICKS = {Kind.RECENT_SYNC: "[recent-sync] tick:", Kind.BACKFILL: "[auto-backfill] AutoBackfill tick:"}
_SKIPS = {Kind.RECENT_SYNC: "[recent-sync] skipped", Kind.BACKFILL: "[auto-backfill] skipped"}


class Runs:
    """Begins runs and ends them. Ticks return at once: what they begin are tasks of the group they were given."""

    def __init__(
        self,
        *,
        recent_sync: Policy,
        backfill: Policy,
        jobs: Jobs,
        ledger: Ledger,
        locks: RunLocks,
        fill: Fill,
        clock: Clock,
        rng: random.Random,
        tasks: asyncio.TaskGroup,
        views: Callable[[], Iterable[AccountView]],
        may_work: Callable[[str], Term | None],
        tell: Callable[[str, Mapping[str, Any]], None],
        quiet: Callable[[], bool],
        paused: Callable[[str], bool] = lambda _: False,
        held_up: Callable[[], bool] = lambda: False,
        holds_back: bool = False,
        on_ended: Callable[[Job], None] = lambda _: None,
        instance: str = "",
    ) -> None:
        self._policies = policies(recent_sync=recent_sync, backfill=backfill)
        self._slots = {kind: asyncio.Semaphore(policy.slots) for kind, policy in self._policies.items()}
        self._slots[Kind.RESYNC] = self._slots[Kind.BACKFILL]
        self._near = Surroundings(jobs=jobs, locks=locks, fill=fill, clock=clock, tell=tell, held_up=held_up)
        self._jobs = jobs
        self._prospects = Prospects(self._policies, ledger=ledger, jobs=jobs, clock=clock, paused=paused)
        self._clock = clock
        self._rng = rng
        self._group = tasks
        self._views = views
        self._may_work = may_work
        self._quiet = quiet
        self._holds_back = holds_back
        """Whether no history lands in this life (a dry run of it): what a run asks for would never be published."""
        self._on_ended = on_ended
        self._instance = instance
        self._tasks: set[asyncio.Task[None]] = set()
        self._occupied: dict[str, Run] = {}
        """The one run of each account, also while it waits for its slot."""
        self._in_flight: set[tuple[str, Kind]] = set()
        """Runs that begin by themselves, from the tick on."""
        self._connecting: set[str] = set()
        """Accounts that will run soon because they connected."""
        self._left: dict[str, Job] = {}
        """Jobs by hand of an earlier life, by id, until they can go on."""
        self._unrecorded: list[Run] = []
        self._starting = asyncio.Lock()
        self._stopping = False

    # -- By themselves ---------------------------------------------------------------------------------------------

    async def recent_sync_tick(self) -> None:
        """Begin a recent-sync wherever one is due."""
        await self._tick(Kind.RECENT_SYNC)

    async def backfill_tick(self) -> None:
        """Begin a backfill of the accounts whose turn it is."""
        await self._tick(Kind.BACKFILL)

    def on_connected(self, account: str) -> None:
        """An account is connected: it runs soon, once, however often it connects until then."""
        self._go_on()
        if self._policies[Kind.BACKFILL].enabled and not self._stopping and account not in self._connecting:
            self._connecting.add(account)
            self._spawn(self._after_connecting(account), f"backfill soon {account}")

    def on_lost(self, account: str) -> None:
        """Another instance has the account: its run ends now, not when it finds out."""
        if run := self._occupied.get(account):
            run.end(LOST)

    def on_paused(self, account: str) -> None:
        """An operator paused the account: a run that began by itself ends now. What it brought stays."""
        if (run := self._occupied.get(account)) and run.job.trigger not in BY_HAND:
            run.end(PAUSED)

    async def _after_connecting(self, account: str) -> None:
        delay_s = self._rng.uniform(*_JITTER_S)
        log.info("[auto-backfill] Backfill on connect", accountId=account, delayS=round(delay_s))
        try:
            while (view := self._view(account)) and view.status == "connected":
                await self._clock.sleep(delay_s)
                if self._is_ready(account):
                    self._offer(account, Kind.BACKFILL, Trigger.CONNECT)
                    return
        finally:
            self._connecting.discard(account)

    async def _tick(self, kind: Kind) -> None:
        policy, quiet = self._policies[kind], self._quiet()
        if not policy.enabled or self._stopping:
            return
        try:
            candidates = [await self._candidate(view.account, kind) for view in self._views() if self._is_ours(view)]
        except StoreUnwell as error:
            log.warning("runs_wait_for_the_store", kind=kind, reason=str(error))
            return
        choice = choose(candidates, policy.pace, quiet=quiet, now_ms=self._clock.wall_ms())
        eligible = len(choice.chosen) + len(choice.waiting)
        write = log.info if eligible or kind is Kind.BACKFILL else log.debug
        told = {"eligibleAccounts": eligible, "connected": len(candidates), "chosen": len(choice.chosen)}
        write(_TICKS[kind], **told, instance=self._instance)
        for account, why in choice.skipped.items():
            log.debug(_SKIPS[kind], accountId=account, reason=why)
        for account in choice.chosen:
            self._offer(account, kind, Trigger.PERIODIC)

    def _offer(self, account: str, kind: Kind, trigger: Trigger) -> None:
        """Have it run as soon as there is a slot, if it is not in flight already."""
        if self._stopping or (account, kind) in self._in_flight:
            return
        self._in_flight.add((account, kind))
        self._spawn(self._in_turn(account, kind, trigger), f"{kind} {account}")

    async def _in_turn(self, account: str, kind: Kind, trigger: Trigger) -> None:
        try:
            if other := self._occupied.get(account):
                await other.over.wait()  # ticks of both kinds come at the same moments: one would always be too late
            async with self._slots[kind]:
                await self._by_itself(account, kind, trigger)
        finally:
            self._in_flight.discard((account, kind))

    async def _by_itself(self, account: str, kind: Kind, trigger: Trigger) -> None:
        """Run, if there still is a reason to: it may have waited long."""
        job = self._new_job(account, kind, trigger)
        try:
            candidate = await self._candidate(account, kind, has_slot=True)
        except StoreUnwell as error:
            log.warning("runs_wait_for_the_store", kind=kind, account=account, reason=str(error))
            return
        term = self._may_work(account) if self._is_ready(account) else None
        pace = self._policies[kind].pace
        why = why_not(candidate, trigger, pace, quiet=self._quiet(), now_ms=self._clock.wall_ms())
        if why or term is None:
            log.info(line(job, "skipped"), accountId=account, trigger=trigger, reason=why or Skip.LEASE)
            return
        run = self._occupy(job)
        try:
            await run.lock(term)
            await run.carry_out()
        except (Busy, LeaseLost, DocumentsUnavailable) as error:
            log.info(line(job, "skipped"), accountId=account, trigger=trigger, reason=Skip.LEASE, why=str(error))
        finally:
            self._free(run)

    async def _candidate(self, account: str, kind: Kind, *, has_slot: bool = False) -> Candidate:
        candidate = await self._prospects.of(account, kind)
        run = self._occupied.get(account)
        works = run.job.kind if run else None
        in_flight = works is kind or (not has_slot and (account, kind) in self._in_flight)
        return replace(candidate, in_flight=in_flight, running=has_slot and works not in (None, kind))

    # -- By hand ---------------------------------------------------------------------------------------------------

    async def start(
        self,
        account: str,
        *,
        kind: Kind,
        trigger: Trigger,
        bounds: Bounds | None = None,
        dry_run: bool = False,
        job_id: str | None = None,
    ) -> Job:
        """Begin a run, or give back the job of this id. A dry run has ended, with its plan, when this returns.

        Raises AccountUnknown; HistoryHeldBack; NotConnected, also where the account is another instance's; Busy, with
        who works on it; StoreUnwell; LeaseLost or DocumentsUnavailable where the account could not be locked.
        """
        async with self._starting:
            if job_id and (known := await self._known(job_id)):
                return known
            job = self._new_job(account, kind, trigger, bounds=bounds or Bounds(), dry_run=dry_run, id=job_id)
            view = self._view(account)
            if view is None:
                raise AccountUnknown
            if dry_run:
                return await self._run_of(job).plan()
            if self._holds_back:
                raise HistoryHeldBack
            term = self._may_work(account)
            if view.status != "connected" or term is None or self._stopping:
                raise NotConnected(view.status)
            if holder := self._occupied.get(account):
                raise Busy(term.holder, holder.job.id)
            run = self._occupy(job)
            try:
                await run.lock(term)
                await self._jobs.put_job(job)
            except BaseException:
                await run.unlock()
                self._free(run)
                raise
            self._spawn(self._by_hand(run), f"{kind} {account}")
            return job

    async def cancel(self, job_id: str) -> Job | None:
        """End a job, wherever it is; one that has ended stays as it is. None: there is none."""
        if left := self._left.pop(job_id, None):
            run = self._run_of(left)
            await self._give_up(run, CANCELLED)
            return run.job
        for run in self._occupied.values():
            if run.job.id == job_id:
                run.end(CANCELLED)
                await run.over.wait()
                return await self.cancel(job_id) if job_id in self._left else run.job
        return await self._jobs.job(job_id)

    async def _known(self, job_id: str) -> Job | None:
        runs = (run.job for run in self._occupied.values() if run.job.id == job_id)
        return next(runs, None) or await self._jobs.job(job_id)

    async def _by_hand(self, run: Run) -> None:
        try:
            await run.carry_out(self._slots[run.job.kind])
        finally:
            self._free(run)

    # -- From one life to the next ---------------------------------------------------------------------------------

    async def resume(self) -> None:
        """Take over what an earlier life left, before anything begins in this one. Raises StoreUnwell."""
        for job in await self._jobs.unfinished_jobs():
            if job.trigger in BY_HAND and self._holds_back:
                await self._give_up(self._run_of(job), _HELD_BACK)
            elif job.trigger in BY_HAND:
                self._left[job.id] = job
            else:
                await self._give_up(self._run_of(job), INTERRUPTED, at_ms=max(job.beat_at_ms, job.created_at_ms))
        self._go_on()

    async def sweep(self) -> None:
        """End what hangs, and go on with what had to wait. To be called every minute."""
        for run in list(self._occupied.values()):
            if run.is_silent():
                run.end(SILENT)
        now_ms = self._clock.wall_ms()
        for job in list(self._left.values()):
            waited_ms = now_ms - max(job.beat_at_ms, job.created_at_ms)
            if waited_ms > _PATIENCE_MS and job.id in self._left:
                del self._left[job.id]
                await self._give_up(self._run_of(job), _NOT_CONNECTED)
        for run in list(self._unrecorded):
            await run.record()
        self._unrecorded = [run for run in self._unrecorded if not run.recorded]
        self._go_on()

    async def stop(self) -> None:
        """End everything, within a second or so. Runs by hand stay unfinished and go on in the next life."""
        self._stopping = True
        for run in list(self._occupied.values()):
            run.end(INTERRUPTED)
        ending = {run.task for run in self._occupied.values()}
        for task in self._tasks - ending:
            task.cancel()
        left = list(self._tasks)
        if left and not await within(self._clock, _STOP_S, asyncio.wait(left)):
            for task in left:  # it waits for the database to release a lock, which ends by itself
                task.cancel()
            await asyncio.wait(left)

    def _go_on(self) -> None:
        for job in list(self._left.values()):
            view = self._view(job.account)
            term = self._may_work(job.account)
            free = job.account not in self._occupied and not self._stopping
            if free and term and view and view.status == "connected":
                run = self._occupy(self._left.pop(job.id))
                self._spawn(self._resumed(run, term), f"{job.kind} {job.account}")

    async def _resumed(self, run: Run, term: Term) -> None:
        try:
            await run.lock(term)
        except (Busy, LeaseLost, DocumentsUnavailable):
            self._left[run.job.id] = run.job
            self._free(run)
            return
        await self._by_hand(run)

    # -- Inside ----------------------------------------------------------------------------------------------------

    def _new_job(self, account: str, kind: Kind, trigger: Trigger, *, id: str | None = None, **more: Any) -> Job:
        return Job(
            id=id or f"{self._rng.getrandbits(64):016x}",
            account=account,
            kind=kind,
            trigger=trigger,
            created_at_ms=self._clock.wall_ms(),
            **more,
        )

    def _run_of(self, job: Job) -> Run:
        policy = self._policies[job.kind]
        return Run(job, self._near, limits=policy.limits_at(self._clock.wall_ms()), lock_life_s=policy.lock_life_s)

    def _occupy(self, job: Job) -> Run:
        run = self._occupied[job.account] = self._run_of(job)
        return run

    def _free(self, run: Run) -> None:
        """Nothing more comes of this run."""
        del self._occupied[run.job.account]
        run.over.set()
        self._note_end(run)

    async def _give_up(self, run: Run, verdict: Verdict, *, at_ms: int | None = None) -> None:
        await run.give_up(verdict, at_ms=at_ms)
        self._note_end(run)

    def _note_end(self, run: Run) -> None:
        self._prospects.on_ended(run.job)
        if not run.recorded:
            self._unrecorded.append(run)
        if run.job.ended_at_ms is not None:
            self._on_ended(run.job)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _view(self, account: str) -> AccountView | None:
        return next((view for view in self._views() if view.account == account), None)

    def _is_ready(self, account: str) -> bool:
        view = self._view(account)
        return view is not None and self._is_ours(view)

    def _is_ours(self, view: AccountView) -> bool:
        """Whether it can run by itself: what waited for us may have closed its gaps before it had caught up."""
        return view.status == "connected" and view.caught_up and self._may_work(view.account) is not None
