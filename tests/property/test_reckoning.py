"""The publisher's ledger, driven by the same phone, server and random lives as the rules alone (test_coverage.py)."""

import asyncio
import random

import pytest
from fake_archive import ACCOUNT, CHAT, World
from test_coverage import CHANCES, live_and_finish
from world import Quick, publishing

from whatsapp_backend.domain.coverage import Answer, Asked, Coverage, LedgerChange, Outcome, Point
from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.publish import Publisher
from whatsapp_backend.rules import requests
from whatsapp_backend.rules.coverage.ledger import NO_MORE
from whatsapp_backend.rules.document_ids import thread_id, thread_path
from whatsapp_backend.testing.memory_documents import MemoryDocuments
from whatsapp_backend.testing.memory_store import MemoryStore

orjson = pytest.importorskip("orjson")

BUSY = (*CHANCES, *(("catch_up", 0),) * 4, *(("connect", 0),) * 3, *(("wait", 30),) * 5, *(("message", 1),) * 12)
"""More of what happens to a connection that lives."""
THREAD = thread_path(thread_id(ACCOUNT, CHAT))


class Clock(Quick):
    """Shows the world's time, as the daemon believes it to be."""

    def __init__(self, world: "Published") -> None:
        self._world = world

    def wall_ms(self) -> int:
        """Milliseconds."""
        return self._world.now_ms


class Published(World):
    """Everything that comes goes through the journal, and the ledger is what the publisher has made of it."""

    def __init__(self, rng: random.Random, loop: asyncio.AbstractEventLoop, **more: int) -> None:
        self.loop = loop
        self.store = MemoryStore()
        self.documents = MemoryDocuments()
        self.answers: list[Answer] = []
        self.sources = 0
        super().__init__(rng, **more)
        self.publisher = self.new_publisher()

    def new_publisher(self) -> Publisher:
        """As of another life of the daemon."""
        return Publisher(
            journal=self.store,
            mirror=self.store,
            identities=self.store,
            consumers=self.store,
            ledger=self.store,
            held=self.store,
            lander=Lander(self.documents, Clock(self)),
            clock=Clock(self),
            on_published=lambda _: None,
            on_answered=self.answers.append,
            queries=self.documents,
            survey=False,
        )

    def run(self, doing) -> None:
        """Do it while the publisher publishes, and wait until all of it is done."""

        async def all_of_it() -> None:
            async with publishing(self.publisher):
                gone = {epoch.number: epoch for epoch in (await self.store.account_ledger(ACCOUNT)).epochs}
                for epoch in self.epochs:
                    gone.pop(epoch.number, None)
                change = LedgerChange(epochs=tuple(self.epochs), folded=tuple(gone.values()))
                await self.store.record(change)
                await doing()
                while not self.publisher.started:
                    await asyncio.sleep(0)
                await self.publisher.settled()
            known = (await self.store.coverages([THREAD])).get(THREAD)
            self.coverage = known or Coverage(account=ACCOUNT, thread=THREAD, jid=CHAT)
            self.held = dict(self.store._held[THREAD])

        self.loop.run_until_complete(all_of_it())

    async def commit(self, content, *, kind: str, origin: str, source: str = "") -> None:
        """Commit one entry."""
        self.sources += 1
        new = NewEntry(
            kind=kind,
            source=source or f"enc:{self.sources}",
            origin=origin,
            received_at_ms=self.now_ms,
            payload=orjson.dumps(content),
        )
        await self.store.commit(Commit(account=ACCOUNT, id=str(self.sources), entries=(new,)))

    async def history(self, points: list[Point], *, origin: str, session: str | None = None, end: int | None = None):
        """A history of one or two records, newest first, and its end."""
        self.sources += 1
        notice = f"enc:notice-{self.sources}"
        told = {"notice": notice, "syncType": 6 if session else 3} | ({"session": session} if session else {})
        newest_first = points[::-1]
        cut = self.rng.randrange(len(points) + 1)
        for number, rows in enumerate(filter(None, [newest_first[:cut], newest_first[cut:]])):
            record = told | {
                "messages": [payload(point) for point in rows],
                "chats": [],
                "contacts": [],
                "mappings": [],
            }
            await self.commit(record, kind="history", origin=origin, source=f"{notice}#{number}:00")
        chats = [{"id": CHAT} | ({"end": end} if end is not None else {})]
        ended = told | {"records": 2, "messages": len(points), "result": "complete", "chats": chats}
        await self.commit(ended, kind="history-end", origin=origin, source=f"{notice}#end")

    # -- What the model does by the rules alone --------------------------------------------------------------------

    def _receive(self, points: list[Point], *, live: bool = False) -> None:
        async def come() -> None:
            for point in points:
                origin = "live" if live or self.rng.random() < 0.5 else "offline"
                await self.commit(payload(point), kind="message", origin=origin)

        self.run(come)

    def _settle(self) -> None:
        async def caught_up() -> None:
            before = [epoch for epoch in self.epochs[:-1] if epoch.caught_up_at_ms is not None]
            self.publisher.settle_since(ACCOUNT, before[-1].heard_at_ms - 60_000 if before else 0)

        if self.caught_up:
            self.run(caught_up)

    def chunk(self, start: float, count: int) -> None:
        """The phone sends a piece of what it has."""
        first = int(start * len(self.archive))
        self.run(lambda: self.history(self.archive[first : first + count], origin="history"))

    def _answer(self, request: requests.Request, *, silent: bool, end: bool) -> None:
        anchor, gap = request.anchor.at, request.gap
        self.requests.append(anchor)
        assert gap.below is None or anchor.second >= gap.below.second
        place = self.archive.index(anchor)
        word = NO_MORE if end and place <= request.count else None
        page = self.archive[max(0, place - request.count) : place]
        sent = f"R{len(self.requests)}"
        asked = Asked(account=ACCOUNT, id=sent, gap=gap, anchor=anchor, count=request.count, asked_at_ms=self.now_ms)

        async def ask() -> None:
            await self.store.record(LedgerChange(asked=(asked,)))
            if not silent:
                await self.history(page, origin="ondemand", session=sent, end=word)

        self.run(ask)
        if silent:
            left = next(one for one in self.coverage.gaps if one.number == gap.number)
            after = requests.gap_after(gap, left, Outcome.NO_ANSWER, self.now_ms)
            self.run(lambda: self.store.record(LedgerChange(gaps=(after,))))
        else:
            self.told(sent, requests.outcome_of(len(page), word), len(page))

    def told(self, request: str, outcome: Outcome, fetched: int) -> None:
        """What came of a request is told once."""
        (answer,) = [one for one in self.answers if one.request == request]
        assert (answer.outcome, answer.fetched) == (outcome, fetched)


class Killed(Exception):
    """The daemon is gone."""


class Dying(Published):
    """Its daemon is killed again and again, before what has landed is remembered, or after that."""

    def __init__(self, rng: random.Random, loop: asyncio.AbstractEventLoop, **more: int) -> None:
        super().__init__(rng, loop, **more)
        self.deaths = random.Random(rng.random())
        self.advance = self.store.advance
        self.store.advance = self.dying_advance  # type: ignore[method-assign]

    async def dying_advance(self, progress) -> None:
        """Remember it, or not."""
        chance = self.deaths.random()
        if chance < 0.15:
            raise Killed
        await self.advance(progress)
        if chance > 0.85:
            raise Killed

    def run(self, doing) -> None:
        """Do it once, in as many lives as it takes to publish it."""
        while True:
            try:
                return super().run(doing)
            except Killed:
                self.publisher = self.new_publisher()
                doing = nothing

    def told(self, request: str, outcome: Outcome, fetched: int) -> None:
        """Nobody who asked may be left."""


async def nothing() -> None:
    """Only publish what is there."""


def payload(point: Point):
    """A message of the engine."""
    return {
        "key": {"remoteJid": CHAT, "fromMe": False, "id": point.id},
        "messageTimestamp": point.second,
        "message": {"conversation": "hi"},
    }


@pytest.mark.parametrize("kind", [Published, Dying])
@pytest.mark.parametrize("seed", range(40))
def test_random_lives_through_the_publisher_end_with_every_hole_filled(seed, kind):
    """What the ledger claims is here, what is missing is a gap at every moment, and at the end nothing is missing."""
    rng = random.Random(seed)
    with asyncio.Runner() as runner:
        more = {"deep": rng.randrange(12), "skew_s": rng.randrange(-9, 10), "page": rng.randrange(1, 7)}
        world = kind(rng, runner.get_loop(), **more)
        live_and_finish(world, [rng.choice(BUSY if seed % 2 else CHANCES) for _ in range(rng.randrange(60))])
        landed = {path.rpartition("/")[2] for path in world.documents.documents if "/messages/" in path}
        assert landed == {point.id for point in world.archive}
