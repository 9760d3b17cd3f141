"""What is known of a thread's history, by what proof, and what is unknown (docs/coverage.md).

WhatsApp's times are whole seconds, and the order of messages within one second is the phone's secret. So a place is a
message or the beginning of a second, and two places within one second are comparable only if they are the same.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

SECOND_MS = 1000
ENDLESS_MS = 1 << 53
"""After every message."""
SHOWN = 50
"""So many messages inside a stretch the ledger shows from each of its ends."""
ANCHORS = 3
"""So many messages above a stretch, or after a message, the ledger shows."""


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A place in a thread: a message; without an id, the beginning of its second. Sorts by time, then id."""

    ms: int
    id: str = ""

    @property
    def second(self) -> int:
        """The whole seconds of its time."""
        return self.ms // SECOND_MS


BEGINNING = Point(0)
ENDLESS = Point(ENDLESS_MS // SECOND_MS * SECOND_MS)


class Proof(enum.StrEnum):
    """Why every message of an interval is known to be here."""

    LIVE = "live"
    OFFLINE_COMPLETE = "offline_complete"
    HISTORY = "history"
    OVERLAP = "overlap"
    PHONE_COMPLETE = "phone_complete"


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Every message from `start` to `end` is here, those two included, in the phone's own order."""

    start: Point
    end: Point
    proof: Proof


@dataclass(frozen=True, slots=True, order=True)
class Doubt:
    """What the account's epochs claim between these moments does not count in this thread."""

    from_ms: int
    until_ms: int
    reason: Reason


class Reason(enum.StrEnum):
    """Why something is unknown."""

    BEFORE = "before"
    """Older than anything we hold: deep history."""
    DISCONNECTED = "disconnected"
    DEAF = "deaf"
    CRASHED = "crashed"
    MISMATCH = "mismatch"
    """Fewer offline messages than the server had announced."""
    DEBT = "debt"
    WITHDRAWN = "withdrawn"
    RESET = "reset"
    UNPROVEN = "unproven"
    """Between two pieces of history that do not meet."""


class Ending(enum.StrEnum):
    """How an epoch ended."""

    CLOSED = "closed"
    DEAF = "deaf"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One connection of an account, from opened to closed; `number` grows.

    `heard_at_ms` is the last moment at which it is known to have been alive: a frame, or a heartbeat that saw one.
    """

    account: str
    number: int
    opened_at_ms: int
    heard_at_ms: int
    caught_up_at_ms: int | None = None
    announced: int | None = None
    received: int | None = None
    closed_at_ms: int | None = None
    ending: Ending | None = None

    @property
    def complete(self) -> bool:
        """Whether everything that waited for us at the server came. Where it announced nothing, not even that nothing
        waits, nobody knows."""
        announced = self.announced
        return self.caught_up_at_ms is not None and announced is not None and (self.received or 0) >= announced


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A message that is here, of a thread (its document's path).

    `chat` is the JID its key names where that is not the thread's own; `epoch` is the number of the caught-up
    connection it came live on.
    """

    thread: str
    at: Point
    from_me: bool = False
    chat: str | None = None
    epoch: int | None = None


class GapState(enum.StrEnum):
    """What became of a gap."""

    OPEN = "open"
    FILLING = "filling"
    CLOSED = "closed"
    UNREACHABLE = "unreachable"
    """The phone was asked, and gave nothing."""
    NO_ACCESS = "no-access"
    """The phone has the messages and may not give them."""


UNCLOSED = frozenset(GapState) - {GapState.CLOSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """An unknown stretch of a thread, with a message after it.

    Unknown are the seconds from `start_ms` until `end_ms`, as far as they lie between `below`, the message that an
    answer must meet (None: there is none), and `above`, the one to ask with. `number` is unique in its thread.
    """

    account: str
    thread: str
    number: int
    start_ms: int
    end_ms: int
    below: Point | None
    above: Point
    reason: Reason
    opened_at_ms: int
    state: GapState = GapState.OPEN
    closed_at_ms: int | None = None
    closed_by: str | None = None
    """The proof; `joined` when it became part of another gap."""
    cursor: Point | None = None
    """The oldest message of the last page, as long as it tells better where to go on than ids do."""
    tried: int = 0
    """How many anchors in a row got no answer."""
    rounds: int = 0
    """How often that went on until the thread had to wait."""
    next_at_ms: int = 0


ASKABLE = frozenset({GapState.OPEN, GapState.FILLING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Which gaps may be asked for at a moment: not those that wait, were given up or are owed, nor what is dug already.

    Deep history is dug until `oldest_ms`.
    """

    now_ms: int
    oldest_ms: int = 0

    def has(self, gap: Gap) -> bool:
        """Whether this one may."""
        dug = gap.below is None and gap.above.ms <= self.oldest_ms
        return gap.state in ASKABLE and gap.reason is not Reason.DEBT and not dug and self.now_ms >= gap.next_at_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What is stored of one thread: what was proven for it alone, what is doubted, and its gaps that are not closed.

    `jid` is the thread's own; `gaps_ever` the highest number a gap of it had.
    """

    account: str
    thread: str
    jid: str
    intervals: tuple[Interval, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    owed: tuple[Point, ...] = ()
    """Messages of which only a placeholder is here: open debts."""
    withdrawn: int = 0
    """How many proofs turned out to be wrong."""
    gaps_ever: int = 0
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """The messages held below, in and above a stretch of seconds; of many only the nearest to its bounds."""

    below: Held | None = None
    inside: tuple[Held, ...] = ()
    above: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How an account's phone answers. A pause outlives a restart."""

    account: str
    unanswered: int = 0
    asked_at_ms: int = 0
    paused_until_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of history as it was journaled, in the sequence of its sync type. Unnumbered ones are not kept."""

    account: str
    sync_type: int
    order: int
    progress: int | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request to the phone, kept from before it is sent until its answer has come, however late.

    Up to `count` messages older than `anchor` were asked for, for a gap as it was then; `older` of them have come.
    """

    account: str
    id: str
    gap: Gap
    anchor: Point
    count: int
    asked_at_ms: int
    older: int = 0


class Outcome(enum.Enum):
    """What came of a request."""

    NO_ANSWER = enum.auto()
    EMPTY = enum.auto()
    """It answered, and had nothing."""
    PAGE = enum.auto()
    COMPLETE = enum.auto()
    """It said that there is nothing older."""
    FAILED = enum.auto()
    """It answered, and what it sent could not be downloaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a request, once all of it has landed. Of `fetched` messages `stored` were new; `end` is the phone's
    word on what is left."""

    account: str
    request: str
    outcome: Outcome
    fetched: int
    stored: int
    end: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerChange:
    """What a window, a connection or an answer changed, to be made durable in one transaction."""

    held: tuple[Held, ...] = ()
    """New ones; one that is known stays as it is."""
    coverages: tuple[Coverage, ...] = ()
    """Replaced as a whole, their gaps by number: gaps that are not named stay as they are."""
    gaps: tuple[Gap, ...] = ()
    """What asking did to them: their state and attempts. One that is closed, or has other bounds by now, stays."""
    epochs: tuple[Epoch, ...] = ()
    folded: tuple[Epoch, ...] = ()
    """Rows that others speak for now."""
    askings: tuple[Asking, ...] = ()
    asked: tuple[Asked, ...] = ()
    """New ones, or what has come for them."""
    answered: tuple[Asked, ...] = ()
    """Waited for no longer."""
    chunks: tuple[Chunk, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLedger:
    """What is stored of an account as a whole: its epochs and chunks in order, how its phone answers, and what it was
    asked, oldest first."""

    asking: Asking
    asked: tuple[Asked, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    chunks: tuple[Chunk, ...] = ()
    gaps: Mapping[GapState, int] = field(default_factory=dict)
    """How many of its gaps are in which state."""
