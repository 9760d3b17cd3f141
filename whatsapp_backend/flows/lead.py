"""Lead: own accounts, and tell at once when they are lost.

Carries out what `rules.lease` decides: one call at a time, each with its time. Beside it a watch ends ownership at the
moment at which trust ends, whatever call is under way. Who is told acts at once, and does not wait: a lost account's
socket must close, and nothing more may be begun for it.

What this flow says is efficiency: one instance works. That a replaced one changes nothing is up to the store, which
asks for the term in every write whose order matters (`LeaseStore.write`).
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from whatsapp_backend.clock import Clock, within
from whatsapp_backend.domain.leases import (
    Beat,
    Beaten,
    Call,
    Failed,
    Give,
    Given,
    Instance,
    Leave,
    Left,
    Look,
    Looked,
    Mode,
    Observation,
    Said,
    Standing,
    Take,
    Taken,
    Term,
    Timings,
    Wait,
    called,
)
from whatsapp_backend.errors import DocumentsUnavailable
from whatsapp_backend.ports import LeaseStore
from whatsapp_backend.rules import lease

log = structlog.get_logger()

_BLINK_S = 0.001
"""The shortest wait: a float's last digit must not make a loop spin."""


class Owner(Protocol):
    """What the flows that work for accounts ask of `Lead`."""

    problem: str | None

    def term(self, account: str) -> Term | None:
        """Our term of an account, if it is ours now."""

    def holder(self, account: str) -> str | None:
        """The instance that owns it, as far as is known."""

    def want(self, accounts: Iterable[str]) -> None:
        """These accounts we could own."""

    def disproved(self, term: Term) -> None:
        """It seems that this term has ended."""


class Lead:
    """Keeps, loses and releases accounts. The callbacks are called in order, lost before owned, never in a call."""

    def __init__(
        self,
        *,
        store: LeaseStore,
        clock: Clock,
        rng: random.Random,
        instance: Instance,
        timings: Timings,
        on_owned: Callable[[Term], None],
        on_lost: Callable[[Term], None],
        on_mode: Callable[[Mode], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._rng = rng
        self._state = lease.State(instance=instance, timings=timings)
        self._on_owned = on_owned
        self._on_lost = on_lost
        self._on_mode = on_mode
        self._mode = Mode.PASSIVE
        self._told = asyncio.Event()
        self._renewed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._left = asyncio.Event()
        self.decided = asyncio.Event()
        """Set once it knows where it stands, or that it cannot learn it now."""
        self.problem: str | None = None
        """Why the last call failed, None while all is well."""

    @property
    def instance(self) -> Instance:
        """Who we are."""
        return self._state.instance

    @property
    def mode(self) -> Mode:
        """Whether we may work, now."""
        return lease.mode(self._state, self._clock.monotonic_s(), before=self._mode)

    def term(self, account: str) -> Term | None:
        """Our term of an account, if it is ours now. Ask before everything that only an owner may do."""
        if self._clock.monotonic_s() >= self._state.trusted_until_s:
            return None
        return self._state.owned.get(account)

    def trust_s(self, account: str) -> float:
        """For how long yet an account is ours if nothing is heard of Firestore, 0 where it is not."""
        return max(0.0, self._state.trusted_until_s - self._clock.monotonic_s()) if self.term(account) else 0.0

    def holder(self, account: str) -> str | None:
        """The instance that owns an account that we could own, as far as we have seen."""
        if account in self._state.owned:
            return self._state.instance.id
        sighting = self._state.others.get(account)
        return sighting.term.holder if sighting else None

    def standing(self) -> Standing:
        """The mode, as people are told."""
        if self.mode is Mode.ACTIVE:
            return Standing()
        state = self._state
        holders = {called(state.others[account].term.holder) for account in state.wanted & state.others.keys()}
        if holders and state.wanted <= state.others.keys() and not self.problem:
            held_by = holders.pop() if len(holders) == 1 else None
            by = f"instance {held_by} owns" if held_by else "other instances own"
            return Standing(mode=Mode.PASSIVE, reason=f"{by} every account that is declared here", held_by=held_by)
        return Standing(mode=Mode.PASSIVE, reason=self.problem or "nothing is owned yet")

    def want(self, accounts: Iterable[str]) -> None:
        """These accounts we could own from now on. What is left out is lost now and given up: close it before."""
        self._become(lease.want(self._state, accounts))
        self._told.set()

    def disproved(self, term: Term) -> None:
        """A write of ours met LeaseLost: we own it no more, whatever our clock says, and ask whose it is."""
        self._become(lease.disproved(self._state, term))
        self._told.set()

    async def run(self) -> None:
        """Keep at it until released."""
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(self._watch(), name="trust")
            await self._keep_asking()
            watch.cancel()

    async def release(self) -> None:
        """Own nothing any more and let the others know; returns when they can. Close everything before."""
        self._become(lease.stop(self._state))
        self._stopping.set()
        self._told.set()
        if self._state.began:
            await self._left.wait()

    # -- The loop --------------------------------------------------------------------------------------------------

    async def _keep_asking(self) -> None:
        seen: Observation | None = None
        while True:
            self._told.clear()
            state, action = lease.step(self._state, self._clock.monotonic_s(), seen)
            self._become(state)
            if state.left:
                self._left.set()
                return
            if isinstance(action, Wait):
                self.decided.set()
                seen = None
                await within(self._clock, self._until(action.until_s), self._told.wait())
            else:
                seen = await self._carry_out(action)

    async def _carry_out(self, call: Call) -> Observation:
        """Make a call, within its time. One that is cut off may take effect all the same."""
        started_s = self._clock.monotonic_s()
        said: Said = Failed()

        async def ask() -> None:
            nonlocal said
            said = await self._said(call)

        ends = [ask(), self._clock.sleep(self._state.timings.call_s)]
        if not isinstance(call, Leave):
            ends.append(_when(self._stopping))
        async with asyncio.TaskGroup() as tasks:
            racing = [tasks.create_task(end, name=f"lease {type(call).__name__}") for end in ends]
            await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
            if racing[1].done() and not racing[0].done():
                self._note_problem(f"Firestore did not answer within {self._state.timings.call_s:g} s")
            for end in racing:
                end.cancel()
        return Observation(call=call, started_s=started_s, said=said, jitter=self._rng.random())

    async def _said(self, call: Call) -> Said:
        try:
            said = await self._ask(call)
        except DocumentsUnavailable as error:
            self._note_problem(str(error))
            return Failed()
        self._note_problem(None)
        return said

    async def _ask(self, call: Call) -> Said:
        store, instance = self._store, self._state.instance
        match call:
            case Beat():
                return Beaten(alive=await store.beat(instance, register=call.register))
            case Take():
                ttl_s = self._state.timings.ttl_s
                return Taken(sightings=await store.take(instance, call.accounts, ttl_s=ttl_s))
            case Look():
                return Looked(heartbeats=await store.look(call.holders))
            case Give():
                await store.give(instance, call.terms)
                return Given()
            case Leave():
                await store.leave(instance)
                return Left()

    async def _watch(self) -> None:
        """End ownership when trust ends."""
        while True:
            self._renewed.clear()
            until_s = self._state.trusted_until_s
            if self._clock.monotonic_s() >= until_s:
                self._become(lease.lapse(self._state, self._clock.monotonic_s()))
                until_s = math.inf
            await within(self._clock, self._until(until_s), self._renewed.wait())

    # -- Telling ---------------------------------------------------------------------------------------------------

    def _become(self, state: lease.State) -> None:
        before, self._state = self._state, state
        if state.trusted_until_s != before.trusted_until_s:
            self._renewed.set()
        for account, term in before.owned.items():
            if state.owned.get(account) != term:
                log.warning("account_lost", account=account, token=term.token)
                self._on_lost(term)
        for account, term in state.owned.items():
            if before.owned.get(account) != term:
                log.info("account_owned", account=account, token=term.token)
                self._on_owned(term)
        mode = self.mode
        if mode is not self._mode:
            self._mode = mode
            log.info("mode", mode=mode.value, instance=state.instance.id)
            self._on_mode(mode)

    def _note_problem(self, problem: str | None) -> None:
        if problem and not self.problem:
            log.warning("leases_unreachable", reason=problem)
        elif self.problem and not problem:
            log.info("leases_reachable_again", was=self.problem)
        self.problem = problem

    def _until(self, moment_s: float) -> float | None:
        return None if moment_s == math.inf else max(moment_s - self._clock.monotonic_s(), _BLINK_S)


async def _when(event: asyncio.Event) -> None:
    await event.wait()
