"""What leases promise, over thousands of schedules of bad luck; and that the model would notice if they did not."""

import dataclasses

import pytest
from lease_cast import Conditions
from lease_world import World

from whatsapp_backend.rules import lease
from whatsapp_backend.testing.lease_table import LeaseTable

FOUND = (701, 2393, 3138, 6053, 6640, 7562, 8328, 9054, 10606)
"""Seeds that once broke something, kept for ever.

These: who was taken from came back under its name, and others who saw it beat went on believing that it owned.
"""
SCHEDULES = 2000
BATCHES = 8


def played(seeds, **conditions):
    return [World(seed, Conditions(**conditions)).run() for seed in seeds]


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_stale_write_no_two_believers_no_idle_account(batch):
    """Skew of 30 s, clocks 6 % off, pauses to 40 s, lost answers, slow calls, kills: all three promises hold."""
    size = SCHEDULES // BATCHES
    worlds = played(range(batch * size, (batch + 1) * size))
    assert not [(seed, world.failures) for seed, world in enumerate(worlds, batch * size) if world.failures]
    assert sum(world.terms for world in worlds) > 4 * size, "hardly anything happened"
    assert sum(world.refused for world in worlds) > size // 4, "the fence was hardly needed"


def test_seeds_that_once_broke_something_hold():
    """What was found once stays mended."""
    assert not [world.failures for world in played(FOUND) if world.failures]


def test_without_the_fence_stale_writes_land():
    """The control: the same schedules, with writes that do not ask for the term, must fail."""
    worlds = played(range(60), fence=False)
    assert sum(bool(world.stale) for world in worlds) > 10
    assert not any(world.two_believers for world in worlds)


def test_expiry_by_wall_clock_makes_two_believers():
    """The control: the same schedules, with age told by the instances' own clocks, must fail; the fence still holds."""
    worlds = played(range(60), wall_expiry=True)
    assert sum(bool(world.two_believers) for world in worlds) > 30
    assert not any(world.stale for world in worlds)


def test_with_broken_clocks_two_may_believe_but_nothing_stale_lands():
    """Clocks that stop during suspend and run 12 % off break the trust, and only the fence must still hold."""
    worlds = played(range(100), suspend_stops_clocks=True, drift=0.12)
    assert sum(bool(world.two_believers) for world in worlds) > 3
    assert not any(world.stale for world in worlds)


def test_a_dead_heartbeat_that_ends_keeps_a_sleeper_from_believing_again(monkeypatch):
    """Two guards: trust lapses by the own clock, and who takes ends the dead heartbeat. One alone is enough."""
    renew = LeaseTable.beat

    def always_alive(table, instance, *, register, now_s):
        return renew(table, instance, register=True, now_s=now_s)

    with monkeypatch.context() as only_the_heartbeat:
        only_the_heartbeat.setattr(lease, "lapse", lambda state, now_s: state)
        assert not any(world.two_believers for world in played(range(60)))
        only_the_heartbeat.setattr(LeaseTable, "beat", always_alive)
        assert sum(bool(world.two_believers) for world in played(range(60))) > 10, "the control: neither of them"
    with monkeypatch.context() as only_the_clock:
        only_the_clock.setattr(LeaseTable, "beat", always_alive)
        assert not any(world.two_believers for world in played(range(60)))


def test_an_instance_that_does_not_look_is_noticed(monkeypatch):
    """The control: without looking at who is dead, accounts lie idle."""
    monkeypatch.setattr(lease, "_looked", lambda state, said, again_s: dataclasses.replace(state, ask_at_s=again_s))
    assert sum(bool(world.idle) for world in played(range(20))) > 5


def test_trust_that_counts_from_the_answer_is_noticed(monkeypatch):
    """The control: a slow answer stretches it, and with clocks 6 % off that is too long."""
    slow_and_sleepy = {"slow": 0.6, "slowest": (3,), "pauses": 4, "kills": 0}
    assert not any(world.two_believers for world in played(range(100), **slow_and_sleepy))
    renewed = lease._renewed
    monkeypatch.setattr(lease, "_renewed", lambda state, started_s, now_s: renewed(state, now_s, now_s))
    assert sum(bool(world.two_believers) for world in played(range(100), **slow_and_sleepy)) > 3


def test_heartbeats_without_eras_are_noticed(monkeypatch):
    """The control: the seeds found without eras fail without eras."""
    heartbeat = LeaseTable._heartbeat

    def without_era(table, holder, now_s):
        beat = heartbeat(table, holder, now_s)
        return dataclasses.replace(beat, era=0) if beat else None

    monkeypatch.setattr(LeaseTable, "_heartbeat", without_era)
    assert sum(bool(world.idle) for world in played(FOUND)) > 1


def test_the_same_seed_is_the_same_schedule():
    """Any seed replays exactly."""
    for seed in range(20):
        assert World(seed).run().trace == World(seed).run().trace
    assert World(1).run().trace != World(2).run().trace


def test_nothing_flaps_in_a_day_of_slow_calls():
    """24 hours in which one call in fifty takes up to two seconds: the first terms are the last."""
    well = {"lost": 0, "pauses": 0, "kills": 0, "leaves": 0, "changes": 0}
    (world,) = played([1], length_s=24 * 3600, slow=0.02, slowest=(2,), **well)
    assert world.terms == 2
    assert not world.failures
