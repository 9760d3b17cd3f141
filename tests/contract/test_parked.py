"""What is parked, in the port Consumers: what every store does, the fake as the real one."""

import pytest

from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.domain.mirror import Progress

ANA, BEN = "account_test_0a", "account_test_0b"
MANY = 1_000_000


async def park(store, *parked, consumer="documents", **more):
    await store.advance(Progress(consumer=consumer, parked=tuple(parked), **more))


@pytest.fixture
async def parked(store):
    """Two consumers, two accounts, an entry of which two parts are parked."""
    await park(store, (7, 1, ANA, "b"), (7, 0, ANA, "a"), (3, 0, BEN, "c"), (9, 0, ANA, "d"))
    await park(store, (7, 0, ANA, "e"), consumer="history")
    return store


async def places(store, **more):
    return [one.place for one in await store.parked(**more)]


async def test_what_is_parked_is_listed_in_order_page_by_page_and_by_account(parked):
    all_of_it = [(3, "documents", 0), (7, "documents", 0), (7, "documents", 1), (7, "history", 0), (9, "documents", 0)]
    assert await places(parked) == all_of_it
    assert await places(parked, limit=2) == all_of_it[:2]
    for at, place in enumerate(all_of_it):
        assert await places(parked, after=place) == all_of_it[at + 1 :]
    assert await places(parked, account=BEN) == all_of_it[:1]
    assert await places(parked, account=ANA, after=all_of_it[1], limit=1) == all_of_it[2:3]
    assert await places(parked, account="account_test_0c") == []


async def test_parts_are_counted_by_entry(parked):
    assert await parked.parked_entries("documents", account=None, after=0, limit=9) == {3: 1, 7: 2, 9: 1}
    assert await parked.parked_entries("documents", account=ANA, after=0, limit=9) == {7: 2, 9: 1}
    assert await parked.parked_entries("documents", account=None, after=3, limit=1) == {7: 2}
    assert await parked.parked_entries("history", account=None, after=0, limit=9) == {7: 1}
    assert await parked.parked_entries("documents", account=None, after=9, limit=9) == {}


async def test_what_is_unparked_is_gone_but_for_what_is_parked_with_it(parked):
    await park(parked, (7, 1, ANA, "still"), unparked=(7, 9, 11))
    assert [(one.seq, one.consumer, one.part, one.reason) for one in await parked.parked()] == [
        (3, "documents", 0, "c"),
        (7, "documents", 1, "still"),
        (7, "history", 0, "e"),
    ]


async def test_an_entry_that_is_unparked_may_be_pruned(store):
    entry = NewEntry(kind="message", source="a", origin="live", received_at_ms=1000, payload=b"{}")
    await store.commit(Commit(account=ANA, id="c", entries=(entry,)))
    await park(store, (1, 0, ANA, "odd"), cursor=1)
    assert await store.prune(landed_before_ms=MANY, state_before_ms=0) == (0, 0)
    await park(store, unparked=(1,))
    assert await store.prune(landed_before_ms=MANY, state_before_ms=0) == (1, 0)
