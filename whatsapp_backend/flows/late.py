"""Late: amendments that waited for others of their kind are written when their time has come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.mirror import Progress, Waiting
from whatsapp_backend.flows.window import WindowLander
from whatsapp_backend.ports import Mirror
from whatsapp_backend.rules import messages
from whatsapp_backend.rules.landing import Arrival

log = structlog.get_logger()

_AT_ONCE = 200
_FAR_MS = 1 << 62


class Late:
    """Knows when the next is due. What it forgets in a crash the mirror knows."""

    def __init__(
        self,
        *,
        mirror: Mirror,
        windows: WindowLander,
        clock: Clock,
        keep: Callable[[Progress], Awaitable[None]],
        consumer: str,
    ) -> None:
        self._mirror = mirror
        self._windows = windows
        self._clock = clock
        self._keep = keep
        self._consumer = consumer
        self._next_at_ms = 0
        self._hurried = False

    @property
    def waiting(self) -> bool:
        """Whether there may be something to write."""
        return self._next_at_ms < _FAR_MS

    def hurry(self) -> None:
        """Write all of it at the next chance."""
        self._hurried = True

    def note(self, waiting: Iterable[Waiting]) -> None:
        """These wait now."""
        due = [one.due_at_ms for one in waiting if one.due_at_ms is not None]
        self._next_at_ms = min([self._next_at_ms, *due])

    async def due(self) -> float | None:
        """Write what is due, a bounded number of it. Returns the seconds until more is, None when nothing waits."""
        now_ms = self._clock.wall_ms()
        until_ms = _FAR_MS if self._hurried else now_ms
        if self._next_at_ms <= until_ms and self.waiting:
            rows = await self._mirror.waiting_due(_FAR_MS, _AT_ONCE)
            self._next_at_ms = min((row.due_at_ms or 0 for row in rows), default=_FAR_MS)
            ready = [row for row in rows if (row.due_at_ms or 0) <= until_ms]
            if ready:
                await self._write(ready)
                self._next_at_ms = 0  # there may be more than came at once
        self._hurried = self._hurried and self.waiting
        return max(0.0, (self._next_at_ms - now_ms) / 1000) if self.waiting else None

    async def _write(self, rows: list[Waiting]) -> None:
        arrivals = [Arrival(path=row.path, state=messages.loaded(row.state), waits=False) for row in rows]
        window = await self._windows.land_arrivals(arrivals)
        refused = tuple(slot.waited.path for slot, _ in window.landed.invalid if slot.waited)
        if window.parked:
            log.error("receipts_refused", count=len(window.parked), reason=window.parked[0][2])
        progress = await self._windows.progress_of((), window, consumer=self._consumer)
        await self._keep(replace(progress, waited=progress.waited + refused))
