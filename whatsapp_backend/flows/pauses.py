"""Pauses: an operator lets no run of an account begin by itself for some time.

Runs by hand begin all the same. It is this instance's: another one that takes the account over knows nothing of it. The
pause after which a phone that did not answer is asked again (`rules/requests.py`) is another thing.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.ports import Pauses

log = structlog.get_logger()


class Pausing:
    """Who is paused. `on_paused` is told of an account that is from now on."""

    def __init__(self, pauses: Pauses, clock: Clock) -> None:
        self._pauses = pauses
        self._clock = clock
        self.on_paused: Callable[[str], None] = lambda _: None
        self._until_ms: dict[str, int] = {}

    async def load(self) -> None:
        """Go on with what an earlier life was told. Raises StoreUnwell."""
        self._until_ms = await self._pauses.pauses()

    def until_ms(self, account: str) -> int | None:
        """Until when an account is paused, None where it is not."""
        until_ms = self._until_ms.get(account, 0)
        return until_ms if until_ms > self._clock.wall_ms() else None

    def is_paused(self, account: str) -> bool:
        """Whether no run of an account may begin by itself."""
        return self.until_ms(account) is not None

    async def pause(self, account: str, span_ms: int) -> int:
        """Pause it from now on for so long, whatever was said before; until when. Raises StoreUnwell."""
        until_ms = self._clock.wall_ms() + span_ms
        await self._pauses.put_pause(account, until_ms)
        self._until_ms[account] = until_ms
        log.info("paused", accountId=account, minutes=span_ms // 60_000)
        self.on_paused(account)
        return until_ms

    async def unpause(self, account: str) -> None:
        """Pause it no longer. Raises StoreUnwell."""
        await self._pauses.put_pause(account, None)
        if self._until_ms.pop(account, None):
            log.info("unpaused", accountId=account)
