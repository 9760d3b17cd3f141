"""When to nudge which flow. No logic: a nudge missed or doubled breaks nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from apscheduler.schedulers.asyncio import AsyncIOScheduler

_PRUNE_EVERY_S = 3600
_COLLECT_EVERY_S = 60
_BEAT_EVERY_S = 20
"""What the daemon's crash costs of what is known to be complete."""

Nudge = Callable[[], Awaitable[None]]


@asynccontextmanager
async def nudging(
    *, prune: Nudge, collect: Nudge, beat: Nudge, ticks: Mapping[str, tuple[Nudge, float]] | None = None
) -> AsyncIterator[None]:
    """Nudge while the context lasts, `ticks` by their names every so many seconds.

    The flows are drained by whoever owns them: a nudge only starts something.
    """
    scheduler = AsyncIOScheduler(job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1})
    scheduler.add_job(prune, "interval", seconds=_PRUNE_EVERY_S, jitter=300, id="prune")
    scheduler.add_job(collect, "interval", seconds=_COLLECT_EVERY_S, jitter=10, id="collect")
    scheduler.add_job(beat, "interval", seconds=_BEAT_EVERY_S, id="beat")
    for name, (tick, every_s) in (ticks or {}).items():
        scheduler.add_job(tick, "interval", seconds=every_s, id=name)
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
