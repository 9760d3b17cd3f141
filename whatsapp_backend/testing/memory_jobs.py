"""The port Jobs, in memory."""

from __future__ import annotations

from whatsapp_backend.domain.coverage import ENDLESS_MS
from whatsapp_backend.domain.jobs import Job, JobState, Kind
from whatsapp_backend.domain.pages import JobPlace


class MemoryJobs:
    """The part of MemoryStore that keeps runs."""

    def __init__(self) -> None:
        super().__init__()
        self._jobs: dict[str, Job] = {}

    def _check(self, *, writes: bool) -> None:
        raise NotImplementedError

    async def put_job(self, job: Job) -> None:
        """See the port."""
        self._check(writes=True)
        self._jobs[job.id] = job

    async def job(self, id: str) -> Job | None:
        """See the port."""
        self._check(writes=False)
        return self._jobs.get(id)

    async def jobs(self, account: str | None = None, *, limit: int, after: JobPlace = (ENDLESS_MS, "")) -> list[Job]:
        """See the port."""
        self._check(writes=False)
        found = [
            job for job in self._newest() if account in (None, job.account) and (job.created_at_ms, job.id) < after
        ]
        return found[:limit]

    async def unfinished_jobs(self) -> list[Job]:
        """See the port."""
        self._check(writes=False)
        return [job for job in reversed(self._newest()) if job.ended_at_ms is None]

    async def last_jobs(self, account: str, kind: Kind) -> tuple[Job | None, Job | None]:
        """See the port."""
        self._check(writes=False)
        runs = [job for job in self._newest() if (job.account, job.kind) == (account, kind) and not job.dry_run]
        return next(iter(runs), None), next((job for job in runs if job.state is JobState.DONE), None)

    def _newest(self) -> list[Job]:
        return sorted(self._jobs.values(), key=lambda job: (job.created_at_ms, job.id), reverse=True)

    def _forget_jobs(self, before_ms: int) -> None:
        old = [job for job in self._jobs.values() if job.ended_at_ms is not None and job.ended_at_ms < before_ms]
        for job in old:
            if job.dry_run or any(_replaces(other, job) for other in self._jobs.values()):
                del self._jobs[job.id]


def _replaces(newer: Job, older: Job) -> bool:
    return (
        (newer.account, newer.kind) == (older.account, older.kind)
        and not newer.dry_run
        and newer.created_at_ms > older.created_at_ms
        and (older.state is not JobState.DONE or newer.state is JobState.DONE)
    )
