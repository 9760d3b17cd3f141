"""What is known of every thread's history, and the runs that fill it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from whatsapp_backend.domain.coverage import (
    ENDLESS_MS,
    AccountLedger,
    Around,
    Coverage,
    Due,
    Gap,
    Held,
    LedgerChange,
    Point,
)
from whatsapp_backend.domain.jobs import Job, Kind
from whatsapp_backend.domain.overview import Activity, Tally
from whatsapp_backend.domain.pages import GapPlace, JobPlace


class Ledger(Protocol):
    """What is known of every thread's history, and what is unknown. Threads are named by their documents' paths."""

    async def account_ledger(self, account: str) -> AccountLedger:
        """What is stored of the account as a whole."""

    async def coverages(self, threads: Iterable[str]) -> dict[str, Coverage]:
        """What is stored of these threads, with their gaps that are not closed; unknown ones are absent."""

    async def open_gaps(
        self,
        account: str,
        *,
        limit: int,
        due: Due | None = None,
        above: tuple[int, int] = (0, ENDLESS_MS),
        after: GapPlace | None = None,
    ) -> list[Gap]:
        """Gaps that are not closed, the newest first, those without a message below them last: those that are due, if
        that is asked, whose message after them is of a time between these two, both included; from the first after a
        place."""

    async def around(self, thread: str, ranges: Sequence[tuple[int, int]]) -> list[Around]:
        """For each range of ms (the last one excluded) what is held: the newest message below it, up to fifty from
        each of its ends, and the first three above it."""

    async def anchors(self, thread: str, at: Point) -> list[Held]:
        """This message, if it is held, and the first three of later seconds."""

    async def record(self, change: LedgerChange) -> None:
        """Keep a change that belongs to no window of the journal, all of it or nothing. Raises StoreUnwell.

        Messages of threads that have no coverage, before this change or in it, are not kept.
        """


class Overview(Protocol):
    """Everything at a glance: what a query for each account, or for each thread, would be too much for."""

    async def tallies(self) -> dict[str, Tally]:
        """What is missing, by account; one of which nothing is known to be missing may be absent."""

    async def active_threads(self, account: str, *, limit: int, below: Activity | None = None) -> list[Activity]:
        """The threads that the ledger knows, those with the newest messages first; only what sorts below `below`."""


class Jobs(Protocol):
    """What was run, is running and is to run."""

    async def put_job(self, job: Job) -> None:
        """Keep it, new or changed. Raises StoreUnwell."""

    async def job(self, id: str) -> Job | None:
        """One of them."""

    async def jobs(self, account: str | None = None, *, limit: int, after: JobPlace = (ENDLESS_MS, "")) -> list[Job]:
        """Those of an account, or of all, the newest first, from the first after this place."""

    async def unfinished_jobs(self) -> list[Job]:
        """All that have not ended, oldest first."""

    async def last_jobs(self, account: str, kind: Kind) -> tuple[Job | None, Job | None]:
        """The newest of this kind that was no dry run, and the newest of them that is done. Pruning keeps both."""
