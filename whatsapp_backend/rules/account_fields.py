"""What an account's document tells of its connection, and of what arrived lately."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.events import REALTIME, MessageSeen
from whatsapp_backend.domain.moments import at_ms


def account_path(account: str) -> str:
    """Where the account's document lies."""
    return f"accounts/{account}"


def connection_fields(view: AccountView) -> dict[str, Any]:
    """How its connection fares. Pairing secrets are no part of it."""
    always = {
        "name": view.name,
        "phone": view.phone,
        "phoneE164": view.phone,
        "status": view.status,
        "requiresQR": view.status in ("qr_ready", "needs_qr", "logged_out"),
        "lastError": view.last_error,
        "passiveModeReason": None,  # who is passive writes nothing; an earlier system may have left one
        "createdAt": at_ms(view.created_at_ms).isoformat().replace("+00:00", "Z"),
        "retryCount": view.retry_count,
        "nextRetryAt": _moment(view.next_retry_at_ms),
    }
    # What this life does not know yet, the document may know from an earlier one.
    known = {
        "waJid": view.wa_jid,
        "lastConnectedAt": _moment(view.last_connected_at_ms),
        "lastDisconnectedAt": _moment(view.last_disconnected_at_ms),
        "lastDisconnectCode": view.last_disconnect_code,
        "lastDisconnectReason": view.last_disconnect_reason,
    }
    return always | {name: value for name, value in known.items() if value is not None}


def newest_live(seen: Iterable[MessageSeen]) -> dict[str, int]:
    """Per account with live messages, when the newest was sent, in ms."""
    newest: dict[str, int] = {}
    for one in seen:
        if one.origin in REALTIME:
            newest[one.account] = max(newest.get(one.account, 0), one.sent_at_ms)
    return newest


def _moment(ms: int | None) -> datetime | None:
    return at_ms(ms) if ms is not None else None
