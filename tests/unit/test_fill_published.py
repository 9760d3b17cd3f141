"""Filling with the real publisher: what the phone sends goes through the journal, and the ledger follows."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import orjson
import pytest
from phone import ACCOUNT, ANA, LIMITS, Phone, a_phone, job, path
from world import Quick, publishing

from whatsapp_backend.domain.coverage import GapState
from whatsapp_backend.domain.jobs import Kind
from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.publish import Publisher
from whatsapp_backend.rules.coverage.ledger import NO_MORE
from whatsapp_backend.testing.memory_documents import MemoryDocuments
from whatsapp_backend.testing.memory_store import MemoryStore

RECENT = replace(LIMITS, thread=20, lookback_ms=6 * 3600_000)


class Archive(Phone):
    """The phone, behind a journal and a publisher."""

    def __init__(self, plain: Phone, documents: MemoryDocuments) -> None:
        super().__init__(plain.store, plain._tasks, plain.clock)
        self.documents = documents
        self.publisher = Publisher(
            journal=self.store,
            mirror=self.store,
            identities=self.store,
            consumers=self.store,
            ledger=self.store,
            held=self.store,
            lander=Lander(documents, Quick()),
            clock=Quick(),
            on_published=lambda _: None,
            on_answered=self.asker.on_answered,
            queries=documents,
            survey=False,
        )

    async def _settle(self, threads) -> None:
        await self.publisher.settle(threads)

    async def answer(self, args) -> None:
        """Send a page."""
        points = self.archives[args["chat"]]
        place = next(n for n, point in enumerate(points) if point.id == args["anchor"]["id"])
        page = points[max(0, place - args["count"]) : place]
        await self.send(page, origin="ondemand", session=args["id"], end=NO_MORE if place <= args["count"] else 0)

    async def send(self, page, *, origin="history", session=None, end=None) -> None:
        """A piece of history is journaled."""
        notice = f"enc:{session or page[0].id}"
        told = {"notice": notice, "syncType": 6 if session else 3} | ({"session": session} if session else {})
        record = told | {"messages": [row(point) for point in reversed(page)], "chats": []}
        chats = [{"id": ANA} | ({} if end is None else {"end": end})]
        over = told | {"records": 1, "messages": len(page), "result": "complete", "chats": chats}
        entries = (
            self.entry("history", f"{notice}#0:00", origin, record),
            self.entry("history-end", f"{notice}#end", origin, over),
        )
        await self.store.commit(Commit(account=ACCOUNT, id=notice, entries=entries))
        self.publisher.nudge()
        self.asker.on_journaled(ACCOUNT, entries)

    def entry(self, kind, source, origin, told) -> NewEntry:
        """Something that is journaled."""
        now_ms, payload = self.clock.wall_ms(), orjson.dumps(told)
        return NewEntry(kind=kind, source=source, origin=origin, received_at_ms=now_ms, payload=payload)

    @property
    def landed(self) -> set[str]:
        """The messages in Firestore."""
        return {name.rpartition("/")[2] for name in self.documents.documents if "/messages/" in name}


def row(point):
    """A message of the engine."""
    key = {"remoteJid": ANA, "fromMe": False, "id": point.id}
    return {"key": key, "messageTimestamp": point.second, "message": {"conversation": "hi"}}


@asynccontextmanager
async def a_life(store: MemoryStore, documents: MemoryDocuments):
    """The daemon, until it ends."""
    async with a_phone(store) as plain:
        archive = Archive(plain, documents)
        async with publishing(archive.publisher):
            while not archive.publisher.started:
                await asyncio.sleep(0)
            yield archive


async def test_what_was_missed_lands_and_the_gap_is_closed_with_its_proof():
    async with a_life(MemoryStore(), MemoryDocuments()) as phone:
        points = phone.archive(ANA, 42)
        await phone.send(points[30:35])
        await phone.send(points[38:42])
        await phone.publisher.settled()
        (gap, _) = await phone.gaps()
        assert (gap.below, gap.above) == (points[34], points[38])
        filled = await phone.fill(job(Kind.RECENT_SYNC), RECENT)
        assert phone.anchors == ["M39"]
        assert (filled.trouble, filled.results[0].status) == (None, "ok")
        assert (filled.work.fetched, filled.work.stored, filled.work.duplicates) == (20, 15, 5)
        assert filled.work.gaps_closed == 1
        assert {"M36", "M37", "M38"} < phone.landed
        closed = phone.store._gaps[path(ANA), gap.number]
        assert (closed.state, closed.closed_by) == (GapState.CLOSED, "overlap")


@pytest.mark.parametrize(
    ("kind", "source"),
    [(Kind.RECENT_SYNC, "recent_sync"), (Kind.BACKFILL, "backfill"), (Kind.RESYNC, "manual_sync")],
)
async def test_what_a_run_fetched_says_which_kind_of_run_and_what_was_here_stays_as_it_was(kind, source):
    async with a_life(MemoryStore(), MemoryDocuments()) as phone:
        points = phone.archive(ANA, 42)
        await phone.send(points[30:35])
        await phone.send(points[38:42])
        await phone.publisher.settled()
        await phone.fill(job(kind), RECENT)
        documents = phone.documents.documents
        (missed,) = [document.fields for name, document in documents.items() if name.endswith("/messages/M37")]
        (here,) = [document.fields for name, document in documents.items() if name.endswith("/messages/M35")]
        assert (missed["syncSource"], here["syncSource"]) == (source, "history_sync")


async def test_old_messages_are_dug_to_the_boundary_over_several_lives_without_asking_twice():
    store, documents, asked = MemoryStore(), MemoryDocuments(), []
    for _ in range(4):
        async with a_life(store, documents) as phone:
            points = phone.archive(ANA, 300)
            if not asked:
                await phone.send(points[290:])
                await phone.publisher.settled()
            filled = await phone.fill(limits=replace(LIMITS, page=50))
            assert filled.trouble is None
            asked += phone.anchors
    assert asked == ["M291", "M241", "M191", "M141", "M91", "M41"]
    assert phone.landed == {point.id for point in points}
    assert (await store.coverages([path(ANA)]))[path(ANA)].gaps == ()


async def test_an_answer_that_is_days_late_still_counts_in_another_life():
    store, documents = MemoryStore(), MemoryDocuments()
    async with a_life(store, documents) as phone:
        points = phone.archive(ANA, 42)
        await phone.send(points[30:35])
        await phone.send(points[38:42])
        await phone.publisher.settled()
        phone.off = True
        assert (await phone.fill(job(Kind.RECENT_SYNC), RECENT)).trouble == "phone_unreachable"
        late = phone.late[0]
    async with a_life(store, documents) as phone:
        phone.archives[ANA] = points
        await phone.answer(late)
        await phone.publisher.settled()
        assert [gap.start_ms for gap in await phone.gaps()] == [0]
        known = await store.account_ledger(ACCOUNT)
        assert [one.id for one in known.asked] != [late["id"]]
        assert known.asking.unanswered == 0
