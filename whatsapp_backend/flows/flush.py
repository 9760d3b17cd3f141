"""Flush: documents that gather many events, threads and contacts, are written when they are dirty, each at most once a
second, guarded by when Firestore last changed them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.mirror import Gathered, Progress
from whatsapp_backend.domain.writes import Document, Result, Write
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.schema_guard import SchemaGuard
from whatsapp_backend.ports import Mirror
from whatsapp_backend.rules import gathering, repairing

log = structlog.get_logger()

_PAUSE_S = 1.0
"""Firestore sustains about one write a second of one document."""
_BACKLOG_LOOK_S = 0.5
_BACKLOG_PAUSE_S = 5.0
"""In a flood a thread changes with every window; written each time it would cost more than its messages."""
_PACE_S = 0.2
"""Between flushes: in a busy hour some thread is always due, and a call for each costs more than its write."""
_REMEMBERED = 10_000
_AT_ONCE = 500
_CONFLICTS_IN_A_ROW = 8


class Flush:
    """Knows which documents are dirty and when each was last written. What it forgets in a crash the mirror knows."""

    def __init__(
        self,
        *,
        mirror: Mirror,
        lander: Lander,
        clock: Clock,
        keep: Callable[[Progress], Awaitable[None]],
        consumer: str,
    ) -> None:
        self._mirror = mirror
        self._keep_progress = keep
        self._consumer = consumer
        self._lander = lander
        self._clock = clock
        self._guard = SchemaGuard(clock)
        self._dirty: dict[str, float] = {}
        """Path of a dirty document → when it became dirty."""
        self._written: dict[str, float] = {}
        self._flushed = 0.0
        self._looked = 0.0

    def note(self, changed: Iterable[Gathered]) -> None:
        """These changed in the mirror."""
        now = self._clock.monotonic_s()
        for row in changed:
            if row.dirty:
                self._dirty.setdefault(row.path, now)

    @property
    def waiting(self) -> int:
        """How many documents hold something that is not written yet."""
        return len(self._dirty)

    def hurry(self) -> None:
        """Write what waits at the next chance, however recently it was written: we are about to stop."""
        self._written.clear()
        self._flushed = 0.0

    async def due(self, *, backlog: bool) -> float | None:
        """Write what is due. Returns the seconds until the next is, None when nothing waits."""
        now = self._clock.monotonic_s()
        if backlog and now < self._looked + _BACKLOG_LOOK_S:
            return None  # to look at all of them after every window would cost more than they do
        self._looked = now
        ready = [path for path in self._dirty if self._wait_s(path, now, backlog=backlog) <= 0]
        for start in range(0, len(ready), _AT_ONCE):
            await self._flush(ready[start : start + _AT_ONCE])
        self._forget_old(now)
        now = self._clock.monotonic_s()
        return min((max(0.0, self._wait_s(path, now, backlog=False)) for path in self._dirty), default=None)

    def _wait_s(self, path: str, now: float, *, backlog: bool) -> float:
        if backlog:
            return max(self._dirty[path], self._written.get(path, 0.0)) + _BACKLOG_PAUSE_S - now
        return max(self._written.get(path, 0.0) + _PAUSE_S, self._flushed + _PACE_S) - now

    async def resume(self) -> None:
        """Write what was left dirty by an earlier life, before anything else becomes dirty."""
        while True:
            left = await self._mirror.dirty(_AT_ONCE)
            fresh = [row for row in left if row.path not in self._dirty]
            self.note(fresh)
            if not fresh:
                return
            await self._flush([row.path for row in fresh])

    async def _flush(self, paths: list[str]) -> None:
        rows = list((await self._mirror.gathered(paths)).values())
        for _ in range(_CONFLICTS_IN_A_ROW):
            rows = await self._attempt(rows)
            if not rows:
                break
        now = self._clock.monotonic_s()
        for path in paths:
            self._dirty.pop(path, None)
            self._written[path] = now
        self._flushed = now
        self.note(rows)

    async def _attempt(self, rows: list[Gathered]) -> list[Gathered]:
        """Write these; returns those that somebody else changed meanwhile, merged with what he wrote."""
        outcomes = await self._lander.write([_write_for(row) for row in rows])
        pairs = list(zip(rows, outcomes, strict=True))
        clean = [
            replace(row, updated_at_ns=outcome.updated_at_ns, dirty=False)
            for row, outcome in pairs
            if outcome.result in (Result.LANDED, Result.INVALID)
        ]
        for row, outcome in pairs:
            if outcome.result is Result.INVALID:
                log.error("document_refused", path=row.path, reason=outcome.detail)
        await self._keep(clean)
        conflicting = [row for row, outcome in pairs if outcome.result not in (Result.LANDED, Result.INVALID)]
        if not conflicting:
            return []
        found = await self._lander.read([row.path for row in conflicting])
        for row in conflicting:
            if row.updated_at_ns is not None and row.path in found:  # it had all of it when we wrote it
                self._guard.saw(row.account, repairing.lost(row, found[row.path].fields))
        merged = [_merged(row, found.get(row.path)) for row in conflicting]
        await self._keep(merged)
        return merged

    async def _keep(self, rows: list[Gathered]) -> None:
        if rows:
            await self._keep_progress(Progress(consumer=self._consumer, gathered=tuple(rows)))

    def _forget_old(self, now: float) -> None:
        if len(self._written) > _REMEMBERED:
            self._written = {path: at for path, at in self._written.items() if now - at < _BACKLOG_PAUSE_S}


def _write_for(row: Gathered) -> Write:
    rules = gathering.rules_of(row.path)
    fields = gathering.fields_of(row)
    if row.updated_at_ns is None:
        return Write(path=row.path, fields=fields, server_times=rules.SERVER_TIMES, must_not_exist=True)
    return Write(
        path=row.path,
        fields=fields,
        mask=tuple(sorted(fields.keys() | gathering.deleted_when_absent(row))),
        server_times=rules.SERVER_TIMES,
        updated_at_ns=row.updated_at_ns,
    )


def _merged(row: Gathered, document: Document | None) -> Gathered:
    """What ours becomes beside the document that is there; without one it is created again."""
    if document is None:
        return replace(row, updated_at_ns=None)
    state = gathering.rules_of(row.path).dumped(gathering.beside(row, document))
    return replace(row, state=state, updated_at_ns=document.updated_at_ns)
