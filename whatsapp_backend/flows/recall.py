"""Recall: of each account the newest message that its phone can be asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.journal import NewEntry
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.ports import Journal
from whatsapp_backend.rules.echoes import key_in

log = structlog.get_logger()

_BACK = 2000
_AT_ONCE, _BYTES = 200, 4 * 1024 * 1024
_AGAIN_S = 3600.0
"""The end of the journal is not read more often than that for those of whom there is nothing in it."""


class Recall:
    """What came is noted as it is, and read when somebody asks; what an earlier life knew is in the journal."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._noted: dict[str, NewEntry] = {}
        self._keys: dict[str, Mapping[str, Any]] = {}
        self._read_s: float | None = None

    def note(self, account: str, came: Sequence[NewEntry]) -> None:
        """This came."""
        for entry in came:
            if entry.kind == "message":
                self._noted[account] = entry

    def sum_up(self) -> None:
        """Read what was noted, and let go of it."""
        noted, self._noted = self._noted, {}
        for account, entry in noted.items():
            if key := key_in(entry):
                self._keys[account] = key

    async def key(self, account: str) -> Mapping[str, Any] | None:
        """The key of a message, None when there is none."""
        self.sum_up()
        if account not in self._keys:
            await self._read()
        return self._keys.get(account)

    async def _read(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._read_s is not None and now_s - self._read_s < _AGAIN_S:
            return
        self._read_s = now_s
        try:
            end = await self._journal.end()
            after = max(0, end - _BACK)
            while entries := await self._journal.read(after=after, limit=_AT_ONCE, max_bytes=_BYTES):
                after = entries[-1].seq
                for entry in entries:
                    if key := key_in(entry.new):
                        self._keys[entry.account] = key
        except StoreUnwell as error:
            log.warning("journal_not_recalled", reason=str(error))
