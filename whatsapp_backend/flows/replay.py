"""Replay: what could not be read or landed is tried again, the way it would be today.

An entry is tried as a whole, with those of its parts that have landed: again they change nothing. What landed and what
did not becomes durable at once, so a death in between leaves it parked, and trying again is all that is needed. Pages
are done by the publisher between two windows, so that there is one writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.ports import Consumers, Journal

log = structlog.get_logger()

_ENTRIES = 100
_BYTES = 512 * 1024
"""As much as a window of the journal has."""


class Tried(Protocol):
    """What came of trying."""

    @property
    def refused(self) -> frozenset[int]:
        """The orders of what is parked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of a page. `next` is the seq to go on after, None at the end."""

    landed: int = 0
    parked: int = 0
    next: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    account: str | None
    seq: int | None
    after: int
    replayed: asyncio.Future[Replayed]


class Replay:
    """Keeps what is wanted until it is its turn."""

    def __init__(
        self,
        consumers: Consumers,
        journal: Journal,
        *,
        land: Callable[[Sequence[Entry]], Awaitable[Tried]],
        holds: Callable[[Entry], bool],
        consumer: str,
    ) -> None:
        self._consumers = consumers
        self._journal = journal
        self._land = land
        self._holds = holds
        self._consumer = consumer
        self._wanted: list[_Wanted] = []

    def want(self, account: str | None, *, seq: int | None, after: int) -> asyncio.Future[Replayed]:
        """Try a page again; what came of it. Who does not wait any longer cancels it."""
        replayed: asyncio.Future[Replayed] = asyncio.get_running_loop().create_future()
        self._wanted.append(_Wanted(account=account, seq=seq, after=after, replayed=replayed))
        return replayed

    async def step(self) -> bool:
        """Do one page. False when nothing is wanted."""
        self._wanted = [one for one in self._wanted if not one.replayed.done()]
        if not self._wanted:
            return False
        wanted = self._wanted[0]
        replayed = await self._page(wanted)
        if not wanted.replayed.done():
            wanted.replayed.set_result(replayed)
        return True

    async def _page(self, wanted: _Wanted) -> Replayed:
        after, limit = (wanted.after, _ENTRIES) if wanted.seq is None else (wanted.seq - 1, 1)
        counts = await self._consumers.parked_entries(self._consumer, account=wanted.account, after=after, limit=limit)
        if wanted.seq is not None:
            counts = {seq: count for seq, count in counts.items() if seq == wanted.seq}
        entries = await self._entries(list(counts))
        more = wanted.seq is None and (len(entries) < len(counts) or len(counts) == limit)
        tried = [entry for entry in entries if not self._holds(entry)]
        before = sum(counts[entry.seq] for entry in entries)
        held_back = before - sum(counts[entry.seq] for entry in tried)
        parked = held_back + (len((await self._land(tried)).refused) if tried else 0)
        replayed = Replayed(
            landed=max(0, before - parked), parked=parked, next=entries[-1].seq if more and entries else None
        )
        log.info("replayed", consumer=self._consumer, landed=replayed.landed, parked=parked, heldBack=held_back)
        return replayed

    async def _entries(self, seqs: Sequence[int]) -> list[Entry]:
        """As many of these as make one window, at least one. They are in the journal for as long as they are parked."""
        entries: list[Entry] = []
        room = _BYTES
        for seq in seqs:
            (entry,) = await self._journal.read(after=seq - 1, limit=1, max_bytes=_BYTES)
            room -= len(entry.new.payload or b"") + len(entry.new.raw or b"")
            if entries and room < 0:
                break
            entries.append(entry)
        return entries
