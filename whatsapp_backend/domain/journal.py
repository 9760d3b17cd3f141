"""What the journal holds: entries, and the commits that bring them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ParkedPlace = tuple[int, str, int]
"""(seq, consumer, part): parked things are in this order."""
FIRST_PARKED: ParkedPlace = (0, "", 0)
Keys = Mapping[str, Mapping[str, str | None]]
"""Signal keys by type and id; the values are opaque to us, None deletes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """One thing that happened, before it has a place in the journal (docs/frames.md, "Entries")."""

    kind: str
    source: str
    origin: str
    received_at_ms: int
    payload: bytes | None
    """JSON text of the normalised payload; None when the bridge could not decode it."""
    problem: str | None = None
    form: str | None = None
    raw: bytes | None = None
    envelope: bytes | None = None
    """JSON text of the stanza's attributes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A journaled entry. `seq` grows by commit order and is never used again."""

    seq: int
    account: str
    new: NewEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What becomes durable together or not at all."""

    account: str
    id: str
    keys: Keys = field(default_factory=dict)
    creds: str | None = None
    entries: tuple[NewEntry, ...] = ()
    begin: str | None = None
    """Source of the history notice whose download starts with this commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenNotice:
    """A history notice whose chunks are not all journaled yet."""

    source: str
    raw: bytes
    envelope: bytes | None
    crashes: int
    """How many bridge crashes in a row happened while it was being downloaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """Something that could not be projected or landed; it waits for `replay` and is in nobody's way."""

    consumer: str
    seq: int
    part: int
    """Index of the message in its record; 0 for entries that are one message."""
    account: str
    reason: str

    @property
    def place(self) -> ParkedPlace:
        """Where it stands among all that is parked."""
        return self.seq, self.consumer, self.part


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredAccount:
    """An account an operator added. `server` is the address it was paired with, None before pairing."""

    account: str
    phone: str
    name: str
    server: str | None
    created_at_ms: int
    stopped: str | None = None
    """Why it must not be connected (`logged-out`, `wrong-number`, …); None when it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStats:
    """What the store holds, for people to look at."""

    journal_end: int
    entries: int
    parked: int
    open_notices: int
    dirty: int
    """Documents that hold something Firestore does not have yet."""
    open_debts: int
    oldest_debt_at_ms: int | None
    closed_debts: Mapping[str, int]
    """Of the last weeks, by why they were closed."""
    file_bytes: int
    """On disk, the write-ahead log included."""
