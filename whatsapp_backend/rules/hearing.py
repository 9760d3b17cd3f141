"""Deaf or quiet: what the silence of an account means, and what to ask next, the cheapest first.

    frames      something came on the socket lately: the engine's own pings are answered, whatever else is silent
    round trip  the server answers a question
    engine      nothing that came waits for long to be dealt with
    echo        our own phone answers, and its answer reaches the journal

The first three say for certain that a connection is dead. A missing echo does not: the phone may be off. It makes a
connection suspect only right after the account was active, and once; never again until the phone is known to answer.

Moments are milliseconds of a clock that nobody sets.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

_MINUTE_MS = 60_000


class Hearing(enum.StrEnum):
    """What is known of whether messages arrive."""

    HEARD = "heard"
    QUIET = "quiet"
    """Nothing comes, and what we asked our phone for came all the way."""
    PROBING = "probing"
    UNPROVEN = "unproven"
    """Nothing comes, the server answers, our phone does not."""
    DEAF = "deaf"


class Act(enum.Enum):
    """What to do about it."""

    NOTHING = enum.auto()
    PROBE = enum.auto()
    ECHO = enum.auto()
    CONCLUDE = enum.auto()
    """The echo will not be answered, and that is no reason to do anything."""
    SUSPECT = enum.auto()
    """Connect anew: it may be deaf."""
    DEAF = enum.auto()
    """Connect anew: it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long what may take."""

    look_ms: int = 30_000
    """Between two looks."""
    frame_ms: int = 2 * _MINUTE_MS
    trip_ms: int = 20_000
    trips: int = 2
    """Failed in a row, of a connection on which nothing comes."""
    stuck_ms: int = 3 * _MINUTE_MS
    silence_ms: int = 5 * _MINUTE_MS
    """Before the first echo; the pauses between echoes begin with twice that."""
    longest_ms: int = 6 * 60 * _MINUTE_MS
    echo_ms: int = _MINUTE_MS
    echoes: int = 2
    active_ms: int = 15 * _MINUTE_MS
    """How long before the first echo something must have come, for a missing echo to be suspect."""
    fresh_ms: int = _MINUTE_MS
    """For how long a round trip speaks for the echo that follows it."""
    longest_stuck: int = 20
    """How many times as long as at first a deaf engine is waited for at most, when reconnecting does not cure it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ear:
    """One account's silence: from the last thing that came to the next, over as many connections as it takes."""

    opened_ms: int
    """When the present connection opened."""
    since_ms: int
    """When something came last, or the first connection opened."""
    active: bool = False
    """Whether it began with something that came."""
    trips_failed: int = 0
    trip_ms: int | None = None
    """When a round trip was made last, on this connection."""
    echo_ms: int | None = None
    """When the echo was sent that is under way."""
    first_echo_ms: int | None = None
    """When the first one was sent of those that were asked in a row."""
    unanswered: int = 0
    rounds: int = 0
    """How many times the phone was asked, however it went."""
    concluded_ms: int = 0
    answered_ms: int | None = None
    """When our phone last answered, in this silence."""
    hears: bool | None = None
    """Whether it answered when it was asked last; None: never asked in this silence."""
    suspected: bool = False
    """Whether it was connected anew in this silence because of a missing echo."""
    trusted: bool = True
    """Whether the phone is known to answer, or nothing is known of it: only then its silence means anything."""

    @property
    def proven_ms(self) -> int:
        """Until when all that was for us has come."""
        return max(self.since_ms, self.answered_ms or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What the bridge said of a connection: the age of its last frame then, and of what was not dealt with."""

    asked_ms: int = 0
    frame_age_ms: int | None = None
    stuck_ms: int = 0
    stuck_age_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What an account's silence means now, and what to do. `until_ms`: what came before that is here."""

    act: Act
    hearing: Hearing
    reason: str = ""
    until_ms: int = 0


# -- What happens ------------------------------------------------------------------------------------------------------


def opened(ear: Ear | None, now_ms: int) -> Ear:
    """A connection opened. The silence goes on."""
    if ear is None:
        return Ear(opened_ms=now_ms, since_ms=now_ms)
    return replace(ear, opened_ms=now_ms, trips_failed=0, trip_ms=None, echo_ms=None, first_echo_ms=None, unanswered=0)


def spoke(ear: Ear, at_ms: int, *, waited: bool = False) -> Ear:
    """Something came that is no echo: the silence is over. `waited`: it had waited at the server."""
    return Ear(opened_ms=ear.opened_ms, since_ms=at_ms, active=True, trusted=ear.trusted or (ear.suspected and waited))


def tripped(ear: Ear, now_ms: int, *, came: bool) -> Ear:
    """A round trip was made, or not in time."""
    if came:
        return replace(ear, trip_ms=now_ms, trips_failed=0)
    return replace(ear, trips_failed=ear.trips_failed + 1)


def echoed(ear: Ear, now_ms: int) -> Ear:
    """The phone was asked."""
    again = ear.echo_ms is not None
    return replace(
        ear,
        echo_ms=now_ms,
        first_echo_ms=ear.first_echo_ms if again else now_ms,
        unanswered=ear.unanswered + 1 if again else 0,
    )


def answered(ear: Ear, now_ms: int) -> Ear:
    """The phone answered, however late, and its answer is in the journal."""
    late = ear.echo_ms is None
    return replace(
        _concluded(ear, now_ms),
        rounds=ear.rounds if late else ear.rounds + 1,
        concluded_ms=ear.concluded_ms if late else now_ms,
        answered_ms=now_ms,
        hears=True,
        trusted=True,
    )


def unanswered(ear: Ear, now_ms: int) -> Ear:
    """The phone did not answer, or could not be asked."""
    return replace(_concluded(ear, now_ms), hears=False)


def suspected(ear: Ear, now_ms: int) -> Ear:
    """It is connected anew because of that."""
    return replace(_concluded(ear, now_ms), hears=False, suspected=True, trusted=False)


def _concluded(ear: Ear, now_ms: int) -> Ear:
    return replace(ear, echo_ms=None, first_echo_ms=None, unanswered=0, rounds=ear.rounds + 1, concluded_ms=now_ms)


# -- What it means -----------------------------------------------------------------------------------------------------


def decide(ear: Ear, signs: Signs, now_ms: int, patience: Patience, *, lately_deaf: int = 0) -> Step:
    """What to do. `lately_deaf`: how often it was found deaf within the last hour."""
    return _of_connection(ear, signs, patience, lately_deaf) or _of_silence(ear, now_ms, patience)


def _of_connection(ear: Ear, signs: Signs, patience: Patience, lately_deaf: int) -> Step | None:
    """What its signs say by themselves."""
    patient_ms = patience.stuck_ms * min(1 << lately_deaf, patience.longest_stuck)
    if signs.stuck_ms >= patient_ms:
        reason = f"what came {signs.stuck_age_ms // 1000} s ago is not dealt with"
        return Step(act=Act.DEAF, hearing=Hearing.DEAF, reason=reason, until_ms=signs.asked_ms - signs.stuck_age_ms)
    age_ms = signs.frame_age_ms
    if age_ms is None or age_ms < patience.frame_ms:
        return None
    if ear.trips_failed < patience.trips:
        return Step(act=Act.PROBE, hearing=Hearing.PROBING)
    reason = f"nothing came on the connection for {age_ms // 1000} s, and the server does not answer"
    return Step(act=Act.DEAF, hearing=Hearing.DEAF, reason=reason, until_ms=signs.asked_ms - age_ms)


def _of_silence(ear: Ear, now_ms: int, patience: Patience) -> Step:
    """What it means that nothing comes, on a connection that is not known to be dead."""
    if now_ms - ear.since_ms < patience.silence_ms:
        return Step(act=Act.NOTHING, hearing=Hearing.HEARD)
    if ear.echo_ms is not None:
        return _waiting(ear, now_ms, patience)
    if now_ms < due_ms(ear, patience):
        return Step(act=Act.NOTHING, hearing=_hearing(ear))
    fresh = ear.trip_ms is not None and now_ms - ear.trip_ms < patience.fresh_ms
    return Step(act=Act.ECHO if fresh else Act.PROBE, hearing=Hearing.PROBING)


def due_ms(ear: Ear, patience: Patience) -> int:
    """When our phone is to be asked next, if nothing comes until then. A new connection is given time first."""
    if not ear.rounds:
        return max(ear.since_ms, ear.opened_ms) + patience.silence_ms
    pause_ms = min(patience.silence_ms * (1 << min(ear.rounds, 30)), patience.longest_ms)
    return max(ear.concluded_ms + pause_ms, ear.opened_ms + patience.silence_ms)


def _waiting(ear: Ear, now_ms: int, patience: Patience) -> Step:
    if now_ms - (ear.echo_ms or 0) < patience.echo_ms:
        return Step(act=Act.NOTHING, hearing=Hearing.PROBING)
    if not _is_suspect(ear, patience):
        return Step(act=Act.CONCLUDE, hearing=Hearing.UNPROVEN)
    if ear.unanswered + 1 < patience.echoes:
        return Step(act=Act.ECHO, hearing=Hearing.PROBING)
    reason = f"suspected, our phone did not answer {patience.echoes} times, right after the account was active"
    return Step(act=Act.SUSPECT, hearing=Hearing.PROBING, reason=reason, until_ms=ear.proven_ms)


def _is_suspect(ear: Ear, patience: Patience) -> bool:
    """Whether a missing echo means anything."""
    begun_ms = ear.first_echo_ms or 0
    return ear.active and ear.trusted and not ear.suspected and begun_ms - ear.since_ms <= patience.active_ms


def _hearing(ear: Ear) -> Hearing:
    if ear.hears is None:
        return Hearing.PROBING
    return Hearing.QUIET if ear.hears else Hearing.UNPROVEN
