"""Keeps one thing alive: run it, and when it dies run it again after a pause that grows while it keeps dying early."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

from whatsapp_backend.clock import Clock, within

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
STABLE_S: Final = 60.0
_DOUBLINGS: Final = 10


def pause_s(early_deaths: int, rng: random.Random) -> float:
    """How long to wait after so many early deaths in a row."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(early_deaths, _DOUBLINGS) * rng.uniform(1.0, 1.5))


class Supervisor:
    """Runs lives one after another until it is stopped. May be stopped before it runs, and more than once."""

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._idle = asyncio.Event()
        self._idle.set()
        self.stopping = asyncio.Event()

    async def run(self, live: Callable[[], Awaitable[None]]) -> None:
        """Call `live` again and again."""
        self._idle.clear()
        early_deaths = 0
        try:
            while not self.stopping.is_set():
                born_s = self._clock.monotonic_s()
                await live()
                if self._clock.monotonic_s() - born_s >= STABLE_S:
                    early_deaths = 0
                await within(self._clock, pause_s(early_deaths, self._rng), self.stopping.wait())
                early_deaths += 1
        finally:
            self._idle.set()

    async def stop(self) -> None:
        """Start no other life and wait for the end of this one, which must watch `stopping`."""
        self.stopping.set()
        await self._idle.wait()
