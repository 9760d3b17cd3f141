"""What an account's connections claim: live while caught up, and what waited at the server once all of it came."""

from dataclasses import replace

import pytest

from whatsapp_backend.domain.coverage import Ending, Epoch, Held, Point, Proof, Reason
from whatsapp_backend.rules.coverage import epochs
from whatsapp_backend.rules.coverage.chunks import lost_offline

ANA = "account_test_0a"
MARGIN_S = epochs.MARGIN_MS // 1000


def epoch(number, caught_up_s, heard_s, *, announced=0, received=0, **more):
    return Epoch(
        account=ANA,
        number=number,
        opened_at_ms=(caught_up_s or heard_s) * 1000 - 1000,
        caught_up_at_ms=None if caught_up_s is None else caught_up_s * 1000,
        heard_at_ms=heard_s * 1000,
        closed_at_ms=heard_s * 1000,
        ending=Ending.CLOSED,
        announced=announced,
        received=received,
        **more,
    )


def whole(*rows):
    return epochs.claims_of(rows).cover.whole


def test_a_connection_claims_what_is_between_catching_up_and_its_last_sign_of_life():
    """A margin less at both ends: our clock is not WhatsApp's."""
    assert whole(epoch(1, 100, 200)) == ((100 + MARGIN_S, 200 - MARGIN_S),)


@pytest.mark.parametrize("row", [epoch(1, None, 200), epoch(1, 100, 100 + 2 * MARGIN_S)])
def test_a_connection_that_did_not_catch_up_or_was_short_claims_nothing(row):
    assert whole(row) == ()


def test_when_all_came_that_had_waited_nothing_is_unknown_in_between():
    claims = epochs.claims_of([epoch(1, 100, 200), epoch(2, 900, 1000, announced=3, received=3)])
    assert claims.cover.whole == ((110, 990),)
    assert claims.covers[Proof.OFFLINE_COMPLETE].whole == ((190, 910),)


def test_a_server_that_announced_that_nothing_waits_had_nothing():
    assert whole(epoch(1, 100, 200), epoch(2, 900, 1000, announced=0)) == ((110, 990),)


@pytest.mark.parametrize("received", [0, 3])
def test_where_nothing_was_announced_nothing_is_proven_and_nothing_is_known_to_be_lost(received):
    """Only the end of the queue was told: how much had been in it nobody knows."""
    rows = [epoch(1, 100, 200), epoch(2, 900, 1000, announced=None, received=received)]
    claims = epochs.claims_of(rows)
    assert claims.cover.whole == ((110, 190), (910, 990))
    assert claims.reason_at(190) is Reason.DISCONNECTED
    assert (lost_offline(rows[1]), rows[1].complete) == (0, False)


def test_what_a_connection_without_announcement_left_open_stays_open_for_the_next_one():
    rows = [epoch(1, 100, 200), epoch(2, 900, 1000, announced=None), epoch(3, 1900, 2000)]
    assert whole(*rows) == ((110, 190), (910, 1990))
    assert epochs.folded((*rows, epoch(4, 2900, 3000)), 10**9)[:2] == tuple(rows[:2])


def test_when_less_came_than_was_announced_it_is_unknown_what_was_in_between():
    rows = [epoch(1, 100, 200), epoch(2, 900, 1000, announced=3, received=2)]
    claims = epochs.claims_of(rows)
    assert claims.cover.whole == ((110, 190), (910, 990))
    assert claims.reason_at(190) is Reason.MISMATCH
    assert [lost_offline(row) for row in rows] == [0, 1]


def test_what_a_connection_without_catching_up_left_waits_for_the_next_one():
    rows = [epoch(1, 100, 200), epoch(2, None, 300, announced=9), epoch(3, 900, 1000, announced=4, received=4)]
    assert whole(*rows) == ((110, 990),)


def test_what_was_lost_stays_lost_for_the_next_connection():
    """It drains completely, and the stretch that the one before it had not completed stays unknown."""
    rows = [epoch(1, 100, 200), epoch(2, 900, 1000, announced=3, received=2), epoch(3, 1900, 2000)]
    assert whole(*rows) == ((110, 190), (910, 1990))


def test_what_waited_longer_than_servers_keep_is_not_believed():
    late = 200 + epochs.QUEUED_FOR_S + 60
    assert whole(epoch(1, 100, 200), epoch(2, late, late + 100)) == ((110, 190), (late + 10, late + 90))


def test_a_deaf_connection_counts_until_its_last_inbound_frame():
    """Its heart had seemed to beat on; what it did not hear waits for the next one."""
    deaf = epochs.deaf(epoch(1, 100, 500), 250_000, 510_000)
    assert (whole(deaf), deaf.ending) == (((110, 240),), Ending.DEAF)
    assert epochs.claims_of([deaf]).reason_at(240) is Reason.DEAF
    assert whole(deaf, epoch(2, 900, 1000)) == ((110, 990),)


def test_a_crash_leaves_what_the_last_heartbeat_saw():
    running = replace(epoch(1, 100, 200), closed_at_ms=None, ending=None)
    left, new = epochs.opened(ANA, running, 900_000)
    assert (left.ending, left.heard_at_ms, new.number) == (Ending.CRASHED, 200_000, 2)
    assert whole(left, new) == ((110, 190),)
    assert epochs.claims_of([left, new]).reason_at(190) is Reason.CRASHED


def test_a_row_goes_through_a_connection():
    (row,) = epochs.opened(ANA, None, 1_000)
    row = epochs.announced(row, 2)
    row = epochs.caught_up(epochs.heard(row, 2_000), 2, 3_000)
    row = epochs.heard(epochs.heard(row, 9_000), 8_000)
    ended = epochs.closed(row, 10_000)
    assert (ended.number, ended.heard_at_ms, ended.closed_at_ms, ended.complete) == (1, 9_000, 10_000, True)
    assert epochs.heard(ended, 20_000) == ended
    assert epochs.opened(ANA, ended, 11_000)[0].number == 2
    assert len(epochs.opened(ANA, ended, 11_000)) == 1


def test_rows_can_be_seen_as_they_were():
    """What came while the queue was being drained is no surprise to the claim that all of it came."""
    rows = [epoch(1, 100, 200), epoch(2, 900, 1000)]
    assert epochs.claims_of(epochs.as_of(rows, 899_500)).cover.whole == ((110, 190),)
    assert epochs.claims_of(epochs.as_of(rows, 950_000)).cover.whole == ((110, 940),)
    assert epochs.as_of(rows, 50) == ()


def test_what_comes_live_belongs_to_the_connection_that_was_caught_up():
    """Also after the last heartbeat before a crash."""
    crashed = [epoch(1, 100, 200), epoch(2, None, 300), epoch(3, 900, 1000)]
    rows = [replace(row, ending=Ending.CRASHED) for row in crashed]
    moments = [50, 100, 210, 300, 899, 900, 1060]
    assert [epochs.live_on(rows, moment * 1000, moment * 1000) for moment in moments] == [None, 1, 1, None, None, 3, 3]


@pytest.mark.parametrize(
    ("ended", "received", "sent"),
    [
        ({"ending": None, "closed_at_ms": None}, 381, 381),
        ({"ending": Ending.CRASHED}, 381, 381),
        ({"ending": Ending.CLOSED, "closed_at_ms": 205_000}, 206, 206),
        ({}, 200, 501),
        ({}, 200, 89),
    ],
)
def test_what_is_not_of_a_connections_time_did_not_come_live_on_it(ended, received, sent):
    """It came when the connection was over, by a row that could not be written, or was sent at another time."""
    row = replace(epoch(1, 100, 200), **ended)
    assert epochs.live_on([row], received * 1000, sent * 1000) is None


def test_messages_that_came_live_speak_for_the_margins():
    """And only those of that connection: one that came otherwise proves nothing there."""
    claims = epochs.claims_of([epoch(1, 100, 200)])

    def held(second, number):
        return Held(thread="t", at=Point(second * 1000, f"M{second}"), epoch=number)

    cover = epochs.margins(claims, [held(105, 1), held(195, 1), held(197, None), held(198, 2)])
    assert cover.whole == ((106, 110), (190, 195))
    assert cover.links == {(105, "M105", None), (195, "", "M195")}
