"""Link: one account, from one connection to the next.

A link that runs is one task in one loop: wait, close what was, read the credentials, start, wait for the end, decide.
It leaves the loop only for what its operator must mend (`declared.stopped`), and is cancelled when the account is no
longer ours. Nothing but that and the end of its socket reaches into the task. How earlier connections ended, and until
when to wait, is remembered from one task to the next: who gets an account back is no less patient.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.frames import State, Status
from whatsapp_backend.domain.journal import DeclaredAccount, OpenNotice
from whatsapp_backend.errors import BridgeGone, CommandTimedOut, CredentialsUnreadable, StoreUnwell
from whatsapp_backend.flows.socket import Ended, Socket
from whatsapp_backend.ports import Accounts, Gateway, Journal, KeyStore
from whatsapp_backend.rules.credentials import demand_usable
from whatsapp_backend.rules.hearing import Hearing
from whatsapp_backend.rules.identity import canonical_jid, phone_of
from whatsapp_backend.rules.reconnect import (
    BRIDGE,
    BY_OPERATOR,
    DEAF,
    NOT_OWNED,
    REPLACED,
    STOPS,
    STORE,
    TIMED_OUT,
    UNREADABLE,
    WRONG_NUMBER,
    Decision,
    Endings,
    decide,
)

log = structlog.get_logger()

STORE_PAUSE_S = 2.0
_OWN_CODES = {BridgeGone: BRIDGE, CommandTimedOut: TIMED_OUT, StoreUnwell: STORE, CredentialsUnreadable: UNREADABLE}
"""How a connection ends that did not begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all links share. `turn` returns when the caller may connect, `bridge_up` is set while there is a bridge.

    `owned` is asked before everything that only an owner may begin; `disowned` is told what WhatsApp says against it.
    """

    accounts: Accounts
    keys: KeyStore
    journal: Journal
    gateway: Gateway
    clock: Clock
    rng: random.Random
    server: str
    full_history: bool
    connect_timeout_s: float
    on_change: Callable[[AccountView], None]
    bridge_up: asyncio.Event
    turn: Callable[[], Awaitable[None]]
    owned: Callable[[str], bool]
    disowned: Callable[[str], None]


class Link:
    """`run` keeps the account connected, `on_state` is told what the bridge says of it, `view` is what people see."""

    def __init__(self, declared: DeclaredAccount, near: Surroundings) -> None:
        stop = STOPS.get(declared.stopped or "")
        self.view = AccountView(
            account=declared.account,
            phone=declared.phone,
            name=declared.name,
            created_at_ms=declared.created_at_ms,
            status=stop.status if stop else "disconnected",
            last_error=stop.reason if stop else declared.stopped,
        )
        self.socket = Socket(declared.account, near.gateway)
        self._account = declared.account
        self._declared = declared
        self._near = near
        self._alone = asyncio.Lock()
        self._writes: asyncio.TaskGroup | None = None
        self._opened_at_s: float | None = None
        self._endings = Endings()
        self._ended: Ended | None = None
        self._next_at_s = 0.0

    @property
    def stopped(self) -> bool:
        """Whether it waits for its operator."""
        return self._declared.stopped is not None

    def set_going(self) -> None:
        """It is about to run, and people shall see it at once."""
        if not self._waits:
            self._change(status="connecting", last_error=None)

    def lost(self) -> None:
        """It is not ours any more: its socket must be gone at once, and nothing that is pending may be answered."""
        self.socket.halt("stopped", NOT_OWNED, "the account is not owned any more")
        if not self.stopped and not self._waits:
            self.left()

    def left(self) -> None:
        """It does not run any more: people shall not take it for connected."""
        self._change(status="disconnected", qr=None, caught_up=False, next_retry_at_ms=None, hearing=None)

    async def rename(self, name: str) -> None:
        """People call it something else. Raises StoreUnwell, and then it is called as before."""
        before, self._declared = self._declared.name, replace(self._declared, name=name)
        try:
            await self._near.accounts.declare(self._declared)
        except StoreUnwell:
            self._declared = replace(self._declared, name=before)
            raise
        self._change(name=name)

    async def dismiss(self) -> None:
        """Its operator wants no connection: whoever ends its task finds it stopped. Raises StoreUnwell, and then he
        may ask again."""
        self._declared = replace(self._declared, stopped=BY_OPERATOR)  # first: nothing may begin while it is written
        try:
            await self._near.accounts.declare(self._declared)
        except StoreUnwell:
            if self._declared.stopped == BY_OPERATOR:  # and not what WhatsApp said meanwhile
                self._declared = replace(self._declared, stopped=None)
            raise

    def dismissed(self) -> None:
        """Its task has been ended for its operator."""
        stop = STOPS[self._declared.stopped or BY_OPERATOR]
        self.left()
        self._change(status=stop.status, last_error=stop.reason)

    def hurry(self) -> None:
        """Its operator says that it is time to connect."""
        self._endings, self._next_at_s = Endings(), 0.0

    @property
    def _waits(self) -> bool:
        """Whether it is too early to connect again."""
        return self._next_at_s > self._near.clock.monotonic_s()

    def deafened(self, reason: str) -> None:
        """It looks alive and hears nothing: connect anew, as after any other end."""
        if self.socket.up:
            self.socket.halt("stopped", DEAF, f"deaf: {reason}")

    def hears(self, hearing: Hearing) -> None:
        """How well it hears."""
        if self.view.status == "connected" and self.view.hearing != hearing.value:
            self._change(hearing=hearing.value)

    # -- What the bridge says --------------------------------------------------------------------------------------

    def on_state(self, state: State) -> None:
        """The socket changed."""
        if state.status is Status.CLOSED:
            self.socket.end(state.code or 0, state.reason or "")
        elif self.socket.up:
            self._heard(state)

    def _heard(self, state: State) -> None:
        match state.status:
            case Status.QR:
                self._change(status="qr_ready", qr=state.qr)
            case Status.PAIRED:
                self._change(status="pairing", qr=None)
                self._remember_server()
            case Status.OPEN:
                self._opened(state)
            case Status.OFFLINE:
                self._change(offline_announced=state.announced)
            case Status.CAUGHT_UP:
                self._change(caught_up=True, offline_received=state.received)
                log.info("caught_up", account=self._account, received=state.received)
            case _:
                pass

    def _opened(self, state: State) -> None:
        me = canonical_jid(state.me.id) if state.me else ""
        number = phone_of(me)
        if number is not None and number != self._declared.phone:
            self.socket.disown()
            return
        self._opened_at_s = self._near.clock.monotonic_s()
        self._remember_server()  # a crash right after pairing may have left it out
        self._change(
            status="connected",
            qr=None,
            wa_jid=me or None,
            last_error=None,
            last_connected_at_ms=self._near.clock.wall_ms(),
            retry_count=0,
            hearing=Hearing.HEARD.value,
        )

    def _remember_server(self) -> None:
        if self._declared.server != self._near.server and self._writes:
            self._declared = replace(self._declared, server=self._near.server)
            self._writes.create_task(self._keep(), name=f"declare {self._account}")

    # -- Its life --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep it connected until its operator must act, or for ever. It may have waited for him: he acted."""
        async with self._alone:  # one that was cancelled may still be at its end
            if self.stopped:
                await self._forgive()
            while not self.stopped:
                await self._pause()
                self._ended = await self._connection()
                await self._next(self._ended)

    async def _pause(self) -> None:
        """Wait until it is time, and until the store is well if it was not."""
        await self._near.clock.sleep(self._next_at_s - self._near.clock.monotonic_s())
        if self._ended and self._ended.code == STORE:
            await self._patiently(self._near.journal.check)

    async def _forgive(self) -> None:
        stop = STOPS.get(self._declared.stopped or "")
        if stop and stop.anew:
            # First the keys: a crash in between leaves the account stopped, never paired with keys of a lost device.
            await self._patiently(lambda: self._near.keys.forget(self._account))
            await self._keep(stopped=None, server=None)
        else:
            await self._keep(stopped=None)

    async def _connection(self) -> Ended:
        """One connection, from before its beginning to its end."""
        near, self._opened_at_s = self._near, None
        await near.bridge_up.wait()
        await near.turn()
        try:
            # What the old socket had sent has been dropped or committed when this returns: no old ratchet can
            # overwrite what is read next.
            await self.socket.close()
            creds = await near.keys.creds(self._account)
            demand_usable(creds, self._declared, server=near.server)
            notices = await near.journal.open_notices(self._account)
        except tuple(_OWN_CODES) as error:
            return Ended(code=_OWN_CODES[type(error)], reason=str(error))
        if not near.owned(self._account):
            return Ended(code=NOT_OWNED, reason="the account is not owned any more")
        ended = await self._until_ended(creds, notices)
        if ended.code == WRONG_NUMBER:
            await self.socket.log_out()
        return ended

    async def _until_ended(self, creds: str | None, notices: list[OpenNotice]) -> Ended:
        self._change(
            status="connecting", caught_up=False, offline_announced=None, offline_received=None, next_retry_at_ms=None
        )
        ending = self.socket.expect()
        async with asyncio.TaskGroup() as self._writes:
            starting = self._writes.create_task(self._start(creds, notices), name=f"start {self._account}")
            try:
                return await ending
            except asyncio.CancelledError:
                self.socket.give_up()  # before the group is closed: no frame may start a write in it now
                raise
            finally:
                starting.cancel()

    async def _start(self, creds: str | None, notices: list[OpenNotice]) -> None:
        """Start it, and see that something becomes of it.

        A server that accepts the connection and then says nothing must not keep an account for ever. A QR code waits
        for its phone as long as the engine shows it.
        """
        near = self._near
        await self.socket.start(creds=creds, full_history=near.full_history, notices=notices)
        await near.clock.sleep(near.connect_timeout_s)
        if self.view.status == "connecting":
            self.socket.halt("stopped", TIMED_OUT, f"not connected within {near.connect_timeout_s:g} s")

    async def _next(self, ended: Ended) -> None:
        """Decide what follows, and tell it."""
        near, now_s = self._near, self._near.clock.monotonic_s()
        decision = decide(
            ended.code,
            self._endings,
            lasted_s=now_s - self._opened_at_s if self._opened_at_s is not None else 0.0,
            waited_for_scan=self.view.status == "qr_ready",
            jitter=near.rng.random(),
        )
        self._endings, self._next_at_s = decision.endings, now_s + decision.wait_s
        if decision.stopped:
            await self._keep(stopped=decision.stopped)
        self._tell(ended, decision)  # not earlier: whoever sees a stopped account may set it going at once
        if ended.code == REPLACED:
            near.disowned(self._account)  # the last thing: it may cancel this task

    def _tell(self, ended: Ended, decision: Decision) -> None:
        now_ms, wait_s = self._near.clock.wall_ms(), decision.wait_s
        expected = decision.status == "connecting"
        again = self._opened_at_s is None and decision.endings.failures > 1  # it had ended before, and still has
        self._change(
            status=decision.status,
            qr=None,
            caught_up=False,
            last_error=None if expected else decision.reason or ended.reason,
            last_disconnected_at_ms=self.view.last_disconnected_at_ms if again else now_ms,
            last_disconnect_code=ended.code,
            last_disconnect_reason=ended.reason,
            retry_count=decision.endings.failures,
            next_retry_at_ms=now_ms + int(wait_s * 1000) if wait_s else None,
            hearing=Hearing.DEAF.value if ended.code == DEAF else None,
        )
        tell = log.error if decision.stopped else log.info
        tell(
            "connection_ended",
            account=self._account,
            code=ended.code,
            reason=self.view.last_error,
            stopped=decision.stopped,
            again_in_s=None if decision.stopped else wait_s,
        )

    # -- What is remembered ----------------------------------------------------------------------------------------

    async def _keep(self, **changes: Any) -> None:
        """Make a change of what is declared durable."""
        self._declared = replace(self._declared, **changes)
        await self._patiently(lambda: self._near.accounts.declare(self._declared))

    async def _patiently(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write, however long it takes until the disk takes it."""
        told = None
        while True:
            try:
                return await write()
            except StoreUnwell as error:
                if str(error) != told:
                    told = str(error)
                    log.error("account_waits_for_the_store", account=self._account, reason=told)
                    if not self.socket.heeded:
                        self._change(status="disconnected", qr=None, last_error=told, hearing=None)
            await self._near.clock.sleep(STORE_PAUSE_S)

    def _change(self, **changes: Any) -> None:
        self.view = replace(self.view, **changes)
        self._near.on_change(self.view)
