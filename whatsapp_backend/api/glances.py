"""What an operator sees at a glance: all that the dashboard shows, gathered at most once a second for all who look.

Costs no Firestore read. Counting the gaps of all accounts takes long where there are many: it is done again only after
twenty times as long as it took.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from whatsapp_backend.api.health import Vitals, Ward
from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.jobs import UNFINISHED, Job, Kind
from whatsapp_backend.domain.leases import Standing
from whatsapp_backend.domain.overview import Tally
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.flows.happenings import Happenings
from whatsapp_backend.flows.rates import Rates
from whatsapp_backend.ports import Jobs, Journal, Overview

_FRESH_S = 1.0
_REST = 20.0
"""Times what counting the gaps took."""
_COUNTING_S = 0.5
_PATIENCE_S = 2.0
_SHOWN_JOBS = 20


class Store(Overview, Jobs, Journal, Protocol):
    """What is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """Everything, as it was at `at_ms`. `backfills` are the newest backfill of each account that was no dry run, and
    the newest of them that is done."""

    at_ms: int
    vitals: Vitals
    standing: Standing
    views: Sequence[AccountView]
    realtime: Mapping[str, Mapping[str, Any]]
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    jobs: Sequence[Job] = ()
    backfills: Mapping[str, tuple[Job | None, Job | None]] = field(default_factory=dict)


class Glances:
    """Gathers it, and is told what happens."""

    def __init__(self, *, ward: Ward, store: Store, landed: Callable[[], int], clock: Clock) -> None:
        self._ward = ward
        self._store = store
        self._clock = clock
        self.happenings = Happenings(clock)
        self.rates = Rates(clock, journaled=store.end, landed=landed)
        self._gathering = asyncio.Lock()
        self._glance: Glance | None = None
        self._fresh_until_s = 0.0
        self._counting: asyncio.Task[Mapping[str, Tally]] | None = None
        self._count_again_s = 0.0
        self._backfills: dict[str, tuple[int, tuple[Job | None, Job | None]]] = {}

    async def tick(self) -> None:
        """Look, also while nobody else does: rates need samples, and what happened is seen by comparing."""
        await self.rates.sample()
        await self.glance()

    async def glance(self) -> Glance:
        """Everything, at most a second old. What the store does not tell is as it was told last."""
        async with self._gathering:
            if self._glance is None or self._clock.monotonic_s() >= self._fresh_until_s:
                self._glance = await self._gathered(self._glance)
                self._fresh_until_s = self._clock.monotonic_s() + _FRESH_S
            return self._glance

    async def _gathered(self, last: Glance | None) -> Glance:
        now = Glance(
            at_ms=self._clock.wall_ms(),
            vitals=last.vitals if last else _UNKNOWN,
            standing=self._ward.standing(),
            views=self._ward.views(),
            realtime=self._ward.realtime(),
            tallies=last.tallies if last else {},
            jobs=last.jobs if last else (),
            backfills=last.backfills if last else {},
        )
        try:
            async with asyncio.timeout(_PATIENCE_S):
                now = replace(now, vitals=await self._ward.vitals())
                now = replace(now, jobs=await self._jobs(), backfills=await self._last_backfills(now.views))
                return replace(now, tallies=await self._tallies(now.tallies))
        except StoreUnwell as error:
            trouble = str(error)
        except TimeoutError:
            trouble = "the store does not answer: is its disk well?"
        return replace(now, vitals=replace(now.vitals, trouble=trouble))

    async def _tallies(self, last: Mapping[str, Tally]) -> Mapping[str, Tally]:
        """A count that takes long is waited for later, and no second one is begun beside it."""
        if self._counting is None:
            if self._clock.monotonic_s() < self._count_again_s:
                return last
            self._counting = asyncio.get_running_loop().create_task(self._counted(), name="count the gaps")
        await asyncio.wait((self._counting,), timeout=_COUNTING_S)
        if not self._counting.done():
            return last
        counting, self._counting = self._counting, None
        tallies = await counting
        self.happenings.on_tallies(tallies)
        return tallies

    async def _counted(self) -> Mapping[str, Tally]:
        began_s = self._clock.monotonic_s()
        tallies = await self._store.tallies()
        ended_s = self._clock.monotonic_s()
        self._count_again_s = ended_s + _REST * (ended_s - began_s)
        return tallies

    async def _jobs(self) -> Sequence[Job]:
        """What runs, and the newest of what ran."""
        running = await self._store.unfinished_jobs()
        self.happenings.on_running(running)
        ended = [job for job in await self._store.jobs(limit=_SHOWN_JOBS) if job.state not in UNFINISHED]
        return [*running, *ended]

    async def _last_backfills(self, views: Sequence[AccountView]) -> Mapping[str, tuple[Job | None, Job | None]]:
        """Asked for once an account, and again when a run of it has ended."""
        for view in views:
            ended = self.happenings.runs[view.account]
            if self._backfills.get(view.account, (None,))[0] != ended:
                last = await self._store.last_jobs(view.account, Kind.BACKFILL)
                self._backfills[view.account] = ended, last
        return {account: last for account, (_, last) in self._backfills.items()}


_UNKNOWN = Vitals(trouble="nothing is known yet", firestore_connected=False, consumers={}, parked=0, journal_end=0)
