"""What we remember of documents that landed, so that syncing again costs nothing."""

from __future__ import annotations

from dataclasses import dataclass

from whatsapp_backend.domain.coverage import LedgerChange
from whatsapp_backend.domain.holding import Foreseen
from whatsapp_backend.domain.surveys import Adopted, Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """A message document that landed.

    `digest` (16 bytes) is kept for ever; `state` (the merge state, JSON text) and `updated_at_ns` (the server's, for
    the next precondition) only for MIRROR_DAYS.
    """

    path: str
    digest: bytes
    state: bytes | None
    updated_at_ns: int | None
    touched_at_ms: int
    """0 once `state` has aged out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Amendments (a merge state, JSON text) that are in no document yet.

    Their message is not here, and `due_at_ms` is None; or it is, and they are written with others of theirs when due.
    """

    path: str
    account: str
    state: bytes
    due_at_ms: int | None
    touched_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The merge state (JSON text) of a document that gathers many events: a thread or a contact.

    `dirty`: it holds something that Firestore does not have yet. `unread` is counted, never put.
    """

    path: str
    account: str
    state: bytes
    updated_at_ns: int | None
    dirty: bool
    unread: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A message that nobody has read, in a thread (its document's path)."""

    thread: str
    message_id: str
    sent_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A LID whose number is known. The first word on it counts."""

    account: str
    lid: str
    pn: str
    evidence: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Nameless:
    """A document that names somebody by a LID whose number is not known."""

    account: str
    lid: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """A message that is owed to us (`path` is its document), until it comes or is given up.

    `key` is JSON text of the message key. It was `asked` for so many times, and will be at `next_at_ms`. `closed` says
    why it is closed, None while it is open.
    """

    path: str
    account: str
    reason: str
    key: bytes
    opened_at_ms: int
    asked: int = 0
    next_at_ms: int = 0
    closed: str | None = None
    closed_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A document's message went to another document, and all that is remembered of it goes along."""

    path: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one consumer got done, to be made durable in one transaction with its cursor, in the order of the fields.

    `cursor` is contiguous: everything up to and including it landed or is parked. It never moves back.
    """

    consumer: str
    cursor: int = 0
    mirrored: tuple[Mirrored, ...] = ()
    waited: tuple[str, ...] = ()
    """Paths of what waits no longer."""
    waiting: tuple[Waiting, ...] = ()
    gathered: tuple[Gathered, ...] = ()
    moved: tuple[Moved, ...] = ()
    """Of messages and of threads."""
    unread: tuple[Unread, ...] = ()
    not_unread: tuple[Unread, ...] = ()
    """What was counted, and turned out to be no message."""
    read: tuple[tuple[str, int], ...] = ()
    """(thread, moment in ms): what is not newer is unread no longer."""
    aliases: tuple[Alias, ...] = ()
    nameless: tuple[Nameless, ...] = ()
    named: tuple[Nameless, ...] = ()
    """Nameless no longer."""
    united: tuple[Alias, ...] = ()
    """Of these nothing is left to be done."""
    debts: tuple[Debt, ...] = ()
    """New ones; one that is known stays as it is."""
    paid: tuple[tuple[str, str, int], ...] = ()
    """(path, why, when in ms): no longer owed."""
    ledger: LedgerChange | None = None
    """Kept before threads that `moved` take their messages along: the one they go to needs a coverage."""
    unparked: tuple[int, ...] = ()
    """Seqs of entries of which nothing is parked by this consumer any more, but for what follows."""
    parked: tuple[tuple[int, int, str, str], ...] = ()
    """(seq, part, account, reason)"""
    held_back: tuple[tuple[int, str], ...] = ()
    """(seq, account): in no document, until it is released."""
    foreseen: tuple[Foreseen, ...] = ()
    released: tuple[int, ...] = ()
    """Seqs of what was held back and has landed."""
    adopted: tuple[Adopted, ...] = ()
    survey: Survey | None = None
    """Between two threads, messages that lie at their own places are forgotten."""
