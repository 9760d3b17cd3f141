"""Intervals are a set algebra: how claims are grouped, ordered or repeated does not matter."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from whatsapp_backend.domain.coverage import BEGINNING, ENDLESS, Ending, Epoch, Interval, Point, Proof
from whatsapp_backend.rules.coverage.epochs import QUEUED_FOR_S, claims_of, folded
from whatsapp_backend.rules.coverage.intervals import (
    both,
    bottom,
    by_proof,
    cover_of,
    intervals_of,
    joined,
    normal,
    unknown,
    without,
)

SECONDS = 12
points = st.builds(Point, st.integers(0, SECONDS - 1).map(lambda s: s * 1000), st.sampled_from(["", "a", "b", "c"]))
spans = st.tuples(points, points)
covers = st.lists(spans, max_size=6).map(cover_of)
intervals = st.lists(st.builds(Interval, points, points, st.sampled_from(Proof)), max_size=6)


@given(covers, covers, covers)
def test_joining_is_associative_commutative_and_idempotent(one, two, three):
    assert joined(one, joined(two, three)) == joined(joined(one, two), three)
    assert joined(one, two) == joined(two, one)
    assert joined(one, one) == one
    assert joined(one, cover_of([])) == one


@given(st.lists(spans, max_size=6), st.randoms(use_true_random=False))
def test_the_order_in_which_claims_come_does_not_matter(claims, rng):
    """One at a time, in any order, some of them twice, or all at once."""
    total = cover_of(claims)
    shuffled = [*claims, *claims[:2]]
    rng.shuffle(shuffled)
    cover = cover_of([])
    for one in shuffled:
        cover = joined(cover, cover_of([one]))
    assert cover == total


@given(covers, covers)
def test_joining_forgets_nothing(one, two):
    total = joined(one, two)
    for second in range(SECONDS):
        at = Point(second * 1000, "a")
        assert total.claims(at) >= (one.claims(at) or two.claims(at))
        for link in one.links | two.links:
            assert link in total.links or total.claims(Point(link[0] * 1000))


@given(intervals)
def test_the_normal_form_claims_the_same_and_is_its_own(some):
    assert normal(normal(some)) == normal(some)
    assert by_proof(normal(some)) == {p: c for p, c in by_proof(some).items() if c.whole or c.links}


@given(covers)
def test_what_is_unknown_and_what_is_whole_are_all_of_time_and_never_both(cover):
    parts = sorted([*cover.whole, *((one.first, one.last) for one in unknown(cover))])
    assert (parts[0][0], parts[-1][1]) == (BEGINNING.second, ENDLESS.second)
    assert all(before[1] == after[0] for before, after in pairwise(parts))


@given(covers, st.integers(0, SECONDS), st.integers(0, SECONDS))
def test_taking_away_leaves_the_rest(cover, first, last):
    left = without(cover, first, last)
    for second in range(SECONDS):
        at = Point(second * 1000, "a")
        assert left.claims(at) == (cover.claims(at) and not first <= second < last)


@given(covers, covers)
def test_both_is_what_each_claims(one, two):
    for second in range(SECONDS):
        at = Point(second * 1000)
        assert both(one, two).claims(at) == (one.claims(at) and two.claims(at))


@given(covers, points)
def test_the_bottom_of_a_run_is_its_own_bottom(cover, at):
    lowest = bottom(cover, at)
    assert lowest.second <= at.second
    if lowest.id and not any(b == lowest.id for s, _, b in cover.links if s == lowest.second):
        assert bottom(cover, lowest) == lowest


@st.composite
def connections(draw):
    """Of one account, some long, some short, some that never caught up or lost something, some after a long absence."""
    rows, now_s = [], 1_000
    for number in range(1, draw(st.integers(0, 8)) + 1):
        opened_s = now_s + draw(st.sampled_from([1, 30, 600, QUEUED_FOR_S + 60]))
        caught_up_s = draw(st.sampled_from([None, opened_s, opened_s + 5]))
        now_s = opened_s + draw(st.sampled_from([6, 25, 400, 4_000]))
        rows.append(
            Epoch(
                account="account_test_0a",
                number=number,
                opened_at_ms=opened_s * 1000,
                caught_up_at_ms=None if caught_up_s is None else caught_up_s * 1000,
                heard_at_ms=now_s * 1000,
                closed_at_ms=now_s * 1000,
                ending=draw(st.sampled_from(Ending)),
                announced=draw(st.sampled_from([None, 0, 0, 0, 2])),
                received=1,
            )
        )
    return tuple(rows)


@given(connections())
def test_folded_connections_claim_the_same_in_fewer_rows(rows):
    """The last one is not touched, nor are the last two that caught up: messages of theirs speak for their margins."""
    fewer = folded(rows, 1 << 60)
    assert claims_of(fewer).cover == claims_of(rows).cover
    assert {row.number for row in fewer} <= {row.number for row in rows}
    assert fewer[-1:] == rows[-1:]
    caught_up, left = ([row for row in some if row.caught_up_at_ms is not None] for some in (rows, fewer))
    assert left[-2:] == caught_up[-2:]
    assert folded(rows, 0) == rows


def test_a_year_of_connections_folds_to_a_few_rows():
    rows = tuple(
        Epoch(
            account="account_test_0a",
            number=hour + 1,
            opened_at_ms=hour * 3600_000,
            caught_up_at_ms=hour * 3600_000 + 1_000,
            heard_at_ms=(hour + 1) * 3600_000 - 30_000,
            ending=Ending.CLOSED,
            announced=0,
        )
        for hour in range(24 * 365)
    )
    assert len(folded(rows, 1 << 60)) <= 4


@given(covers)
def test_a_cover_written_as_intervals_reads_the_same(cover):
    assert cover_of((one.start, one.end) for one in intervals_of(cover, Proof.LIVE)) == cover


def test_two_pieces_meet_within_a_second_only_at_the_same_message():
    """By id, never by the second alone."""
    lower = (Point(1000), Point(5000, "L"))
    assert cover_of([lower, (Point(5000, "L"), Point(9000))]).whole == ((1, 9),)
    assert cover_of([lower, (Point(5000, "M"), Point(9000))]).whole == ((1, 5), (6, 9))
    assert cover_of([lower, (Point(5000, "M"), Point(9000)), (Point(5000, "L"), Point(5000, "M"))]).whole == ((1, 9),)
