"""The ledger knows what is missing: whatever is lost, in whatever order it comes, is filled or reported."""

import random

import pytest
from fake_archive import World
from hypothesis import given, settings
from hypothesis import strategies as st

from whatsapp_backend.domain.coverage import GapState, Point, Proof
from whatsapp_backend.rules.coverage import ledger

CHANCES = (
    *(("wait", n) for n in (0, 1, 1, 5, 15, 30, 100)),
    *(("message", n) for n in (1, 1, 2, 5)),
    *(("connect", 0), ("connect", 0), ("drain", 3), ("drain", 10), ("catch_up", 0), ("catch_up", 0), ("catch_up", 2)),
    *(("die", 0), ("closed", 0), ("deaf", 0), ("crash", 0), ("chunk", 2), ("chunk", 7), ("ask", 0), ("silence", 0)),
)
steps = st.lists(st.sampled_from(CHANCES), max_size=60)


def carry_out(world: World, step: str, number: int) -> None:
    """One thing happens."""
    if step in ("closed", "deaf", "crash"):
        world.disconnect(step)
    else:
        {
            "wait": world.wait,
            "message": lambda count: [world.message() for _ in range(count)],
            "connect": lambda _: world.connect(),
            "drain": lambda tenths: world.drain(tenths / 10),
            "catch_up": world.catch_up,
            "die": lambda _: world.die(),
            "chunk": lambda count: world.chunk(world.rng.random(), count),
            "ask": lambda _: world.ask(),
            "silence": lambda _: world.ask(silent=True),
        }[step](number)


def live_and_finish(world, schedule):
    for step, number in schedule:
        carry_out(world, step, number)
        world.check()
    world.finish()
    world.check()
    assert set(world.archive) == set(world.held)
    assert world.coverage.gaps == ()


def live_at_random(*seeds):
    for seed in seeds:
        rng = random.Random(seed)
        world = World(rng, deep=rng.randrange(12), skew_s=rng.randrange(-9, 10), page=rng.randrange(1, 7))
        live_and_finish(world, [rng.choice(CHANCES) for _ in range(rng.randrange(80))])


@settings(deadline=None, max_examples=100)
@given(steps, st.integers(0, 2**32), st.integers(0, 12), st.integers(-9, 9), st.integers(1, 6))
def test_what_is_claimed_is_here_and_what_is_missing_is_a_gap(schedule, seed, deep, skew_s, page):
    """At every moment; and at the end, with a phone that answers, nothing is missing at all."""
    live_and_finish(World(random.Random(seed), deep=deep, skew_s=skew_s, page=page), schedule)


@pytest.mark.parametrize("tens", range(20))
def test_long_random_lives_end_with_every_hole_filled(tens):
    """As above, on schedules longer than Hypothesis makes them."""
    live_at_random(*range(tens * 10, tens * 10 + 10))


def test_control_with_overlap_decided_by_the_second_something_is_claimed_that_is_missing(monkeypatch):
    """Two messages of one second are not one message: who takes them for it claims too much."""
    by_id = ledger.page_spans

    def by_second(page, newer):
        return tuple((Point(low.ms), Point(high.ms + 1000)) for low, high in by_id(page, newer))

    monkeypatch.setattr(ledger, "page_spans", by_second)
    with pytest.raises(AssertionError, match=r"claimed to be here|a claim turned out to be wrong"):
        live_at_random(*range(300))


def hole_of_three(page=20):
    """Messages 1 to 5 are here, 6 to 8 were lost, 9 and 10 came before catching up."""
    world = World(random.Random(1), page=page)
    world.connect()
    world.catch_up()
    world.wait(60)
    for _ in range(5):
        world.message()
        world.wait(20)
    world.disconnect("closed")
    for _ in range(3):
        world.wait(20)
        world.message()
    world.lost, world.queue, world.never_sent = set(world.queue), [], 3
    world.connect()
    for _ in range(2):
        world.wait(20)
        world.message(early=True)
    return world


@pytest.mark.parametrize("page", [1, 2, 3, 20, 50])
def test_a_hole_is_filled_from_the_message_after_it_down_to_the_one_before_it(page):
    """6 to 8 are fetched, the gap is closed by overlap, and no request begins at 5 or below."""
    world = hole_of_three(page)
    (deep, gap) = sorted(world.coverage.gaps, key=lambda one: one.start_ms)
    assert (deep.below, gap.below) == (None, world.archive[4])
    while any(one.number == gap.number for one in world.coverage.gaps):
        assert world.ask(end=False)
        world.check()
    assert set(world.archive) == set(world.held)
    assert min(world.requests) > world.archive[4]
    assert Proof.OVERLAP in {one.proof for one in world.coverage.intervals}


def test_control_asking_with_the_oldest_message_never_closes_a_hole():
    """What the original systems did: they dug ever deeper, and the hole stayed."""
    world = hole_of_three()
    world.pick_anchor = lambda world, _: min(world.held)
    world.may_go_below = True
    for _ in range(20):
        world.wait(100_000)
        world.ask(end=False)
        world.check()
    assert not world.lost & set(world.held)


def test_a_silent_phone_leaves_the_gap_open_and_an_answering_one_closes_it_later():
    """Silence is no answer: nothing is proven by it."""
    world = hole_of_three()
    for _ in range(4):
        world.ask(silent=True)
        world.check()
    assert any(gap.below == world.archive[4] and gap.rounds == 1 for gap in world.coverage.gaps)
    world.finish()
    assert set(world.archive) == set(world.held)
    assert world.coverage.gaps == ()


def test_what_the_phone_never_gives_stays_reported():
    """A phone that is silent for ever: every message that is missing lies in a gap that says so."""
    world = hole_of_three()
    for _ in range(60):
        world.wait(200_000)
        world.ask(silent=True)
        world.check()
    assert {gap.state for gap in world.coverage.gaps} == {GapState.UNREACHABLE}


def test_a_message_that_comes_late_withdraws_what_had_been_proven():
    """One came in the middle of what was proven: that proof is no more, it is counted, and the hole is asked for."""
    world = hole_of_three()
    while world.ask(end=False):
        pass
    world.wait(1)
    late = Point(world.archive[6].ms + 1000, "LATE")
    world.archive.insert(7, late)
    world._receive([late])
    assert world.coverage.withdrawn == 1
    assert any(gap.start_ms <= late.ms < gap.end_ms for gap in world.coverage.gaps)
