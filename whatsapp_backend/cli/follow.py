"""Runs, as a command starts and follows them. They are the daemon's: they go on when the command ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.progress import Progress

from whatsapp_backend.cli.bars import Lines, bars
from whatsapp_backend.cli.client import Daemon
from whatsapp_backend.clock import Clock
from whatsapp_backend.errors import DaemonRefused, DaemonSilent

_FIRST_S = 0.2
_LONGEST_S = 2.0
_SILENT_S = 60.0
"""A daemon that is started again goes on with runs that somebody waits for."""
_FINISHED = frozenset({"done", "failed", "cancelled"})

Job = dict[str, Any]


async def follow(
    daemon: Daemon, jobs: Sequence[Job], clock: Clock, *, gaps: Mapping[str, int] | None = None
) -> list[Job]:
    """Wait until all of them have ended, showing how far they are: `gaps` says how many each found open.

    Raises DaemonSilent after a minute of silence.
    """
    known = {job["id"]: job for job in jobs}
    pause_s, heard_s = _FIRST_S, clock.monotonic_s()
    with _shown(known, gaps or {}, clock) as show:
        while unfinished := [job for job in known.values() if job["state"] not in _FINISHED]:
            await clock.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_S)
            try:
                for job in unfinished:
                    known[job["id"]] = await job_of(daemon, job["accountId"], job["id"])
                heard_s = clock.monotonic_s()
            except (DaemonSilent, DaemonRefused) as error:
                if not _may_pass(error) or clock.monotonic_s() - heard_s > _SILENT_S:
                    raise
            show()
    return list(known.values())


async def job_of(daemon: Daemon, account: str, job_id: str) -> Job:
    """One job as it is now."""
    return dict((await daemon.get("jobs", account, job_id))["job"])


def _may_pass(error: DaemonSilent | DaemonRefused) -> bool:
    return isinstance(error, DaemonSilent) or error.status >= 500  # noqa: PLR2004 -- HTTP: it is not our fault


class _Shown:
    """One bar for each run: of the gaps that were open when it began, so many are closed."""

    def __init__(self, progress: Progress, lines: Lines, jobs: dict[str, Job], gaps: Mapping[str, int]) -> None:
        self._progress = progress
        self._lines = lines
        self._jobs = jobs
        self._rows = {
            job_id: progress.add_task(_said(job), total=gaps.get(job_id) or None, messages=0)
            for job_id, job in jobs.items()
        }

    def __call__(self) -> None:
        for job_id, row in self._rows.items():
            job = self._jobs[job_id]
            work = job["progress"]
            self._progress.update(row, description=_said(job), completed=work["gapsClosed"], messages=work["fetched"])
            self._lines.say(job_id, _said(job))


@contextmanager
def _shown(jobs: dict[str, Job], gaps: Mapping[str, int], clock: Clock) -> Iterator[_Shown]:
    try:
        with bars("gaps", "messages/s") as progress:
            yield _Shown(progress, Lines(clock, silent=not progress.disable), jobs, gaps)
    except BaseException:
        left = [job_id for job_id, job in jobs.items() if job["state"] not in _FINISHED]
        if left:
            print(f"not waited for any longer, and not ended: {', '.join(left)}", file=sys.stderr)
            print("`whatsapp-backend jobs --cancel JOB` ends one", file=sys.stderr)
        raise


def _said(job: Job) -> str:
    work = job["progress"]
    return (
        f"{job['accountId']} {job['kind']} {job['state']}: {work['fetched']} fetched, {work['stored']} stored, "
        f"{work['duplicates']} duplicates, {work['gapsClosed']} gaps closed"
    )
