"""The port Overview: everything at a glance, of every store the same."""

from dataclasses import replace

from whatsapp_backend.domain.coverage import Asking, Coverage, Gap, GapState, Held, LedgerChange, Point, Reason
from whatsapp_backend.domain.mirror import Debt, Progress
from whatsapp_backend.domain.overview import Activity, Tally

ANA, BEN = "account_test_0a", "account_test_0b"


def gap(number, *, account=ANA, thread="threads/t1", **more):
    known = {"start_ms": 50_000, "end_ms": 90_000, "below": Point(40_000, "M4"), "above": Point(90_000, "M9")}
    fields = {**known, "reason": Reason.DISCONNECTED, "opened_at_ms": 95_000 + number, **more}
    return Gap(account=account, thread=thread, number=number, **fields)


def coverage(thread, *gaps, account=ANA):
    return Coverage(account=account, thread=thread, jid="15550001111@s.whatsapp.net", gaps=gaps)


def debt(path, **more):
    return Debt(path=path, account=ANA, reason="undecryptable", key=b"{}", opened_at_ms=1, **more)


async def keep(store, *coverages, **more):
    await store.record(LedgerChange(coverages=coverages, **more))


async def test_of_an_account_that_nothing_is_known_of_there_is_no_tally_and_no_thread(store):
    assert await store.tallies() == {}
    assert await store.active_threads(ANA, limit=9) == []


async def test_what_is_missing_is_counted_by_account_and_state_and_deep_history_apart(store):
    closed = gap(5, state=GapState.CLOSED, closed_at_ms=99_000, closed_by="overlap")
    mine = (gap(1, state=GapState.UNREACHABLE), gap(2), gap(3, state=GapState.FILLING), gap(4, below=None), closed)
    await keep(
        store,
        coverage("threads/t1", *mine),
        coverage("threads/t2", gap(6, thread="threads/t2")),
        coverage("threads/t3", gap(1, account=BEN, thread="threads/t3"), account=BEN),
        askings=(Asking(account=ANA, unanswered=10, paused_until_ms=7),),
    )
    await store.advance(Progress(consumer="documents", debts=(debt("d1"), debt("d2"))))
    await store.advance(Progress(consumer="documents", paid=(("d2", "came", 5),)))
    assert await store.tallies() == {
        ANA: Tally(
            holes={GapState.OPEN: 2, GapState.FILLING: 1, GapState.UNREACHABLE: 1},
            deep=1,
            oldest_hole_at_ms=95_002,
            debts=1,
            paused_until_ms=7,
        ),
        BEN: Tally(holes={GapState.OPEN: 1}, oldest_hole_at_ms=95_001),
    }


async def test_threads_come_with_the_newest_messages_first_page_by_page(store):
    names = [f"threads/t{number}" for number in range(5)]
    at_ms = {"threads/t0": 10, "threads/t1": 30, "threads/t2": 20, "threads/t3": 20}
    held = tuple(Held(thread=thread, at=Point(ms, "M")) for thread, ms in at_ms.items())
    older = replace(held[1], at=Point(5, "M0"))
    await keep(store, *(coverage(name) for name in names), coverage("threads/b", account=BEN), held=(*held, older))
    whole = [
        Activity(30, "threads/t1"),
        Activity(20, "threads/t3"),
        Activity(20, "threads/t2"),
        Activity(10, "threads/t0"),
        Activity(0, "threads/t4"),
    ]
    assert await store.active_threads(ANA, limit=9) == whole
    first = await store.active_threads(ANA, limit=2)
    assert first == whole[:2]
    assert await store.active_threads(ANA, limit=9, below=first[-1]) == whole[2:]
    assert await store.active_threads(ANA, limit=9, below=whole[-1]) == []
