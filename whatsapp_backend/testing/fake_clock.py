"""A clock that stands still until it is told to go on."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

_TURNS = 100
"""Of the event loop: more than anything in memory takes until nobody can go on without the time."""


class FakeClock:
    """Virtual time. `advance` wakes those who sleep, each at his moment, and lets them act before time goes on."""

    def __init__(self, *, wall_ms: int = 1_795_328_371_000) -> None:
        self._start_ms = wall_ms
        self._now_s = 0.0
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def wall_ms(self) -> int:
        """Milliseconds since 1970."""
        return self._start_ms + round(self._now_s * 1000)

    def monotonic_s(self) -> float:
        """Seconds since it was made."""
        return self._now_s

    async def sleep(self, seconds: float) -> None:
        """Wait until it was advanced so far."""
        awake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if seconds <= 0:
            asyncio.get_running_loop().call_soon(_wake, awake)
        else:
            heapq.heappush(self._sleepers, (self._now_s + seconds, next(self._order), awake))
        await awake

    async def advance(self, seconds: float) -> None:
        """Let time go on by so much."""
        await self.settle()
        until_s = self._now_s + seconds
        while self._sleepers and self._sleepers[0][0] <= until_s:
            self._now_s, _, awake = heapq.heappop(self._sleepers)
            _wake(awake)
            await self.settle()
        self._now_s = until_s

    async def settle(self) -> None:
        """Let everybody act until nobody can go on without the time."""
        for _ in range(_TURNS):
            await self.sleep(0)


def _wake(awake: asyncio.Future[None]) -> None:
    if not awake.done():
        awake.set_result(None)
