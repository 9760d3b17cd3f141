"""Connect: which accounts are connected, and when they are connected again.

One link per declared account. A link is `up` from the moment the bridge is told to start it until its `closed` frame,
a halt of ours, or the end of the bridge; the decision what follows is rules.reconnect. At most one task per link is at
work on connecting it. An account that must not be connected (unlinked, wrong number, credentials unreadable) waits for its
operator, with the reason in its document.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.frames import State, Status
from whatsapp_backend.domain.journal import DeclaredAccount, OpenNotice
from whatsapp_backend.errors import BridgeGone, CommandFailed, CommandTimedOut, CredentialsUnreadable, StoreUnwell
from whatsapp_backend.ports import Accounts, Gateway, Journal, KeyStore
from whatsapp_backend.rules.encode import open_notice
from whatsapp_backend.rules.identity import account_id, canonical_jid, phone_of
from whatsapp_backend.rules.reconnect import RESTART_REQUIRED, STORE, TIMED_OUT, Endings, decide

log = structlog.get_logger()

_COMMAND_TIMEOUT_S = 30.0
_STORE_PAUSE_S = 2.0
WRONG_NUMBER = "wrong-number"


@dataclass(slots=True)
class _Link:
    """What is known of one account's connection."""

    declared: DeclaredAccount
    view: AccountView
    endings: Endings = field(default_factory=Endings)
    up: bool = False
    opened_at_s: float | None = None
    work: asyncio.Task[None] | None = None
    watch: asyncio.Task[None] | None = None


class OnChange(Protocol):
    """Who is told of a change of an account."""

    def __call__(self, view: AccountView, *, urgent: bool) -> None:
        """`urgent`: what people wait for, as a status, rather than a count."""


class Connector:
    """Owns the links. `on_change` is told of every change of an account."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        keys: KeyStore,
        journal: Journal,
        gateway: Gateway,
        clock: Clock,
        rng: random.Random,
        tasks: asyncio.TaskGroup,
        server: str,
        full_history: bool,
        connect_timeout_s: float,
        on_change: OnChange,
    ) -> None:
        self._accounts = accounts
        self._keys = keys
        self._journal = journal
        self._gateway = gateway
        self._clock = clock
        self._rng = rng
        self._tasks = tasks
        self._server = server
        self._full_history = full_history
        self._connect_timeout_s = connect_timeout_s
        self._on_change = on_change
        self._links: dict[str, _Link] = {}
        self._bridge_up = False
        self._stopping = False

    async def load(self) -> None:
        """Take over what was declared in earlier lives."""
        for declared in await self._accounts.declared():
            self._add_link(declared)

    def views(self) -> list[AccountView]:
        """All accounts, oldest first."""
        return [link.view for link in self._links.values()]

    def view(self, account: str) -> AccountView | None:
        """One account."""
        link = self._links.get(account)
        return link.view if link else None

    async def add(self, *, phone: str, name: str, namespace: str) -> AccountView:
        """Declare an account and start pairing it; declared already, it is started again where it had stopped.

        Raises ValueError for what is no phone number.
        """
        account = account_id(phone, namespace)
        link = self._links.get(account)
        if link is None:
            declared = DeclaredAccount(
                account=account,
                phone="+" + "".join(filter(str.isdigit, phone)),
                name=name,
                server=None,
                created_at_ms=self._clock.wall_ms(),
            )
            await self._accounts.declare(declared)
            link = self._links.get(account) or self._add_link(declared)
        await self.resume(account)
        return link.view

    async def resume(self, account: str) -> None:
        """Connect an account that waits for its operator: he says that he acted. Others are left alone."""
        link = self._links[account]
        if link.up or link.work:
            return
        if link.declared.stopped:
            unlinked = link.view.status in ("logged_out", "needs_qr")
            if unlinked:
                await self._keys.forget(account)
            server = None if unlinked else link.declared.server
            await self._declare(link, replace(link.declared, stopped=None, server=server))
        link.endings = Endings()
        self._connect_after(link, 0.0)

    async def stop(self) -> None:
        """Say goodbye on every connection."""
        self._stopping = True
        for link in self._links.values():
            for task in (link.work, link.watch):
                if task:
                    task.cancel()
        ups = [account for account, link in self._links.items() if link.up]
        async with asyncio.TaskGroup() as tasks:
            for account in ups:
                tasks.create_task(self._say_stop(account))

    def on_bridge(self, *, up: bool) -> None:
        """The bridge came or went, and with it every connection."""
        self._bridge_up = up
        for link in self._links.values():
            if up and not link.declared.stopped:
                self._connect_after(link, 0.0)
            elif not up:
                self._went_down(link)
                if not link.declared.stopped and not self._stopping:
                    self._change(link, status="reconnecting", last_error="the bridge is not running")

    def on_halted(self, account: str, code: int, reason: str) -> None:
        """We ended this account's socket ourselves: the disk said no, or the bridge sent rubbish."""
        self._ended(account, code, reason)

    def on_state(self, state: State) -> None:
        """The bridge tells what became of a socket."""
        link = self._links.get(state.account)
        if link is None or not link.up:
            return  # of a socket that was given up meanwhile
        match state.status:
            case Status.QR:
                self._unwatch(link)
                self._change(link, status="qr_ready", qr=state.qr)
            case Status.PAIRED:
                self._change(link, status="pairing", qr=None)
                self._remember_server(link)
            case Status.OPEN:
                self._opened(link, state)
            case Status.OFFLINE:
                self._change(link, urgent=False, offline_announced=state.announced)
            case Status.CAUGHT_UP:
                self._change(link, urgent=False, caught_up=True, offline_received=state.received)
                log.info("caught_up", account=state.account, received=state.received)
            case Status.CLOSED:
                self._ended(state.account, state.code or 0, state.reason or "")
            case Status.CONNECTING:
                pass

    def _opened(self, link: _Link, state: State) -> None:
        self._unwatch(link)
        me = canonical_jid(state.me.id) if state.me else ""
        if phone_of(me) != link.declared.phone:
            self._work(link, self._log_out_wrong_number(link))
            return
        link.opened_at_s = self._clock.monotonic_s()
        self._remember_server(link)  # a crash right after pairing may have left it out
        self._change(
            link,
            status="connected",
            qr=None,
            wa_jid=me,
            last_error=None,
            last_connected_at_ms=self._clock.wall_ms(),
            retry_count=0,
            next_retry_at_ms=None,
        )

    async def _log_out_wrong_number(self, link: _Link) -> None:
        """A phone of another number scanned the code: its messages belong to no account of ours."""
        log.error("paired_with_another_number", account=link.declared.account)
        link.up = False
        await self._declare(link, replace(link.declared, stopped=WRONG_NUMBER, server=None))
        try:
            await self._gateway.do("logout", account=link.declared.account, timeout_s=_COMMAND_TIMEOUT_S)
        except (BridgeGone, CommandFailed, CommandTimedOut) as error:
            log.warning("logout_failed", account=link.declared.account, reason=str(error))
        await self._keys.forget(link.declared.account)
        self._change(
            link,
            status="needs_qr",
            qr=None,
            last_error="the phone that scanned has another number than this account: scan with the right one",
        )

    def _ended(self, account: str, code: int, reason: str) -> None:
        link = self._links.get(account)
        if link is None or not link.up or self._stopping:
            return
        now_s = self._clock.monotonic_s()
        opened_at_s = link.opened_at_s
        decision = decide(
            code,
            link.endings,
            lasted_s=now_s - opened_at_s if opened_at_s is not None else 0.0,
            had_opened=opened_at_s is not None,
            pairing=link.view.wa_jid is None,
            jitter=self._rng.random(),
        )
        self._went_down(link)
        link.endings = decision.endings
        self._change(
            link,
            status=decision.status,
            qr=None,
            last_error=decision.reason or (reason if code != RESTART_REQUIRED else None),
            last_disconnected_at_ms=self._clock.wall_ms(),
            last_disconnect_code=code,
            last_disconnect_reason=reason,
            retry_count=decision.endings.failures,
        )
        log.info("connection_ended", account=account, code=code, reason=reason, again_in_s=decision.wait_s)
        if decision.wait_s is None:
            self._work(link, self._declare(link, replace(link.declared, stopped=decision.status)))
        else:
            self._connect_after(link, decision.wait_s, store_was_unwell=code == STORE)

    def _connect_after(self, link: _Link, wait_s: float, *, store_was_unwell: bool = False) -> None:
        if self._bridge_up and not link.up and not self._stopping:
            self._work(link, self._connect(link, wait_s, store_was_unwell=store_was_unwell))

    async def _connect(self, link: _Link, wait_s: float, *, store_was_unwell: bool) -> None:
        account = link.declared.account
        if wait_s:
            self._change(link, next_retry_at_ms=self._clock.wall_ms() + int(wait_s * 1000))
            await self._clock.sleep(wait_s)
        while store_was_unwell and not await self._store_is_well(account):
            await self._clock.sleep(_STORE_PAUSE_S)
        try:
            # Its answer comes after every frame the bridge sent before it gave the old socket up: an old ratchet
            # that was still in the pipe has been refused by then, and cannot overwrite what we read next.
            await self._say_stop(account)
            creds = await self._usable_creds(link)
            open_notices = await self._journal.open_notices(account)
            link.up, link.opened_at_s = True, None
            self._change(link, status="connecting", caught_up=False, offline_announced=None, offline_received=None)
            await self._start(account, creds, open_notices)
            link.watch = self._tasks.create_task(self._watch(link), name=f"watch {account}")
        except CredentialsUnreadable as error:
            await self._declare(link, replace(link.declared, stopped="credentials-unreadable"))
            self._change(link, status="disconnected", last_error=str(error))
        except (BridgeGone, CommandFailed, CommandTimedOut, StoreUnwell) as error:
            link.up = True  # so that it ends like any other connection
            self._ended_later(link, error)

    def _ended_later(self, link: _Link, error: Exception) -> None:
        """End the link once the task that is at work on it has returned: it starts the next one."""
        if not isinstance(error, BridgeGone):
            code = STORE if isinstance(error, StoreUnwell) else TIMED_OUT
            asyncio.get_running_loop().call_soon(self._ended, link.declared.account, code, str(error))
        else:
            link.up = False  # on_bridge() connects it again

    async def _start(self, account: str, creds: str | None, notices: list[OpenNotice]) -> None:
        await self._gateway.do(
            "start",
            account=account,
            timeout_s=_COMMAND_TIMEOUT_S,
            creds=creds,
            fullHistory=self._full_history,
            open=[open_notice(notice) for notice in notices],
        )

    async def _usable_creds(self, link: _Link) -> str | None:
        """The credentials, None for an account to be paired.

        Raises CredentialsUnreadable for those of another server, which must not see ours, and where a paired account
        has none: a new identity must never come silently.
        """
        account, paired_with = link.declared.account, link.declared.server
        creds = await self._keys.creds(account)
        if paired_with and creds is None:
            raise CredentialsUnreadable(
                f"{account} was paired, and its credentials are gone. Restore the state directory from a backup"
            )
        if paired_with and paired_with != self._server:
            raise CredentialsUnreadable(
                f"the credentials of {account} were made with {paired_with}, and are not used with {self._server}. "
                "Set WHATSAPP_WEB_URL as it was, or use another STATE_DIR"
            )
        return creds

    def _remember_server(self, link: _Link) -> None:
        if link.declared.server != self._server:
            declared = replace(link.declared, server=self._server)
            self._tasks.create_task(self._declare(link, declared), name=f"declare {declared.account}")

    async def _store_is_well(self, account: str) -> bool:
        try:
            await self._journal.check()
        except StoreUnwell as error:
            link = self._links[account]
            if link.view.last_error != str(error):
                self._change(link, last_error=str(error))
            return False
        return True

    async def _watch(self, link: _Link) -> None:
        """A server that accepts the connection and then says nothing must not keep an account for ever."""
        await self._clock.sleep(self._connect_timeout_s)
        if link.up and link.opened_at_s is None:
            self._gateway.halt(link.declared.account, "stopped")
            link.watch = None
            self._ended(link.declared.account, TIMED_OUT, f"not connected within {self._connect_timeout_s:.0f} s")

    async def _say_stop(self, account: str) -> None:
        try:
            await self._gateway.do("stop", account=account, timeout_s=_COMMAND_TIMEOUT_S)
        except CommandFailed:
            pass  # it was not started
        except (BridgeGone, CommandTimedOut) as error:
            log.debug("stop_unanswered", account=account, reason=str(error))

    def _went_down(self, link: _Link) -> None:
        link.up = False
        link.opened_at_s = None
        self._unwatch(link)
        if link.work and not link.work.done() and asyncio.current_task() is not link.work:
            link.work.cancel()

    def _unwatch(self, link: _Link) -> None:
        if link.watch and asyncio.current_task() is not link.watch:
            link.watch.cancel()
        link.watch = None

    def _work(self, link: _Link, coroutine: Coroutine[Any, Any, None]) -> None:
        if link.work and not link.work.done():
            link.work.cancel()
        link.work = self._tasks.create_task(coroutine, name=f"connect {link.declared.account}")
        link.work.add_done_callback(lambda done: setattr(link, "work", None if link.work is done else link.work))

    async def _declare(self, link: _Link, declared: DeclaredAccount) -> None:
        link.declared = declared
        await self._accounts.declare(declared)

    def _add_link(self, declared: DeclaredAccount) -> _Link:
        status = {None: "disconnected", WRONG_NUMBER: "needs_qr"}.get(declared.stopped, declared.stopped)
        view = AccountView(
            account=declared.account,
            phone=declared.phone,
            name=declared.name,
            created_at_ms=declared.created_at_ms,
            status=status or "disconnected",
        )
        link = self._links[declared.account] = _Link(declared=declared, view=view)
        return link

    def _change(self, link: _Link, *, urgent: bool = True, **changes: Any) -> None:
        link.view = replace(link.view, **changes)
        self._on_change(link.view, urgent=urgent)
