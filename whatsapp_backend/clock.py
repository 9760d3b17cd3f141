"""The only user of the system's clocks. Wall time is for showing to people; durations count suspend."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


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
