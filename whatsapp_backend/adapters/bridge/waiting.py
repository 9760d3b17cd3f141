"""Waiting with an end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from whatsapp_backend.clock import Clock


async def within(clock: Clock, seconds: float, waiting: Coroutine[Any, Any, object]) -> bool:
    """Wait for something that happens; False when the time is up first."""
    async with asyncio.TaskGroup() as tasks:
        happened = tasks.create_task(waiting, name="happened")
        time_is_up = tasks.create_task(clock.sleep(seconds), name="time-is-up")
        await asyncio.wait((happened, time_is_up), return_when=asyncio.FIRST_COMPLETED)
        in_time = happened.done()
        happened.cancel()
        time_is_up.cancel()
    return in_time
