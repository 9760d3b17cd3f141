"""Connect: the accounts, each with its link, and who may connect when.

Only an account that is owned here is connected; one that another instance owns is shown as `passive`. An account that
must not be connected (unlinked, wrong number, credentials unreadable) waits for its operator, with the reason in its
document.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.frames import State
from whatsapp_backend.domain.journal import Commit, DeclaredAccount
from whatsapp_backend.domain.leases import Term, called
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.flows.lead import Owner
from whatsapp_backend.flows.link import Link, Surroundings
from whatsapp_backend.ports import Accounts, Gateway, Journal, KeyStore
from whatsapp_backend.rules.hearing import Hearing
from whatsapp_backend.rules.identity import account_id, e164
from whatsapp_backend.rules.reconnect import BRIDGE, STORE

_BETWEEN_STARTS_S = 0.1
"""Hundreds of accounts that shook hands at one moment would all be too slow."""


class Connector:
    """Owns the links and their tasks. `on_change` is told of every change of an account."""

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
        owner: Owner,
        server: str,
        full_history: bool,
        connect_timeout_s: float,
        on_change: Callable[[AccountView], None],
    ) -> None:
        self._near = Surroundings(
            accounts=accounts,
            keys=keys,
            journal=journal,
            gateway=gateway,
            clock=clock,
            rng=rng,
            server=server,
            full_history=full_history,
            connect_timeout_s=connect_timeout_s,
            on_change=on_change,
            bridge_up=asyncio.Event(),
            turn=self._turn,
            owned=lambda account: owner.term(account) is not None,
            disowned=self._disowned,
        )
        self._owner = owner
        self._tasks = tasks
        self._links: dict[str, Link] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._adding = asyncio.Lock()
        self._next_turn_s = 0.0
        self._stopping = False

    async def load(self) -> None:
        """Take over what was declared in earlier lives: connected as soon as it is owned and there is a bridge."""
        for declared in await self._near.accounts.declared():
            link = self._add_link(declared)
            self._near.on_change(link.view)  # the crash of an earlier life may have kept it from being told
        self._owner.want(self._links)

    def views(self) -> list[AccountView]:
        """All accounts, oldest first."""
        return [self._seen(link.view) for link in self._links.values()]

    def view(self, account: str) -> AccountView | None:
        """One account."""
        link = self._links.get(account)
        return self._seen(link.view) if link else None

    async def add(self, *, phone: str, name: str, namespace: str) -> AccountView:
        """Declare an account and start pairing it; declared already, it is started again where it had stopped.

        Raises ValueError for what is no phone number, StoreUnwell where it cannot be kept.
        """
        account = account_id(phone, namespace)
        async with self._adding:
            if account not in self._links:
                declared = DeclaredAccount(
                    account=account,
                    phone=e164(phone),
                    name=name,
                    server=None,
                    created_at_ms=self._near.clock.wall_ms(),
                )
                await self._near.accounts.declare(declared)
                self._add_link(declared).set_going()
                self._owner.want(self._links)
        self._set_going(account)
        return self._seen(self._links[account].view)

    async def resume(self, account: str) -> None:
        """Connect an account that waits for its operator: he says that he acted. Others are left alone."""
        self._set_going(account)

    async def rename(self, account: str, name: str) -> None:
        """Give an account another name. Raises StoreUnwell."""
        await self._links[account].rename(name)

    async def disconnect(self, account: str) -> None:
        """End an account's connection and remember it: nothing connects it but its operator. Raises StoreUnwell."""
        link = self._links[account]
        if link.stopped:
            return
        try:
            await link.dismiss()
        except StoreUnwell:
            self._set_going(account)  # it may have ended meanwhile and found itself dismissed
            raise
        await self._leave(account)
        link.dismissed()

    async def reconnect(self, account: str) -> None:
        """Connect an account now, whatever it waits for; close the connection it has."""
        await self._leave(account)
        self._links[account].hurry()
        self._set_going(account)

    async def stop(self) -> None:
        """Say goodbye on every connection, and connect no more."""
        self._stopping = True
        running = list(self._running.items())
        leaving = {account: task for account, task in running if self._links[account].socket.up}
        for account, task in running:
            if account not in leaving:
                self._end(account, task)
        try:
            async with asyncio.TaskGroup() as tasks:
                for account in leaving:
                    tasks.create_task(self._links[account].socket.leave())
        finally:
            for account, task in leaving.items():
                self._end(account, task)

    # -- What the owner tells --------------------------------------------------------------------------------------

    def on_owned(self, term: Term) -> None:
        """The account is ours: connect it, unless it waits for its operator."""
        link = self._links.get(term.account)
        if link and not link.stopped:
            self._set_going(term.account)

    def on_lost(self, term: Term) -> None:
        """The account is not ours any more: its socket ends at once, and nothing more is begun."""
        link = self._links.get(term.account)
        if link and not self._stopping:
            if running := self._running.get(term.account):
                running.cancel()
            link.lost()

    # -- What ingest is told by the bridge -------------------------------------------------------------------------

    def admitted(self, commit: Commit) -> Commit | None:
        """What of a commit is to be kept, if anything."""
        link = self._links.get(commit.account)
        return link.socket.admitted(commit) if link else None

    def on_state(self, state: State) -> None:
        """An account's socket changed."""
        if link := self._links.get(state.account):
            link.on_state(state)

    def on_bridge(self, *, up: bool) -> None:
        """The bridge came; or it went, and with it every connection."""
        if up:
            self._near.bridge_up.set()
            return
        self._near.bridge_up.clear()
        for link in self._links.values():
            link.socket.end(BRIDGE, "the bridge is not running")

    def on_halted(self, account: str, code: int, reason: str) -> None:
        """An account's socket was ended because the bridge sent rubbish in its name."""
        if link := self._links.get(account):
            link.socket.end(code, reason)

    def halt(self, account: str, reason: str) -> None:
        """The store could not keep or read something of this account: end its socket, once."""
        if link := self._links.get(account):
            link.socket.halt("store", STORE, reason)

    # -- What is known of how well it hears --------------------------------------------------------------------------

    def hears(self, account: str, hearing: Hearing) -> None:
        """Show it."""
        if link := self._links.get(account):
            link.hears(hearing)

    def deafened(self, account: str, reason: str) -> None:
        """Its connection hears nothing: connect anew."""
        if link := self._links.get(account):
            link.deafened(reason)

    # -- Inside ----------------------------------------------------------------------------------------------------

    def _add_link(self, declared: DeclaredAccount) -> Link:
        link = self._links[declared.account] = Link(declared, self._near)
        return link

    def _seen(self, view: AccountView) -> AccountView:
        """The account as people see it. While nobody knows whose it is it is about to be ours."""
        holder = self._owner.holder(view.account)
        if self._owner.term(view.account) is not None or (holder is None and self._owner.problem is None):
            return view
        reason = f"instance {called(holder)} owns this account" if holder else self._owner.problem
        return replace(view, status="passive", passive_reason=reason, qr=None, caught_up=False, hearing=None)

    def _disowned(self, account: str) -> None:
        if term := self._owner.term(account):
            self._owner.disproved(term)

    def _set_going(self, account: str) -> None:
        before = self._running.get(account)
        going = before and not before.done() and not before.cancelling()
        if self._stopping or going or self._owner.term(account) is None:
            return
        self._links[account].set_going()
        self._running[account] = self._tasks.create_task(self._links[account].run(), name=f"link {account}")

    def _end(self, account: str, task: asyncio.Task[None]) -> None:
        if task.cancel():
            self._links[account].left()

    async def _leave(self, account: str) -> None:
        """Say goodbye on an account's connection and end its task."""
        running, link = self._running.get(account), self._links[account]
        if link.socket.up:
            await link.socket.leave()
        if running:
            self._end(account, running)

    async def _turn(self) -> None:
        now_s = self._near.clock.monotonic_s()
        at_s = max(now_s, self._next_turn_s)
        self._next_turn_s = at_s + _BETWEEN_STARTS_S
        if at_s > now_s:
            await self._near.clock.sleep(at_s - now_s)
