"""The ladder by itself, against phones, servers and engines that do as they please."""

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whatsapp_backend.rules import hearing as rules
from whatsapp_backend.rules.hearing import Act, Ear, Hearing, Patience, Signs, Step

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 24 * 3_600_000
PATIENCE = Patience()
LOOK_MS = PATIENCE.look_ms


@dataclass
class Life:
    """An account under the ladder. The phone answers after so many ms, None: never; the server while `answers`."""

    phone_ms: int | None = 1000
    answers: bool = True
    frames: bool = True
    stuck_ms: int = 0
    now_ms: int = 0
    ear: Ear = field(default_factory=lambda: rules.opened(None, 0))
    acts: list[tuple[int, Act]] = field(default_factory=list)
    hearing: Hearing = Hearing.HEARD
    frame_ms: int = 0
    due: list[int] = field(default_factory=list)

    def looks(self, until_ms: int) -> None:
        """Look, as often as the listener does."""
        while self.now_ms < until_ms:
            self.now_ms = min(until_ms, self.now_ms + LOOK_MS)
            while self.due and self.due[0] <= self.now_ms:
                self.ear = rules.answered(self.ear, self.due.pop(0))
            if self.frames:
                self.frame_ms = self.now_ms
            self.attend()

    def attend(self) -> None:
        """Do what is due."""
        for _ in range(3):
            step = self.step()
            self.hearing = step.hearing
            if step.act is not Act.NOTHING:
                self.acts.append((self.now_ms, step.act))
            match step.act:
                case Act.PROBE:
                    self.ear = rules.tripped(self.ear, self.now_ms, came=self.answers)
                    if not self.answers and self.ear.trips_failed != PATIENCE.trips:
                        return
                    continue
                case Act.ECHO:
                    self.ear = rules.echoed(self.ear, self.now_ms)
                    if self.phone_ms is not None:
                        self.due.append(self.now_ms + self.phone_ms)
                case Act.CONCLUDE:
                    self.ear = rules.unanswered(self.ear, self.now_ms)
                case Act.SUSPECT:
                    self.ear = rules.opened(rules.suspected(self.ear, self.now_ms), self.now_ms)
                case Act.DEAF:
                    self.ear, self.stuck_ms = rules.opened(self.ear, self.now_ms), 0
            return

    def step(self) -> Step:
        """What is due."""
        signs = Signs(
            asked_ms=self.now_ms,
            frame_age_ms=self.now_ms - self.frame_ms,
            stuck_ms=self.stuck_ms,
            stuck_age_ms=self.stuck_ms,
        )
        return rules.decide(self.ear, signs, self.now_ms, PATIENCE)

    def speaks(self) -> None:
        """Something comes."""
        self.ear = rules.spoke(self.ear, self.now_ms)

    def did(self, *acts: Act) -> int:
        """How often."""
        return sum(act in acts for _, act in self.acts)


PAUSES = st.lists(st.integers(min_value=1, max_value=3 * DAY_MS), min_size=1, max_size=12)


@given(pauses=PAUSES, phone_ms=st.integers(min_value=0, max_value=2 * PATIENCE.echo_ms - LOOK_MS))
@settings(max_examples=150, deadline=None)
def test_whoever_answers_is_never_connected_anew_however_long_nothing_comes(pauses: list[int], phone_ms: int) -> None:
    """Nor while his phone takes its time: two echoes are a minute each."""
    life = Life(phone_ms=phone_ms)
    for pause_ms in pauses:
        life.looks(life.now_ms + pause_ms)
        life.speaks()
    assert life.did(Act.SUSPECT, Act.DEAF) == 0
    life.looks(life.now_ms + PATIENCE.silence_ms - LOOK_MS)
    assert life.hearing is Hearing.HEARD
    life.looks(life.now_ms + 10 * MINUTE_MS)
    assert life.hearing is Hearing.QUIET


@given(
    lives=st.lists(
        st.tuples(st.booleans(), st.integers(min_value=1, max_value=2 * DAY_MS), st.booleans()), min_size=1, max_size=12
    )
)
@settings(max_examples=150, deadline=None)
def test_a_phone_that_comes_and_goes_is_suspected_no_more_often_than_it_goes(
    lives: list[tuple[bool, int, bool]],
) -> None:
    life = Life()
    goes = 0
    for is_on, for_ms, speaks in lives:
        goes += not is_on and life.phone_ms is not None
        life.phone_ms = 1000 if is_on else None
        if speaks:
            life.speaks()
        life.looks(life.now_ms + for_ms)
    assert life.did(Act.SUSPECT) <= goes
    assert life.did(Act.DEAF) == 0


@given(silent_ms=st.integers(min_value=1, max_value=40 * DAY_MS), on=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_phone_is_asked_six_times_in_the_first_six_hours_and_then_four_times_a_day(silent_ms: int, on: bool) -> None:
    life = Life(phone_ms=1000 if on else None)
    life.looks(silent_ms)
    assert life.did(Act.ECHO) <= 7 + silent_ms / (6 * HOUR_MS)
    assert life.did(Act.PROBE) == life.did(Act.ECHO), "with one question to the server each"


@given(active_ms=st.integers(min_value=1, max_value=DAY_MS), phase_ms=st.integers(min_value=0, max_value=LOOK_MS))
@settings(max_examples=100, deadline=None)
def test_who_goes_deaf_is_found_within_ten_minutes_whatever_still_works(active_ms: int, phase_ms: int) -> None:
    """All frames gone; messages swallowed right after one came; an engine that hangs."""
    for what in ("frames", "messages", "engine"):
        life = Life()
        life.looks(active_ms)
        life.speaks()
        life.now_ms += phase_ms
        began_ms = life.now_ms
        if what == "frames":
            life.frames = life.answers = False
        if what == "messages":
            life.phone_ms = None
        while not life.did(Act.SUSPECT, Act.DEAF):
            if what == "engine":
                life.stuck_ms = life.now_ms - began_ms
            life.looks(life.now_ms + LOOK_MS)
            assert life.now_ms - began_ms <= 10 * MINUTE_MS, what
        (_, act) = life.acts[-1]
        assert act is (Act.SUSPECT if what == "messages" else Act.DEAF)


@given(seed=st.integers(min_value=0, max_value=1 << 30))
@settings(max_examples=100, deadline=None)
def test_without_certainty_only_the_first_silence_after_activity_is_suspect(seed: int) -> None:
    """A server that answers and a phone that never does: one reconnect in a life."""
    rng = random.Random(seed)
    life = Life(phone_ms=None)
    for _ in range(rng.randrange(1, 8)):
        life.speaks()
        life.looks(life.now_ms + rng.randrange(1, DAY_MS))
    assert life.did(Act.SUSPECT) <= 1
    assert life.did(Act.DEAF) == 0


def test_where_nothing_ever_came_a_silent_phone_means_nothing() -> None:
    untouched = Life(phone_ms=None)
    untouched.looks(30 * DAY_MS)
    assert untouched.did(Act.SUSPECT, Act.DEAF) == 0
    assert untouched.hearing is Hearing.UNPROVEN


def test_what_came_before_the_end_of_a_deaf_connection_is_what_it_proves() -> None:
    life = Life()
    life.looks(HOUR_MS)
    life.frames = life.answers = False
    heard_ms = life.frame_ms
    while not life.did(Act.DEAF):
        step = life.step()
        life.looks(life.now_ms + LOOK_MS)
    life.frames = True
    assert step.act is Act.PROBE
    sure = rules.decide(
        rules.tripped(rules.tripped(life.ear, 0, came=False), 0, came=False),
        Signs(asked_ms=life.now_ms, frame_age_ms=life.now_ms - heard_ms),
        life.now_ms + 5000,
        PATIENCE,
    )
    assert (sure.act, sure.until_ms) == (Act.DEAF, heard_ms)


def test_messages_that_had_waited_restore_the_trust_in_the_phone() -> None:
    """It was deaf, then, and may be again."""
    life = Life(phone_ms=None)
    life.speaks()
    life.looks(20 * MINUTE_MS)
    assert (life.did(Act.SUSPECT), life.ear.trusted) == (1, False)
    assert rules.spoke(life.ear, life.now_ms, waited=True).trusted
    assert not rules.spoke(life.ear, life.now_ms, waited=False).trusted


@pytest.mark.parametrize("lately", [0, 1, 3, 30])
def test_a_deaf_engine_that_reconnecting_does_not_cure_is_waited_for_longer(lately: int) -> None:
    times = min(2**lately, PATIENCE.longest_stuck)
    ear = rules.opened(None, 0)
    for stuck_ms, act in ((times * PATIENCE.stuck_ms - 1, Act.NOTHING), (times * PATIENCE.stuck_ms, Act.DEAF)):
        signs = Signs(stuck_ms=stuck_ms, stuck_age_ms=stuck_ms)
        assert rules.decide(ear, signs, 0, PATIENCE, lately_deaf=lately).act is act
