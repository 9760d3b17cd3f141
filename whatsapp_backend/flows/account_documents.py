"""Account documents: status at once, diagnostics at most every 15 seconds. Pairing secrets never."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from whatsapp_backend.clock import Clock, within
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.events import REALTIME, MessageSeen
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.domain.writes import Result, Write
from whatsapp_backend.flows.history_counts import HistoryCounts
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.publish import Published

log = structlog.get_logger()

_PAUSE_S = 15.0
_COUNT = "historySyncCount"


class AccountDocuments:
    """Collects what changed of each account and writes it, one write an account."""

    def __init__(self, lander: Lander, clock: Clock, *, worker: Mapping[str, Any]) -> None:
        self._lander = lander
        self._clock = clock
        self._worker = worker
        self._pending: dict[str, dict[str, Any]] = {}
        self._urgent: set[str] = set()
        self._written_s: dict[str, float] = {}
        self._shown: dict[str, dict[str, Any]] = {}
        self._history = HistoryCounts()
        self._synced: dict[str, int] = {}
        """What each document's count of history messages stands at, once it has been read."""
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self.realtime: dict[str, dict[str, Any]] = {}
        """Per account, what /diag shows of live ingestion."""

    def on_change(self, view: AccountView) -> None:
        """An account's connection changed, perhaps in nothing that its document shows."""
        fields = _connection_fields(view)
        if fields != self._shown.get(view.account):
            self._shown[view.account] = fields
            self._urgent.add(view.account)
            self._note(view.account, fields)

    def on_published(self, published: Published) -> None:
        """A window landed: keep the diagnostics the runbook names."""
        now_ms = self._clock.wall_ms()
        for account, sent_at_ms in _newest(published.seen).items():
            self.realtime[account] = {
                "lastRealtimeIngestAt": at_ms(now_ms),
                "lastRealtimeMessageAt": at_ms(sent_at_ms),
                "lastRealtimeError": None,
            }
            self._note(account, self.realtime[account])
        for account, fields in self._history.of_window(published, now_ms):
            waiting = self._pending.get(account, {}).get(_COUNT, 0)
            self._note(account, {**fields, _COUNT: fields[_COUNT] + waiting})

    def tell(self, account: str, fields: Mapping[str, Any]) -> None:
        """These fields of an account's document are to be written."""
        self._note(account, fields)

    async def run(self) -> None:
        """Write what is due until cancelled."""
        while True:
            self._wake.clear()
            now_s = self._clock.monotonic_s()
            waits_s = {account: self._wait_s(account, now_s) for account in self._pending}
            due = [account for account, wait_s in waits_s.items() if wait_s <= 0]
            if due:
                await self._write(due)
            else:
                await within(self._clock, min(waits_s.values(), default=None), self._wake.wait())

    async def drained(self) -> None:
        """Write all that waits, however recently an account was written: we are about to stop."""
        await self._write(list(self._pending))

    def _wait_s(self, account: str, now_s: float) -> float:
        written_s = self._written_s.get(account)
        if written_s is None or account in self._urgent:
            return 0.0
        return written_s + _PAUSE_S - now_s

    async def _write(self, accounts: Iterable[str]) -> None:
        async with self._writing:  # never two versions of one document in flight: the older might land last
            due = {account: self._pending.pop(account) for account in accounts if account in self._pending}
            self._urgent -= due.keys()
            if not due:
                return
            await self._add_up(due)
            outcomes = await self._lander.write([_write(account, fields) for account, fields in due.items()])
            for account, outcome in zip(due, outcomes, strict=True):
                self._written_s[account] = self._clock.monotonic_s()
                if outcome.result is not Result.LANDED:
                    log.error("account_document_refused", account=account, reason=outcome.detail)

    async def _add_up(self, due: Mapping[str, dict[str, Any]]) -> None:
        """Go on from where the document's count stands: an earlier life wrote it."""
        counting = [account for account, fields in due.items() if _COUNT in fields]
        unread = [account for account in counting if account not in self._synced]
        if unread:
            found = await self._lander.read([_path(account) for account in unread])
            for account in unread:
                count = found[_path(account)].fields.get(_COUNT) if _path(account) in found else None
                self._synced[account] = count if isinstance(count, int) else 0
        for account in counting:
            self._synced[account] += due[account][_COUNT]
            due[account][_COUNT] = self._synced[account]

    def _note(self, account: str, fields: Mapping[str, Any]) -> None:
        known = self._pending.setdefault(account, {"accountId": account, "worker": dict(self._worker)})
        known.update(fields)
        self._wake.set()


def _newest(seen: Iterable[MessageSeen]) -> dict[str, int]:
    """Per account with live messages, when the newest was sent."""
    newest: dict[str, int] = {}
    for one in seen:
        if one.origin in REALTIME:
            newest[one.account] = max(newest.get(one.account, 0), one.sent_at_ms)
    return newest


def _path(account: str) -> str:
    return f"accounts/{account}"


def _write(account: str, fields: Mapping[str, Any]) -> Write:
    return Write(path=_path(account), fields=fields, mask=tuple(sorted(fields)), server_times=("updatedAt",))


def _connection_fields(view: AccountView) -> dict[str, Any]:
    always = {
        "name": view.name,
        "phone": view.phone,
        "phoneE164": view.phone,
        "status": view.status,
        "requiresQR": view.status in ("qr_ready", "needs_qr", "logged_out"),
        "lastError": view.last_error,
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


def _moment(ms: int | None) -> Any:
    return at_ms(ms) if ms is not None else None
