"""What we remember of documents that landed, so that syncing again costs nothing."""

from __future__ import annotations

from dataclasses import dataclass


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
class MirroredThread:
    """A thread's merge state (JSON text). `dirty`: it holds something that Firestore does not have yet."""

    path: str
    account: str
    state: bytes
    updated_at_ns: int | None
    dirty: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one consumer got done, to be made durable in one transaction with its cursor.

    `cursor` is contiguous: everything up to and including it landed or is parked. It never moves back.
    """

    consumer: str
    cursor: int
    mirrored: tuple[Mirrored, ...] = ()
    threads: tuple[MirroredThread, ...] = ()
    parked: tuple[tuple[int, int, str, str], ...] = ()
    """(seq, part, account, reason)"""
