"""Account documents: status at once, diagnostics at most every 15 seconds. Pairing secrets never."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.events import Origin
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.domain.writes import Result, Write
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.publish import Published

log = structlog.get_logger()

_PAUSE_S = 15.0
_REALTIME = (Origin.LIVE, Origin.OFFLINE, Origin.SENT, Origin.RESEND)


class AccountDocuments:
    """Collects what changed of each account and writes it, one write an account."""

    def __init__(self, lander: Lander, clock: Clock, *, worker: Mapping[str, Any]) -> None:
        self._lander = lander
        self._clock = clock
        self._worker = worker
        self._pending: dict[str, dict[str, Any]] = {}
        self._last_s: dict[str, float] = {}
        self._urgent: set[str] = set()
        self._history: dict[str, dict[str, int]] = {}
        self._wake = asyncio.Event()
        self.realtime: dict[str, dict[str, Any]] = {}
        """Per account, what /diag shows of live ingestion."""

    def on_change(self, view: AccountView, *, urgent: bool) -> None:
        """An account's connection changed."""
        self._note(view.account, _connection_fields(view), urgent=urgent)

    def on_published(self, published: Published) -> None:
        """A window landed: keep the diagnostics the runbook names."""
        newest: dict[str, int] = {}
        for seen in published.seen:
            if seen.origin in _REALTIME:
                newest[seen.account] = max(newest.get(seen.account, 0), seen.sent_at_ms)
        now_ms = self._clock.wall_ms()
        for account, sent_at_ms in newest.items():
            fields = {
                "lastRealtimeIngestAt": at_ms(now_ms),
                "lastRealtimeMessageAt": at_ms(sent_at_ms),
                "lastRealtimeError": None,
            }
            self.realtime[account] = fields
            self._note(account, fields)
        self._note_history(published, now_ms)

    def _note_history(self, published: Published, now_ms: int) -> None:
        for seen in published.seen:
            if seen.origin is Origin.HISTORY:
                count = self._history.setdefault(seen.account, {"saved": 0, "synced": 0})
                count["saved"] += 1
        for entry in published.entries:
            if entry.new.kind != "history-end" or entry.new.payload is None:
                continue
            payload = orjson.loads(entry.new.payload)
            count = self._history.setdefault(entry.account, {"saved": 0, "synced": 0})
            count["synced"] += count["saved"]
            total = payload.get("messages") or 0
            failed = payload.get("result") != "complete"
            result = {
                "saved": count["saved"],
                "skipped": max(0, total - count["saved"]),
                "errors": int(failed),
                "total": total,
                "dryRun": False,
            }
            count["saved"] = 0
            self._note(
                entry.account,
                {
                    "lastHistorySyncAt": at_ms(now_ms),
                    "historySyncCount": count["synced"],
                    "lastHistorySyncResult": result,
                },
            )

    async def run(self) -> None:
        """Write what is due until cancelled."""
        while True:
            self._wake.clear()
            now_s = self._clock.monotonic_s()
            due = {
                account: self._pending.pop(account)
                for account in list(self._pending)
                if account in self._urgent or now_s - self._last_s.get(account, -_PAUSE_S) >= _PAUSE_S
            }
            self._urgent -= due.keys()
            if due:
                await self._write(due)
                continue
            waits = [self._last_s[account] + _PAUSE_S - now_s for account in self._pending]
            try:
                async with asyncio.timeout(max(0.0, min(waits)) if waits else None):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def drained(self) -> None:
        """Write all that waits, however recently an account was written: we are about to stop."""
        due, self._pending = self._pending, {}
        if due:
            await self._write(due)

    async def _write(self, due: Mapping[str, dict[str, Any]]) -> None:
        writes = [
            Write(path=f"accounts/{account}", fields=fields, mask=tuple(sorted(fields)), server_times=("updatedAt",))
            for account, fields in due.items()
        ]
        outcomes = await self._lander.write(writes)
        for account, outcome in zip(due, outcomes, strict=True):
            self._last_s[account] = self._clock.monotonic_s()
            if outcome.result is not Result.LANDED:
                log.error("account_document_refused", account=account, reason=outcome.detail)

    def _note(self, account: str, fields: Mapping[str, Any], *, urgent: bool = False) -> None:
        known = self._pending.setdefault(account, {"accountId": account, "worker": dict(self._worker)})
        known.update(fields)
        if urgent:
            self._urgent.add(account)
        self._wake.set()


def _connection_fields(view: AccountView) -> dict[str, Any]:
    return {
        "name": view.name,
        "phone": view.phone,
        "phoneE164": view.phone,
        "waJid": view.wa_jid,
        "status": view.status,
        "requiresQR": view.status in ("qr_ready", "needs_qr", "logged_out"),
        "lastError": view.last_error,
        "createdAt": at_ms(view.created_at_ms).isoformat().replace("+00:00", "Z"),
        "lastConnectedAt": _moment(view.last_connected_at_ms),
        "lastDisconnectedAt": _moment(view.last_disconnected_at_ms),
        "lastDisconnectCode": view.last_disconnect_code,
        "lastDisconnectReason": view.last_disconnect_reason,
        "retryCount": view.retry_count,
        "nextRetryAt": _moment(view.next_retry_at_ms),
    }


def _moment(ms: int | None) -> Any:
    return at_ms(ms) if ms is not None else None
