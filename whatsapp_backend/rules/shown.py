"""What a message shows after all that happened to it: the last text its sender gave it, or that he took it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from whatsapp_backend.domain.amendments import Edit, Handled, Mark
from whatsapp_backend.domain.events import Content, Status
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.domain.states import MessageState
from whatsapp_backend.rules import amendments
from whatsapp_backend.rules.identity import ME

REVOKED_PREVIEW = "[Deleted]"
_REVOKED = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """`content` is what shows, `original` what was sent. `edits` are those that count, with their ids, oldest first."""

    content: Content
    original: Content
    status: str
    edits: tuple[tuple[str, Edit], ...] = ()
    revoked: tuple[str, Mark] | None = None
    times: Mapping[str, Any] = field(default_factory=dict)
    """`deliveredAt`, `readAt` and `playedAt` of our own message, as far as somebody told."""

    @property
    def version(self) -> int:
        """Grows with what happens to what shows."""
        return _REVOKED if self.revoked else self.edits[-1][1].at_ms if self.edits else 0


def shown_of(state: MessageState) -> Shown:
    """What a message that was seen shows."""
    assert state.content is not None
    told = state.amendments
    if told is None:
        return Shown(content=state.content, original=state.content, status=_status(state, Status.NONE))
    edits = amendments.counting_edits(told, state.sender, state.sender_lid)
    revoked = amendments.counting_revoke(told, state.sender, state.sender_lid)
    content = state.content
    if revoked:
        content = Content(kind=content.kind)
    elif edits:
        content = replace(content, body=edits[-1][1].body)
    times, receipted = _handled(told.receipts) if state.sender == ME else ({}, Status.NONE)
    return Shown(
        content=content,
        original=state.content,
        status=_status(state, receipted),
        edits=tuple(edits),
        revoked=revoked,
        times=times,
    )


def _status(state: MessageState, receipted: Status) -> str:
    """A refused send is `failed`, unless somebody got it after all."""
    status = max(state.status, receipted)
    failed = state.failed and state.sender == ME and status < Status.DELIVERED
    return "failed" if failed else status.name.lower()


def _handled(receipts: Mapping[str, Handled]) -> tuple[dict[str, Any], Status]:
    """When the first of those it went to had it. In a group the status says that somebody did."""
    played = _first(handled.played_at_ms for handled in receipts.values())
    read = _first(_first((handled.read_at_ms, handled.played_at_ms)) for handled in receipts.values())
    delivered = _first(_first((handled.delivered_at_ms, read)) for handled in receipts.values())
    times = {"deliveredAt": delivered, "readAt": read, "playedAt": played}
    status = Status.READ if read is not None else Status.DELIVERED if delivered is not None else Status.NONE
    return {name: at_ms(ms) for name, ms in times.items() if ms is not None}, status


def _first(moments: Any) -> int | None:
    return min((ms for ms in moments if ms is not None), default=None)
