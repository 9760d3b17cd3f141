"""What the journal's entries mean for the documents."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class Origin(enum.IntEnum):
    """How a message reached us. Of several sightings the smallest counts."""

    LIVE = 0
    OFFLINE = 1
    SENT = 2
    RESEND = 3
    HISTORY = 4
    ONDEMAND = 5
    DERIVED = 6


REALTIME = frozenset({Origin.LIVE, Origin.OFFLINE, Origin.SENT, Origin.RESEND})
"""What the runbook calls realtime: everything that is no history."""


class Status(enum.IntEnum):
    """How far a message came; it only climbs. A failure is apart."""

    NONE = 0
    QUEUED = 1
    SENT = 2
    DELIVERED = 3
    READ = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a message shows. `kind` is the document's `messageType`."""

    kind: str
    body: str | None = None
    media: Mapping[str, Any] | None = None
    quoted: Mapping[str, Any] | None = None
    content_kind: str | None = None
    """The engine's name of the content where `kind` is `unknown`."""
    details: Mapping[str, Any] | None = None
    """What a kind has beyond text and media, as it lies in the document. JSON values, no list directly in a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSeen:
    """One sighting of one message. `order` is its place in the journal: entry and part of it, as one integer."""

    order: int
    account: str
    client_jid: str
    message_id: str
    sender: str | None
    sender_name: str | None
    sent_at_ms: int
    origin: Origin
    sync_source: str
    status: Status
    failed: bool
    content: Content
    key: Mapping[str, Any]
    sender_lid: str | None = None
    """The sender's LID where the key tells it, also when `sender` is the phone number."""
    activity_at_ms: int | None = None
    """How far it may move its thread, where its own time cannot be believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatNamed:
    """A conversation's name as somebody gave it; a higher rank wins, then the later order."""

    order: int
    account: str
    client_jid: str
    name: str
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A part of an entry that means nothing to us: to be parked with its reason."""

    order: int
    account: str
    reason: str


Event = MessageSeen | ChatNamed | Unreadable

PARTS = 1 << 16
"""An order is `seq * PARTS + part`: a record holds at most 200 messages, and the names of its chats follow them."""
