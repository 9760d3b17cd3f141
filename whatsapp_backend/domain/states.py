"""What a document has gathered: the merge of everything that was seen of it, with the clocks that make merging safe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from whatsapp_backend.domain.events import Content, Origin, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageState:
    """A message. `first`, `content_order` and `name_order` say which sighting each part is from."""

    account: str
    client_jid: str
    message_id: str
    sender: str | None
    sent_at_ms: int
    first: int
    sync_source: str
    offline: bool
    key: Mapping[str, Any]
    origin: Origin
    status: Status
    failed: bool
    name: str | None
    name_order: int
    content: Content
    content_order: int
    sender_lid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadState:
    """A conversation: its newest message by source time, and its best name. `last_at_ms` 0: no message yet."""

    account: str
    client_jid: str
    last_at_ms: int = 0
    last_id: str = ""
    last_order: int = 0
    last_richness: int = 0
    last_preview: str = ""
    last_direction: str = ""
    last_sender_name: str | None = None
    last_inbound_at_ms: int = 0
    name: str | None = None
    name_rank: int = 0
    name_clock: int = 0
