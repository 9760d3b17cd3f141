"""Running under a lock: kept alive while the work lasts, and the work ends with the lock."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from whatsapp_backend.domain.leases import Instance
from whatsapp_backend.errors import LeaseLost
from whatsapp_backend.flows.run_locked import run_locked
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_leases import LeaseFault, MemoryLeases

A = "account_a"
LIFE_S = 30.0


class Place:
    def __init__(self):
        self.clock = FakeClock()
        self.store = MemoryLeases(self.clock)
        self.ended = []

    async def begin(self):
        self.one = Instance(id="one", nonce="n")
        await self.store.beat(self.one, register=True)
        self.term = (await self.store.take(self.one, [A], ttl_s=15))[A].term
        self.lock = await self.store.lock(self.term, kind="backfill", run="r1", life_s=LIFE_S)

    async def work(self, seconds):
        try:
            await self.clock.sleep(seconds)
        finally:
            self.ended.append(self.clock.monotonic_s())
        return "done"

    def run(self, tasks, work):
        return tasks.create_task(
            outcome(
                run_locked(
                    work,
                    locks=self.store,
                    term=self.term,
                    lock=self.lock,
                    life_s=LIFE_S,
                    locked_at_s=self.clock.monotonic_s(),
                    clock=self.clock,
                )
            )
        )


async def outcome(running):
    """A result or an error, as a value: a task group would wrap the error."""
    try:
        return await running
    except (LeaseLost, ValueError) as error:
        return error


@asynccontextmanager
async def place():
    made = Place()
    await made.begin()
    async with asyncio.TaskGroup() as made.tasks:
        yield made


async def test_a_long_run_renews_three_times_in_a_life_and_releases_at_the_end():
    """Ten minutes under a lock of thirty seconds; nobody else gets in meanwhile, anybody does afterwards."""
    async with place() as made:
        running = made.run(made.tasks, lambda: made.work(600))
        for _ in range(59):
            await made.clock.advance(10)
            assert (await made.store.lock(made.term, kind="recent_sync", run="r2", life_s=1)).run == "r1"
        await made.clock.advance(11)
        assert await running == "done"
        assert 59 <= made.store.calls.count("renew") <= 60
        assert (await made.store.lock(made.term, kind="recent_sync", run="r2", life_s=1)).run == "r2"


async def test_the_work_of_a_replaced_owner_ends():
    """At the next renewal; and the other's lock is left alone."""
    async with place() as made:
        running = made.run(made.tasks, lambda: made.work(600))
        await made.clock.advance(1)
        await made.store.leave(made.one)
        two = Instance(id="two", nonce="m")
        await made.store.beat(two, register=True)
        newer = (await made.store.take(two, [A], ttl_s=15))[A].term
        await made.store.lock(newer, kind="backfill", run="r2", life_s=LIFE_S)
        await made.clock.advance(LIFE_S / 3)
        assert isinstance(await running, LeaseLost)
        assert made.ended == [LIFE_S / 3]
        assert (await made.store.lock(newer, kind="backfill", run="r3", life_s=LIFE_S)).run == "r2"


@pytest.mark.parametrize("there_s", [0.0, 1000.0])
async def test_without_the_store_the_work_ends_with_the_life_of_the_lock(there_s):
    """Whether calls fail at once or hang, not earlier and not later."""
    async with place() as made:
        made.store.inject(LeaseFault.LOST, "renew")
        made.store.there_s = there_s
        running = made.run(made.tasks, lambda: made.work(600))
        await made.clock.advance(LIFE_S - 0.1)
        assert made.ended == []
        await made.clock.advance(0.2)
        assert made.ended == [LIFE_S]
        made.store.heal()
        await made.clock.advance(1001)
        assert isinstance(await running, LeaseLost)


async def test_one_failed_renewal_changes_nothing():
    """The next one is in time."""
    async with place() as made:
        made.store.inject(LeaseFault.LOST, "renew", times=1)
        running = made.run(made.tasks, lambda: made.work(100))
        await made.clock.advance(101)
        assert await running == "done"


async def test_an_error_of_the_work_comes_out_as_it_is_and_the_lock_is_released():
    """Nobody waits for a run that failed."""
    async with place() as made:

        async def fail():
            await made.clock.sleep(1)
            raise ValueError("broken")

        running = made.run(made.tasks, fail)
        await made.clock.advance(2)
        assert isinstance(await running, ValueError)
        assert made.store.table.locks == {}


async def test_a_cancelled_run_releases_its_lock():
    """Stopping the daemon leaves no lock behind."""
    async with place() as made:
        running = made.run(made.tasks, lambda: made.work(600))
        await made.clock.advance(1)
        running.cancel()
        await made.clock.settle()
        assert running.cancelled()
        assert made.store.table.locks == {}
