"""What a dry run holds back and how far repairs have come, in memory: the ports HeldHistory and Repairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from whatsapp_backend.domain.holding import HistoryPlan, Touched
from whatsapp_backend.domain.repairs import Rotation

if TYPE_CHECKING:
    from whatsapp_backend.domain.holding import Foreseen
    from whatsapp_backend.domain.journal import Entry
    from whatsapp_backend.domain.mirror import Progress


class MemoryHolding:
    """The part of MemoryStore that is about them."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: dict[int, Entry] = {}
        self._kept_back: dict[int, str] = {}
        self._foreseen: dict[str, Foreseen] = {}
        self._rotations: dict[str, Rotation] = {}

    def _check(self, *, writes: bool) -> None:
        raise NotImplementedError

    # HeldHistory

    async def held_back(self, *, limit: int, max_bytes: int) -> list[Entry]:
        """See the port."""
        self._check(writes=False)
        return fitting((self._entries[seq] for seq in sorted(self._kept_back)), limit=limit, max_bytes=max_bytes)

    async def history_plan(self, account: str) -> HistoryPlan:
        """See the port."""
        self._check(writes=False)
        mine = [one for one in self._foreseen.values() if self._kept_back.get(one.seq) == account]
        counts = {known: Counter(one.what for one in mine if one.known is known) for known in (False, True)}
        return HistoryPlan(
            entries=sum(holder == account for holder in self._kept_back.values()),
            new={what: counts[False][what] for what in Touched if counts[False][what]},
            known={what: counts[True][what] for what in Touched if counts[True][what]},
            writes=sum(one.written for one in mine),
        )

    def _hold(self, progress: Progress) -> None:
        self._kept_back.update(progress.held_back)
        for one in progress.foreseen:
            before = self._foreseen.setdefault(one.path, one)
            self._foreseen[one.path] = replace(before, written=before.written or one.written)
        for seq in progress.released:
            self._kept_back.pop(seq, None)
        self._foreseen = {path: one for path, one in self._foreseen.items() if one.seq not in progress.released}

    # Repairs

    async def rotation(self, account: str) -> Rotation:
        """See the port."""
        self._check(writes=False)
        return self._rotations.get(account, Rotation(account=account))

    async def put_rotation(self, rotation: Rotation) -> None:
        """See the port."""
        self._check(writes=True)
        self._rotations[rotation.account] = rotation


def fitting(entries: Iterable[Entry], *, limit: int, max_bytes: int) -> list[Entry]:
    """As many as fit, but at least one."""
    taken: list[Entry] = []
    for entry in entries:
        max_bytes -= sum(len(part) for part in (entry.new.payload, entry.new.raw, entry.new.envelope) if part)
        if len(taken) == limit or (taken and max_bytes < 0):
            break
        taken.append(entry)
    return taken
