"""Ticks, connections, people and crashes in random orders: limits hold, and no job runs twice or is forgotten."""

import asyncio
import contextlib
import random
from collections import Counter

import pytest
from running import BACKFILL, HOUR_MS, RECENT_SYNC, Place

from whatsapp_backend.domain.jobs import BY_HAND, UNFINISHED, JobState, Kind, Trigger, Work
from whatsapp_backend.errors import Busy, DocumentsUnavailable, LeaseLost, NotConnected
from whatsapp_backend.flows.fill import Filled

ACCOUNTS = tuple(f"a{number}" for number in range(6))
SLOTS = {Kind.RECENT_SYNC: RECENT_SYNC.slots, Kind.BACKFILL: BACKFILL.slots, Kind.RESYNC: 0}
STEPS = 120


class Chaos:
    """One life in which anything may happen at any time."""

    def __init__(self, rng, before=None):
        self.rng = rng
        self.place = Place(ACCOUNTS, before=before, seed=rng.randrange(1 << 30))
        self.place.fill.scripts[None] = self.fill
        self.place.fill.watch = self.watch
        self.ran = Counter()

    def watch(self):
        active = self.place.fill.active
        kinds = Counter(Kind.RECENT_SYNC if job.kind is Kind.RECENT_SYNC else Kind.BACKFILL for job in active)
        assert all(kinds[kind] <= SLOTS[kind] for kind in kinds), kinds
        assert max(Counter(job.account for job in active).values()) == 1

    async def fill(self, job, note):
        rng, place = self.rng, self.place
        self.ran[job.id] += 1
        place.fill.seconds = rng.choice((0.0, 1.0, 30.0, 200.0))
        end = rng.random()
        if end < 0.1:
            raise RuntimeError("broken")
        if end < 0.2:
            return Filled(work=Work(), trouble="phone_unreachable")
        if end < 0.25:
            await asyncio.Event().wait()
        return await place.fill.heal(job, note)

    async def step(self, tasks):
        rng, place = self.rng, self.place
        account = rng.choice(ACCOUNTS)
        match rng.randrange(9):
            case 0:
                await place.owe(account, ago_ms=rng.choice((1, 8)) * HOUR_MS, number=rng.randrange(1, 9))
            case 1:
                place.status[account] = rng.choice(("connected", "connected", "reconnecting"))
                if place.status[account] == "connected":
                    place.runs.on_connected(account)
            case 2 | 3:
                tick = rng.choice((place.runs.recent_sync_tick, place.runs.backfill_tick))
                tasks.create_task(tick())
            case 4:
                await place.runs.sweep()
            case 5:
                tasks.create_task(self.start(account))
            case 6:
                jobs = await place.store.jobs(account, limit=3)
                if jobs and rng.random() < 0.3:
                    tasks.create_task(place.runs.cancel(rng.choice(jobs).id))
            case _:
                await place.clock.advance(rng.choice((0.1, 5.0, 60.0, 400.0)))

    async def start(self, account):
        kind, trigger = self.rng.choice(list(Kind)), self.rng.choice(sorted(BY_HAND))
        with contextlib.suppress(Busy, NotConnected, DocumentsUnavailable, LeaseLost):
            await self.place.runs.start(account, kind=kind, trigger=trigger)

    async def calm_down(self):
        """No more news: whatever runs comes to its end."""
        self.place.fill.scripts.clear()
        self.place.fill.seconds = 1.0
        self.place.status = dict.fromkeys(ACCOUNTS, "connected")
        await self.place.go_on(2 * 3600)


@pytest.mark.parametrize("seed", range(8))
async def test_limits_hold_and_every_job_ends_once(seed):
    rng = random.Random(seed)
    ran, last = Counter(), None
    for life in range(3):
        chaos = Chaos(rng, before=last)
        last, place = chaos.place, chaos.place
        async with asyncio.TaskGroup() as tasks:
            await place.begin(tasks)
            await place.runs.resume()
            for _ in range(STEPS):
                await chaos.step(tasks)
            if life == 2:
                await chaos.calm_down()
            stopping = tasks.create_task(place.runs.stop())
            await place.clock.advance(5)
            await stopping
        ran += chaos.ran
        by_hand = {job.id for job in await place.jobs() if job.trigger in BY_HAND}
        again = [job for job, times in ran.items() if times > 1 and job not in by_hand]
        assert again == [], "by itself, a job runs once in all its lives"
        assert max(chaos.ran.values(), default=1) == 1, "in one life, each runs once"
    jobs = await place.jobs()
    assert [job for job in jobs if job.state in UNFINISHED] == []
    assert place.leases.table.locks == {}
    for account in ACCOUNTS:
        assert await place.store.open_gaps(account, limit=1) == [], "and nobody was starved"
    assert all(job.error_code for job in jobs if job.state is not JobState.DONE)
    assert {job.trigger for job in jobs} >= {Trigger.PERIODIC}
