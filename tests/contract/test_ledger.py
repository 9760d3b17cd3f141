"""The port Ledger: what every store keeps of coverage, the fake as the real one."""

from dataclasses import replace

import pytest

from whatsapp_backend.domain.coverage import (
    BEGINNING,
    Around,
    Asked,
    Asking,
    Chunk,
    Coverage,
    Doubt,
    Due,
    Ending,
    Epoch,
    Gap,
    GapState,
    Held,
    Interval,
    LedgerChange,
    Point,
    Proof,
    Reason,
)
from whatsapp_backend.domain.mirror import Moved, Progress
from whatsapp_backend.errors import StoreRefused, StoreUnwell

ANA, BEN = "account_test_0a", "account_test_0b"
THREAD, OTHER = "threads/t1", "threads/t2"
JID, LID = "15550001111@s.whatsapp.net", "88000000001111@lid"


def gap(number=1, *, thread=THREAD, account=ANA, above=90_000, **more):
    known = {"start_ms": 50_000, "end_ms": 90_000, "below": Point(40_000, "M4"), "above": Point(above, "M9")}
    fields = {**known, "reason": Reason.DISCONNECTED, "opened_at_ms": 95_000, **more}
    return Gap(account=account, thread=thread, number=number, **fields)


def coverage(thread=THREAD, *, account=ANA, jid=JID, **more):
    return Coverage(account=account, thread=thread, jid=jid, **more)


def held(ms, message_id="M", *, thread=THREAD, **more):
    return Held(thread=thread, at=Point(ms, message_id), **more)


def whole_coverage():
    return coverage(
        intervals=(
            Interval(Point(9_000, "M9"), Point(12_000), Proof.OVERLAP),
            Interval(BEGINNING, Point(7_000, "M7"), Proof.PHONE_COMPLETE),
        ),
        doubts=(Doubt(1_000, 2_000, Reason.WITHDRAWN),),
        owed=(Point(3_000, "D1"),),
        withdrawn=1,
        gaps_ever=2,
        gaps=(
            gap(),
            gap(2, below=None, cursor=Point(5, "c"), tried=1, rounds=2, next_at_ms=7, state=GapState.FILLING),
        ),
    )


async def keep(store, **change):
    await store.record(LedgerChange(**change))


async def test_an_account_that_nothing_is_known_of_has_an_empty_ledger(store):
    ledger = await store.account_ledger(ANA)
    assert (ledger.epochs, ledger.chunks, dict(ledger.gaps)) == ((), (), {})
    assert ledger.asking == Asking(account=ANA)
    assert await store.coverages([THREAD]) == {}
    assert await store.open_gaps(ANA, limit=9) == []
    assert await store.around(THREAD, [(0, 1)]) == [Around()]
    assert await store.anchors(THREAD, Point(1, "M")) == []


async def test_epochs_come_back_in_order_and_are_replaced_by_number(store):
    first = Epoch(account=ANA, number=1, opened_at_ms=1, heard_at_ms=2)
    whole = Epoch(
        account=ANA,
        number=2,
        opened_at_ms=5,
        heard_at_ms=9,
        caught_up_at_ms=6,
        announced=3,
        received=3,
        closed_at_ms=10,
        ending=Ending.DEAF,
    )
    await keep(store, epochs=(whole, first, replace(first, account=BEN)))
    await keep(store, epochs=(replace(first, heard_at_ms=4),))
    assert (await store.account_ledger(ANA)).epochs == (replace(first, heard_at_ms=4), whole)
    await keep(store, epochs=(replace(whole, heard_at_ms=8),), folded=(first,))
    assert (await store.account_ledger(ANA)).epochs == (replace(whole, heard_at_ms=8),)
    assert len((await store.account_ledger(BEN)).epochs) == 1


async def test_how_a_phone_answers_and_which_chunks_came_is_remembered(store):
    asking = Asking(account=ANA, unanswered=9, asked_at_ms=1, paused_until_ms=2)
    chunks = (
        Chunk(account=ANA, sync_type=2, order=1, progress=40),
        Chunk(account=ANA, sync_type=2, order=3, failed=True),
    )
    await keep(store, askings=(replace(asking, unanswered=1),), chunks=chunks[::-1])
    await keep(store, askings=(asking,), chunks=chunks[:1])
    ledger = await store.account_ledger(ANA)
    assert (ledger.asking, ledger.chunks) == (asking, chunks)
    assert (await store.account_ledger(BEN)).chunks == ()


async def test_a_request_is_remembered_with_its_gap_until_it_is_answered(store):
    whole = gap(2, cursor=Point(5, "c"), tried=1, state=GapState.FILLING)
    first = Asked(account=ANA, id="R1", gap=whole, anchor=Point(90_000, "M9"), count=50, asked_at_ms=8)
    second = replace(first, id="R2", gap=gap(below=None), asked_at_ms=7)
    await keep(store, coverages=(coverage(),), asked=(first, second))
    await keep(store, asked=(replace(first, older=3),))
    assert (await store.account_ledger(ANA)).asked == (second, replace(first, older=3))
    assert (await store.account_ledger(BEN)).asked == ()
    await keep(store, answered=(second,))
    assert [one.id for one in (await store.account_ledger(ANA)).asked] == ["R1"]


async def test_a_request_of_a_thread_that_is_another_now_is_not_shown(store):
    one = Asked(account=ANA, id="R1", gap=gap(), anchor=Point(9, "M9"), count=50, asked_at_ms=8)
    await keep(store, coverages=(coverage(), coverage(OTHER)), asked=(one,))
    await store.advance(Progress(consumer="documents", moved=(Moved(path=THREAD, to=OTHER),)))
    assert (await store.account_ledger(ANA)).asked == ()


async def test_a_request_of_a_thread_that_is_another_now_is_no_new_threads(store):
    """Whatever the store may use again of what it had of the old one."""
    one = Asked(account=ANA, id="R1", gap=gap(), anchor=Point(9, "M9"), count=50, asked_at_ms=8)
    await keep(store, coverages=(coverage(OTHER), coverage()), asked=(one,))
    await store.advance(Progress(consumer="documents", moved=(Moved(path=THREAD, to=OTHER),)))
    await keep(store, coverages=(coverage("threads/t3"), coverage()))
    assert (await store.account_ledger(ANA)).asked == ()


async def test_a_coverage_comes_back_as_it_was_given(store):
    await keep(store, coverages=(whole_coverage(), coverage(OTHER)))
    assert await store.coverages([THREAD, "threads/unknown"]) == {THREAD: whole_coverage()}


async def test_a_coverage_is_replaced_as_a_whole_and_its_gaps_by_number(store):
    await keep(store, coverages=(whole_coverage(),))
    closed = gap(state=GapState.CLOSED, closed_at_ms=99_000, closed_by="overlap")
    await keep(store, coverages=(coverage(gaps=(closed,)),))
    (known,) = (await store.coverages([THREAD])).values()
    assert (known.intervals, known.doubts, known.owed, known.withdrawn) == ((), (), (), 0)
    assert [one.number for one in known.gaps] == [2]
    counts = (await store.account_ledger(ANA)).gaps
    assert dict(counts) == {GapState.CLOSED: 1, GapState.FILLING: 1}


async def test_what_asking_did_to_a_gap_is_kept_unless_the_gap_changed_meanwhile(store):
    """The window that closes a gap, or moves it, may come first: then what was done is about another gap."""
    moved, closed = gap(2, above=95_000), gap(3, state=GapState.CLOSED, closed_at_ms=1)
    await keep(store, coverages=(replace(whole_coverage(), gaps=(gap(), moved, closed)),))
    done = {"tried": 1, "rounds": 2, "next_at_ms": 3, "state": GapState.FILLING, "reason": Reason.RESET}
    await keep(store, gaps=tuple(gap(number, **done) for number in (1, 2, 3, 4)))
    (known,) = (await store.coverages([THREAD])).values()
    assert known.gaps == (gap(**{**done, "reason": Reason.DISCONNECTED}), moved)
    assert known.intervals == whole_coverage().intervals
    assert (await store.account_ledger(ANA)).gaps[GapState.CLOSED] == 1


async def test_open_gaps_come_newest_first_within_their_bounds_and_time(store):
    gaps = (gap(1, above=10), gap(2, above=30, next_at_ms=500), gap(3, above=20))
    gone = gap(4, above=40, state=GapState.CLOSED, closed_at_ms=1)
    lost = gap(5, above=15, state=GapState.UNREACHABLE)
    owed, deep = gap(6, above=25, reason=Reason.DEBT), gap(7, above=50, below=None)
    await keep(
        store,
        coverages=(
            coverage(gaps=(*gaps, gone, lost, owed, deep)),
            coverage(OTHER, account=BEN, gaps=(gap(1, thread=OTHER, account=BEN),)),
        ),
    )

    async def numbers(**how):
        return [one.number for one in await store.open_gaps(ANA, **{"limit": 9, **how})]

    assert await numbers() == [2, 6, 3, 5, 1, 7]
    assert await numbers(limit=2) == [2, 6]
    assert await numbers(due=Due(now_ms=499)) == [3, 1, 7]
    assert await numbers(due=Due(now_ms=500), above=(15, 30)) == [2, 3]
    assert await numbers(due=Due(now_ms=499, oldest_ms=50)) == [3, 1], "deep enough is deep enough"


async def test_messages_are_found_around_a_stretch(store):
    rows = [held(second * 1000, f"M{second}") for second in (1, 2, 5, 6, 9, 10, 11, 12)]
    await keep(store, coverages=(coverage(),), held=tuple(rows[::-1]))
    everything, upper, empty = await store.around(THREAD, [(0, 99_000), (5_000, 9_000), (3_000, 4_000)])
    assert everything == Around(inside=tuple(rows))
    assert upper == Around(below=rows[1], inside=(rows[2], rows[3]), above=tuple(rows[4:7]))
    assert empty == Around(below=rows[1], above=tuple(rows[2:5]))


async def test_of_many_messages_in_a_stretch_the_nearest_to_its_ends_are_shown(store):
    rows = [held(number * 1000, f"M{number:03}") for number in range(130)]
    await keep(store, coverages=(coverage(),), held=tuple(rows))
    (found,) = await store.around(THREAD, [(0, 200_000)])
    assert found.inside == (*rows[:50], *rows[-50:])


async def test_a_message_is_kept_as_it_was_first_seen(store):
    row = held(1_000, from_me=True, chat=LID, epoch=3)
    await keep(store, coverages=(coverage(),), held=(row,))
    await keep(store, held=(held(1_000), held(2_000, thread="threads/unknown")))
    assert await store.anchors(THREAD, row.at) == [row]
    assert await store.anchors("threads/unknown", Point(2_000, "M")) == []


async def test_the_anchors_are_the_message_itself_and_those_of_later_seconds(store):
    """Others of its own second may be older than it is: ids do not tell."""
    rows = [held(1_000, "A"), held(1_000, "B"), held(2_000), held(3_000), held(4_000), held(5_000)]
    await keep(store, coverages=(coverage(),), held=tuple(rows))
    assert await store.anchors(THREAD, Point(1_000, "A")) == [rows[0], *rows[2:5]]
    assert await store.anchors(THREAD, Point(1_000, "Z")) == rows[2:5]


async def test_a_window_brings_its_part_of_the_ledger_with_the_cursor(store):
    change = LedgerChange(coverages=(whole_coverage(),), held=(held(1_000),))
    await store.advance(Progress(consumer="documents", cursor=7, ledger=change))
    assert await store.cursor("documents") == 7
    assert await store.coverages([THREAD]) == {THREAD: whole_coverage()}
    assert await store.anchors(THREAD, Point(1_000, "M")) == [held(1_000)]


async def test_a_thread_that_moves_takes_its_messages_along(store):
    """Under the JID they had: the phone is to be asked with that. What was proven is said anew by who moves it."""
    old, new = held(1_000, thread=THREAD), held(2_000, "N", thread=OTHER)
    await keep(store, coverages=(replace(whole_coverage(), jid=LID), coverage(OTHER)), held=(old, new))
    united = coverage(OTHER, withdrawn=1)
    await store.advance(
        Progress(
            consumer="documents",
            ledger=LedgerChange(coverages=(united,)),
            moved=(Moved(path=THREAD, to=OTHER), Moved(path=f"{THREAD}/messages/M", to=f"{OTHER}/messages/M")),
        )
    )
    assert await store.coverages([THREAD, OTHER]) == {OTHER: united}
    assert await store.open_gaps(ANA, limit=9) == []
    assert await store.anchors(OTHER, old.at) == [replace(old, thread=OTHER, chat=LID), new]


async def test_a_thread_that_moves_to_where_nothing_is_known_stays(store):
    await keep(store, coverages=(whole_coverage(),), held=(held(1_000),))
    await store.advance(Progress(consumer="documents", moved=(Moved(path=THREAD, to=OTHER),)))
    assert await store.coverages([THREAD, OTHER]) == {THREAD: whole_coverage()}
    assert await store.anchors(THREAD, Point(1_000, "M")) == [held(1_000)]


async def test_closed_gaps_are_forgotten_in_time_and_others_never(store):
    closed = [gap(n, state=GapState.CLOSED, closed_at_ms=n * 1_000, closed_by="overlap") for n in (1, 9)]
    await keep(store, coverages=(coverage(gaps=(*closed, gap(3), gap(4, state=GapState.UNREACHABLE))),))
    await store.prune(landed_before_ms=0, state_before_ms=5_000)
    counts = (await store.account_ledger(ANA)).gaps
    assert dict(counts) == {GapState.CLOSED: 1, GapState.OPEN: 1, GapState.UNREACHABLE: 1}


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_window_whose_ledger_cannot_be_kept_moves_no_cursor(store):
    """All of it or nothing."""
    change = LedgerChange(coverages=(coverage(),), held=(held(1_000, "\ud800"),))
    with pytest.raises(StoreRefused):
        await store.advance(Progress(consumer="documents", cursor=7, ledger=change))
    assert await store.cursor("documents") == 0
    assert await store.coverages([THREAD]) == {}


@pytest.mark.parametrize("store", ["memory"], indirect=True)
async def test_an_unwell_store_keeps_nothing(store):
    store.unwell = "the disk is full"
    with pytest.raises(StoreUnwell):
        await keep(store, coverages=(coverage(),))
    store.unwell = None
    assert await store.coverages([THREAD]) == {}
