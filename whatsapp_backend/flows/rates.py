"""How much is journaled and landed a minute: two positions, looked at every five seconds, kept for ten minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise

from whatsapp_backend.clock import Clock
from whatsapp_backend.errors import StoreUnwell

EVERY_S = 5.0
_KEPT = 121
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    """How far both had come at a moment."""

    at_s: float
    journaled: int
    landed: int


class Rates:
    """Samples of the journal's end and of the position up to which it has landed."""

    def __init__(self, clock: Clock, *, journaled: Callable[[], Awaitable[int]], landed: Callable[[], int]) -> None:
        self._clock = clock
        self._journaled = journaled
        self._landed = landed
        self._samples: deque[Sample] = deque(maxlen=_KEPT)

    async def sample(self) -> None:
        """Look. To be called every `EVERY_S`; a store that is unwell is not asked again before that."""
        try:
            journaled = await self._journaled()
        except StoreUnwell:
            return
        self._samples.append(Sample(self._clock.monotonic_s(), journaled, self._landed()))

    def per_minute(self) -> tuple[int, int]:
        """How many entries were journaled, and how many landed, in the last minute; scaled while there is no minute.

        A store that has not answered for longer than that took nothing in.
        """
        if not self._samples or self._clock.monotonic_s() - self._samples[-1].at_s > _MINUTE_S:
            return 0, 0
        last = self._samples[-1]
        recent = [one for one in self._samples if last.at_s - one.at_s <= _MINUTE_S]
        lasted_s = last.at_s - recent[0].at_s
        if lasted_s <= 0:
            return 0, 0
        scale = _MINUTE_S / lasted_s
        return round((last.journaled - recent[0].journaled) * scale), round((last.landed - recent[0].landed) * scale)

    def course(self, points: int) -> list[tuple[int, int]]:
        """What was journaled and landed between the last samples, oldest first."""
        samples = list(self._samples)[-points - 1 :]
        return [(later.journaled - one.journaled, later.landed - one.landed) for one, later in pairwise(samples)]
