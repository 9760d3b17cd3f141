"""Who owns an account: instances with their heartbeats, terms, and what is asked of and said by the store of both."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

SPREAD = 0.2
"""A pause before asking again is longer by up to this part, so that instances do not march in step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """How long things take. Raises ValueError for what cannot work together."""

    ttl_s: float = 15.0
    """A heartbeat older than this, by the server's clock, is that of a dead instance."""
    renew_s: float = 5.0
    retry_s: float = 1.5
    """Between two looks at others, and after a call that failed."""
    margin_s: float = 1.0
    """Trust ends so much before the lease. The clocks' rates may differ by ttl / (ttl - margin), 7 % here."""
    call_s: float = 3.0
    """After which a call has failed. More than the two seconds that the emulator's locks take to give up."""

    def __post_init__(self) -> None:
        if not self.ttl_s > self.renew_s > self.retry_s * (1 + SPREAD) > 0:
            raise ValueError(f"a lease must be longer than its renewal, and that than {1 + SPREAD:g} pauses: {self}")
        if not 0 < self.margin_s < self.ttl_s or self.call_s <= 0:
            raise ValueError(f"the margin must be within the lease, and a call must have time: {self}")
        if not self.ttl_s - self.margin_s > self.renew_s + self.call_s:
            raise ValueError(f"one slow renewal must not cost the lease: {self}")

    @classmethod
    def of(cls, *, ttl_s: float, renew_s: float) -> Timings:
        """The rest in proportion, pauses and calls no longer than they are by default. Fits for every lease of at least
        two renewals."""
        margin_s = ttl_s / 15
        return cls(
            ttl_s=ttl_s,
            renew_s=renew_s,
            retry_s=min(1.5, renew_s * 0.3),
            margin_s=margin_s,
            call_s=min(3.0, (ttl_s - margin_s - renew_s) / 2),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One life of one process. `id` names its heartbeat and must never be used by another life.

    `home` is what only one living process can be in, its locked state directory: an earlier instance of the same home
    is known to be dead. Empty where nothing is known.
    """

    id: str
    nonce: str
    home: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Who owns an account. Quiet: it changes only when the owner does, and the token grows every time."""

    account: str
    holder: str
    token: int
    nonce: str
    home: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """An instance's heartbeat, as read. `age_s` is by the server's clock alone."""

    age_s: float
    era: int = 0
    """Changes whenever the instance may have lost or given up an account: others look at the terms again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A term in force, and the era of its holder's heartbeat."""

    term: Term
    era: int = 0


class Mode(enum.Enum):
    """Whether the instance may work."""

    ACTIVE = "active"
    PASSIVE = "passive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The mode, as people are told: why it is passive, and the instance that has everything it could own."""

    mode: Mode = Mode.ACTIVE
    reason: str | None = None
    held_by: str | None = None


def called(instance: str) -> str:
    """What its operator calls an instance of this id: each life of it has another one, `name.life`."""
    name, _, life = instance.rpartition(".")
    return name or life


# -- What is asked of the store ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """Renew the heartbeat, or make it."""

    register: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """Own these accounts where they are free."""

    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """See how the holders of the other accounts are."""

    holders: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Give:
    """Let others have these accounts."""

    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """End the heartbeat, and every term with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Ask nothing until then."""

    until_s: float


Call = Beat | Take | Look | Give | Leave
Action = Call | Wait

# -- What the store said -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Beaten:
    """Whether there still was a heartbeat to renew. There is none when another instance saw it expired."""

    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The terms now in force, one's own or another's, by account."""

    sightings: Mapping[str, Sighting]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Heartbeats by holder; those that are gone are absent."""

    heartbeats: Mapping[str, Heartbeat]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Given up, or no longer one's own to give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """There is no heartbeat any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """No answer in time, or an error: the call may or may not have taken effect."""


Said = Beaten | Taken | Looked | Given | Left | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a call came to. `jitter` is a random number from 0 to 1."""

    call: Call
    started_s: float
    said: Said
    jitter: float = 0.0


# -- Runs --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLock:
    """The right to run one backfill or recent-sync on an account. `run` is the id of the run that holds it."""

    account: str
    owner: str
    kind: str
    run: str
    token: int | None
    """That of the owner's term. None: the lock of a system that knows no terms."""
    expires_at_ms: int
    """By the server's clock, as is the next one."""
    started_at_ms: int
