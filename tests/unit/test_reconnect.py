"""What follows the end of a connection: a table, and what holds for every history of endings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp_backend.rules import reconnect
from whatsapp_backend.rules.reconnect import (
    BRIDGE,
    NOT_STARTED,
    PROTOCOL,
    STOPS,
    STORE,
    UNREADABLE,
    WRONG_NUMBER,
    Decision,
    Endings,
    decide,
)

STATUSES = {"connecting", "reconnecting", "disconnected", "needs_qr", "logged_out"}
ORDINARY = [0, 408, 428, 500, 503, 599, STORE, PROTOCOL, NOT_STARTED]
KNOWN = [*ORDINARY, 401, 403, 405, 411, 440, 515, BRIDGE, UNREADABLE, WRONG_NUMBER]
codes = st.sampled_from(KNOWN) | st.integers(-(1 << 40), 1 << 40)
jitters = st.floats(0, 1)
durations = st.floats(0, 1e9)
histories = st.lists(st.tuples(codes, durations, st.booleans(), jitters), max_size=40)


def after(code: int, endings: Endings | None = None, *, lasted_s: float = 0.0, scan: bool = False) -> Decision:
    return decide(code, endings or Endings(), lasted_s=lasted_s, waited_for_scan=scan, jitter=0.5)


@pytest.mark.parametrize(
    ("code", "status", "stopped"),
    [
        (401, "logged_out", "logged-out"),
        (403, "disconnected", "refused"),
        (411, "logged_out", "no-linked-devices"),
        (WRONG_NUMBER, "needs_qr", "wrong-number"),
        (UNREADABLE, "disconnected", "credentials-unreadable"),
        *((code, "reconnecting", None) for code in ORDINARY),
        (405, "reconnecting", None),
        (BRIDGE, "reconnecting", None),
        (440, "disconnected", None),
        (515, "connecting", None),
    ],
)
def test_what_a_first_ending_means(code: int, status: str, stopped: str | None) -> None:
    decision = after(code)
    assert (decision.status, decision.stopped) == (status, stopped)


@pytest.mark.parametrize(("code", "anew"), [(401, True), (411, True), (WRONG_NUMBER, True), (403, False)])
def test_credentials_are_given_up_only_where_they_are_worth_nothing(code: int, anew: bool) -> None:
    assert STOPS[after(code).stopped or ""].anew is anew


def test_a_replaced_or_unreadable_account_keeps_its_credentials() -> None:
    assert not STOPS["replaced"].anew
    assert not STOPS["credentials-unreadable"].anew


def test_408_stops_only_an_account_that_waited_for_a_scan() -> None:
    assert after(408).stopped is None
    assert after(408, scan=True).stopped == "not-scanned"
    assert after(428, scan=True).stopped is None


def test_a_restart_is_at_once_and_a_second_one_in_a_row_is_not() -> None:
    first = after(515)
    assert first.wait_s == 0
    second = after(515, first.endings)
    assert second.wait_s >= 1
    assert after(515, second.endings, lasted_s=30).wait_s == 0


def test_waits_double_from_one_second_to_a_minute() -> None:
    endings, longest = Endings(), []
    for _ in range(8):
        decision = decide(428, endings, lasted_s=29.9, waited_for_scan=False, jitter=1)
        endings = decision.endings
        longest.append(decision.wait_s)
    assert longest == [2, 4, 8, 16, 32, 60, 60, 60]


def test_only_a_stable_connection_starts_the_counting_anew() -> None:
    tired = Endings(failures=6)
    assert after(428, tired, lasted_s=29.9).endings.failures == 7
    assert after(428, tired, lasted_s=30).endings.failures == 1


def test_three_replacements_without_two_stable_minutes_between_them_stop() -> None:
    twice = after(440, after(440, lasted_s=119).endings, lasted_s=119)
    assert (twice.stopped, twice.wait_s) == (None, 60)
    assert after(440, twice.endings, lasted_s=119).stopped == "replaced"
    assert after(440, twice.endings, lasted_s=120).stopped is None
    assert after(440, after(428, twice.endings, lasted_s=50).endings).stopped == "replaced"
    assert after(440, after(428, twice.endings, lasted_s=130).endings).stopped is None


def test_an_outdated_engine_tries_once_with_the_version_in_use_then_waits_for_minutes_and_says_why() -> None:
    once = after(405)
    assert once.wait_s <= 2
    again = after(405, once.endings)
    assert again.wait_s >= 300
    assert "update" in str(again.reason)
    assert after(405, once.endings, lasted_s=3600).wait_s <= 2


def test_a_bridge_that_is_gone_is_no_failure_of_the_account() -> None:
    assert after(BRIDGE, Endings(failures=3)).endings == Endings(failures=3)


def test_every_stop_can_be_told_and_undone() -> None:
    for word, stop in STOPS.items():
        assert stop.status in STATUSES, word
        assert stop.reason, word
    assert set(reconnect._STOPPING.values()) < set(STOPS)


@given(histories)
def test_whatever_happens_a_wait_is_bounded_and_counts_start_anew_only_after_stability(history: list) -> None:
    endings = Endings()
    for code, lasted_s, scan, jitter in history:
        decision = decide(code, endings, lasted_s=lasted_s, waited_for_scan=scan, jitter=jitter)
        assert decision.status in STATUSES
        assert 0 <= decision.wait_s <= 600
        if decision.stopped:
            assert decision.stopped in STOPS
            assert decision.wait_s == 0
            return
        if code not in (515, 440, 405, BRIDGE):
            assert 1 <= decision.wait_s <= 60
        if code == 440:
            assert decision.wait_s == 60
        if lasted_s < 30:
            assert decision.endings.failures >= endings.failures
        if lasted_s < 120:
            assert decision.endings.replaced >= endings.replaced
        endings = decision.endings


@given(histories)
def test_only_one_restart_in_a_row_is_followed_at_once(history: list) -> None:
    """A server that ends every connection at once never makes us hammer it."""
    endings, immediate = Endings(), 0
    for code, _, scan, jitter in history:
        decision = decide(code, endings, lasted_s=0.0, waited_for_scan=scan, jitter=jitter)
        if decision.stopped:
            return
        immediate += decision.wait_s == 0 and code != BRIDGE
        endings = decision.endings
    assert immediate <= 1


@given(codes, jitters, jitters)
def test_more_jitter_never_means_less_waiting(code: int, one: float, other: float) -> None:
    low, high = sorted((one, other))

    def wait_s(jitter: float) -> float:
        return decide(code, Endings(failures=3), lasted_s=0, waited_for_scan=False, jitter=jitter).wait_s

    assert wait_s(low) <= wait_s(high)
