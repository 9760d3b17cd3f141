"""Leases and locks in memory: the same ports as Firestore's adapter, and the same answers, with faults to order."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from whatsapp_backend.clock import Clock, SystemClock
from whatsapp_backend.domain.leases import Heartbeat, Instance, RunLock, Sighting, Term
from whatsapp_backend.domain.operations import Operations
from whatsapp_backend.domain.writes import Outcome, Result, Write
from whatsapp_backend.errors import DocumentsUnavailable, OurBug
from whatsapp_backend.rules.limits import MAX_DOCUMENT_BYTES, document_bytes, fields_problem, path_problem
from whatsapp_backend.testing.lease_table import LeaseTable
from whatsapp_backend.testing.memory_documents import MemoryDocuments


class LeaseFault(enum.Enum):
    """What can go wrong with a call."""

    LOST = "lost"  # nothing happens, and it raises
    AMBIGUOUS = "ambiguous"  # it takes effect, and raises


@dataclass(slots=True)
class _Injected:
    fault: LeaseFault
    calls: frozenset[str]
    left: int | None


class MemoryLeases:
    """Implements `LeaseStore` and `RunLocks`. Its clock is the server's; instances share one `table`."""

    def __init__(
        self, clock: Clock | None = None, *, documents: MemoryDocuments | None = None, table: LeaseTable | None = None
    ) -> None:
        self.operations = Operations()
        self.table = table or LeaseTable()
        self.documents = documents or MemoryDocuments(clock)
        self.calls: list[str] = []
        self.there_s = self.back_s = 0.0
        """How long a call takes before and after it takes effect."""
        self._clock = clock or SystemClock()
        self._injected: list[_Injected] = []

    def inject(self, fault: LeaseFault, *calls: str, times: int | None = None) -> None:
        """From now on, so many calls (or all) meet this fault; only those of these names, or any."""
        self._injected.append(_Injected(fault, frozenset(calls), times))

    def heal(self) -> None:
        """No more faults and delays."""
        self._injected.clear()
        self.there_s = self.back_s = 0.0

    async def beat(self, instance: Instance, *, register: bool) -> bool:
        """Renew the heartbeat, or make it."""
        async with self._call("beat", writes=1):
            return self.table.beat(instance, register=register, now_s=self._now_s())

    async def take(self, instance: Instance, accounts: Sequence[str], *, ttl_s: float) -> dict[str, Sighting]:
        """Begin a term of each account that is free."""
        async with self._call("take", reads=len(accounts)):
            return self.table.take(instance, accounts, ttl_s=ttl_s, now_s=self._now_s())

    async def look(self, holders: Sequence[str]) -> dict[str, Heartbeat]:
        """The heartbeats that are there."""
        async with self._call("look", reads=len(holders)):
            return self.table.look(holders, now_s=self._now_s())

    async def give(self, instance: Instance, terms: Sequence[Term]) -> None:
        """End these terms where they are in force."""
        async with self._call("give", reads=len(terms) + 1, writes=len(terms) + 1):
            self.table.give(instance, terms)

    async def leave(self, instance: Instance) -> None:
        """End the heartbeat."""
        async with self._call("leave", writes=1):
            self.table.leave(instance)

    async def write(self, term: Term, writes: Sequence[Write]) -> list[Outcome]:
        """Write while the term is in force."""
        if any(write.must_not_exist or write.updated_at_ns is not None for write in writes):
            raise OurBug("a fenced write has no condition but its term")
        if problem := next(filter(None, map(_problem, writes)), None):
            return [Outcome(result=Result.INVALID, detail=problem)] * len(writes)
        try:
            async with self._call("write", reads=1, writes=len(writes)):
                self.table.demand(term)
                outcomes = await self.documents.write(writes)
        except DocumentsUnavailable as error:
            return [Outcome(result=Result.RETRY, detail=str(error))] * len(writes)
        refused = next((outcome for outcome in outcomes if outcome.result is not Result.LANDED), None)
        return [refused or Outcome(result=Result.LANDED)] * len(writes)

    async def lock(self, term: Term, *, kind: str, run: str, life_s: float) -> RunLock:
        """Lock the account for a run, or say who has."""
        async with self._call("lock", reads=2, writes=1):
            return self.table.lock(term, kind=kind, run=run, life_s=life_s, now_s=self._now_s())

    async def renew(self, term: Term, lock: RunLock, *, life_s: float) -> RunLock:
        """Let it live longer."""
        async with self._call("renew", reads=2, writes=1):
            return self.table.renew(term, lock, life_s=life_s, now_s=self._now_s())

    async def unlock(self, lock: RunLock) -> None:
        """Release it if it is its own."""
        async with self._call("unlock", reads=1, writes=1):
            self.table.unlock(lock)

    def _now_s(self) -> float:
        return self._clock.wall_ms() / 1000

    @asynccontextmanager
    async def _call(self, name: str, *, reads: int = 0, writes: int = 0) -> AsyncIterator[None]:
        self.calls.append(name)
        self.operations.rpcs += 1
        self.operations.reads += reads
        self.operations.writes += writes
        fault = self._fault(name)
        await self._clock.sleep(self.there_s)
        if fault is LeaseFault.LOST:
            raise DocumentsUnavailable("lost: injected")
        yield
        await self._clock.sleep(self.back_s)
        if fault is LeaseFault.AMBIGUOUS:
            raise DocumentsUnavailable("ambiguous: injected")

    def _fault(self, name: str) -> LeaseFault | None:
        for injected in self._injected:
            if not injected.calls or name in injected.calls:
                if injected.left is not None:
                    injected.left -= 1
                    if injected.left <= 0:
                        self._injected.remove(injected)
                return injected.fault
        return None


def _problem(write: Write) -> str | None:
    problem = path_problem(write.path) or fields_problem(write.fields)
    if problem is None and document_bytes(write.path, write.fields) > MAX_DOCUMENT_BYTES:
        problem = f"a document over {MAX_DOCUMENT_BYTES} bytes"
    return problem
