"""Which gaps a run is to fill, what that takes, and how a thread is left."""

from dataclasses import replace

import pytest

from whatsapp_backend.domain.coverage import ENDLESS_MS, Gap, GapState, Point, Reason
from whatsapp_backend.domain.jobs import Bounds, Kind
from whatsapp_backend.rules import filling

NOW_MS = 1_000_000_000
GAP = Gap(
    account="account_test_0a",
    thread="threads/t",
    number=1,
    start_ms=NOW_MS - 60_000,
    end_ms=NOW_MS - 30_000,
    below=Point(NOW_MS - 60_000, "M5"),
    above=Point(NOW_MS - 30_000, "M9"),
    reason=Reason.DISCONNECTED,
    opened_at_ms=NOW_MS,
)
DEEP = replace(GAP, number=2, start_ms=0, below=None, reason=Reason.BEFORE)
NEW_CHAT = replace(GAP, number=3, below=None)


def scope(kind=Kind.BACKFILL, *, lookback_ms=None, oldest_ms=0, **bounds):
    """Of a run now."""
    return filling.scope_of(kind, Bounds(**bounds), lookback_ms=lookback_ms, oldest_ms=oldest_ms, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("of", "wanted"),
    [
        (scope(), {1, 2, 3}),
        (scope(Kind.RECENT_SYNC, lookback_ms=40_000), {1, 3}),
        (scope(Kind.RECENT_SYNC, lookback_ms=30_000), set()),
        (scope(oldest_ms=NOW_MS - 30_000), {1}),
        (scope(Kind.RESYNC, since_ms=NOW_MS - 40_000), {1, 2, 3}),
        (scope(Kind.RESYNC, since_ms=NOW_MS - 30_000), set()),
        (scope(Kind.RESYNC, until_ms=NOW_MS - 60_000), {2}),
        (scope(Kind.RESYNC, until_ms=NOW_MS - 59_999), {1, 2, 3}),
    ],
)
def test_a_run_fills_what_its_bounds_and_its_looking_back_allow(of, wanted):
    """A chat that began in an outage has no message below its gap, and is a recent one all the same."""
    assert {gap.number for gap in (GAP, DEEP, NEW_CHAT) if of.has(gap, NOW_MS)} == wanted


def test_a_run_between_two_moments_does_not_dig_below_the_first():
    assert scope(Kind.RESYNC, since_ms=5_000, oldest_ms=3_000).oldest_ms == 5_000
    assert scope(Kind.RESYNC, oldest_ms=3_000).oldest_ms == 3_000
    assert scope().until_ms == ENDLESS_MS


@pytest.mark.parametrize("state", [GapState.UNREACHABLE, GapState.NO_ACCESS])
def test_what_was_given_up_or_waits_is_as_new_when_it_is_renewed(state):
    for gap in (replace(GAP, state=state, rounds=4), replace(GAP, rounds=2, tried=1, next_at_ms=NOW_MS + 1)):
        assert not scope().has(gap, NOW_MS)
        assert filling.renewed(gap, NOW_MS) == GAP


def test_what_is_under_way_or_closed_is_not_renewed():
    for gap in (replace(GAP, state=GapState.FILLING, tried=1), replace(GAP, state=GapState.CLOSED)):
        assert filling.renewed(gap, NOW_MS) == gap


def test_a_run_takes_the_first_threads_with_all_their_gaps():
    other, third = replace(GAP, thread="threads/u"), replace(GAP, thread="threads/v")
    assert filling.within_threads([GAP, other, third, DEEP], 2) == [GAP, other, DEEP]


GAPS = [GAP, DEEP, NEW_CHAT, replace(GAP, thread="threads/u")]


@pytest.mark.parametrize(
    ("page", "thread", "requests", "writes", "most"),
    [
        (20, 40, 2 + 1, 40 + 2 + 20 + 1, 2 * (40 + 2)),
        (20, 50, 3 + 1, 50 + 3 + 20 + 1, 2 * (50 + 3)),
        (20, 10, 1 + 1, 2 * (10 + 1), 2 * (10 + 1)),
        (20, 100, 4, 4 * 21, 2 * (100 + 5)),
        (20, None, 4, 4 * 21, None),
    ],
)
def test_a_plan_says_what_is_certain_and_what_its_limits_allow(page, thread, requests, writes, most):
    """Without a limit how much there is to come only the phone knows."""
    plan = filling.plan_of(GAPS, page=page, thread=thread)
    assert (plan.threads, plan.gaps, plan.requests, plan.writes, plan.most_writes) == (2, 4, requests, writes, most)
    assert plan.cost_usd == pytest.approx(writes * 0.18 / 100_000)


@pytest.mark.parametrize(
    ("states", "left"),
    [
        ([], "ok"),
        ([GapState.OPEN, GapState.UNREACHABLE], "partial"),
        ([GapState.FILLING], "partial"),
        ([GapState.UNREACHABLE, GapState.NO_ACCESS], "unreachable"),
        ([GapState.NO_ACCESS], "no-access"),
    ],
)
def test_a_thread_is_left_as_its_gaps_are(states, left):
    gaps = [replace(GAP, state=state) for state in states]
    debt = replace(GAP, reason=Reason.DEBT)
    assert filling.left_as([*gaps, debt], scope(), NOW_MS) == left
