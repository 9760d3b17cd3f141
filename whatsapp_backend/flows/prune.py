"""Prune: what is old and has landed is forgotten."""

from __future__ import annotations

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.ports import Consumers

log = structlog.get_logger()

_DAY_MS = 24 * 60 * 60 * 1000


class Pruner:
    """Prunes whenever it is nudged."""

    def __init__(self, consumers: Consumers, clock: Clock, *, journal_days: int, mirror_days: int) -> None:
        self._consumers = consumers
        self._clock = clock
        self._journal_days = journal_days
        self._mirror_days = mirror_days

    async def prune(self) -> None:
        """Forget what has landed so many days ago, and merge states that nothing has touched for so many."""
        now_ms = self._clock.wall_ms()
        try:
            entries, states = await self._consumers.prune(
                landed_before_ms=now_ms - self._journal_days * _DAY_MS,
                state_before_ms=now_ms - self._mirror_days * _DAY_MS,
            )
        except StoreUnwell as error:
            log.warning("prune_failed", reason=str(error))
            return
        if entries or states:
            log.info("pruned", entries=entries, states=states)
