"""The routes that start runs, follow them and end them: backfill, resync, jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from aiohttp import web

from whatsapp_backend.api import answers, bodies
from whatsapp_backend.api.bodies import (
    AskedRun,
    backfill_request,
    limit_of,
    optional_json_object,
    resync_request,
)
from whatsapp_backend.api.cursors import next_cursor, place_of
from whatsapp_backend.api.guard import failure
from whatsapp_backend.api.known import Accounts, known_account
from whatsapp_backend.api.routes import Access, Route, get, post
from whatsapp_backend.api.schemas import PAGE, refusal
from whatsapp_backend.api.values import iso_ms
from whatsapp_backend.domain.jobs import UNFINISHED, Bounds, Job, JobState, Kind, Plan, ThreadResult, Trigger, Work
from whatsapp_backend.domain.pages import JobPlace
from whatsapp_backend.ports import Jobs
from whatsapp_backend.rules.prices import cost_usd

_REFUSED = refusal("busy", "invalid_state", "history_dry_run", "conflict")
_STATUS = {
    JobState.PENDING: "running",
    JobState.RUNNING: "running",
    JobState.DONE: "success",
    JobState.FAILED: "error",
    JobState.CANCELLED: "error",
}


class RunDesk(Protocol):
    """Who starts and ends runs."""

    async def start(
        self,
        account: str,
        *,
        kind: Kind,
        trigger: Trigger,
        bounds: Bounds = ...,
        dry_run: bool = False,
        job_id: str | None = None,
    ) -> Job:
        """Start one, or give back the job of this id. Raises AccountUnknown, HistoryHeldBack, NotConnected and Busy."""

    async def cancel(self, job_id: str) -> Job | None:
        """End one as soon as it can be; None for a job that is not known."""


class RunRoutes:
    """The routes."""

    def __init__(
        self,
        *,
        runs: RunDesk,
        jobs: Jobs,
        accounts: Accounts,
        wall_ms: Callable[[], int],
        paused_until_ms: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        self._runs = runs
        self._jobs = jobs
        self._accounts = accounts
        self._wall_ms = wall_ms
        self._paused_until_ms = paused_until_ms

    def routes(self) -> list[Route]:
        """To be added to the application."""
        _backfill: Any = {"body": bodies.BACKFILL, "answers": {200: answers.BACKFILL, 409: _REFUSED}}
        return [
            post("/api/whatsapp/backfill/{account}", self.backfill, **_backfill),
            post("/api/admin/backfill/{account}", self.backfill_of_admin, Access.ADMIN, **_backfill),
            get(
                "/api/admin/backfill/{account}/status",
                self.backfill_status,
                Access.ADMIN,
                answers={200: answers.BACKFILL_STATUS},
            ),
            post(
                "/api/whatsapp/resync/{account}",
                self.resync,
                body=bodies.RESYNC,
                answers={200: answers.RESYNC, 409: _REFUSED},
            ),
            get("/api/whatsapp/jobs/{account}", self.jobs, query=PAGE, answers={200: answers.JOBS}),
            get("/api/whatsapp/jobs/{account}/{job}", self.job, answers={200: answers.JOB}),
            post(
                "/api/whatsapp/jobs/{account}/{job}/cancel",
                self.cancel,
                answers={200: answers.JOB, 409: refusal("already_ended")},
            ),
        ]

    async def backfill(self, request: web.Request) -> web.Response:
        """Start a backfill that somebody of the staff wants."""
        return await self._backfill(request, Trigger.MANUAL, "Backfill started (runs asynchronously)")

    async def backfill_of_admin(self, request: web.Request) -> web.Response:
        """Start one that an admin wants."""
        return await self._backfill(request, Trigger.ADMIN, "Backfill enqueued")

    async def backfill_status(self, request: web.Request) -> web.Response:
        """What came of the account's last backfill; while one runs, of the last that succeeded."""
        account = known_account(self._accounts, request)
        last, done = await self._jobs.last_jobs(account, Kind.BACKFILL)
        told = done if last and last.state in UNFINISHED else last
        return web.json_response(
            {
                "success": True,
                "accountId": account,
                "lastBackfillAt": iso_ms(told.ended_at_ms) if told else None,
                "lastBackfillStatus": _STATUS[last.state] if last else None,
                "lastBackfillError": _trouble(told) if told else None,
                "lastBackfillStats": _stats(told) if told else None,
                "jobId": last.id if last else None,
            }
        )

    async def resync(self, request: web.Request) -> web.Response:
        """Fill what is missing between two moments, now, whatever was given up there before."""
        asked = resync_request(await optional_json_object(request), self._wall_ms())
        job = await self._start(request, asked, kind=Kind.RESYNC, trigger=Trigger.MANUAL)
        data: dict[str, Any] = {
            "accountId": job.account,
            "since": iso_ms(job.bounds.since_ms),
            "until": iso_ms(job.bounds.until_ms),
            "jobId": job.id,
            "message": "Nothing is asked for: a dry run" if job.dry_run else "Resync started (runs asynchronously)",
        }
        if job.dry_run:
            data["plan"] = _plan(job.plan)
        return web.json_response({"success": True, "data": data})

    async def jobs(self, request: web.Request) -> web.Response:
        """The account's jobs, the newest first."""
        account, limit = known_account(self._accounts, request), limit_of(request)
        after = place_of(request, ("jobs", account), int, str)
        jobs = await self._jobs.jobs(account, limit=limit, **({"after": after} if after else {}))
        return web.json_response(
            {
                "success": True,
                "jobs": [shown_job(job) for job in jobs],
                "count": len(jobs),
                "nextCursor": next_cursor(jobs, limit, ("jobs", account), _job_place),
                "pausedUntil": iso_ms(self._paused_until_ms(account)),
            }
        )

    async def job(self, request: web.Request) -> web.Response:
        """One job."""
        return web.json_response({"success": True, "job": shown_job(await self._job(request))})

    async def cancel(self, request: web.Request) -> web.Response:
        """End a job. What it did stays; one that was cancelled already is as it was wanted."""
        job = await self._job(request)
        if job.state in UNFINISHED:
            job = await self._runs.cancel(job.id) or job
        if job.state in (JobState.DONE, JobState.FAILED):
            message = f"this job has ended, its state is {job.state}"
            return failure(request, 409, "already_ended", message, currentStatus=job.state)
        return web.json_response({"success": True, "job": shown_job(job)})

    async def _backfill(self, request: web.Request, trigger: Trigger, message: str) -> web.Response:
        asked = backfill_request(await optional_json_object(request))
        job = await self._start(request, asked, kind=Kind.BACKFILL, trigger=trigger)
        answer: dict[str, Any] = {"success": True, "message": message, "accountId": job.account, "jobId": job.id}
        if job.dry_run:
            answer["plan"] = _plan(job.plan)
        return web.json_response(answer)

    async def _start(self, request: web.Request, asked: AskedRun, *, kind: Kind, trigger: Trigger) -> Job:
        account = known_account(self._accounts, request)
        known = await self._jobs.job(asked.job_id) if asked.job_id else None
        if known and (known.account, known.kind) != (account, kind):
            raise web.HTTPConflict(text="`jobId` names a job of another account or kind: choose another one")
        return await self._runs.start(
            account, kind=kind, trigger=trigger, bounds=asked.bounds, dry_run=asked.dry_run, job_id=asked.job_id
        )

    async def _job(self, request: web.Request) -> Job:
        account, job_id = known_account(self._accounts, request), request.match_info["job"]
        job = await self._jobs.job(job_id) if job_id.isascii() and job_id.isprintable() else None
        if job is None:
            raise web.HTTPNotFound(reason="Job not found", text="no such job: GET /api/whatsapp/jobs/ACCOUNT has all")
        if job.account != account:
            raise web.HTTPForbidden(reason="Wrong account", text="this job belongs to another account")
        return job


def _job_place(job: Job) -> JobPlace:
    return job.created_at_ms, job.id


def shown_job(job: Job) -> dict[str, Any]:
    """A job as JSON. A bound that is null is none."""
    return {
        "id": job.id,
        "accountId": job.account,
        "kind": job.kind,
        "trigger": job.trigger,
        "state": job.state,
        "dryRun": job.dry_run,
        "since": iso_ms(job.bounds.since_ms),
        "until": iso_ms(job.bounds.until_ms),
        "chats": list(job.bounds.chats),
        "progress": _work(job.work),
        "results": [_result(one) for one in job.results],
        "plan": _plan(job.plan),
        "errorCode": job.error_code,
        "errorMessage": job.error_message,
        "createdAt": iso_ms(job.created_at_ms),
        "startedAt": iso_ms(job.started_at_ms),
        "beatAt": iso_ms(job.beat_at_ms),
        "endedAt": iso_ms(job.ended_at_ms),
        "durationMs": _duration_ms(job),
    }


def _work(work: Work) -> dict[str, int]:
    return {
        "threads": work.threads,
        "requests": work.requests,
        "unanswered": work.unanswered,
        "fetched": work.fetched,
        "stored": work.stored,
        "duplicates": work.duplicates,
        "gapsClosed": work.gaps_closed,
        "errors": work.errors,
    }


def _result(result: ThreadResult) -> dict[str, Any]:
    told = {"threadId": result.thread, "status": result.status, "fetched": result.fetched}
    return told if result.error is None else {**told, "error": result.error}


def _plan(plan: Plan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    return {
        "threads": plan.threads,
        "gaps": plan.gaps,
        "requests": plan.requests,
        "writes": plan.writes,
        "costUsd": plan.cost_usd,
        "mostWrites": plan.most_writes,
        "mostCostUsd": None if plan.most_writes is None else cost_usd(plan.most_writes),
    }


def _stats(job: Job) -> dict[str, int | None]:
    work = job.work
    return {
        "threads": work.threads,
        "messages": work.fetched,
        "errors": work.errors,
        "durationMs": _duration_ms(job),
    }


def _trouble(job: Job) -> str | None:
    if job.state is JobState.DONE:
        return None
    return job.error_message or job.error_code or str(job.state)


def _duration_ms(job: Job) -> int | None:
    if job.started_at_ms is None or job.ended_at_ms is None:
        return None
    return max(0, job.ended_at_ms - job.started_at_ms)
