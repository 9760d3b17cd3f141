"""The port Jobs: what every store keeps of runs, the fake as the real one."""

import pytest

from whatsapp_backend.domain.jobs import Bounds, Job, JobState, Kind, Plan, ThreadResult, Trigger, Work
from whatsapp_backend.errors import StoreUnwell

ANA, BEN = "account_test_0a", "account_test_0b"
WHOLE = Job(
    id="j1",
    account=ANA,
    kind=Kind.RESYNC,
    trigger=Trigger.ADMIN,
    created_at_ms=1_000,
    bounds=Bounds(since_ms=5, until_ms=9, chats=("15550001111@s.whatsapp.net", "1@g.us")),
    dry_run=True,
    state=JobState.FAILED,
    work=Work(threads=1, requests=2, unanswered=3, fetched=4, stored=5, duplicates=6, gaps_closed=7, errors=8),
    results=(
        ThreadResult(thread="t1", status="ok", fetched=4),
        ThreadResult(thread="t2", status="error", error="\u2028 no"),
    ),
    plan=Plan(threads=1, gaps=2, requests=3, writes=4, cost_usd=0.25),
    error_code="phone_unreachable",
    error_message="nobody there",
    started_at_ms=2_000,
    beat_at_ms=3_000,
    ended_at_ms=4_000,
)


def job(id, at_ms=1_000, *, account=ANA, kind=Kind.BACKFILL, trigger=Trigger.PERIODIC, **more):
    return Job(id=id, account=account, kind=kind, trigger=trigger, created_at_ms=at_ms, **more)


def ended(id, at_ms, state=JobState.DONE, **more):
    return job(id, at_ms, state=state, ended_at_ms=at_ms + 1, **more)


async def keep(store, *jobs):
    for one in jobs:
        await store.put_job(one)


def ids(jobs):
    return [one.id for one in jobs]


async def test_nothing_is_known_of_a_job_that_never_was(store):
    assert await store.job("j1") is None
    assert await store.jobs(limit=9) == []
    assert await store.unfinished_jobs() == []
    assert await store.last_jobs(ANA, Kind.BACKFILL) == (None, None)


async def test_a_job_comes_back_as_it_was_given_and_is_replaced_as_a_whole(store):
    await keep(store, job("j1"))
    assert await store.job("j1") == job("j1")
    await keep(store, WHOLE)
    assert await store.job("j1") == WHOLE
    assert await store.jobs(limit=9) == [WHOLE]


async def test_the_newest_come_first_of_an_account_or_of_all(store):
    await keep(store, job("a", 1), job("c", 3), job("b", 2, account=BEN), job("d", 3))
    assert ids(await store.jobs(limit=9)) == ["d", "c", "b", "a"]
    assert ids(await store.jobs(limit=2)) == ["d", "c"]
    assert ids(await store.jobs(ANA, limit=9)) == ["d", "c", "a"]
    assert ids(await store.jobs(ANA, limit=9, after=(3, ""))) == ["a"]


async def test_unfinished_are_those_that_have_not_ended(store):
    await keep(store, job("b", 2, state=JobState.RUNNING), job("a", 1), ended("c", 3), job("d", 1, account=BEN))
    assert ids(await store.unfinished_jobs()) == ["a", "d", "b"]
    await keep(store, ended("a", 1, JobState.CANCELLED))
    assert ids(await store.unfinished_jobs()) == ["d", "b"]


async def test_the_last_ones_of_a_kind_leave_out_dry_runs(store):
    await keep(
        store,
        ended("done", 1),
        ended("failed", 2, JobState.FAILED),
        ended("dry", 3, dry_run=True),
        ended("other kind", 4, kind=Kind.RECENT_SYNC),
        ended("other account", 5, account=BEN),
    )
    last, done = await store.last_jobs(ANA, Kind.BACKFILL)
    assert (last.id, done.id) == ("failed", "done")
    assert await store.last_jobs(ANA, Kind.RESYNC) == (None, None)


async def test_old_jobs_go_but_those_that_say_when_an_account_ran(store):
    await keep(
        store,
        ended("old done", 1),
        ended("last done", 2),
        ended("old failed", 3, JobState.FAILED),
        ended("last failed", 4, JobState.FAILED),
        ended("other account", 1, account=BEN),
        ended("other kind", 1, kind=Kind.RESYNC),
        ended("dry", 5, dry_run=True),
        ended("young", 9_000, JobState.CANCELLED, kind=Kind.RECENT_SYNC),
        job("unfinished", 1, kind=Kind.RECENT_SYNC, state=JobState.RUNNING),
    )
    await store.prune(landed_before_ms=0, state_before_ms=8_000)
    left = {"last done", "last failed", "other account", "other kind", "young", "unfinished"}
    assert set(ids(await store.jobs(limit=99))) == left


async def test_more_old_jobs_go_than_fit_into_one_batch(store):
    await keep(store, *(ended(f"j{number}", number) for number in range(1_050)))
    await store.prune(landed_before_ms=0, state_before_ms=8_000)
    assert ids(await store.jobs(limit=99)) == ["j1049"]


async def test_a_store_that_is_closed_keeps_and_tells_nothing(store):
    await store.close()
    with pytest.raises(StoreUnwell):
        await store.put_job(job("j1"))
    with pytest.raises(StoreUnwell):
        await store.job("j1")
