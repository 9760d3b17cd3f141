"""All ports of what must outlive the process, from Journal to Repairs, on one SQLite file.

Two lanes: one writes, and reads what must see every write called before it; the other reads for the publisher and for
people, from a snapshot, so that neither waits for the other.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING

from whatsapp_backend.adapters.sqlite_store import (
    accounts,
    consumers,
    debts,
    holding,
    identities,
    jobs,
    journal,
    keys,
    ledger,
    ledger_writes,
    mirror,
    notices,
    overview,
    pauses,
    pruning,
    repairs,
    stats,
    surveys,
    watching,
)
from whatsapp_backend.adapters.sqlite_store.lane import Lane
from whatsapp_backend.adapters.sqlite_store.opening import OpenFile, open_file
from whatsapp_backend.domain.coverage import ENDLESS_MS
from whatsapp_backend.domain.journal import FIRST_PARKED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from whatsapp_backend.domain.coverage import AccountLedger, Around, Coverage, Due, Gap, Held, LedgerChange, Point
    from whatsapp_backend.domain.holding import HistoryPlan
    from whatsapp_backend.domain.jobs import Job, Kind
    from whatsapp_backend.domain.journal import (
        Commit,
        DeclaredAccount,
        Entry,
        OpenNotice,
        Parked,
        ParkedPlace,
        StoreStats,
    )
    from whatsapp_backend.domain.mirror import Alias, Debt, Gathered, Mirrored, Nameless, Progress, Waiting
    from whatsapp_backend.domain.overview import Activity, Tally
    from whatsapp_backend.domain.pages import DebtPlace, GapPlace, JobPlace
    from whatsapp_backend.domain.repairs import Rotation
    from whatsapp_backend.domain.surveys import Survey
    from whatsapp_backend.domain.watching import Counts, Lag


class SqliteStore:
    """Everything that must outlive the process, in one file."""

    def __init__(self, file: OpenFile, loop: asyncio.AbstractEventLoop) -> None:
        self.path = file.path
        self._lock = file.lock
        self._writer = Lane(file.writing, file=file.path, name="store-writer", loop=loop)
        self._reader = Lane(file.reading, file=file.path, name="store-reader", loop=loop)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, state_dir: Path, *, locked: bool = False) -> AsyncIterator[SqliteStore]:
        """Open the file in this directory, both made if missing; close it afterwards. Locks the directory, unless the
        caller has that lock. Raises StoreUnusable."""
        file = await asyncio.to_thread(partial(open_file, state_dir, locked=locked))
        store = cls(file, asyncio.get_running_loop())
        try:
            yield store
        finally:
            await store.close()

    async def close(self) -> None:
        """Carry out what was called before, then close and release its own lock. May be called again."""
        self._reader.stop()
        self._writer.stop()
        await asyncio.to_thread(self._finish)

    def _finish(self) -> None:
        # One after the other: whichever connection is the last folds the log into the file; two at once may both think
        # that the other is.
        self._reader.close()
        self._writer.close()
        if self._lock:
            self._lock.release()

    # Journal

    async def commit(self, commit: Commit) -> tuple[int, ...]:
        """See the port."""
        run = partial(journal.commit, commit=commit)
        return await self._writer.submit(run, writes=True, extends=commit.account)

    async def read(self, *, after: int, limit: int, max_bytes: int) -> list[Entry]:
        """See the port."""
        return await self._reader.submit(partial(journal.read, after=after, limit=limit, max_bytes=max_bytes))

    async def find(self, account: str, source: str) -> Entry | None:
        """See the port."""
        return await self._writer.submit(partial(journal.find, account=account, source=source))

    async def end(self) -> int:
        """See the port."""
        return await self._reader.submit(journal.end)

    async def open_notices(self, account: str) -> list[OpenNotice]:
        """See the port."""
        return await self._writer.submit(partial(notices.open_ones, account=account))

    async def bridge_crashed(self) -> list[Parked]:
        """See the port."""
        return await self._writer.submit(notices.crashed, writes=True)

    async def bridge_stopped(self) -> None:
        """See the port."""
        await self._writer.submit(notices.stopped, writes=True)

    async def check(self) -> None:
        """See the port."""
        await self._writer.submit(stats.check, writes=True)

    async def stats(self) -> StoreStats:
        """See the port."""
        return await self._reader.submit(partial(stats.stats, file=self.path))

    # Watched

    async def lag(self, consumer: str) -> Lag:
        """See the port."""
        return await self._reader.submit(partial(watching.lag, consumer=consumer))

    async def counts(self) -> Counts:
        """See the port."""
        return await self._reader.submit(partial(watching.counts, file=self.path))

    # KeyStore

    async def get(self, account: str, type: str, ids: Sequence[str]) -> dict[str, str]:
        """See the port."""
        return await self._writer.submit(partial(keys.get, account=account, type=type, ids=tuple(ids)))

    async def creds(self, account: str) -> str | None:
        """See the port."""
        run = partial(keys.creds, account=account, file=self.path)
        return await self._writer.submit(run, begins=account)

    async def forget(self, account: str) -> None:
        """See the port."""
        await self._writer.submit(partial(keys.forget, account=account), writes=True)

    # Accounts

    async def declare(self, account: DeclaredAccount) -> None:
        """See the port."""
        await self._writer.submit(partial(accounts.declare, account=account), writes=True)

    async def declared(self) -> list[DeclaredAccount]:
        """See the port."""
        return await self._writer.submit(accounts.declared)

    # Mirror

    async def messages(self, paths: Iterable[str]) -> dict[str, Mirrored]:
        """See the port."""
        return await self._reader.submit(partial(mirror.messages, paths=tuple(paths)))

    async def gathered(self, paths: Iterable[str]) -> dict[str, Gathered]:
        """See the port."""
        return await self._reader.submit(partial(mirror.gathered, paths=tuple(paths)))

    async def dirty(self, limit: int) -> list[Gathered]:
        """See the port."""
        return await self._reader.submit(partial(mirror.dirty, limit=limit))

    async def waiting(self, paths: Iterable[str]) -> dict[str, Waiting]:
        """See the port."""
        return await self._reader.submit(partial(mirror.waiting, paths=tuple(paths)))

    async def waiting_due(self, now_ms: int, limit: int) -> list[Waiting]:
        """See the port."""
        return await self._reader.submit(partial(mirror.waiting_due, now_ms=now_ms, limit=limit))

    async def adopted(self, paths: Iterable[str]) -> dict[str, str]:
        """See the port."""
        return await self._reader.submit(partial(surveys.adopted, paths=tuple(paths)))

    async def survey(self, account: str) -> Survey | None:
        """See the port."""
        return await self._reader.submit(partial(surveys.survey, account=account))

    async def surveys(self) -> list[Survey]:
        """See the port."""
        return await self._reader.submit(surveys.surveys)

    # Identities

    async def aliases(self, account: str, lids: Iterable[str]) -> dict[str, str]:
        """See the port."""
        return await self._reader.submit(partial(identities.aliases, account=account, lids=tuple(lids)))

    async def ununited(self, limit: int) -> list[Alias]:
        """See the port."""
        return await self._reader.submit(partial(identities.ununited, limit=limit))

    async def nameless(self, account: str, lid: str, limit: int) -> list[Nameless]:
        """See the port."""
        return await self._reader.submit(partial(identities.nameless, account=account, lid=lid, limit=limit))

    # Debts

    async def debts_due(self, account: str, now_ms: int, limit: int) -> list[Debt]:
        """See the port."""
        return await self._reader.submit(partial(debts.due, account=account, now_ms=now_ms, limit=limit))

    async def open_debts(self, account: str, *, limit: int, after: DebtPlace = (-1, "")) -> list[Debt]:
        """See the port."""
        return await self._reader.submit(partial(debts.opened, account=account, limit=limit, after=after))

    async def put_debts(self, debts_: Iterable[Debt]) -> None:
        """See the port."""
        await self._writer.submit(partial(debts.put, debts=tuple(debts_)), writes=True)

    # Ledger

    async def account_ledger(self, account: str) -> AccountLedger:
        """See the port."""
        return await self._reader.submit(partial(ledger.of_account, account=account))

    async def coverages(self, threads: Iterable[str]) -> dict[str, Coverage]:
        """See the port."""
        return await self._reader.submit(partial(ledger.coverages, threads=tuple(threads)))

    async def open_gaps(
        self,
        account: str,
        *,
        limit: int,
        due: Due | None = None,
        above: tuple[int, int] = (0, ENDLESS_MS),
        after: GapPlace | None = None,
    ) -> list[Gap]:
        """See the port."""
        run = partial(ledger.open_gaps, account=account, due=due, above=above, after=after, limit=limit)
        return await self._reader.submit(run)

    async def around(self, thread: str, ranges: Sequence[tuple[int, int]]) -> list[Around]:
        """See the port."""
        return await self._reader.submit(partial(ledger.around, thread=thread, ranges=tuple(ranges)))

    async def anchors(self, thread: str, at: Point) -> list[Held]:
        """See the port."""
        return await self._reader.submit(partial(ledger.anchors, thread=thread, at=at))

    async def record(self, change: LedgerChange) -> None:
        """See the port."""
        await self._writer.submit(partial(ledger_writes.record, change=change), writes=True)

    # Overview

    async def tallies(self) -> dict[str, Tally]:
        """See the port."""
        return await self._reader.submit(overview.tallies)

    async def active_threads(self, account: str, *, limit: int, below: Activity | None = None) -> list[Activity]:
        """See the port."""
        run = partial(overview.active_threads, account=account, limit=limit, below=below)
        return await self._reader.submit(run)

    # Jobs

    async def put_job(self, job: Job) -> None:
        """See the port."""
        await self._writer.submit(partial(jobs.put, job=job), writes=True)

    async def job(self, id: str) -> Job | None:
        """See the port."""
        return await self._writer.submit(partial(jobs.job, id=id))

    async def jobs(self, account: str | None = None, *, limit: int, after: JobPlace = (ENDLESS_MS, "")) -> list[Job]:
        """See the port."""
        run = partial(jobs.newest, account=account, limit=limit, after=after)
        return await self._reader.submit(run)

    async def unfinished_jobs(self) -> list[Job]:
        """See the port."""
        return await self._writer.submit(jobs.unfinished)

    async def last_jobs(self, account: str, kind: Kind) -> tuple[Job | None, Job | None]:
        """See the port."""
        return await self._reader.submit(partial(jobs.last, account=account, kind=kind))

    # Consumers

    async def cursor(self, consumer: str) -> int:
        """See the port."""
        return await self._reader.submit(partial(consumers.cursor, consumer=consumer))

    async def advance(self, progress: Progress) -> None:
        """See the port."""
        await self._writer.submit(partial(consumers.advance, progress=progress), writes=True)

    async def parked(
        self, *, limit: int = 1000, account: str | None = None, after: ParkedPlace = FIRST_PARKED
    ) -> list[Parked]:
        """See the port."""
        return await self._reader.submit(partial(consumers.parked, account=account, after=after, limit=limit))

    async def parked_entries(self, consumer: str, *, account: str | None, after: int, limit: int) -> dict[int, int]:
        """See the port."""
        run = partial(consumers.parked_entries, consumer=consumer, account=account, after=after, limit=limit)
        return await self._reader.submit(run)

    async def prune(self, *, landed_before_ms: int, state_before_ms: int) -> tuple[int, int]:
        """See the port. In bounded batches: commits go in between."""
        entries = states = 0
        place: pruning.Place | None = pruning.START
        while place is not None:
            run = partial(pruning.drop_entries, landed_before_ms=landed_before_ms, after=place)
            dropped, place = await self._writer.submit(run, writes=True)
            entries += dropped
        more = True
        while more:
            dropped = await self._writer.submit(
                partial(pruning.drop_states, state_before_ms=state_before_ms), writes=True
            )
            states += dropped
            more = dropped == pruning.BATCH
        return entries, states

    # HeldHistory

    async def held_back(self, *, limit: int, max_bytes: int) -> list[Entry]:
        """See the port."""
        return await self._reader.submit(partial(journal.held_back, limit=limit, max_bytes=max_bytes))

    async def history_plan(self, account: str) -> HistoryPlan:
        """See the port."""
        return await self._reader.submit(partial(holding.plan, account=account))

    # Repairs

    async def rotation(self, account: str) -> Rotation:
        """See the port."""
        return await self._reader.submit(partial(repairs.rotation, account=account))

    async def put_rotation(self, rotation: Rotation) -> None:
        """See the port."""
        await self._writer.submit(partial(repairs.put, rotation=rotation), writes=True)

    # Pauses

    async def pauses(self) -> dict[str, int]:
        """See the port."""
        return await self._writer.submit(pauses.pauses)

    async def put_pause(self, account: str, until_ms: int | None) -> None:
        """See the port."""
        await self._writer.submit(partial(pauses.put, account=account, until_ms=until_ms), writes=True)
