"""`lookout.Watched`: what operators see of every store, the fake as the real one."""

from whatsapp_backend.domain.coverage import Coverage, Gap, GapState, LedgerChange, Point, Reason
from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.domain.mirror import Debt, Progress
from whatsapp_backend.domain.watching import Counts, Lag, Pile

ANA, BEN = "account_test_0a", "account_test_0b"


async def receive(store, *times, account=ANA):
    """Journal an entry received at each of these times."""
    for at_ms in times:
        new = NewEntry(kind="message", source=f"enc:{at_ms}", origin="live", received_at_ms=at_ms, payload=b"{}")
        await store.commit(Commit(account=account, id="c", entries=(new,)))


def gap(number, *, account=ANA, reason=Reason.DEAF, opened_at_ms, **more):
    bounds = {"start_ms": 1_000, "end_ms": 2_000, "below": Point(500, "A"), "above": Point(2_500, "B")}
    thread = f"threads/{account}"
    return Gap(
        account=account, thread=thread, number=number, reason=reason, opened_at_ms=opened_at_ms, **bounds, **more
    )


def coverage(*gaps):
    (account,) = {one.account for one in gaps}
    return Coverage(account=account, thread=gaps[0].thread, jid="15550001111@s.whatsapp.net", gaps=gaps, gaps_ever=9)


def debt(number, *, account=ANA, opened_at_ms):
    path = f"threads/t/messages/{account}{number}"
    return Debt(path=path, account=account, reason="x", key=b"{}", opened_at_ms=opened_at_ms, asked=0, next_at_ms=1)


async def test_a_consumer_lags_by_what_it_has_not_passed_since_the_first_of_it_came(store):
    assert await store.lag("documents") == Lag(position=0, entries=0, oldest_at_ms=None)
    await receive(store, 5_000, 6_000, 7_000)
    assert await store.lag("documents") == Lag(position=0, entries=3, oldest_at_ms=5_000)
    await store.advance(Progress(consumer="documents", cursor=2))
    assert await store.lag("documents") == Lag(position=2, entries=1, oldest_at_ms=7_000)
    assert await store.lag("another") == Lag(position=0, entries=3, oldest_at_ms=5_000)
    await store.advance(Progress(consumer="documents", cursor=3))
    assert await store.lag("documents") == Lag(position=3, entries=0, oldest_at_ms=None)


async def test_pruned_entries_are_no_lag(store):
    await receive(store, 5_000, 6_000)
    await store.advance(Progress(consumer="documents", cursor=2))
    assert await store.prune(landed_before_ms=1 << 50, state_before_ms=0) == (2, 0)
    await receive(store, 7_000)
    assert await store.lag("documents") == Lag(position=2, entries=1, oldest_at_ms=7_000)


async def test_an_empty_store_counts_nothing(store):
    counts = await store.counts()
    assert counts == Counts(free_bytes=counts.free_bytes)


async def test_gaps_are_counted_by_account_reason_and_state_until_they_are_closed(store):
    own = (
        gap(1, opened_at_ms=9_000),
        gap(2, opened_at_ms=8_000),
        gap(3, opened_at_ms=7_000, state=GapState.UNREACHABLE),
        gap(4, opened_at_ms=1_000, state=GapState.CLOSED, closed_at_ms=2_000, closed_by="live"),
    )
    others = (gap(1, account=BEN, reason=Reason.BEFORE, opened_at_ms=6_000),)
    await store.record(LedgerChange(coverages=(coverage(*own), coverage(*others))))
    assert (await store.counts()).gaps == {
        (ANA, "deaf", "open"): Pile(count=2, oldest_at_ms=8_000),
        (ANA, "deaf", "unreachable"): Pile(count=1, oldest_at_ms=7_000),
        (BEN, "before", "open"): Pile(count=1, oldest_at_ms=6_000),
    }


async def test_debts_parked_and_held_back_are_counted_by_account(store):
    await receive(store, 1, 2, 3)
    debts = (debt(1, opened_at_ms=4_000), debt(2, opened_at_ms=3_000), debt(1, account=BEN, opened_at_ms=5_000))
    parked = ((1, 0, ANA, "too large"), (1, 1, ANA, "too large"), (2, 0, BEN, "unreadable"))
    await store.advance(
        Progress(consumer="documents", cursor=3, debts=debts, parked=parked, held_back=((3, ANA),), foreseen=())
    )
    await store.advance(Progress(consumer="documents", paid=((debts[2].path, "arrived", 9_000),)))
    counts = await store.counts()
    assert counts.debts == {ANA: Pile(count=2, oldest_at_ms=3_000)}
    assert counts.parked == {(ANA, "documents"): 2, (BEN, "documents"): 1}
    assert counts.held_back == {ANA: 1}
