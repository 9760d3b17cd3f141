"""The rules of leases, one step at a time."""

import math

import pytest

from whatsapp_backend.domain.leases import (
    Beat,
    Beaten,
    Failed,
    Give,
    Given,
    Heartbeat,
    Instance,
    Leave,
    Left,
    Look,
    Looked,
    Mode,
    Observation,
    Sighting,
    Take,
    Taken,
    Term,
    Timings,
    Wait,
)
from whatsapp_backend.rules import lease

A, B = "account_a", "account_b"
ME = Instance(id="me", nonce="mine", home="here")
OTHER = Term(account=A, holder="other", token=3, nonce="theirs", home="there")
MINE = Term(account=A, holder="me", token=4, nonce="mine", home="here")


def fresh(*wanted):
    return lease.want(lease.State(instance=ME, timings=Timings()), wanted)


def heard(state, now_s, call, said, *, started_s=None, jitter=0.0):
    started_s = now_s if started_s is None else started_s
    return lease.step(state, now_s, Observation(call=call, started_s=started_s, said=said, jitter=jitter))


def trusted(*wanted, at=100.0):
    """An instance whose first renewal was answered just now."""
    state, call = lease.step(fresh(*wanted), at)
    return heard(state, at, call, Beaten(alive=True))[0]


def owning(at=100.0):
    call = Take(accounts=(A,))
    return heard(trusted(A, at=at), at, call, Taken(sightings={A: Sighting(term=MINE)}))[0]


def watching(at=100.0, era=1):
    call = Take(accounts=(A,))
    return heard(trusted(A, at=at), at, call, Taken(sightings={A: Sighting(term=OTHER, era=era)}))[0]


def test_it_begins_with_a_heartbeat_and_takes_only_when_that_is_answered():
    """Who is not known to live must not own."""
    state, action = lease.step(fresh(A), 100.0)
    assert action == Beat(register=True)
    state, action = heard(state, 100.0, action, Failed())
    assert action == Wait(until_s=101.5)
    _, action = heard(state, 103.0, Beat(register=True), Beaten(alive=True))
    assert action == Take(accounts=(A,))


def test_trust_counts_from_the_start_of_the_call_and_the_next_one_too():
    """A slow answer must not stretch it."""
    state, _ = heard(fresh(), 102.0, Beat(register=True), Beaten(alive=True), started_s=100.0)
    assert (state.trusted_until_s, state.beat_at_s) == (114.0, 105.0)


def test_an_answer_later_than_its_trust_gives_none():
    """And the heartbeat is due again at once."""
    state, action = heard(fresh(A), 130.0, Beat(register=True), Beaten(alive=True), started_s=100.0)
    assert lease.mode(state, 130.0, before=Mode.ACTIVE) is Mode.PASSIVE
    assert action == Beat(register=False)


def test_a_late_renewal_renews_nothing():
    """Others may own by the time of the answer: everything is taken anew, which tells."""
    state, action = heard(owning(), 114.0, Beat(register=False), Beaten(alive=True), started_s=113.0)
    assert state.owned == {}
    assert action == Take(accounts=(A,))


def test_ownership_ends_at_the_moment_trust_does():
    """Not a moment later."""
    state = owning()
    assert lease.lapse(state, 113.999).owned == {A: MINE}
    assert lease.lapse(state, 114.0).owned == {}


@pytest.mark.parametrize("call", [Beat(register=False), Take(accounts=(B,)), Look(holders=("x",))])
def test_a_failed_call_changes_nothing_but_when_to_ask_again(call):
    """It may have taken effect, and it may not."""
    before = owning()
    state, _ = heard(before, 101.0, call, Failed())
    assert (state.owned, state.trusted_until_s, state.others) == (before.owned, 114.0, {})


def test_pauses_differ_by_up_to_a_fifth():
    """So that two instances do not ask at the same moments for ever."""
    shortest, _ = heard(watching(), 101.0, Look(holders=("other",)), Failed(), jitter=0.0)
    longest, _ = heard(watching(), 101.0, Look(holders=("other",)), Failed(), jitter=1.0)
    assert (shortest.ask_at_s, longest.ask_at_s) == (102.5, 102.8)


def test_without_a_heartbeat_it_owns_nothing_and_makes_a_new_one():
    """Somebody saw it expired: whatever the own clock says."""
    state, action = heard(owning(), 101.0, Beat(register=False), Beaten(alive=False))
    assert (state.owned, lease.mode(state, 101.0, before=Mode.ACTIVE)) == ({}, Mode.PASSIVE)
    assert action == Beat(register=True)


def test_a_term_granted_after_trust_ended_is_not_believed():
    """It is asked for again when there is trust again."""
    state, _ = heard(trusted(A), 120.0, Take(accounts=(A,)), Taken(sightings={A: Sighting(term=MINE)}))
    assert (state.owned, state.others) == ({}, {})


@pytest.mark.parametrize(
    "beats",
    [{}, {"other": Heartbeat(age_s=15.001, era=1)}, {"other": Heartbeat(age_s=1.0, era=2)}],
    ids=["gone", "expired", "another era"],
)
def test_who_may_have_lost_the_account_is_asked_for_by_taking(beats):
    """Gone, dead, or back from the dead: that a heartbeat beats does not say that it still owns."""
    _, action = heard(watching(), 102.0, Look(holders=("other",)), Looked(heartbeats=beats))
    assert action == Take(accounts=(A,))


def test_who_lives_is_looked_at_again_later():
    """A lease's length exactly is not over."""
    beats = {"other": Heartbeat(age_s=15.0, era=1)}
    state, action = heard(watching(), 102.0, Look(holders=("other",)), Looked(heartbeats=beats))
    assert action == Wait(until_s=103.5)
    assert lease.step(state, 103.5)[1] == Look(holders=("other",))


@pytest.mark.parametrize("before", Mode)
def test_while_it_asks_it_works_or_not_as_before(before):
    """Declaring the first account makes nobody passive, and starting makes nobody active too early."""
    assert lease.mode(trusted(A), 101.0, before=before) is before
    assert lease.mode(owning(), 101.0, before=before) is Mode.ACTIVE
    assert lease.mode(watching(), 101.0, before=before) is Mode.PASSIVE
    assert lease.mode(trusted(), 101.0, before=before) is Mode.ACTIVE
    assert lease.mode(trusted(A), 114.0, before=before) is Mode.PASSIVE


def test_the_heartbeat_comes_before_everything_else():
    """Taking many accounts must not cost those that are owned."""
    state = lease.want(owning(), [A, B])
    assert lease.step(state, 104.9)[1] == Take(accounts=(B,))
    assert lease.step(state, 105.0)[1] == Beat(register=False)


def test_what_is_not_wanted_is_not_owned_from_that_moment():
    """The others learn of it afterwards."""
    state = lease.want(owning(), [])
    assert (state.owned, lease.mode(state, 101.0, before=Mode.ACTIVE)) == ({}, Mode.ACTIVE)
    state, action = lease.step(state, 101.0)
    assert action == Give(terms=(MINE,))
    state, action = heard(state, 101.0, action, Given())
    assert (state.giving, action) == ({}, Wait(until_s=105.0))


def test_what_was_granted_too_late_to_be_wanted_is_given_up():
    """Nobody would serve it."""
    state = lease.want(trusted(A), [])
    state, action = heard(state, 101.0, Take(accounts=(A,)), Taken(sightings={A: Sighting(term=MINE)}))
    assert (state.owned, action) == ({}, Give(terms=(MINE,)))


def test_stopping_ends_ownership_before_it_is_said():
    """And an answer that comes now grants nothing."""
    state = lease.stop(owning())
    assert (state.owned, lease.mode(state, 101.0, before=Mode.ACTIVE)) == ({}, Mode.PASSIVE)
    state, action = heard(state, 101.0, Take(accounts=(A,)), Taken(sightings={A: Sighting(term=MINE)}))
    assert (state.owned, action) == ({}, Leave())
    state, action = heard(state, 101.0, Leave(), Left())
    assert (state.left, action) == (True, Wait(until_s=math.inf))


def test_what_never_lived_has_left():
    """There is no heartbeat to end."""
    assert lease.step(lease.stop(fresh(A)), 100.0)[0].left


def test_free_is_what_nobody_living_holds():
    """By the server's clock, to the letter."""
    alive, dead = Heartbeat(age_s=15.0), Heartbeat(age_s=15.001)
    assert lease.is_free(None, None, ME, ttl_s=15)
    assert lease.is_free(OTHER, None, ME, ttl_s=15)
    assert lease.is_free(OTHER, dead, ME, ttl_s=15)
    assert not lease.is_free(OTHER, alive, ME, ttl_s=15)


def test_an_earlier_instance_of_the_same_home_is_dead():
    """Where nothing is known of homes, nothing follows from them."""
    alive = Heartbeat(age_s=0.0)
    term = Term(account=A, holder="before", token=1, nonce="x", home="here")
    homeless = Term(account=A, holder="before", token=1, nonce="x")
    assert lease.is_free(term, alive, ME, ttl_s=15)
    assert not lease.is_free(homeless, alive, Instance(id="me", nonce="mine"), ttl_s=15)


def test_a_term_that_was_given_up_keeps_its_token():
    """The next one's must be higher."""
    after = lease.next_term(A, lease.ended(OTHER), ME)
    assert after == MINE
    assert lease.next_term(A, None, ME).token == 1
