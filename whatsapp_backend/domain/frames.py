"""What the bridge says (docs/frames.md, "From the bridge"). Its commits are `domain.journal.Commit`."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from whatsapp_backend.domain.journal import Commit


class Status(enum.StrEnum):
    """What became of an account's socket."""

    CONNECTING = "connecting"
    QR = "qr"
    PAIRED = "paired"
    OPEN = "open"
    OFFLINE = "offline"
    CAUGHT_UP = "caught-up"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The first frame of a bridge process."""

    protocol: int
    engine: str
    node: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Get:
    """A read of Signal keys; it sees every commit sent before it."""

    account: str
    id: str
    type: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """A question for something that was journaled."""

    account: str
    id: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who an open connection is logged in as."""

    id: str
    lid: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A change of an account's socket. The fields after `at` are set for the status they belong to, else None."""

    account: str
    status: Status
    at_ms: int
    qr: str | None = None
    me: Me | None = None
    announced: int | None = None
    received: int | None = None
    code: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command was carried out."""

    id: str
    result: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A command could not be carried out."""

    id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A line for the daemon's log."""

    level: str
    event: str
    account: str | None
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a longer frame."""

    account: str | None
    of: str
    index: int
    count: int
    text: str


Frame = Hello | Get | Commit | Find | State | Done | Failed | Log
"""A whole frame."""
