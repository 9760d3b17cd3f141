"""Repair: threads' last activity is looked through in turn, and corrected where it does not tell of the newest message.

Each run goes on in the order of the threads' ids where the last one stopped, and begins anew after the last thread. It
reads, at least, each thread and its newest message. So only accounts in which something landed since their last
repair are looked through, and each not more often than its cooldown allows, restarts included: an account in which
nothing happens costs nothing.

What we have gathered is corrected by the publisher, the only writer of it; what only others wrote, here. Both writes
demand that the document is as it was looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.jobs import Job
from whatsapp_backend.domain.leases import Term
from whatsapp_backend.domain.mirror import Gathered
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.domain.repairs import Correction, Rotation
from whatsapp_backend.domain.writes import Document, Result, Write
from whatsapp_backend.errors import DocumentsUnavailable, StoreUnwell
from whatsapp_backend.flows.newest import Newest
from whatsapp_backend.flows.publish import Published
from whatsapp_backend.flows.schema_guard import SchemaGuard
from whatsapp_backend.ports import DocumentQueries, DocumentStore, Mirror, Repairs
from whatsapp_backend.rules import repairing
from whatsapp_backend.rules.messages import is_here

log = structlog.get_logger()

_PAGE = 50
_ELSEWHERE = frozenset({Result.STALE, Result.MISSING})
"""Somebody changed the document meanwhile: the next round looks at it again."""


@dataclass(slots=True)
class Repaired:
    """What a run did so far."""

    updated: int = 0
    scanned: int = 0
    errors: int = 0


class Repair:
    """Repairs one account at a time, up to so many threads in a run.

    `may_work` gives the term under which we own an account, None where we do not.
    """

    def __init__(
        self,
        *,
        repairs: Repairs,
        mirror: Mirror,
        documents: DocumentStore,
        queries: DocumentQueries,
        correct: Callable[[Iterable[Correction]], None],
        may_work: Callable[[str], Term | None],
        tell: Callable[[str, Mapping[str, Any]], None],
        clock: Clock,
        enabled: bool,
        threads: int,
        cooldown_s: float,
    ) -> None:
        self._repairs = repairs
        self._mirror = mirror
        self._documents = documents
        self._queries = queries
        self._newest = Newest(documents, queries, mirror)
        self._guard = SchemaGuard(clock)
        self._correct = correct
        self._may_work = may_work
        self._tell = tell
        self._clock = clock
        self._enabled = enabled
        self._threads = threads
        self._cooldown_s = cooldown_s
        self._wanted: set[str] = set()
        self._working = asyncio.Lock()

    def on_published(self, published: Published) -> None:
        """A window landed."""
        self._wanted |= {seen.account for seen in published.seen}

    def on_ended(self, job: Job) -> None:
        """A run ended. An account in which it did something is repaired at the next tick, if it is due."""
        if job.work.fetched:
            self._wanted.add(job.account)

    async def tick(self) -> None:
        """Repair the accounts that are due."""
        if not self._enabled:
            return
        async with self._working:
            for account in sorted(self._wanted):
                try:
                    await self._if_due(account)
                except StoreUnwell as error:
                    log.warning("repair_waits_for_the_store", account=account, reason=str(error))

    async def _if_due(self, account: str) -> None:
        if self._may_work(account) is None:
            return
        rotation = await self._repairs.rotation(account)
        # A clock that was set back must not keep it from working.
        rested_ms = abs(self._clock.wall_ms() - rotation.at_ms)
        if rested_ms >= self._cooldown_s * 1000:
            self._wanted.discard(account)
            await self._run(rotation)

    async def _run(self, rotation: Rotation) -> None:
        account = rotation.account
        log.info("[repair] start", accountId=account)
        began_s, done = self._clock.monotonic_s(), Repaired()
        try:
            await self._pages(rotation, done)
        except DocumentsUnavailable as error:
            done.errors += 1
            log.warning("[repair] broken off", accountId=account, reason=str(error))
        result = {
            "updatedThreads": done.updated,
            "scanned": done.scanned,
            "errors": done.errors,
            "durationMs": round((self._clock.monotonic_s() - began_s) * 1000),
        }
        log.info("[repair] end", accountId=account, **result)
        self._tell(account, {"lastAutoRepairAt": at_ms(self._clock.wall_ms()), "lastAutoRepairResult": result})

    async def _pages(self, rotation: Rotation, done: Repaired) -> None:
        """Look through so many threads, each once. How far it came is kept after each page; first, that it began."""
        account, now_ms = rotation.account, self._clock.wall_ms()
        after, left, anew = rotation.after, self._threads, not rotation.after
        await self._repairs.put_rotation(replace(rotation, at_ms=now_ms))
        while left > 0:
            limit = min(left, _PAGE)
            page = await self._queries.list_threads([account], fields=repairing.LOOKED_AT, after=after, limit=limit)
            await self._page(account, page, done)
            if self._may_work(account) is None:
                return
            after = page[-1].id if len(page) == limit else ""
            left = left - len(page) if after or not anew else 0
            anew = anew or not after
            await self._repairs.put_rotation(Rotation(account=account, after=after, at_ms=now_ms))

    async def _page(self, account: str, page: Sequence[Document], done: Repaired) -> None:
        rows = await self._mirror.gathered([document.path for document in page])
        corrections, writes = [], []
        for document in page:
            if self._may_work(account) is None:
                return
            done.scanned += 1
            wrong = await self._look_into(account, document, rows.get(document.path))
            if isinstance(wrong, Correction):
                corrections.append(wrong)
            elif wrong is not None:
                writes.append(wrong)
        self._correct(corrections)
        done.updated += len(corrections)
        await self._write(writes, done)

    async def _look_into(self, account: str, document: Document, row: Gathered | None) -> Correction | Write | None:
        """What corrects this thread, None when nothing is wrong."""
        found = repairing.looked_into(account, document, row)
        if found is None:
            return None
        ours = repairing.owned(row)
        newest = await self._newest.of(found, ours)
        shows = newest is None or any(map(is_here, newest))
        if shows and not (ours and ours.dirty):
            self._guard.saw(account, repairing.lacks(document.fields))
        if ours is not None:
            return repairing.correction(ours, document, newest)
        if shows:
            return repairing.write_for(found, newest or ())
        if not newest and not await self._newest.any(found):
            return repairing.write_without_messages(found)
        return None

    async def _write(self, writes: list[Write], done: Repaired) -> None:
        for outcome in await self._documents.write(writes):
            if outcome.result is Result.LANDED:
                done.updated += 1
            elif outcome.result not in _ELSEWHERE:
                done.errors += 1
                log.warning("[repair] document refused", reason=outcome.detail)
