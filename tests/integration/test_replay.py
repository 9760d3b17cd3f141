"""Replay over a real store and a real Firestore: what a projection refused lands once the projection is mended."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from world import ACCOUNT, ANA, World, payload, publishing

from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.queries import FirestoreQueries
from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.rules import interpret


class Both(FirestoreDocuments, FirestoreQueries):
    """Documents and queries, as the world takes them."""

    def __init__(self, client):
        FirestoreDocuments.__init__(self, client)
        FirestoreQueries.__init__(self, client)


@pytest.fixture
async def life(tmp_path, firestore):
    """A life of the daemon's publisher; the next one goes on over the same file and the same Firestore."""

    @asynccontextmanager
    async def life(**more):
        async with SqliteStore.opened(tmp_path / "state") as store:
            world = World(store, Both(firestore), **more)
            yield world

    return life


@pytest.fixture
def refusing(monkeypatch):
    """A projection that cannot read these kinds of entries; undone, it is mended."""

    def refuse(*kinds):
        def reader(_entry, _payload):
            raise ValueError("this projection does not know it")

        for kind in kinds:
            monkeypatch.setitem(interpret._READERS, kind, reader)
        return monkeypatch.undo

    return refuse


async def bodies(firestore):
    messages = firestore.collection("threads").document(f"{ACCOUNT}__{ANA}").collection("messages")
    return {one.id: one.get("body") async for one in messages.stream()}


async def replayed(world, **more):
    async with publishing(world.publisher):
        found = await world.publisher.replay(**more)
        await world.publisher.drained()
        return found


async def test_what_was_refused_lands_when_the_projection_is_mended(life, firestore, refusing):
    async with life() as world:
        mend = refusing("message")
        await world.journal(payload("M1"))
        await world.journal(payload("M2", text="two"))
        await world.publish()
        assert await bodies(firestore) == {}
        assert all("does not know it" in one.reason for one in await world.store.parked())
        again = await replayed(world)
        assert (again.landed, again.parked, again.next) == (0, 2, None)
    mend()
    async with life() as world:
        again = await replayed(world, seq=2)
        assert (again.landed, again.parked) == (1, 0)
        assert await bodies(firestore) == {"M2": "two"}
        again = await replayed(world, account="account_test_other")
        assert (again.landed, again.parked) == (0, 0)
        again = await replayed(world, account=ACCOUNT)
        assert (again.landed, again.parked, again.next) == (1, 0, None)
        assert await bodies(firestore) == {"M1": "hi", "M2": "two"}
        assert await world.store.parked() == []
        thread = await firestore.collection("threads").document(f"{ACCOUNT}__{ANA}").get()
        assert thread.get("unreadCount") == 2


async def test_of_a_piece_of_history_the_part_that_was_refused_lands_and_the_rest_stays(life, firestore, monkeypatch):
    told = interpret._told

    def picky(entry, order, origin, row, **more):
        if row["key"]["id"] == "H2":
            raise ValueError("this projection does not know H2")
        yield from told(entry, order, origin, row, **more)

    monkeypatch.setattr(interpret, "_told", picky)
    rows = [payload(f"H{number}", text=f"text {number}") for number in range(4)]
    async with life() as world:
        content = {"notice": "n1", "syncType": 3, "messages": rows, "chats": [], "contacts": [], "mappings": []}
        await world.journal(content, kind="history", origin="history")
        await world.publish()
        assert (await bodies(firestore)).keys() == {"H0", "H1", "H3"}
        (parked,) = await world.store.parked()
        assert parked.part == 2
        monkeypatch.undo()
        before = {
            one.id: one.update_time.ToNanoseconds() async for one in firestore.collection_group("messages").stream()
        }
        again = await replayed(world)
        assert (again.landed, again.parked) == (1, 0)
        assert (await bodies(firestore))["H2"] == "text 2"
        after = {
            one.id: one.update_time.ToNanoseconds() async for one in firestore.collection_group("messages").stream()
        }
        assert before == {name: when for name, when in after.items() if name != "H2"}


async def test_a_death_between_landing_and_remembering_leaves_it_to_be_tried_again(life, firestore, refusing):
    """Firestore has the message, the store does not know it yet: as after kill -9."""
    async with life() as world:
        mend = refusing("message")
        await world.journal(payload("M1"))
        await world.publish()
        mend()
        advance, died = world.store.advance, asyncio.Event()

        async def dies(progress):
            if progress.unparked:
                died.set()
                await asyncio.Event().wait()
            await advance(progress)

        world.store.advance = dies
        async with publishing(world.publisher):
            waiting = asyncio.ensure_future(world.publisher.replay())
            await died.wait()
            waiting.cancel()
        assert await bodies(firestore) == {"M1": "hi"}
    async with life() as world:
        assert len(await world.store.parked()) == 1
        again = await replayed(world)
        assert (again.landed, again.parked) == (1, 0)
        assert await bodies(firestore) == {"M1": "hi"}
        assert await world.store.parked() == []
        assert (await replayed(world)).landed == 0


async def test_pages_follow_each_other_to_the_end(life, firestore, refusing):
    async with life() as world:
        mend = refusing("message")
        for number in range(130):
            await world.journal(payload(f"M{number}"))
        await world.publish()
        mend()
        first = await replayed(world)
        assert (first.landed, first.next) == (100, 100)
        rest = await replayed(world, after=first.next)
        assert (rest.landed, rest.next) == (30, None)
        assert len(await bodies(firestore)) == 130


async def test_history_that_a_dry_run_holds_back_is_not_landed_by_replay(life, firestore, refusing):
    content = {"notice": "n1", "syncType": 3, "messages": [payload("H1")], "chats": [], "contacts": [], "mappings": []}
    async with life() as world:
        mend = refusing("history")
        await world.journal(content, kind="history", origin="history")
        await world.publish()
        mend()
    async with life(dry_run=True) as world:
        again = await replayed(world)
        assert (again.landed, again.parked) == (0, 1)
        assert await bodies(firestore) == {}
    async with life() as world:
        assert (await replayed(world)).landed == 1
        assert await bodies(firestore) == {"H1": "hi"}
