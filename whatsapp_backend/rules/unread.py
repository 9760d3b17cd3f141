"""Which messages are unread: what others sent us, as it came; a history never adds to them."""

from __future__ import annotations

from whatsapp_backend.domain.events import Origin
from whatsapp_backend.domain.states import MessageState
from whatsapp_backend.rules.content import NOTHING
from whatsapp_backend.rules.identity import ME

_COUNTED = frozenset({Origin.LIVE, Origin.OFFLINE})
_NOT_COUNTED_KINDS = frozenset({"event", NOTHING})
_STATUS = "status@broadcast"


def is_unread(state: MessageState | None) -> bool:
    """Whether a message counts until its conversation is read."""
    return (
        state is not None
        and state.content is not None
        and state.origin in _COUNTED
        and state.sender != ME
        and state.client_jid != _STATUS
        and state.content.kind not in _NOT_COUNTED_KINDS
    )
