"""What an account's document says of its runs: the names and forms of the Node system.

Nothing here is ever read again to decide something: `running: true` is what a crash leaves behind. A resync is no
backfill: of it only the lock is shown, and its job tells the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from whatsapp_backend.domain.jobs import BY_HAND, SHOWN_RESULTS, Job, JobState, Kind, ThreadResult
from whatsapp_backend.domain.leases import RunLock
from whatsapp_backend.domain.moments import at_ms


def begun(job: Job, lock: RunLock) -> dict[str, Any]:
    """The fields of a run that begins under this lock."""
    lease = {"Until": at_ms(lock.expires_at_ms), "Holder": lock.owner, "AcquiredAt": at_ms(lock.started_at_ms)}
    fields = _lease(job, lease)
    if job.kind is not Kind.BACKFILL:
        return fields
    fields["lastBackfillStatus"] = "running"
    if job.trigger not in BY_HAND:
        started_at = at_ms(job.started_at_ms or job.created_at_ms)
        fields["lastAutoBackfillAttemptAt"] = started_at
        fields["lastAutoBackfillStatus"] = {
            "running": True,
            "startedAt": started_at,
            "trigger": str(job.trigger),
            "holder": lock.owner,
        }
    return fields


def let_go(job: Job) -> dict[str, Any]:
    """The fields of a run that has no lock any more."""
    return _lease(job, {"Until": None, "Holder": None, "AcquiredAt": None})


def ended(job: Job) -> dict[str, Any]:
    """The fields of a run that has ended, its lock included."""
    return let_go(job) | _OF_KIND[job.kind](job)


def _lease(job: Job, values: dict[str, Any]) -> dict[str, Any]:
    prefix = "recentSyncLease" if job.kind is Kind.RECENT_SYNC else "autoBackfillLease"
    return {f"{prefix}{name}": value for name, value in values.items()}


def _recent_sync(job: Job) -> dict[str, Any]:
    ok = job.state is JobState.DONE and not job.work.errors
    result: dict[str, Any] = {"ok": ok, **_stats(job)}
    if job.state is not JobState.DONE:
        result["errorMessage"] = _message(job)
    return {"lastRecentSyncAt": _end(job), "lastRecentSyncResult": result}


def _backfill(job: Job) -> dict[str, Any]:
    done = job.state is JobState.DONE
    fields = {
        "lastBackfillAt": _end(job),
        "lastBackfillStatus": "success" if done else "error",
        "lastBackfillError": None if done else _message(job),
        "lastBackfillStats": _stats(job),
        "lastBackfillResult": {
            **_counts(job),
            "threadResults": [_thread(result) for result in job.results[:SHOWN_RESULTS]],
        },
    }
    return fields if job.trigger in BY_HAND else fields | _automatic(job)


def _automatic(job: Job) -> dict[str, Any]:
    if job.state is JobState.DONE:
        status = {"ok": True, "running": False, **_stats(job)}
        return {
            "lastAutoBackfillAt": _end(job),
            "lastAutoBackfillSuccessAt": _end(job),
            "lastAutoBackfillStatus": status,
        }
    trouble = {"errorCode": job.error_code, "errorMessage": _message(job), "durationMs": duration_ms(job)}
    return {"lastAutoBackfillStatus": {"ok": False, "running": False, **trouble}}


def _stats(job: Job) -> dict[str, int]:
    return {**_counts(job), "durationMs": duration_ms(job)}


def _counts(job: Job) -> dict[str, int]:
    return {"threads": job.work.threads, "messages": job.work.fetched, "errors": job.work.errors}


def _thread(result: ThreadResult) -> dict[str, Any]:
    told = {"threadId": result.thread, "status": result.status}
    return told | ({"fetched": result.fetched} if result.error is None else {"error": result.error})


_OF_KIND: Mapping[Kind, Callable[[Job], dict[str, Any]]] = {
    Kind.RECENT_SYNC: _recent_sync,
    Kind.BACKFILL: _backfill,
    Kind.RESYNC: lambda _: {},
}


def duration_ms(job: Job) -> int:
    """How long a run took until it ended, 0 where it never began."""
    end_ms = job.ended_at_ms or 0
    return max(0, end_ms - (job.started_at_ms or end_ms))


def _message(job: Job) -> str:
    return job.error_message or job.error_code or str(job.state)


def _end(job: Job) -> Any:
    return at_ms(job.ended_at_ms or 0)
