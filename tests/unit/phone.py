"""A phone with an archive, asked through a scripted bridge, and a stand-in for the publisher of what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson

from whatsapp_backend.domain.coverage import (
    SECOND_MS,
    Answer,
    Asked,
    Coverage,
    Gap,
    Held,
    Interval,
    LedgerChange,
    Point,
    Proof,
)
from whatsapp_backend.domain.jobs import Bounds, Job, Kind, ThreadResult, Trigger, Work
from whatsapp_backend.domain.journal import NewEntry
from whatsapp_backend.flows.fetch import Asker
from whatsapp_backend.flows.fill import Filled, Filler, Limits
from whatsapp_backend.rules import requests
from whatsapp_backend.rules.coverage import ledger
from whatsapp_backend.rules.coverage.epochs import claims_of
from whatsapp_backend.rules.coverage.ledger import NO_MORE
from whatsapp_backend.rules.document_ids import thread_id, thread_path
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_store import MemoryStore
from whatsapp_backend.testing.scripted_bridge import Asked as Command
from whatsapp_backend.testing.scripted_bridge import ScriptedBridge

ACCOUNT = "account_test_0a"
ANA, BOB = "15550001111@s.whatsapp.net", "15550002222@s.whatsapp.net"
TIMEOUT_S, SPACING_S = 45.0, 3.0
STEP_S = 10
"""Between two messages."""
LIMITS = Limits(threads=50, page=20, thread=100)
NOBODY = claims_of(())


def path(jid: str) -> str:
    """Where a chat's thread lies."""
    return thread_path(thread_id(ACCOUNT, jid))


def job(kind: Kind = Kind.BACKFILL, *, dry_run: bool = False, **bounds: Any) -> Job:
    """A run that somebody wants."""
    return Job(
        id="J1",
        account=ACCOUNT,
        kind=kind,
        trigger=Trigger.MANUAL,
        created_at_ms=1,
        bounds=Bounds(**bounds),
        dry_run=dry_run,
    )


class Deaf:
    """What a bridge calls."""

    def on_bridge(self, *, up: bool) -> None:
        """Nothing is done about it."""


class Phone:
    """What the phone has, and what it is asked. `off`, `dead` anchors and `published` (Firestore) keep answers back;
    those that are `spoiled` cannot be downloaded."""

    def __init__(self, store: MemoryStore, tasks: asyncio.TaskGroup, clock: FakeClock | None = None) -> None:
        self.store = store
        self.clock = clock or FakeClock()
        self._tasks = tasks
        self.bridge = ScriptedBridge()
        self.bridge.come_up(Deaf())
        self.bridge.scripts["fetch-history"] = self._hear
        self.archives: dict[str, list[Point]] = {}
        self.asked: list[dict[str, Any]] = []
        self.late: list[dict[str, Any]] = []
        """Requests that it did not answer."""
        self.settled: list[set[str]] = []
        self.noted: list[tuple[Work, tuple[ThreadResult, ...]]] = []
        self.off = self.spoiled = False
        self.connected = True
        self.dead: set[str] = set()
        self.published = asyncio.Event()
        self.published.set()
        self.asker = self.new_asker()

    def new_asker(self, **more: Any) -> Asker:
        """As of another life of the daemon."""
        self.asker = Asker(
            self.bridge, self.store, self.clock, timeout_s=TIMEOUT_S, is_connected=lambda _: self.connected, **more
        )
        return self.asker

    # -- What it has, and what of it is here -----------------------------------------------------------------------

    def archive(self, jid: str, count: int, *, until_s: int = 0) -> list[Point]:
        """Messages M1, M2, … up to so many seconds ago."""
        last_s = self.clock.wall_ms() // SECOND_MS - until_s - STEP_S
        points = [Point((last_s - STEP_S * (count - n)) * SECOND_MS, f"M{n}") for n in range(1, count + 1)]
        self.archives[jid] = points
        return points

    async def hold(self, jid: str, *runs: tuple[int, int]) -> None:
        """These of its messages are here, every run of them proven."""
        points = self.archives[jid]
        held = [point for first, last in runs for point in points[first - 1 : last]]
        proofs = [
            Interval(Point(points[first - 1].ms), Point(points[last - 1].ms + SECOND_MS), Proof.HISTORY)
            for first, last in runs
        ]
        await self._record(Coverage(account=ACCOUNT, thread=path(jid), jid=jid, intervals=tuple(proofs)), held)

    async def prove(self, jid: str, first: int, last: int) -> None:
        """These are here by now, by another way."""
        points = self.archives[jid][first - 1 : last]
        coverage = await self.coverage(jid)
        interval = Interval(Point(points[0].ms), Point(points[-1].ms + SECOND_MS), Proof.OFFLINE_COMPLETE)
        await self._record(replace(coverage, intervals=(*coverage.intervals, interval)), points)

    async def _record(self, coverage: Coverage, points: Iterable[Point], **more: Any) -> Coverage:
        held = tuple(Held(thread=coverage.thread, at=point) for point in points)
        await self.store.record(LedgerChange(coverages=(replace(coverage, gaps=()),), held=held))
        looked = [(one.first * SECOND_MS, one.last * SECOND_MS) for one in ledger.to_look_at(coverage, NOBODY)]
        around = await self.store.around(coverage.thread, looked)
        coverage = ledger.settled(coverage, NOBODY, around, self.clock.wall_ms())
        await self.store.record(LedgerChange(coverages=(coverage,), **more))
        return coverage

    async def coverage(self, jid: str) -> Coverage:
        """What is known of a chat."""
        return (await self.store.coverages([path(jid)]))[path(jid)]

    async def gaps(self, jid: str = ANA) -> list[Gap]:
        """Those that are not closed, deep history last."""
        return requests.in_turn((await self.coverage(jid)).gaps)

    # -- Asking it -------------------------------------------------------------------------------------------------

    def _hear(self, command: Command) -> dict[str, object]:
        args = dict(command.args)
        self.asked.append(args)
        if self.off or args["anchor"]["id"] in self.dead:
            self.late.append(args)
        else:
            self._tasks.create_task(self.answer(args))
        return {"request": args["id"]}

    @property
    def anchors(self) -> list[str]:
        """What it was asked with."""
        return [args["anchor"]["id"] for args in self.asked]

    async def answer(self, args: dict[str, Any]) -> None:
        """Send a page: it is journaled at once, and published as soon as Firestore is there."""
        points = self.archives[args["chat"]]
        place = next(n for n, point in enumerate(points) if point.id == args["anchor"]["id"])
        page = points[max(0, place - args["count"]) : place]
        end = NO_MORE if place <= args["count"] else 0
        page = [] if self.spoiled else page
        result = "failed" if self.spoiled else "complete"
        self.asker.on_journaled(ACCOUNT, (_end_of(args, len(page), end, result=result),))
        await self.published.wait()
        await self._publish(args["id"], page, end)

    async def _publish(self, request: str, page: list[Point], end: int) -> None:
        known = await self.store.account_ledger(ACCOUNT)
        asked = next((one for one in known.asked if one.id == request), None)
        if asked is None:
            return
        before = (await self.store.coverages([asked.gap.thread]))[asked.gap.thread]
        held = set((await self.store.around(asked.gap.thread, [(0, asked.anchor.ms)]))[0].inside)
        new = [point for point in page if point not in {one.at for one in held}]
        outcome = requests.outcome_of(len(page), end, downloaded=not self.spoiled)
        asking = requests.asking_after(known.asking, outcome, self.clock.wall_ms())
        proven = ledger.answered(before, asked.gap, page, asked.anchor, end)
        after = await self._record(proven, page, answered=(asked,), askings=(asking,))
        await self._note_gaps(asked, after, outcome, end)
        self.asker.on_answered(
            Answer(
                account=ACCOUNT, request=request, outcome=outcome, fetched=len(page), stored=len(new), end=end or None
            )
        )

    async def _note_gaps(self, asked: Asked, after: Coverage, outcome: requests.Outcome, end: int) -> None:
        gaps = tuple(
            requests.gap_after(asked.gap, gap, outcome, self.clock.wall_ms(), end=end)
            if gap.number == asked.gap.number and gap.closed_at_ms is None
            else gap
            for gap in after.gaps
        )
        await self.store.record(LedgerChange(coverages=(replace(after, gaps=gaps),)))

    # -- Filling ---------------------------------------------------------------------------------------------------

    def filler(self) -> Filler:
        """One that asks it."""
        return Filler(
            ledger=self.store,
            identities=self.store,
            asker=self.asker,
            settle=self._settle,
            clock=self.clock,
            spacing_s=SPACING_S,
        )

    async def _settle(self, threads: Iterable[str]) -> None:
        self.settled.append(set(threads))

    async def _note(self, work: Work, results: tuple[ThreadResult, ...]) -> None:
        self.noted.append((work, results))

    def start(self, wanted: Job | None = None, limits: Limits = LIMITS) -> asyncio.Task[Filled]:
        """Begin a run."""
        return self._tasks.create_task(self.filler().fill(wanted or job(), limits, self._note))

    async def fill(self, wanted: Job | None = None, limits: Limits = LIMITS) -> Filled:
        """A run, however long it takes."""
        running = self.start(wanted, limits)
        while not running.done():
            await self.clock.advance(1)
        return running.result()


def _end_of(args: dict[str, Any], messages: int, end: int, *, result: str) -> NewEntry:
    payload = {"session": args["id"], "messages": messages, "result": result}
    payload["chats"] = [{"id": args["chat"], "end": end}]
    return NewEntry(
        kind="history-end",
        source=f"enc:{args['id']}#end",
        origin="ondemand",
        received_at_ms=1,
        payload=orjson.dumps(payload),
    )


@asynccontextmanager
async def a_phone(store: MemoryStore | None = None) -> AsyncIterator[Phone]:
    """One that is on; what it leaves behind would hang here."""
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        phone = Phone(store or MemoryStore(), tasks)
        yield phone
        phone.published.set()


def spacings(moments: list[int]) -> list[int]:
    """What lies between them."""
    return [after - before for before, after in pairwise(moments)]
