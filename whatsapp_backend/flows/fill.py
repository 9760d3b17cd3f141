"""Filling: one run on one account, from what the ledger says is missing to what the phone has given.

Threads in turn, the newest gap first, each paged down until its lower bound is met or the run's share of the thread is
used up; deep history after everything else. What to ask for next is read from the ledger before every request, so a run
that was cut off is gone on with by the next one, and nothing is asked for that has been proven meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.coverage import (
    ENDLESS_MS,
    SECOND_MS,
    Answer,
    Coverage,
    Due,
    Gap,
    LedgerChange,
    Outcome,
)
from whatsapp_backend.domain.jobs import SHOWN_RESULTS, Job, Plan, ThreadResult, Work
from whatsapp_backend.errors import BridgeGone, CommandFailed, CommandTimedOut, StoreUnwell
from whatsapp_backend.flows.fetch import Asker
from whatsapp_backend.ports import Identities, Ledger
from whatsapp_backend.rules import filling
from whatsapp_backend.rules.document_ids import thread_id, thread_path
from whatsapp_backend.rules.filling import Scope
from whatsapp_backend.rules.identity import canonical_jid
from whatsapp_backend.rules.requests import Budget, Request, in_turn, is_paused, next_request, rest_ms

PHONE_UNREACHABLE = "phone_unreachable"
NOT_CONNECTED = "not_connected"
BACKFILL_ERROR = "backfill_error"
_LOOKED_AT = 5_000
"""So many gaps a run chooses from."""
_ALL = 1 << 40
_NAP_S = 60.0
"""A run that rests longer between two requests says meanwhile that it lives."""
_NOT_DOWNLOADED = "the phone answered, and what it sent could not be downloaded"
_CLOSED = frozenset({"not-open", "not-started"})

Note = Callable[[Work, tuple[ThreadResult, ...]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one run may do. `page` is messages in one request, `thread` messages of one thread (None: all of them).

    A run that looks back does not dig deep history; others dig it down to `oldest_ms`.
    """

    threads: int
    page: int
    thread: int | None
    lookback_ms: int | None = None
    oldest_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What came of a run; `results` of its first threads. `trouble` says in one word why it is no success."""

    work: Work = field(default_factory=Work)
    results: tuple[ThreadResult, ...] = ()
    trouble: str | None = None
    message: str | None = None
    plan: Plan | None = None


@dataclass(slots=True, kw_only=True)
class _Run:
    """One run as it goes."""

    job: Job
    scope: Scope
    budget: Budget
    threads: int
    note: Note
    work: Work = field(default_factory=Work)
    results: dict[str, ThreadResult] = field(default_factory=dict)
    asked_for: dict[str, int] = field(default_factory=dict)
    """Messages of each thread."""
    left: set[str] = field(default_factory=set)
    """Threads that are not gone on with."""
    trouble: str | None = None
    """Why it is over."""
    message: str | None = None

    def filled(self) -> Filled:
        """What came of it."""
        trouble, message = self.trouble, self.message
        if trouble is None and self.work.errors:
            errors = [one.error for one in self.results.values() if one.error]
            trouble, message = BACKFILL_ERROR, next(iter(errors), None)
        if trouble is None and any(one.status == filling.NO_ANSWER for one in self.results.values()):
            trouble, message = PHONE_UNREACHABLE, "the phone did not answer: it may be off"
        return Filled(work=self.work, results=self.shown(), trouble=trouble, message=message)

    def shown(self) -> tuple[ThreadResult, ...]:
        """The results of the first threads."""
        return tuple(self.results.values())[:SHOWN_RESULTS]

    def end(self, trouble: str, message: str) -> None:
        """It cannot go on."""
        self.trouble, self.message = trouble, message

    def count(self, request: Request, answer: Answer, *, status: str, closed: int) -> None:
        """A request was sent, and this came of it."""
        silent = answer.outcome is Outcome.NO_ANSWER
        thread, work = request.gap.thread, self.work
        self.asked_for[thread] = self.asked_for.get(thread, 0) + (0 if silent else request.count)
        self._tell(thread, status, fetched=answer.fetched)
        self.work = replace(
            work,
            threads=len(self.results),
            requests=work.requests + 1,
            unanswered=work.unanswered + silent,
            fetched=work.fetched + answer.fetched,
            stored=work.stored + answer.stored,
            duplicates=work.duplicates + answer.fetched - answer.stored,
            gaps_closed=work.gaps_closed + closed,
        )

    def fail(self, thread: str, error: str) -> None:
        """Something went wrong with a thread that should not."""
        self.left.add(thread)
        self._tell(thread, filling.ERROR, error=error)
        self.work = replace(self.work, threads=len(self.results), errors=self.work.errors + 1)

    def _tell(self, thread: str, status: str, *, fetched: int = 0, error: str | None = None) -> None:
        known = self.results.get(thread)
        fetched += known.fetched if known else 0
        name = thread.removeprefix(thread_path(""))
        self.results[thread] = ThreadResult(thread=name, status=status, fetched=fetched, error=error)


class Filler:
    """Fills gaps. `settle` returns when the gaps of these threads have been worked out anew."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        identities: Identities,
        asker: Asker,
        settle: Callable[[Iterable[str]], Awaitable[None]],
        clock: Clock,
        spacing_s: float,
    ) -> None:
        self._ledger = ledger
        self._identities = identities
        self._asker = asker
        self._settle = settle
        self._clock = clock
        self._spacing_ms = round(spacing_s * 1000)

    async def fill(self, job: Job, limits: Limits, note: Note) -> Filled:
        """Do what the job wants, as far as the limits go. `note` is told after every request."""
        run = self._run(job, limits, note)
        try:
            gaps = await self._settled(run)
            if job.dry_run:
                return Filled(plan=filling.plan_of(gaps, page=limits.page, thread=limits.thread))
            await self._renew(run, gaps)
            await self._all_threads(run, gaps)
        except (BridgeGone, CommandFailed) as error:
            run.end(NOT_CONNECTED, str(error))
        except (CommandTimedOut, StoreUnwell) as error:
            run.end(BACKFILL_ERROR, str(error))
        return run.filled()

    def _run(self, job: Job, limits: Limits, note: Note) -> _Run:
        scope = filling.scope_of(
            job.kind,
            job.bounds,
            lookback_ms=limits.lookback_ms,
            oldest_ms=limits.oldest_ms,
            now_ms=self._clock.wall_ms(),
        )
        budget = Budget(
            page=limits.page,
            thread=_ALL if limits.thread is None else limits.thread,
            spacing_ms=self._spacing_ms,
            oldest_ms=scope.oldest_ms,
        )
        return _Run(job=job, scope=scope, budget=budget, threads=limits.threads, note=note)

    # -- What to fill ----------------------------------------------------------------------------------------------

    async def _wanted(self, run: _Run) -> list[Gap]:
        """The gaps to be filled, in turn; given up ones as they are."""
        now_ms = self._clock.wall_ms()
        gaps = in_turn(await self._known(run, now_ms))
        return filling.within_threads(
            (gap for gap in gaps if run.scope.has(filling.renewed(gap, now_ms) if run.scope.again else gap, now_ms)),
            run.threads,
        )

    async def _settled(self, run: _Run) -> list[Gap]:
        """The same when their threads, and those that take the place of what turned out to be closed, have been worked
        out anew."""
        gaps = await self._wanted(run)
        settled: set[str] = set()
        while new := {gap.thread for gap in gaps} - settled:
            await self._settle(new)
            settled |= new
            gaps = await self._wanted(run)
        return gaps

    async def _known(self, run: _Run, now_ms: int) -> list[Gap]:
        if run.job.bounds.chats:
            coverages = await self._ledger.coverages(await self._named(run.job))
            return [gap for coverage in coverages.values() for gap in coverage.gaps]
        # The message after a gap may lie in its last second.
        above = run.scope.since_ms // SECOND_MS * SECOND_MS, ENDLESS_MS
        due = None if run.scope.again else Due(now_ms=now_ms, oldest_ms=run.scope.oldest_ms)
        return await self._ledger.open_gaps(run.job.account, limit=_LOOKED_AT, due=due, above=above)

    async def _named(self, job: Job) -> list[str]:
        """The threads of the chats that the job names, under either identity."""
        jids = [canonical_jid(chat) for chat in job.bounds.chats]
        numbers = await self._identities.aliases(job.account, jids)
        return [thread_path(thread_id(job.account, jid)) for jid in dict.fromkeys([*jids, *numbers.values()])]

    async def _renew(self, run: _Run, gaps: list[Gap]) -> None:
        now_ms = self._clock.wall_ms()
        changed = tuple(new for gap in gaps if (new := filling.renewed(gap, now_ms)) != gap)
        if run.scope.again and changed:
            await self._ledger.record(LedgerChange(gaps=changed))

    # -- Filling it ------------------------------------------------------------------------------------------------

    async def _all_threads(self, run: _Run, gaps: list[Gap]) -> None:
        for deep in (False, True):
            for thread in dict.fromkeys(gap.thread for gap in gaps if filling.is_deep(gap) is deep):
                if run.trouble is None and thread not in run.left:
                    await self._thread(run, thread, deep=deep)

    async def _thread(self, run: _Run, thread: str, *, deep: bool) -> None:
        """Page down its gaps until there is nothing to ask for now."""
        while thread not in run.left and run.trouble is None:
            coverage = await self._coverage(thread)
            request = await self._next(run, coverage, deep=deep) if coverage else None
            if coverage is None or request is None:
                return
            if await self._rested(run):  # else time has passed, and it is looked at again
                await self._ask(run, request, coverage)

    async def _ask(self, run: _Run, request: Request, before: Coverage) -> None:
        try:
            answer = await self._asker.ask(request, run.job.kind)
        except CommandFailed as error:
            if error.code in _CLOSED:
                raise
            run.fail(before.thread, str(error))
        else:
            if answer is None:
                return
            await self._count(run, request, answer, before)
        await run.note(run.work, run.shown())

    async def _coverage(self, thread: str) -> Coverage | None:
        return (await self._ledger.coverages([thread])).get(thread)

    async def _next(self, run: _Run, coverage: Coverage, *, deep: bool) -> Request | None:
        """What to ask for next in this thread."""
        now_ms = self._clock.wall_ms()
        for gap in in_turn(coverage.gaps):
            if filling.is_deep(gap) is not deep or not run.scope.has(gap, now_ms):
                continue
            request = next_request(
                gap,
                await self._ledger.anchors(coverage.thread, gap.above),
                jid=coverage.jid,
                budget=run.budget,
                asked_for=run.asked_for.get(coverage.thread, 0),
                now_ms=now_ms,
            )
            if request is not None:
                return request
        return None

    async def _rested(self, run: _Run) -> bool:
        """Whether the phone may be asked at once; if it is only a moment, after that moment."""
        asking = (await self._ledger.account_ledger(run.job.account)).asking
        now_ms = self._clock.wall_ms()
        if is_paused(asking, now_ms):
            minutes = -(-(asking.paused_until_ms - now_ms) // 60_000)
            run.end(PHONE_UNREACHABLE, f"the phone did not answer ten requests in a row: asked again in {minutes} min")
            return False
        rest = rest_ms(asking, run.budget, now_ms)
        if rest:
            await self._clock.sleep(min(rest / 1000, _NAP_S))
        if rest > _NAP_S * 1000:
            await run.note(run.work, run.shown())
        return not rest

    async def _count(self, run: _Run, request: Request, answer: Answer, before: Coverage) -> None:
        after = await self._coverage(before.thread) or replace(before, gaps=())
        closed = {gap.number for gap in before.gaps} - {gap.number for gap in after.gaps}
        status = filling.left_as(after.gaps, run.scope, self._clock.wall_ms())
        if answer.outcome is Outcome.NO_ANSWER:
            status = filling.NO_ANSWER
            if request.gap.tried:
                run.left.add(before.thread)  # the newer message got no answer, either
        run.count(request, answer, status=status, closed=len(closed))
        if answer.outcome is Outcome.FAILED:
            run.fail(before.thread, _NOT_DOWNLOADED)
