"""The store is watched without ever waiting for it for long, and what it said last is still known."""

import asyncio

import pytest

from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.lookout import StoreWatch, _numbers, _resident, _waiting
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_store import MemoryStore


class Store(MemoryStore):
    """Hangs, or fails, as it is told. `asked` and `counted` are how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.counting = asyncio.Event()
        self.counting.set()
        self.trouble: Exception | None = None
        self.asked = self.counted = 0

    async def stats(self):
        self.asked += 1
        await self.goes_on.wait()
        if self.trouble:
            raise self.trouble
        return await super().stats()

    async def counts(self):
        self.counted += 1
        await self.counting.wait()
        return await super().counts()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def watch(store, clock) -> StoreWatch:
    return StoreWatch(store, clock)


async def receive(store, source):
    new = NewEntry(kind="message", source=source, origin="live", received_at_ms=7, payload=b"{}")
    await store.commit(Commit(account="account_test_0a", id="c", entries=(new,)))


async def test_what_the_store_says_is_known(store, watch):
    await receive(store, "a")
    assert await watch.answers()
    assert (watch.known.lags["documents"].entries, watch.known.stats.journal_end) == (1, 1)


async def test_a_store_that_hangs_is_asked_once_and_the_last_it_said_is_known(store, watch):
    await receive(store, "a")
    assert await watch.answers()
    store.goes_on.clear()
    await receive(store, "b")
    async with asyncio.timeout(1.8):
        assert [await watch.answers() for _ in range(3)] == [False, False, False]
    assert "does not answer" in watch.trouble
    assert watch.known.stats.journal_end == 1
    assert store.asked == 2
    store.goes_on.set()
    await watch.answers()
    assert await watch.answers()
    assert watch.known.stats.journal_end == 2


@pytest.mark.parametrize("error", [StoreUnwell("the disk is full"), OSError("the disk is full")])
async def test_a_store_that_is_unwell_says_why(store, watch, error):
    store.trouble = error
    assert not await watch.answers()
    assert watch.trouble == "the disk is full"
    assert watch.known is None


async def test_gaps_are_not_counted_with_every_scrape(store, watch, clock):
    for _ in range(3):
        await asyncio.gather(watch.count(), watch.answers())
    assert (store.asked, store.counted) == (3, 1)
    await clock.advance(16)
    await watch.count()
    assert store.counted == 2


async def test_who_only_asks_how_the_store_is_does_not_have_it_counted(store, watch):
    assert await watch.answers()
    assert (store.asked, store.counted) == (1, 0)


async def test_a_count_that_takes_long_is_no_trouble_and_is_not_begun_again_beside_itself(store, watch):
    store.counting.clear()
    async with asyncio.timeout(1.8):
        for _ in range(3):
            _, answers = await asyncio.gather(watch.count(), watch.answers())
            assert answers
    assert (store.counted, watch.counted) == (1, None)
    store.counting.set()
    await watch.count()
    assert await watch.answers()
    assert watch.counted is not None


@pytest.mark.parametrize("said", [None, 5, "x", [], {"a": None}, {"a": {"count": "x"}}, {"a": {"since": 4}}])
def test_a_bridge_that_says_something_else_is_not_believed(said):
    assert _numbers(said) == {}
    assert _waiting(said) == {}
    assert set(_resident(said)) <= {"daemon", "bridge"}
