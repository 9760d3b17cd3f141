"""Gaps of one thread: when one opens, what it says, how it changes, and what closes it."""

from dataclasses import replace

import pytest

from whatsapp_backend.domain.coverage import (
    Around,
    Chunk,
    Coverage,
    Doubt,
    Ending,
    Epoch,
    GapState,
    Held,
    Interval,
    Point,
    Proof,
    Reason,
)
from whatsapp_backend.rules.coverage import chunks, epochs, ledger, threads
from whatsapp_backend.rules.coverage.intervals import cover_of
from whatsapp_backend.rules.coverage.pages import chunk_spans, page_spans, to_the_beginning

ANA, THREAD, JID = "account_test_0a", "threads/t", "15550001111@s.whatsapp.net"
NOTHING = Coverage(account=ANA, thread=THREAD, jid=JID)


def at(second, message_id=None):
    return Point(second * 1000, f"M{second}" if message_id is None else message_id)


def moment(second):
    return at(second, "")


def live(number, first_s, last_s, *, lost=0):
    """An epoch that claims these seconds."""
    return Epoch(
        account=ANA,
        number=number,
        opened_at_ms=first_s * 1000,
        caught_up_at_ms=first_s * 1000 - epochs.MARGIN_MS,
        heard_at_ms=last_s * 1000 + epochs.MARGIN_MS,
        closed_at_ms=last_s * 1000 + epochs.MARGIN_MS,
        ending=Ending.CLOSED,
        announced=lost,
        received=0,
    )


def came(*seconds, epoch=None):
    return [Held(thread=THREAD, at=at(second), epoch=epoch) for second in seconds]


def claims(*rows):
    return epochs.claims_of(rows)


def settled(coverage, known, *held, now_ms=1):
    """The thread's account with these messages: (second, epoch)."""
    rows = [Held(thread=THREAD, at=at(second), epoch=epoch) for second, epoch in held]
    around = [_around(rows, one) for one in ledger.to_look_at(coverage, known)]
    return ledger.settled(coverage, known, around, now_ms)


def _around(rows, one):
    below = [row for row in rows if row.at.second < one.first]
    return Around(
        below=below[-1] if below else None,
        inside=tuple(row for row in rows if one.first <= row.at.second < one.last),
        above=tuple(row for row in rows if row.at.second >= one.last),
    )


def test_a_thread_begins_as_one_unknown_stretch_and_without_messages_it_is_no_gap():
    (one,) = ledger.to_look_at(NOTHING, claims())
    assert one.deep
    assert one.tail
    assert settled(NOTHING, claims()).gaps == ()


def test_the_first_message_makes_everything_before_it_deep_history():
    (gap,) = settled(NOTHING, claims(live(1, 100, 200)), (150, 1)).gaps
    assert (gap.below, gap.above, gap.reason, gap.state) == (None, at(150), Reason.BEFORE, GapState.OPEN)
    assert (gap.start_ms, gap.end_ms) == (0, 100_000)


def test_a_tail_is_quiet_until_a_message_comes_after_it():
    """And then its lower bound is the last message before it, whatever came early."""
    known = claims(live(1, 100, 200))
    before = settled(NOTHING, known, (150, 1))
    assert [gap.reason for gap in before.gaps] == [Reason.BEFORE]
    _, gap = settled(before, known, (150, 1), (300, None), (310, None)).gaps
    assert (gap.below, gap.above, gap.reason) == (at(150), at(310), Reason.DISCONNECTED)
    assert gap.start_ms == 200_000


def test_the_anchor_is_the_first_message_after_the_hole():
    """Not what came into the hole before catching up, once there is something after it."""
    rows = claims(live(1, 100, 200), live(2, 400, 500, lost=2))
    _, gap = settled(NOTHING, rows, (150, 1), (300, None), (450, 2), (460, 2)).gaps
    assert (gap.below, gap.above, gap.reason) == (at(150), at(450), Reason.MISMATCH)
    assert (gap.start_ms, gap.end_ms) == (200_000, 400_000)


def test_a_gap_closes_at_once_when_everything_that_waited_has_come():
    known = claims(live(1, 100, 200))
    before = settled(NOTHING, known, (150, 1), (300, None))
    known = claims(live(1, 100, 200), live(2, 400, 500))
    deep, gap = settled(before, known, (150, 1), (300, None), (450, 2), now_ms=7).gaps
    assert (gap.state, gap.closed_by, gap.closed_at_ms) == (GapState.CLOSED, "offline_complete", 7)
    assert deep.state is GapState.OPEN


def test_a_page_that_meets_the_message_below_closes_the_gap_by_overlap():
    known = claims(live(1, 100, 200), live(2, 400, 500, lost=2))
    messages = ((150, 1), (450, 2))
    before = settled(NOTHING, known, *messages)
    gap = before.gaps[1]
    page = [at(150), at(250), at(260)]
    after = ledger.answered(before, gap, page, at(450), None)
    after = settled(after, known, (150, 1), (250, None), (260, None), (450, 2))
    assert after.gaps[1].closed_by == "overlap"
    assert ledger.met(gap, page)
    assert not ledger.met(gap, page[1:])
    assert not ledger.met(gap, [at(150, "another")])


def test_a_page_that_does_not_get_so_far_leaves_the_rest_of_the_gap():
    known = claims(live(1, 100, 200), live(2, 400, 500, lost=2))
    before = settled(NOTHING, known, (150, 1), (450, 2))
    after = ledger.answered(before, before.gaps[1], [at(250), at(260)], at(450), None)
    _, gap = settled(after, known, (150, 1), (250, None), (260, None), (450, 2)).gaps
    assert (gap.number, gap.below, gap.above) == (2, at(150), at(250))


def test_the_phones_word_that_there_is_no_more_closes_deep_history():
    known = claims(live(1, 100, 200))
    before = settled(NOTHING, known, (150, 1))
    after = ledger.answered(before, before.gaps[0], [at(50)], at(150), ledger.NO_MORE)
    (gap,) = settled(after, known, (50, None), (150, 1)).gaps
    assert (gap.state, gap.closed_by) == (GapState.CLOSED, "phone_complete")


def test_a_debt_splits_what_it_lies_in_and_is_not_asked_for_as_a_gap():
    """Until it is paid."""
    known = claims(live(1, 100, 200))
    messages = ((120, 1), (150, 1), (160, 1))
    owing = settled(threads.owing(NOTHING, [at(150)]), known, *messages)
    deep, gap = owing.gaps
    assert (gap.reason, gap.start_ms, gap.end_ms) == (Reason.DEBT, 150_000, 151_000)
    assert (gap.below, gap.above) == (at(120), at(160))
    deep, gap = settled(threads.paid(owing, [at(150)]), known, *messages).gaps
    assert (deep.state, gap.state, gap.closed_by) == (GapState.OPEN, GapState.CLOSED, "live")


def test_a_message_where_nothing_should_be_missing_withdraws_that_proof_and_no_other():
    """Of the account's epochs only in this thread; of its own intervals the one it lies in."""
    known = claims(live(1, 100, 200), live(2, 400, 500, lost=1))
    own = tuple(Interval(moment(a), moment(b), Proof.HISTORY) for a, b in ((10, 20), (30, 40)))
    before = threads.proven(NOTHING, own)
    after = threads.surprised(before, known, came(15, 450, 60))
    assert after.withdrawn == 2
    assert after.intervals == own[1:]
    assert after.doubts == (Doubt(400_000, 500_000, Reason.WITHDRAWN),)
    assert threads.cover_of_thread(after, known).whole == ((30, 40), (100, 200))
    assert threads.surprised(after, known, came(451)) == after, "it is withdrawn once"
    gaps = settled(after, known, (150, 1), (450, None), (460, None)).gaps
    assert Reason.WITHDRAWN in {gap.reason for gap in gaps}


def test_a_message_that_comes_live_and_late_withdraws_nothing_of_its_own_connection():
    """Of another one it does."""
    known = claims(live(1, 100, 200), live(2, 400, 500))
    assert threads.surprised(NOTHING, known, came(420, epoch=2)) == NOTHING
    assert threads.surprised(NOTHING, known, came(150, epoch=2)).withdrawn == 1


def test_an_operator_can_reset_a_thread():
    """Everything until now is unknown, also what the connections claim; what comes later is claimed as ever."""
    known = claims(live(1, 100, 200), live(2, 190, 500))
    before = threads.proven(NOTHING, [Interval(moment(10), moment(90), Proof.HISTORY)])
    after = threads.reset(before, 300_000)
    assert threads.cover_of_thread(after, known).whole == ((300, 500),)
    (gap,) = settled(after, known, (150, 1), (350, 2)).gaps
    assert (gap.reason, gap.above) == (Reason.RESET, at(350))


@pytest.mark.parametrize("state", [GapState.OPEN, GapState.UNREACHABLE, GapState.NO_ACCESS])
def test_a_gap_of_a_thread_that_was_reset_says_so_whatever_it_was_before(state):
    """It becomes part of what is unknown because of that, and is asked for like it."""
    known = claims(live(1, 100, 200), live(2, 290, 500))
    before = settled(NOTHING, known, (150, 1), (350, 2))
    assert before.gaps[0].reason is Reason.BEFORE
    before = replace(before, gaps=tuple(replace(gap, state=state, rounds=4, next_at_ms=9) for gap in before.gaps))
    after = settled(threads.reset(before, 300_000), known, (150, 1), (350, 2))
    (gap,) = [one for one in after.gaps if one.state is not GapState.CLOSED]
    assert (gap.number, gap.reason, gap.state, gap.rounds, gap.next_at_ms) == (1, Reason.RESET, GapState.OPEN, 0, 0)


def test_a_gap_after_a_reset_keeps_its_reason_and_one_of_a_debt_is_a_debts_again():
    known = claims(live(1, 100, 200), live(2, 690, 900))
    before = threads.owing(settled(NOTHING, known, (150, 1), (850, 2)), [at(800)])
    before = settled(before, known, (150, 1), (800, None), (850, 2))
    after = settled(threads.reset(before, 300_000), known, (150, 1), (800, None), (850, 2))
    reasons = {gap.reason for gap in after.gaps if gap.state is not GapState.CLOSED}
    assert reasons == {Reason.RESET, Reason.DEBT}


def test_a_gap_that_was_given_up_has_another_chance_when_there_is_another_message_to_ask_with():
    known = claims(live(1, 100, 200))
    first = settled(NOTHING, known, (150, 1), (300, None))
    lost = replace(first, gaps=tuple(replace(gap, state=GapState.UNREACHABLE) for gap in first.gaps))
    assert settled(lost, known, (150, 1), (300, None)).gaps == lost.gaps
    deep, gap = settled(lost, known, (150, 1), (300, None), (310, None)).gaps
    assert (deep.state, gap.state) == (GapState.UNREACHABLE, GapState.OPEN)


def test_numbers_of_gaps_are_never_used_again():
    known = claims(live(1, 100, 200))
    first = settled(NOTHING, known, (150, 1), (300, None))
    assert [gap.number for gap in first.gaps] == [1, 2]
    closed = replace(first, gaps=first.gaps[:1])
    again = settled(closed, known, (150, 1), (300, None))
    assert [gap.number for gap in again.gaps] == [1, 3]


def test_two_threads_that_are_one_know_what_both_knew():
    """And a thread without any message has no say."""
    one = threads.proven(NOTHING, [Interval(moment(0), moment(50), Proof.HISTORY)])
    other = threads.proven(NOTHING, [Interval(moment(20), moment(90), Proof.OVERLAP)])
    both = threads.united(one, replace(other, owed=(at(3),)), into_empty=False, other_empty=False)
    assert both.intervals == (Interval(moment(20), moment(50), Proof.HISTORY),)
    assert both.owed == (at(3),)
    assert threads.united(one, other, into_empty=False, other_empty=True) == one
    assert threads.united(one, other, into_empty=True, other_empty=False).intervals == other.intervals


def test_what_is_shown_of_a_thread_is_its_newest_stretch_without_a_hole():
    known = claims(live(1, 100, 200), live(2, 400, 500, lost=1))
    assert threads.contiguous(threads.cover_of_thread(NOTHING, known)) == (400, 500)
    assert threads.contiguous(threads.cover_of_thread(NOTHING, claims())) is None


def test_links_within_a_second_are_dropped_once_the_second_is_whole_without_them():
    first = threads.proven(NOTHING, [Interval(moment(10), at(20), Proof.HISTORY)])
    assert len(first.intervals) == 2
    after = threads.proven(first, [Interval(moment(15), moment(30), Proof.OVERLAP)])
    assert after.intervals == (
        Interval(moment(10), moment(20), Proof.HISTORY),
        Interval(moment(15), moment(30), Proof.OVERLAP),
    )


def test_links_of_two_proofs_that_meet_are_kept():
    """Only together they make the second whole."""
    first = threads.proven(NOTHING, [Interval(moment(10), at(20), Proof.HISTORY)])
    after = threads.proven(first, [Interval(at(20), moment(30), Proof.OVERLAP)])
    assert threads.cover_of_thread(after, claims()).whole == ((10, 30),)


def test_a_page_proves_what_lies_between_any_two_of_its_messages():
    page = [at(5, "a"), at(5, "b"), at(6), at(9, "x")]
    cover = cover_of(page_spans(page, at(9, "z")))
    assert cover.whole == ((6, 9),)
    assert cover.links == {(5, "a", None), (5, "b", None), (9, "", "x"), (9, "", "z")}


@pytest.mark.parametrize("page", [[], [at(9, "z")], [at(11)]])
def test_a_page_without_anything_older_proves_nothing(page):
    assert page_spans(page, at(9, "z")) == ()


def test_a_chunk_proves_what_is_between_its_first_second_and_its_last():
    assert cover_of(chunk_spans([at(5), at(7), at(6)])).whole == ((6, 7),)
    assert chunk_spans([at(5, "a"), at(5, "b")]) == ()
    assert chunk_spans([]) == ()


def test_the_beginning_is_reached_when_the_phone_says_so():
    (one,) = to_the_beginning([at(5)])
    assert (one.start, one.end, one.proof) == (Point(0), at(5), Proof.PHONE_COMPLETE)
    assert to_the_beginning([]) == ()


def chunk(sync_type: int, order: int, progress: int | None = None, *, failed: bool = False) -> Chunk:
    """A piece of history as it was journaled."""
    return Chunk(account=ANA, sync_type=sync_type, order=order, progress=progress, failed=failed)


@pytest.mark.parametrize(
    "rows",
    [
        [chunk(0, 1, 12), chunk(3, 2, 40), chunk(3, 3, 99), chunk(2, 4, 100)],
        [chunk(0, 0), chunk(3, 0, 30), chunk(3, 1, 100), chunk(2, 0), chunk(2, 1), chunk(2, 2)],
        [chunk(0, 1), chunk(3, 1), chunk(3, 2), chunk(2, 1)],
        [chunk(3, 3, 40)],
        [],
    ],
)
def test_a_healthy_pairing_lacks_no_chunk_whichever_way_they_are_numbered(rows):
    """In one sequence or one for each type, from 0 or from 1; also while only some are here."""
    assert chunks.missing_chunks(rows) == {}


def test_what_failed_is_missing_and_what_no_chunk_of_any_type_is():
    rows = [chunk(0, 1), *(chunk(2, order) for order in (2, 3, 8)), chunk(2, 4, failed=True), chunk(3, 6, failed=True)]
    assert chunks.missing_chunks(rows) == {2: (4,), 3: (6,), None: (5, 7)}


def test_the_progress_is_what_the_phone_said_last_of_each_type():
    rows = [chunk(0, 1, 12), chunk(3, 2, 70), chunk(3, 3, 40), chunk(1, 4)]
    assert chunks.progress_of(rows) == {0: 12, 3: 70}
