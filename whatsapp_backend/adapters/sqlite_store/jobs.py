"""Jobs in SQL. They are few, and what they tell is only ever read as a whole: it is JSON text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whatsapp_backend.domain.jobs import Job, JobState, Kind, Trigger
from whatsapp_backend.rules import job_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from whatsapp_backend.domain.pages import JobPlace

_COLUMNS = f"{', '.join(job_text.COLUMNS)}, told"
_PUT = f"INSERT OR REPLACE INTO job ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SELECT = f"SELECT {_COLUMNS} FROM job"
_ONE = f"{_SELECT} WHERE id = ?"
_NEWEST = "(created_at_ms, id) < (?, ?) ORDER BY created_at_ms DESC, id DESC LIMIT ?"
# Which are the newest, the index knows: what every job tells of itself is not read for that.
_OF_ALL = (
    f"{_SELECT} WHERE id IN (SELECT id FROM job INDEXED BY job_of_account WHERE {_NEWEST}) "
    "ORDER BY created_at_ms DESC, id DESC"
)
_OF_ACCOUNT = f"{_SELECT} WHERE account = ? AND {_NEWEST}"
_UNFINISHED = f"{_SELECT} WHERE ended_at_ms IS NULL ORDER BY created_at_ms, id"
_LAST = (
    f"{_SELECT} WHERE account = ? AND kind = ? AND json_extract(told, '$.dry_run') = 0 AND state LIKE ? "
    "ORDER BY created_at_ms DESC, id DESC LIMIT 1"
)


def put(connection: sqlite3.Connection, job: Job) -> None:
    """Keep it, new or changed."""
    columns = [getattr(job, name) for name in job_text.COLUMNS]
    connection.execute(_PUT, (*columns, job_text.dumped(job)))


def job(connection: sqlite3.Connection, id: str) -> Job | None:
    """One of them."""
    found = _jobs(connection.execute(_ONE, (id,)).fetchall())
    return found[0] if found else None


def newest(connection: sqlite3.Connection, account: str | None, limit: int, after: JobPlace) -> list[Job]:
    """Those of an account, or of all, the newest first, after a place."""
    if account is None:
        return _jobs(connection.execute(_OF_ALL, (*after, limit)).fetchall())
    return _jobs(connection.execute(_OF_ACCOUNT, (account, *after, limit)).fetchall())


def unfinished(connection: sqlite3.Connection) -> list[Job]:
    """All that have not ended, oldest first."""
    return _jobs(connection.execute(_UNFINISHED).fetchall())


def last(connection: sqlite3.Connection, account: str, kind: Kind) -> tuple[Job | None, Job | None]:
    """The newest of this kind that was no dry run, and the newest of them that is done."""
    newest_one, newest_done = (
        _jobs(connection.execute(_LAST, (account, str(kind), state)).fetchall()) for state in ("%", str(JobState.DONE))
    )
    return newest_one[0] if newest_one else None, newest_done[0] if newest_done else None


def _jobs(rows: Sequence[Sequence[Any]]) -> list[Job]:
    return [_job(dict(zip(job_text.COLUMNS, row, strict=False)), row[-1]) for row in rows]


def _job(columns: dict[str, Any], told: str) -> Job:
    kind, trigger, state = Kind(columns.pop("kind")), Trigger(columns.pop("trigger")), JobState(columns.pop("state"))
    return Job(**columns, **job_text.loaded(told), kind=kind, trigger=trigger, state=state)
