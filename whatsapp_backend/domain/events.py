"""What the journal's entries mean for the documents."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from whatsapp_backend.domain.amendments import Amendments


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
    amendments: Amendments | None = None
    """What a history tells with the message itself."""
    activity_at_ms: int | None = None
    """How far it may move its thread, where its own time cannot be believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended:
    """Something happened to a message that may be here, may come, or may never come."""

    order: int
    account: str
    client_jid: str
    message_id: str
    amendments: Amendments
    author: str | None
    """Whose message it is said to be; None where that is not said."""
    author_lid: str | None = None
    failed: bool = False
    """WhatsApp refused to send it."""


class NameRank(enum.IntEnum):
    """Who gave a name; the higher one counts, and of equals the later."""

    PUSHED = 1
    """With a message, by its sender."""
    VERIFIED = 2
    NOTIFIED = 3
    CHAT = 4
    """By the phone's list of conversations, or an earlier generation of this system."""
    PHONE_BOOK = 5
    SUBJECT = 6
    """Of a group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatNamed:
    """A conversation's name as somebody gave it."""

    order: int
    account: str
    client_jid: str
    name: str
    rank: NameRank
    clock: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonTold:
    """A person's names by who gave them, and his picture. `lid` where `jid` is the number."""

    order: int
    account: str
    jid: str
    clock: int
    names: Mapping[NameRank, str]
    lid: str | None = None
    picture_url: str | None = None
    about: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRead:
    """We read a conversation up to this moment, on whatever device."""

    order: int
    account: str
    client_jid: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityTold:
    """A LID and a number are one person. `evidence` names where that was said."""

    order: int
    account: str
    lid: str
    pn: str
    evidence: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A message exists, and did not come so that it could be read. Its placeholder is a sighting of its own."""

    order: int
    account: str
    client_jid: str
    message_id: str
    reason: str
    at_ms: int
    key: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A part of an entry that means nothing to us: to be parked with its reason."""

    order: int
    account: str
    reason: str


Event = MessageSeen | Amended | ChatNamed | PersonTold | ChatRead | IdentityTold | Owed | Unreadable

PARTS = 1 << 16
"""An order is `seq * PARTS + part`: a record holds at most 200 messages, and the names of its chats follow them."""
