"""The ports HeldHistory and Repairs: what every store does, the fake as the real one."""

from dataclasses import replace

import pytest

from whatsapp_backend.domain.holding import Foreseen, HistoryPlan, Touched
from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.domain.mirror import Progress
from whatsapp_backend.domain.repairs import Rotation
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.testing.memory_store import MemoryStore

ANA, BEN = "account_test_0a", "account_test_0b"
MANY = 1_000_000


async def put(store, *sources, account=ANA):
    entries = tuple(
        NewEntry(kind="history", source=source, origin="history", received_at_ms=1000, payload=b"x" * 100, raw=b"y")
        for source in sources
    )
    await store.commit(Commit(account=account, id="c", entries=entries))


async def keep(store, **fields):
    await store.advance(Progress(consumer="documents", **fields))


async def held(store, *, limit=MANY, max_bytes=MANY):
    return [entry.seq for entry in await store.held_back(limit=limit, max_bytes=max_bytes)]


def foreseen(seq, path, what=Touched.MESSAGE, *, known=False, written=True):
    return Foreseen(seq=seq, path=path, what=what, known=known, written=written)


async def test_what_is_held_back_is_given_in_order_as_it_came_until_it_is_released(store):
    await put(store, "a", "b", "c", "d")
    await keep(store, cursor=4, held_back=((3, ANA), (1, ANA), (4, BEN)))
    assert await held(store) == [1, 3, 4]
    assert await held(store, limit=2) == [1, 3]
    assert await held(store, max_bytes=202) == [1, 3]
    assert await held(store, max_bytes=1) == [1]
    (first,) = await store.held_back(limit=1, max_bytes=1)
    assert (first.account, first.new.source, first.new.payload, first.new.raw) == (ANA, "a", b"x" * 100, b"y")
    await keep(store, released=(1, 4))
    await keep(store, released=(1, 4))
    assert await held(store) == [3]


async def test_what_is_held_back_is_not_pruned_and_what_was_is(store):
    await put(store, "a", "b")
    await keep(store, cursor=2, held_back=((1, ANA),))
    assert await store.prune(landed_before_ms=MANY, state_before_ms=0) == (1, 0)
    assert await held(store) == [1]
    await keep(store, released=(1,))
    assert await store.prune(landed_before_ms=MANY, state_before_ms=0) == (1, 0)


async def test_a_plan_counts_each_document_of_an_account_once(store):
    """Held back twice, or by two entries: it is known as it was at first, and written if either would write it."""
    await put(store, "a", "b", "c")
    one = foreseen(1, "threads/t/messages/1")
    thread = foreseen(1, "threads/t", Touched.THREAD, known=True, written=False)
    contact = foreseen(3, "contacts/c", Touched.CONTACT)
    first = {"held_back": ((1, ANA), (3, BEN)), "foreseen": (one, thread, contact)}
    await keep(store, **first)
    await keep(store, **first)
    again = (replace(one, seq=2, known=True, written=False), replace(thread, seq=2, written=True))
    await keep(store, held_back=((2, ANA),), foreseen=again)
    assert await store.history_plan(ANA) == HistoryPlan(
        entries=2, new={Touched.MESSAGE: 1}, known={Touched.THREAD: 1}, writes=2
    )
    assert await store.history_plan(BEN) == HistoryPlan(entries=1, new={Touched.CONTACT: 1}, writes=1)
    await keep(store, released=(1, 2))
    assert await store.history_plan(ANA) == HistoryPlan()
    assert (await store.history_plan(BEN)).entries == 1


async def test_a_rotation_is_at_its_beginning_until_it_is_kept(store):
    assert await store.rotation(ANA) == Rotation(account=ANA)
    await store.put_rotation(Rotation(account=ANA, after="t1", at_ms=5))
    await store.put_rotation(Rotation(account=ANA, after="t2", at_ms=7))
    assert await store.rotation(ANA) == Rotation(account=ANA, after="t2", at_ms=7)
    assert await store.rotation(BEN) == Rotation(account=BEN)


async def test_a_rotation_is_not_kept_while_the_disk_says_no():
    """The lane of the real one is tested elsewhere."""
    store = MemoryStore()
    store.unwell = "disk full"
    with pytest.raises(StoreUnwell):
        await store.put_rotation(Rotation(account=ANA, after="t1", at_ms=5))
