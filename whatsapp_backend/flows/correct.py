"""Correct: what a repair found to be wrong in threads that we have gathered is put right by the one who writes them.

It was worked out beside the publisher, which may have learned more since: a row that changed meanwhile is left alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from whatsapp_backend.domain.mirror import Progress
from whatsapp_backend.domain.repairs import Correction
from whatsapp_backend.ports import Mirror


class Correct:
    """Keeps corrections until their turn. A crash loses them, and the next round finds them again."""

    def __init__(self, *, mirror: Mirror, keep: Callable[[Progress], Awaitable[None]], consumer: str) -> None:
        self._mirror = mirror
        self._keep = keep
        self._consumer = consumer
        self._waiting: list[Correction] = []

    def add(self, corrections: Iterable[Correction]) -> None:
        """These are to be made."""
        self._waiting += corrections

    @property
    def waiting(self) -> bool:
        """Whether there are any."""
        return bool(self._waiting)

    async def step(self) -> None:
        """Make all of them."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        known = await self._mirror.gathered([one.before.path for one in waiting])
        still = [one.after for one in waiting if one.still_holds(known.get(one.before.path))]
        if still:
            await self._keep(Progress(consumer=self._consumer, gathered=tuple(still)))
