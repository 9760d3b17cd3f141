"""Epochs: each connection of an account as a row, from opening to its end, so that the ledger knows what was heard.

A row is written with each change of the connection, and while it lasts with every heartbeat: a crash costs at most what
came after the last one. Rows of an account are written in the order of what happened, before what came later is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.coverage import ENDLESS_MS, Epoch, LedgerChange
from whatsapp_backend.errors import BridgeGone, CommandFailed, CommandTimedOut, StoreUnwell
from whatsapp_backend.ports import Gateway, Ledger
from whatsapp_backend.rules.coverage import epochs as rules
from whatsapp_backend.rules.coverage.chunks import lost_offline

log = structlog.get_logger()

_PING_S = 10.0
_KEPT_MS = 24 * 60 * 60 * 1000
"""Rows that claim the same are folded when they are older."""
_SLACK_MS = 60_000


class Epochs:
    """Told of every change of a connection; `on_news(account, since_ms)` when more is claimed from this moment on.

    `on_ping` is told what the bridge answered to the ping of each heartbeat.
    """

    def __init__(
        self,
        ledger: Ledger,
        gateway: Gateway,
        clock: Clock,
        *,
        tasks: asyncio.TaskGroup,
        on_news: Callable[[str, int], None],
    ) -> None:
        self._ledger = ledger
        self._gateway = gateway
        self._clock = clock
        self._tasks = tasks
        self._on_news = on_news
        self.on_ping: Callable[[Mapping[str, object]], None] = lambda _: None
        self._rows: dict[str, tuple[Epoch, ...]] = {}
        self._views: dict[str, AccountView] = {}
        self._unwritten: dict[tuple[str, int], Epoch] = {}
        self._news: dict[str, int] = {}
        """By account, since when more is claimed; told when the rows that claim it are durable."""
        self._settled: set[str] = set()
        """Accounts whose connection has lived long enough to claim something, and that was told."""

    async def load(self, accounts: Iterable[str]) -> None:
        """Go on where an earlier life ended. Must come before any of these connects."""
        for account in accounts:
            self._rows[account] = (await self._ledger.account_ledger(account)).epochs

    def on_change(self, view: AccountView) -> None:
        """An account's connection changed."""
        before = self._views.get(view.account)
        self._views[view.account] = view
        is_open = view.status == "connected"
        # What waits for us is announced, and may have come, before the engine calls the connection open.
        told = before if before is not None and before.status == "connected" else None
        now_ms = self._clock.wall_ms()
        if is_open and told is None:
            self._opened(view.account, now_ms)
        elif told is not None and not is_open:
            self._settled.discard(view.account)
            self._change(view.account, lambda row: rules.closed(row, now_ms))
        if not is_open:
            return
        announced, received = view.offline_announced, view.offline_received
        if announced is not None and (told is None or announced != told.offline_announced):
            self._change(view.account, lambda row: rules.announced(row, announced))
        if view.caught_up and (told is None or not told.caught_up):
            self._change(view.account, lambda row: rules.caught_up(row, received or 0, now_ms))
            self._caught_up(view.account)

    async def beat(self) -> None:
        """Note when each open connection was heard last."""
        try:
            answer = await self._gateway.do("ping", timeout_s=_PING_S)
        except (BridgeGone, CommandFailed, CommandTimedOut) as error:
            log.warning("heartbeat_failed", reason=str(error))
            return
        self.on_ping(answer)
        heard = answer.get("heard")
        for account, at_ms in heard.items() if isinstance(heard, Mapping) else ():
            row = self._open_row(account)
            if row is not None and isinstance(at_ms, int) and at_ms > row.heard_at_ms:
                self._put(rules.heard(row, at_ms))
                self._lives(account)
        await self._write()

    def deaf(self, account: str, inbound_at_ms: int) -> None:
        """The connection looked alive, and nothing that came after this moment can be relied on."""
        now_ms = self._clock.wall_ms()
        self._change(account, lambda row: rules.deaf(row, inbound_at_ms, now_ms))

    # -- Rows ------------------------------------------------------------------------------------------------------

    def _opened(self, account: str, now_ms: int) -> None:
        known = self._rows.get(account, ())
        for row in rules.opened(account, known[-1] if known else None, now_ms):
            self._put(row)
        rows = self._rows[account]
        kept = rules.folded(rows, now_ms - _KEPT_MS)
        gone = tuple(row for row in rows if row.number not in {one.number for one in kept})
        self._rows[account] = kept
        for row in kept:
            if row not in rows:
                self._unwritten[account, row.number] = row
        self._tasks.create_task(self._write(gone), name=f"epoch of {account}")

    def _change(self, account: str, how: Callable[[Epoch], Epoch]) -> None:
        row = self._open_row(account)
        if row is not None:
            self._put(how(row))
            self._tasks.create_task(self._write(), name=f"epoch of {account}")

    def _open_row(self, account: str) -> Epoch | None:
        rows = self._rows.get(account, ())
        return rows[-1] if rows and rows[-1].ending is None else None

    def _put(self, row: Epoch) -> None:
        rows = [one for one in self._rows.get(row.account, ()) if one.number != row.number]
        self._rows[row.account] = (
            (*rows, row)
            if not rows or rows[-1].number < row.number
            else tuple(sorted((*rows, row), key=lambda one: one.number))
        )
        self._unwritten[row.account, row.number] = row

    def _caught_up(self, account: str) -> None:
        row = self._rows[account][-1]
        lost = lost_offline(row)
        if lost:
            log.warning("offline_messages_missing", account=account, announced=row.announced, missing=lost)
        if row.announced is None:
            log.info("offline_messages_not_announced", account=account)
        self._note_news(account, self._since(account))

    def _lives(self, account: str) -> None:
        """Once, when the connection has lived long enough to claim something."""
        row = self._rows[account][-1]
        if account in self._settled or row.number not in rules.claims_of(self._rows[account]).lives:
            return
        self._settled.add(account)
        self._note_news(account, self._since(account))

    def _since(self, account: str) -> int:
        """Before this moment nothing is claimed that was not before the open connection."""
        ended = [row for row in self._rows[account][:-1] if row.caught_up_at_ms is not None]
        return max(0, ended[-1].heard_at_ms - _SLACK_MS) if ended else 0

    def _note_news(self, account: str, since_ms: int) -> None:
        self._news[account] = min(since_ms, self._news.get(account, ENDLESS_MS))

    async def _write(self, gone: tuple[Epoch, ...] = ()) -> None:
        """Write what is not written yet. What fails is written with the next change, and claims nothing until then."""
        rows, self._unwritten = self._unwritten, {}
        news, self._news = self._news, {}
        if not rows and not gone:
            return
        try:
            await self._ledger.record(LedgerChange(epochs=tuple(rows.values()), folded=gone))
        except StoreUnwell as error:
            log.warning("epochs_wait_for_the_store", reason=str(error))
            self._unwritten = {**rows, **self._unwritten}
            for account, since_ms in news.items():
                self._note_news(account, since_ms)
            return
        for account, since_ms in news.items():
            self._on_news(account, since_ms)
