"""Run under an account's lock: renewed at a third of its life, and the work ends when the lock is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from whatsapp_backend.clock import Clock, within
from whatsapp_backend.domain.leases import RunLock, Term
from whatsapp_backend.errors import DocumentsUnavailable, LeaseLost
from whatsapp_backend.ports import RunLocks
from whatsapp_backend.rules.run_lock import RENEWALS

_Result = TypeVar("_Result")


async def run_locked(
    work: Callable[[], Awaitable[_Result]],
    *,
    locks: RunLocks,
    term: Term,
    lock: RunLock,
    life_s: float,
    locked_at_s: float,
    clock: Clock,
) -> _Result:
    """Do this while the lock is ours, then release it. `locked_at_s` is when it was asked for.

    Raises LeaseLost, with the work cancelled, when another run has the lock or it could not be renewed in time.
    """
    keeper = _Keeper(locks=locks, term=term, lock=lock, life_s=life_s, until_s=locked_at_s + life_s, clock=clock)
    done: list[_Result] = []
    failed: list[Exception] = []

    async def to_the_end() -> None:
        try:
            done.append(await work())
        except Exception as error:  # noqa: BLE001 -- raised below: a group would wrap it
            failed.append(error)

    try:
        async with asyncio.TaskGroup() as tasks:
            both = [tasks.create_task(to_the_end(), name=f"run {lock.run}"), tasks.create_task(keeper.keep())]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in both:
                task.cancel()
    finally:
        with contextlib.suppress(DocumentsUnavailable):  # it ends by itself
            await locks.unlock(lock)
    for error in failed:
        raise error
    if not done:
        raise LeaseLost
    return done[0]


class _Keeper:
    """Renews a lock for as long as that works."""

    def __init__(
        self, *, locks: RunLocks, term: Term, lock: RunLock, life_s: float, until_s: float, clock: Clock
    ) -> None:
        self._locks = locks
        self._term = term
        self._lock = lock
        self._life_s = life_s
        self._until_s = until_s
        self._clock = clock

    async def keep(self) -> None:
        """Renew until the lock is lost. One failed call changes nothing; the life's end does, whatever hangs then."""
        while (left_s := self._until_s - self._clock.monotonic_s()) > 0:
            await self._clock.sleep(min(left_s, self._life_s / RENEWALS))
            await within(self._clock, self._until_s - self._clock.monotonic_s(), self._renew())

    async def _renew(self) -> None:
        started_s = self._clock.monotonic_s()
        try:
            await self._locks.renew(self._term, self._lock, life_s=self._life_s)
            self._until_s = started_s + self._life_s
        except LeaseLost:
            self._until_s = started_s
        except DocumentsUnavailable:
            pass
