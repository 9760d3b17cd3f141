"""Schema guard: says that a thread with messages lacks its last activity. Only others can have written it so."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from whatsapp_backend.clock import Clock

log = structlog.get_logger()

_EVERY_S = 60.0


class SchemaGuard:
    """Warns of what it is told, at most once a minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next_s = 0.0
        self._unsaid = 0

    def saw(self, account: str, lacking: Sequence[str]) -> None:
        """The document of a thread with messages lacks these fields, if any."""
        if not lacking:
            return
        self._unsaid += 1
        now_s = self._clock.monotonic_s()
        if now_s >= self._next_s:
            log.warning(
                "[schema-guard] a thread lacks its activity",
                accountId=account,
                lacking=list(lacking),
                threads=self._unsaid,
            )
            self._next_s = now_s + _EVERY_S
            self._unsaid = 0
