"""Which accounts run, in which order, and what their documents say of it."""

from datetime import UTC, datetime

import pytest

from whatsapp_backend.domain.jobs import Job, JobState, Kind, ThreadResult, Trigger, Work
from whatsapp_backend.domain.leases import RunLock
from whatsapp_backend.rules import run_fields
from whatsapp_backend.rules.runs import Candidate, Pace, Past, Skip, choose, why_not

NOW = 1_000_000_000
PACE = Pace(per_tick=2, cooldown_ms=3_600, backoff_ms=600)


def candidate(account="a", *, attempt=None, success=None, opened=NOW - 5, **more):
    past = Past(
        attempt_ms=None if attempt is None else NOW - attempt, success_ms=None if success is None else NOW - success
    )
    return Candidate(account=account, past=past, opened_ms=opened, **more)


@pytest.mark.parametrize(
    ("one", "trigger", "quiet", "why"),
    [
        (candidate(), Trigger.PERIODIC, False, None),
        (candidate(), Trigger.CONNECT, False, None),
        (candidate(in_flight=True), Trigger.PERIODIC, False, Skip.IN_FLIGHT),
        (candidate(running=True), Trigger.PERIODIC, False, Skip.RUNNING),
        (candidate(), Trigger.PERIODIC, True, Skip.QUIET_HOURS),
        (candidate(), Trigger.CONNECT, True, Skip.QUIET_HOURS),
        (candidate(opened=None), Trigger.PERIODIC, False, Skip.NOTHING_DUE),
        (candidate(opened=None), Trigger.CONNECT, False, Skip.NOTHING_DUE),
        (candidate(phone_paused=True), Trigger.PERIODIC, False, Skip.PHONE_PAUSED),
        # A success rests for 3,600, measured from its end.
        (candidate(attempt=3_599, success=3_599), Trigger.PERIODIC, False, Skip.COOLDOWN_SUCCESS),
        (candidate(attempt=3_600, success=3_600), Trigger.PERIODIC, False, None),
        (candidate(attempt=700, success=4_000), Trigger.PERIODIC, False, None),
        # An attempt, however it ended, for 600.
        (candidate(attempt=599), Trigger.PERIODIC, False, Skip.COOLDOWN_ATTEMPT),
        (candidate(attempt=600), Trigger.PERIODIC, False, None),
        # What was opened since the last success is news to whoever connects, and to no tick.
        (candidate(attempt=900, success=800, opened=NOW - 799), Trigger.CONNECT, False, None),
        (candidate(attempt=900, success=800, opened=NOW - 800), Trigger.CONNECT, False, Skip.COOLDOWN_SUCCESS),
        (candidate(attempt=900, success=800, opened=NOW - 799), Trigger.PERIODIC, False, Skip.COOLDOWN_SUCCESS),
        (candidate(attempt=500, success=400, opened=NOW - 1), Trigger.CONNECT, False, Skip.COOLDOWN_ATTEMPT),
        # A clock that was set back does not stop an account for ever.
        (candidate(attempt=-1, success=-1), Trigger.PERIODIC, False, None),
    ],
)
def test_why_an_account_does_not_run_by_itself(one, trigger, quiet, why):
    assert why_not(one, trigger, PACE, quiet=quiet, now_ms=NOW) is why


def test_without_cooldown_and_backoff_every_tick_runs():
    assert why_not(candidate(attempt=0, success=0), Trigger.PERIODIC, Pace(per_tick=1), quiet=False, now_ms=NOW) is None


def test_whoever_was_tried_longest_ago_comes_first_and_only_eligible_ones_take_a_place():
    candidates = [
        candidate("young", attempt=700),
        candidate("idle", opened=None),
        candidate("old", attempt=9_000, success=9_000),
        candidate("rests", attempt=100),
        candidate("never"),
        candidate("paused", phone_paused=True),
    ]
    choice = choose(candidates, PACE, quiet=False, now_ms=NOW)
    assert (choice.chosen, choice.waiting) == (("never", "old"), ("young",))
    assert choice.skipped == {
        "idle": Skip.NOTHING_DUE,
        "rests": Skip.COOLDOWN_ATTEMPT,
        "paused": Skip.PHONE_PAUSED,
    }


# -- What documents say ------------------------------------------------------------------------------------------------

LOCK = RunLock(
    account="a", owner="server-1", kind="backfill", run="j", token=3, expires_at_ms=1_900_000, started_at_ms=1_000_000
)
WORK = Work(threads=2, requests=3, fetched=40, stored=30, errors=1)
RESULTS = (
    ThreadResult(thread="t1", status="ok", fetched=40),
    ThreadResult(thread="t2", status="error", error="refused"),
)


def at(ms):
    return datetime.fromtimestamp(ms / 1000, UTC)


def job(kind=Kind.BACKFILL, trigger=Trigger.PERIODIC, **more):
    known = {"created_at_ms": 900_000, "started_at_ms": 1_000_000, "work": WORK, "results": RESULTS}
    return Job(id="j", account="a", kind=kind, trigger=trigger, **{**known, **more})


def done(**more):
    return job(state=JobState.DONE, ended_at_ms=1_200_000, **more)


def failed(**more):
    known = {"state": JobState.FAILED, "error_code": "phone_unreachable", "error_message": "nobody there"}
    return job(ended_at_ms=1_200_000, **{**known, **more})


AUTO_LEASE = {
    "autoBackfillLeaseUntil": at(1_900_000),
    "autoBackfillLeaseHolder": "server-1",
    "autoBackfillLeaseAcquiredAt": at(1_000_000),
}
NO_AUTO_LEASE = dict.fromkeys(AUTO_LEASE)
NO_RECENT_LEASE = {name.replace("autoBackfill", "recentSync"): None for name in AUTO_LEASE}
COUNTS = {"threads": 2, "messages": 40, "errors": 1}
STATS = {**COUNTS, "durationMs": 200_000}
OF_BACKFILL = {
    **NO_AUTO_LEASE,
    "lastBackfillAt": at(1_200_000),
    "lastBackfillStats": STATS,
    "lastBackfillResult": {
        **COUNTS,
        "threadResults": [
            {"threadId": "t1", "status": "ok", "fetched": 40},
            {"threadId": "t2", "status": "error", "error": "refused"},
        ],
    },
}
WELL = {"lastBackfillStatus": "success", "lastBackfillError": None}
NOT_WELL = {"lastBackfillStatus": "error", "lastBackfillError": "nobody there"}


@pytest.mark.parametrize("trigger", [Trigger.CONNECT, Trigger.PERIODIC])
def test_an_automatic_backfill_that_begins(trigger):
    assert run_fields.begun(job(trigger=trigger), LOCK) == {
        **AUTO_LEASE,
        "lastBackfillStatus": "running",
        "lastAutoBackfillAttemptAt": at(1_000_000),
        "lastAutoBackfillStatus": {
            "running": True,
            "startedAt": at(1_000_000),
            "trigger": str(trigger),
            "holder": "server-1",
        },
    }


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.ADMIN])
def test_one_by_hand_that_begins_says_nothing_of_automatic_ones(trigger):
    assert run_fields.begun(job(trigger=trigger), LOCK) == {**AUTO_LEASE, "lastBackfillStatus": "running"}


@pytest.mark.parametrize("ended", [done, failed])
def test_a_resync_is_no_backfill_and_leaves_what_is_said_of_those(ended):
    """Its lock shows that something works on the account; what came of it its job tells."""
    resync = {"kind": Kind.RESYNC, "trigger": Trigger.MANUAL}
    assert run_fields.begun(job(**resync), LOCK) == AUTO_LEASE
    assert run_fields.ended(ended(**resync)) == NO_AUTO_LEASE


def test_a_recent_sync_that_begins_has_its_own_lease():
    fields = run_fields.begun(job(Kind.RECENT_SYNC), LOCK)
    assert fields == {name.replace("autoBackfill", "recentSync"): value for name, value in AUTO_LEASE.items()}


@pytest.mark.parametrize(
    ("ended", "fields"),
    [
        (
            done(),
            {
                **OF_BACKFILL,
                **WELL,
                "lastAutoBackfillAt": at(1_200_000),
                "lastAutoBackfillSuccessAt": at(1_200_000),
                "lastAutoBackfillStatus": {"ok": True, "running": False, **STATS},
            },
        ),
        (done(trigger=Trigger.ADMIN), {**OF_BACKFILL, **WELL}),
        (
            failed(),
            {
                **OF_BACKFILL,
                **NOT_WELL,
                "lastAutoBackfillStatus": {
                    "ok": False,
                    "running": False,
                    "errorCode": "phone_unreachable",
                    "errorMessage": "nobody there",
                    "durationMs": 200_000,
                },
            },
        ),
        (failed(trigger=Trigger.MANUAL), {**OF_BACKFILL, **NOT_WELL}),
        (
            failed(trigger=Trigger.MANUAL, state=JobState.CANCELLED, error_code="cancelled", error_message=None),
            {**OF_BACKFILL, **NOT_WELL, "lastBackfillError": "cancelled"},
        ),
        (
            done(kind=Kind.RECENT_SYNC, work=Work(threads=1, fetched=5)),
            {
                **NO_RECENT_LEASE,
                "lastRecentSyncAt": at(1_200_000),
                "lastRecentSyncResult": {"ok": True, "threads": 1, "messages": 5, "errors": 0, "durationMs": 200_000},
            },
        ),
        (
            done(kind=Kind.RECENT_SYNC),
            {
                **NO_RECENT_LEASE,
                "lastRecentSyncAt": at(1_200_000),
                "lastRecentSyncResult": {"ok": False, **STATS},
            },
        ),
        (
            failed(kind=Kind.RECENT_SYNC),
            {
                **NO_RECENT_LEASE,
                "lastRecentSyncAt": at(1_200_000),
                "lastRecentSyncResult": {"ok": False, **STATS, "errorMessage": "nobody there"},
            },
        ),
    ],
)
def test_one_that_has_ended(ended, fields):
    assert run_fields.ended(ended) == fields


def test_of_many_threads_ten_are_told():
    results = tuple(ThreadResult(thread=f"t{number}", status="ok") for number in range(30))
    told = run_fields.ended(done(results=results))["lastBackfillResult"]["threadResults"]
    assert [one["threadId"] for one in told] == [f"t{number}" for number in range(10)]


def test_one_that_never_began_took_no_time():
    assert run_fields.duration_ms(failed(started_at_ms=None)) == 0
