"""Pauses: no run of the account begins by itself, and the operator's own runs do."""

import asyncio

import pytest
from running import running

from whatsapp_backend.domain.jobs import JobState, Kind, Trigger
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.flows.pauses import Pausing
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_store import MemoryStore

HOUR_MS = 3_600_000


async def hang(_job, _note):
    await asyncio.Event().wait()


async def test_a_paused_account_does_not_run_by_itself_and_others_do():
    async with running(("a", "b")) as place:
        place.paused.add("a")
        for account in ("a", "b"):
            await place.owe(account)
        place.runs.on_connected("a")
        await place.go_on(3600)
        assert {job.account for job in place.fill.began} == {"b"}
        place.paused.clear()
        await place.go_on(3600)
        assert {job.account for job in place.fill.began} == {"a", "b"}


async def test_a_paused_account_runs_by_hand():
    async with running() as place:
        place.paused.add("a")
        await place.owe()
        await place.runs.start("a", kind=Kind.BACKFILL, trigger=Trigger.MANUAL)
        place.runs.on_paused("a")
        await place.go_on(60)
        assert [job.state for job in await place.jobs()] == [JobState.DONE]


async def test_a_run_that_began_by_itself_ends_with_the_reason():
    async with running() as place:
        place.fill.scripts[None] = hang
        await place.owe()
        await place.runs.recent_sync_tick()
        await place.clock.settle()
        place.paused.add("a")
        place.runs.on_paused("a")
        await place.clock.settle()
        (job,) = await place.jobs()
        assert (job.state, job.error_code) == (JobState.CANCELLED, "paused")
        assert "a" not in place.leases.table.locks
        await place.go_on(3600)
        assert len(await place.jobs()) == 1


async def test_one_that_waits_for_its_slot_does_not_begin_when_it_comes():
    async with running(("a", "b")) as place:
        place.fill.scripts["a"] = hang
        for account in ("a", "b"):
            await place.owe(account)
        await place.runs.recent_sync_tick()
        await place.clock.settle()
        waits = "b" if place.fill.began[0].account == "a" else "a"
        place.paused.add(waits)
        place.runs.on_paused(waits)
        place.fill.scripts.clear()
        await place.runs.cancel(place.fill.began[0].id)
        await place.clock.settle()
        assert [job.account for job in place.fill.began if job.account == waits] == []


@pytest.fixture
async def pausing():
    return Pausing(MemoryStore(), FakeClock())


async def test_it_ends_by_itself(pausing):
    told = []
    pausing.on_paused = told.append
    clock = pausing._clock
    assert await pausing.pause("a", HOUR_MS) == clock.wall_ms() + HOUR_MS
    assert (told, pausing.is_paused("a"), pausing.is_paused("b")) == (["a"], True, False)
    await clock.advance(3599)
    assert pausing.is_paused("a")
    await clock.advance(1)
    assert (pausing.is_paused("a"), pausing.until_ms("a")) == (False, None)


async def test_the_last_word_counts_and_outlives_the_daemon(pausing):
    clock, store = pausing._clock, pausing._pauses
    await pausing.pause("a", HOUR_MS)
    await pausing.pause("a", 60_000)
    await pausing.pause("b", HOUR_MS)
    await pausing.unpause("b")
    await pausing.unpause("c")
    next_life = Pausing(store, clock)
    await next_life.load()
    assert next_life.until_ms("a") == clock.wall_ms() + 60_000
    assert not next_life.is_paused("b")


async def test_what_cannot_be_kept_is_no_pause(pausing):
    pausing._pauses.unwell = "the disk is full"
    with pytest.raises(StoreUnwell):
        await pausing.pause("a", HOUR_MS)
    assert not pausing.is_paused("a")
