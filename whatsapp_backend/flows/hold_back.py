"""Hold back: with a dry run on, no history becomes documents. What it would do to them is worked out and kept.

Held back entries stay in the journal, however old they get. With the dry run off they land, a window at a time between
those of the journal, and the phone is not asked again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.holding import Foreseen
from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.domain.mirror import Progress
from whatsapp_backend.flows.identify import identified
from whatsapp_backend.ports import HeldHistory, Identities, Mirror
from whatsapp_backend.rules import holding
from whatsapp_backend.rules.history import history_end
from whatsapp_backend.rules.interpret import events_of

log = structlog.get_logger()

_ENTRIES = 1000
_BYTES = 512 * 1024
"""As a window of the journal."""


class HoldBack:
    """Parts history from what lands, and gives back what an earlier life held back."""

    def __init__(
        self,
        held: HeldHistory,
        mirror: Mirror,
        identities: Identities,
        clock: Clock,
        *,
        keep: Callable[[Progress], Awaitable[None]],
        consumer: str,
        dry_run: bool,
    ) -> None:
        self._held = held
        self._mirror = mirror
        self._identities = identities
        self._clock = clock
        self._keep = keep
        self._consumer = consumer
        self._dry_run = dry_run
        self.waiting = not dry_run
        """Whether there may be something to land: an earlier life may have held it back."""

    async def passed(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Those of these that are to land. The others are held back when this returns."""
        history = [entry for entry in entries if self.holds(entry)]
        if not history:
            return entries
        foreseen: list[Foreseen] = []
        for entry in history:
            foreseen += await self._foreseen(entry)
            await self._clock.sleep(0)
        held_back = tuple((entry.seq, entry.account) for entry in history)
        await self._keep(Progress(consumer=self._consumer, held_back=held_back, foreseen=tuple(foreseen)))
        await self._tell({entry.account for entry in history if history_end(entry.new)})
        return [entry for entry in entries if not holding.is_history(entry)]

    def holds(self, entry: Entry) -> bool:
        """Whether this entry must not land in this life."""
        return self._dry_run and holding.is_history(entry)

    async def next_held(self) -> list[Entry]:
        """The next that were held back and may land now."""
        if not self.waiting:
            return []
        entries = await self._held.held_back(limit=_ENTRIES, max_bytes=_BYTES)
        self.waiting = bool(entries)
        return entries

    async def release(self, entries: Iterable[Entry]) -> None:
        """These have landed. Before this is kept they would land again, which changes nothing."""
        await self._keep(Progress(consumer=self._consumer, released=tuple(entry.seq for entry in entries)))

    async def _foreseen(self, entry: Entry) -> list[Foreseen]:
        events, _ = await identified(events_of(entry), self._identities)
        paths = holding.paths_of(events)
        known = await self._mirror.messages(paths.messages)
        adopted = await self._mirror.adopted(paths.messages)
        gathered = await self._mirror.gathered(paths.threads | paths.contacts)
        return holding.foreseen(entry.seq, paths, known, adopted, gathered)

    async def _tell(self, accounts: Iterable[str]) -> None:
        for account in sorted(accounts):
            plan = holding.shown(await self._held.history_plan(account))
            log.info("[history] dry run, nothing was written", accountId=account, **plan)
