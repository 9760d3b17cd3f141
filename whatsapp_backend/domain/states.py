"""What a document has gathered: the merge of everything that was seen of it, with the clocks that make merging safe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from whatsapp_backend.domain.amendments import Amendments
from whatsapp_backend.domain.events import Content, Origin, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageState:
    """A message. `first`, `content_order` and `name_order` say which sighting each part is from.

    Without `content` there was no sighting yet, only amendments: it is no document, and waits for its message. So does
    what is known to be no message of its own (`messages.is_here`), unless a placeholder landed for it before.
    """

    account: str
    client_jid: str
    message_id: str
    sender: str | None
    sent_at_ms: int
    active_at_ms: int
    """How far it moves its thread: its own time, where that can be believed."""
    first: int
    sync_source: str
    offline: bool
    key: Mapping[str, Any]
    origin: Origin
    status: Status
    failed: bool
    name: str | None
    name_order: int
    content: Content | None
    content_order: int
    sender_lid: str | None = None
    amendments: Amendments | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadState:
    """A conversation: its newest message by source time, and its best name. `last_at_ms` 0: no message yet.

    `last_version` grows with what happens to that message, so that its preview follows.
    """

    account: str
    client_jid: str
    last_at_ms: int = 0
    last_id: str = ""
    last_version: int = 0
    last_richness: int = 0
    last_order: int = 0
    last_preview: str = ""
    last_direction: str = ""
    last_sender_name: str | None = None
    last_name_order: int = 1 << 62
    """Of the message, too: its sender's name may come after it."""
    last_inbound_at_ms: int = 0
    name: str | None = None
    name_rank: int = 0
    name_clock: int = 0
    read_at_ms: int = 0
    """When we last read it. Only the mirror knows."""
    anew: int = 0
    """How often it was derived anew because its newest message turned out to be none, or older."""
    redirect_to: str = ""
    """The id of the thread that its messages went to."""
    backfilled_at_ms: int = 0
    """When the phone last answered a request for it."""
    coverage: Mapping[str, Any] | None = None
    """What the ledger has to show of it; the ledger alone says it, and later words replace earlier ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactState:
    """A person: for each rank the newest name, as (clock, name), and his picture and what he says of himself."""

    account: str
    jid: str
    names: Mapping[str, tuple[int, str]]
    """By the rank's name."""
    lid: str | None = None
    picture: tuple[int, str] | None = None
    about: tuple[int, str] | None = None
