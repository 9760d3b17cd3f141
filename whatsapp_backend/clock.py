"""The only user of the system's clocks. Wall time is for showing to people; durations count suspend."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Protocol


class Clock(Protocol):
    """Time, as a thing that is passed in."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970, as people see them. May jump."""

    def monotonic_s(self) -> float:
        """Seconds since some moment; never jumps, counts suspend."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clocks."""

    _source = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def wall_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds by CLOCK_BOOTTIME where there is one: the monotonic clock stops during suspend."""
        return time.clock_gettime(self._source)

    async def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        await asyncio.sleep(seconds)


async def within(clock: Clock, seconds: float | None, waiting: Coroutine[Any, Any, object]) -> bool:
    """Wait for something that happens; False when the time is up first. None: without end."""
    async with asyncio.TaskGroup() as tasks:
        ends = [tasks.create_task(waiting, name="happened")]
        if seconds is not None:
            ends.append(tasks.create_task(clock.sleep(seconds), name="time is up"))
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        in_time = ends[0].done()
        for task in ends:
            task.cancel()
    return in_time
