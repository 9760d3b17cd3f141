"""An account as it is shown: what was declared, and how its connection fares."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """A snapshot of one account. `status` is the document's (connecting, qr_ready, connected, needs_qr, …)."""

    account: str
    phone: str
    name: str
    created_at_ms: int
    status: str
    qr: str | None = None
    """The raw string to be shown as a code while the phone has to scan one. A secret: never stored in a document."""
    wa_jid: str | None = None
    last_error: str | None = None
    passive_reason: str | None = None
    """Why nothing may be done for it here, while its status is `passive`."""
    last_connected_at_ms: int | None = None
    last_disconnected_at_ms: int | None = None
    last_disconnect_code: int | None = None
    last_disconnect_reason: str | None = None
    retry_count: int = 0
    next_retry_at_ms: int | None = None
    caught_up: bool = False
    offline_announced: int | None = None
    offline_received: int | None = None
    hearing: str | None = None
    """Whether messages arrive, as far as is known (`rules.hearing`). None while not connected, unless found deaf."""
