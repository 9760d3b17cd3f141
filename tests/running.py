"""Runs over a store, leases and a clock in memory, with a fill that does what it is told."""

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.coverage import (
    ENDLESS_MS,
    Coverage,
    Gap,
    GapState,
    LedgerChange,
    Point,
    Reason,
)
from whatsapp_backend.domain.jobs import Job, Work
from whatsapp_backend.domain.leases import Instance
from whatsapp_backend.flows.fill import Filled, Limits
from whatsapp_backend.flows.prospects import Policy
from whatsapp_backend.flows.runs import Runs
from whatsapp_backend.rules.runs import Pace
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_leases import MemoryLeases
from whatsapp_backend.testing.memory_store import MemoryStore

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
TICK_S, RECENT_S, SWEEP_S = 720, 120, 60

RECENT_SYNC = Policy(
    enabled=True,
    pace=Pace(per_tick=99),
    slots=1,
    lock_life_s=300,
    limits=Limits(threads=30, page=20, thread=20, lookback_ms=6 * HOUR_MS, oldest_ms=ENDLESS_MS),
)
BACKFILL = Policy(
    enabled=True,
    pace=Pace(per_tick=4, cooldown_ms=HOUR_MS, backoff_ms=10 * MINUTE_MS),
    slots=2,
    lock_life_s=900,
    limits=Limits(threads=50, page=20, thread=100),
)


@dataclass
class Fill:
    """Takes so many seconds, tells once in the middle, closes the account's gaps; or does what `scripts` say."""

    store: MemoryStore
    clock: FakeClock
    seconds: float = 20.0
    scripts: dict = field(default_factory=dict)
    began: list[Job] = field(default_factory=list)
    limits: list[Limits] = field(default_factory=list)
    active: list[Job] = field(default_factory=list)

    async def __call__(self, job, limits, note):
        self.began.append(job)
        self.limits.append(limits)
        self.active.append(job)
        self.watch()
        try:
            if script := self.scripts.get(job.account) or self.scripts.get(None):
                return await script(job, note)
            return await self.heal(job, note)
        finally:
            self.active.remove(job)

    def watch(self):
        """Called whenever one more is active."""

    async def heal(self, job, note):
        await self.clock.sleep(self.seconds / 2)
        await note(Work(threads=1, requests=1), ())
        await self.clock.sleep(self.seconds / 2)
        for gap in await self.store.open_gaps(job.account, limit=99):
            closed = replace(gap, state=GapState.CLOSED, closed_at_ms=self.clock.wall_ms(), closed_by="overlap")
            await self.store.record(LedgerChange(coverages=(coverage(gap.account, gap.thread, (closed,)),)))
        return Filled(work=Work(threads=1, requests=1, fetched=7, stored=5, gaps_closed=1))

    @property
    def accounts(self):
        return [job.account for job in self.began]


def coverage(account, thread, gaps=()):
    return Coverage(account=account, thread=thread, jid="15550001111@s.whatsapp.net", gaps=gaps)


class Place:
    """One life of one instance; another one can begin over the same store, leases and clock."""

    def __init__(
        self, accounts=("a",), *, before=None, recent_sync=RECENT_SYNC, backfill=BACKFILL, seed=0, holds_back=False
    ):
        self.clock = before.clock if before else FakeClock()
        self.store = before.store if before else MemoryStore()
        self.leases = before.leases if before else MemoryLeases(self.clock)
        self.life = before.life + 1 if before else 1
        self.policies = {"recent_sync": recent_sync, "backfill": backfill}
        self.fill = Fill(self.store, self.clock)
        self.status = dict.fromkeys(accounts, "connected")
        self.caught_up = True
        self.owned = True
        self.is_quiet = False
        self.paused = set()
        self.holds_back = holds_back
        self.held_up = False
        self.terms = {}
        self.told = []
        self.ended = []
        self.seed = seed

    async def begin(self, tasks):
        instance = Instance(id=f"one.{self.life}", nonce=f"n{self.life}", home="home")
        await self.leases.beat(instance, register=True)
        taken = await self.leases.take(instance, list(self.status), ttl_s=15)
        self.terms = {account: sighting.term for account, sighting in taken.items()}
        self.leases.calls.clear()
        self.runs = Runs(
            **self.policies,
            jobs=self.store,
            ledger=self.store,
            locks=self.leases,
            fill=self.fill,
            clock=self.clock,
            rng=random.Random(self.seed + self.life),
            tasks=tasks,
            views=self.views,
            may_work=lambda account: self.terms.get(account) if self.owned else None,
            tell=lambda account, fields: self.told.append((account, dict(fields))),
            paused=lambda account: account in self.paused,
            quiet=lambda: self.is_quiet,
            held_up=lambda: self.held_up,
            holds_back=self.holds_back,
            on_ended=self.ended.append,
        )

    def views(self):
        known = {"phone": "+15550001111", "name": "Shop", "created_at_ms": 1, "caught_up": self.caught_up}
        return [AccountView(account=account, status=status, **known) for account, status in self.status.items()]

    async def owe(self, account="a", *, ago_ms=HOUR_MS, opened_ago_ms=0, number=1, **more):
        """The account has a gap below a message so old."""
        now_ms = self.clock.wall_ms()
        above = Point(now_ms - ago_ms, "M9")
        known = {
            "start_ms": above.ms - 9_000,
            "end_ms": above.ms,
            "below": Point(above.ms - 9_000, "M1"),
            "above": above,
        }
        gap = Gap(
            account=account,
            thread=f"threads/{account}__x",
            number=number,
            reason=Reason.DISCONNECTED,
            opened_at_ms=now_ms - opened_ago_ms,
            **{**known, **more},
        )
        await self.store.record(LedgerChange(coverages=(coverage(account, gap.thread, (gap,)),)))

    async def go_on(self, seconds, *, recent_sync=True, backfill=True):
        """Time passes, with the nudges in it."""
        for second in range(60, int(seconds) + 1, 60):
            await self.clock.advance(60)
            if recent_sync and second % RECENT_S == 0:
                await self.runs.recent_sync_tick()
            if backfill and second % TICK_S == 0:
                await self.runs.backfill_tick()
            await self.runs.sweep()
        await self.clock.advance(seconds % 60)

    async def jobs(self, account=None):
        return (await self.store.jobs(account, limit=9999))[::-1]

    def fields(self, account="a"):
        """What the account's document holds by now."""
        return {name: value for told, fields in self.told if told == account for name, value in fields.items()}


@asynccontextmanager
async def running(accounts=("a",), **how):
    """A place, for as long as the context lasts."""
    place = Place(accounts, **how)
    async with asyncio.TaskGroup() as tasks:
        await place.begin(tasks)
        yield place
        stopping = tasks.create_task(place.runs.stop())
        await place.clock.advance(5)
        await stopping
