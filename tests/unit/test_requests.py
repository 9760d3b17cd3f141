"""What the phone is asked for next, and what its answers and its silence lead to."""

from dataclasses import replace

import pytest

from whatsapp_backend.domain.coverage import Asking, Gap, GapState, Held, Outcome, Point, Reason
from whatsapp_backend.rules import requests
from whatsapp_backend.rules.requests import Budget

ANA, THREAD, JID, LID = "account_test_0a", "threads/t", "15550001111@s.whatsapp.net", "88000000001111@lid"
BUDGET = Budget(page=20, thread=100, spacing_ms=2_000)
GAP = Gap(
    account=ANA,
    thread=THREAD,
    number=1,
    start_ms=5_000,
    end_ms=9_000,
    below=Point(5_000, "M5"),
    above=Point(9_000, "M9"),
    reason=Reason.DISCONNECTED,
    opened_at_ms=10_000,
)
DEEP = replace(GAP, below=None, start_ms=0, reason=Reason.BEFORE)


def held(second, message_id=None, **more):
    return Held(thread=THREAD, at=Point(second * 1000, message_id or f"M{second}"), **more)


NEAREST = (held(9), held(10))


def ask(gap=GAP, anchors=NEAREST, *, budget=BUDGET, asked_for=0, now_ms=20_000):
    return requests.next_request(gap, anchors, jid=JID, budget=budget, asked_for=asked_for, now_ms=now_ms)


def test_a_gap_is_asked_for_with_the_first_message_after_it():
    request = ask()
    assert (request.anchor, request.chat, request.count) == (held(9), JID, 20)


def test_the_anchor_is_named_under_the_jid_its_key_has():
    assert ask(anchors=[held(9, chat=LID)]).chat == LID


def test_deep_history_is_asked_for_with_the_oldest_message_and_no_further_than_it_may_be_dug():
    assert ask(DEEP).anchor == held(9)
    assert ask(DEEP, budget=replace(BUDGET, oldest_ms=9_000)) is None
    assert ask(GAP, budget=replace(BUDGET, oldest_ms=9_000)) is not None, "a gap between messages is always filled"


@pytest.mark.parametrize("anchors", [[held(5)], [held(4)], [held(9, "A")], []])
def test_nothing_below_the_gap_is_asked_for(anchors):
    """Nor with another message of the anchor's second: it may be older."""
    assert ask(anchors=anchors) is None


@pytest.mark.parametrize(
    ("page", "thread", "asked_for", "count"), [(20, 100, 0, 20), (20, 100, 90, 10), (80, 900, 0, 50), (1, 5, 4, 1)]
)
def test_pages_are_as_large_as_settings_allow_and_never_above_fifty(page, thread, asked_for, count):
    assert ask(budget=Budget(page=page, thread=thread, spacing_ms=0), asked_for=asked_for).count == count


def test_a_run_asks_for_no_more_of_a_thread_than_it_may():
    assert ask(asked_for=100) is None


@pytest.mark.parametrize(
    "how",
    [
        {"state": GapState.UNREACHABLE},
        {"state": GapState.CLOSED},
        {"state": GapState.NO_ACCESS},
        {"reason": Reason.DEBT},
        {"next_at_ms": 20_001},
    ],
)
def test_what_is_given_up_closed_owed_or_waiting_is_not_asked_for(how):
    assert ask(replace(GAP, **how)) is None


def test_an_anchor_without_an_answer_is_walked_around_once_then_the_thread_waits():
    """Longer each time, and at last the gap is given up; it stays reported."""
    gap, waits = GAP, []
    for _ in range(4):
        gap = requests.gap_after(gap, gap, Outcome.NO_ANSWER, 0)
        request = ask(gap, now_ms=gap.next_at_ms)
        assert (request.anchor, request.count) == (held(10), 50), "a page from there must reach over the dead one"
        gap = requests.gap_after(gap, gap, Outcome.NO_ANSWER, 0)
        assert (gap.tried, gap.state) == (0, GapState.OPEN)
        waits.append(gap.next_at_ms // 60_000)
    assert waits == [10, 60, 360, 1440]
    for _ in range(2):
        gap = requests.gap_after(gap, gap, Outcome.NO_ANSWER, 0)
    assert gap.state is GapState.UNREACHABLE


def test_the_only_message_after_a_gap_is_tried_twice():
    assert ask(replace(GAP, tried=1), anchors=[held(9)]).anchor == held(9)


def test_an_answer_that_helps_is_progress_and_one_that_does_not_is_the_end():
    """Asked with the newer message it is only as good as no answer: the phone may yet answer the nearest one."""
    moved = replace(GAP, above=Point(7_000, "M7"), tried=1, rounds=2)
    assert requests.gap_after(GAP, moved, Outcome.PAGE, 0) == replace(moved, state=GapState.FILLING, tried=0, rounds=0)
    for outcome in (Outcome.EMPTY, Outcome.PAGE, Outcome.COMPLETE):
        assert requests.gap_after(GAP, GAP, outcome, 0).state is GapState.UNREACHABLE
    assert requests.gap_after(GAP, GAP, Outcome.EMPTY, 0, end=requests.NO_ACCESS).state is GapState.NO_ACCESS
    walked = replace(GAP, tried=1)
    assert requests.gap_after(walked, walked, Outcome.EMPTY, 0).rounds == 1


@pytest.mark.parametrize("gap", [GAP, replace(GAP, tried=1, rounds=4)])
def test_an_answer_that_could_not_be_downloaded_makes_the_gap_wait_and_is_no_step_to_giving_it_up(gap):
    for _ in range(20):
        left = requests.gap_after(gap, gap, Outcome.FAILED, 5_000)
        assert left == replace(gap, next_at_ms=5_000 + 600_000)
        assert ask(left, now_ms=left.next_at_ms) is not None
    assert requests.outcome_of(3, 1, downloaded=False) is Outcome.FAILED


def test_an_answer_that_could_not_be_downloaded_is_a_sign_of_life():
    asking = requests.asking_after(Asking(account=GAP.account, unanswered=9), Outcome.FAILED, 7)
    assert (asking.unanswered, asking.paused_until_ms) == (0, 0)


@pytest.mark.parametrize(
    ("older", "end", "outcome"),
    [
        (3, None, Outcome.PAGE),
        (3, 2, Outcome.PAGE),
        (0, None, Outcome.EMPTY),
        (0, 0, Outcome.EMPTY),
        (0, 1, Outcome.COMPLETE),
        (3, 1, Outcome.COMPLETE),
    ],
)
def test_an_empty_answer_is_not_a_complete_one(older, end, outcome):
    assert requests.outcome_of(older, end) is outcome


def test_ten_requests_in_a_row_without_an_answer_are_a_pause_of_two_hours():
    asking = Asking(account=ANA)
    for number in range(9):
        asking = requests.asking_after(asking, Outcome.NO_ANSWER, number)
        assert not requests.is_paused(asking, number)
    asking = requests.asking_after(asking, Outcome.NO_ANSWER, 1_000)
    assert requests.is_paused(asking, 1_000)
    assert requests.is_paused(asking, 1_000 + 2 * 3600_000 - 1)
    assert not requests.is_paused(asking, 1_000 + 2 * 3600_000)
    assert asking.unanswered == 0, "after the pause there are ten more"


def test_any_answer_ends_the_row():
    asking = Asking(account=ANA, unanswered=9)
    asking = requests.asking_after(asking, Outcome.EMPTY, 1)
    assert (asking.unanswered, asking.paused_until_ms) == (0, 0)


def test_requests_are_spaced():
    asking = Asking(account=ANA, asked_at_ms=10_000)
    assert requests.rest_ms(asking, BUDGET, 11_500) == 500
    assert requests.rest_ms(asking, BUDGET, 12_000) == 0


def test_a_clock_that_was_set_back_stops_nothing_for_ever():
    asking = Asking(account=ANA, asked_at_ms=10**9, paused_until_ms=10**9)
    assert requests.rest_ms(asking, BUDGET, 5_000) == 0
    assert not requests.is_paused(asking, 5_000)


def test_the_newest_gap_is_filled_first_and_deep_history_last():
    gaps = [DEEP, replace(GAP, number=2, above=Point(7_000, "M7")), replace(GAP, number=3)]
    assert [gap.number for gap in requests.in_turn(gaps)] == [3, 2, 1]
