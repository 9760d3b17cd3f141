"""Ingest: what the bridge commits becomes durable, and only then the bridge is answered.

It is the handler of the bridge's frames. Its methods are called in the order of the frames and never wait: each starts
a task, tasks start in order, and the store queues in order, so an account's frames take effect first in, first out.

A commit that fails is never answered: the engine would tell WhatsApp that the message arrived. The account is halted
instead, and connected again when the store is well. What still comes of a socket that was given up is dropped.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from whatsapp_backend.domain.frames import Find, Get, State
from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.errors import ProtocolError, StoreRefused, StoreUnwell
from whatsapp_backend.flows.connect import Connector
from whatsapp_backend.flows.fetch import Asker
from whatsapp_backend.ports import Gateway, Journal, KeyStore
from whatsapp_backend.rules.reconnect import PROTOCOL

log = structlog.get_logger()


class Ingest:
    """Implements ports.BridgeHandler. `unanswered` counts commits by account that are not on disk yet."""

    def __init__(
        self,
        *,
        journal: Journal,
        keys: KeyStore,
        gateway: Gateway,
        connector: Connector,
        asker: Asker,
        on_journaled: Callable[[], None],
        on_heard: Callable[[str, Sequence[NewEntry]], None],
        tasks: asyncio.TaskGroup,
        unanswered: Counter[str] | None = None,
    ) -> None:
        self._journal = journal
        self._keys = keys
        self._gateway = gateway
        self._connector = connector
        self._asker = asker
        self._on_journaled = on_journaled
        self._on_heard = on_heard
        self._tasks = tasks
        self._unanswered = Counter() if unanswered is None else unanswered

    def on_commit(self, commit: Commit) -> None:
        """Keep it, then answer."""
        admitted = self._connector.admitted(commit)
        if admitted is not None:
            self._tasks.create_task(self._commit(admitted), name=f"commit {commit.id}")

    def on_get(self, get: Get) -> None:
        """Answer with what is stored."""
        self._tasks.create_task(self._get(get), name=f"get {get.id}")

    def on_find(self, find: Find) -> None:
        """Answer with what was journaled."""
        self._tasks.create_task(self._find(find), name=f"find {find.id}")

    def on_state(self, state: State) -> None:
        """Tell the connector."""
        self._connector.on_state(state)

    def on_bridge(self, *, up: bool) -> None:
        """Tell the connector; count the crash against the history that was being downloaded."""
        if not up:
            self._tasks.create_task(self._count_crash(), name="count bridge crash")
        self._connector.on_bridge(up=up)

    def on_protocol_error(self, error: ProtocolError) -> None:
        """Cost the account its socket, and nobody else anything."""
        if error.account:
            self._connector.on_halted(error.account, PROTOCOL, str(error))

    async def _commit(self, commit: Commit) -> None:
        self._unanswered[commit.account] += 1
        try:
            seqs = await self._journal.commit(commit)
        except (StoreUnwell, StoreRefused) as error:
            self._connector.halt(commit.account, str(error))
            return
        finally:
            self._unanswered[commit.account] -= 1
        self._gateway.answer_commit(commit.account, commit.id)
        if seqs:
            self._on_journaled()
            self._asker.on_journaled(commit.account, commit.entries)
            self._on_heard(commit.account, commit.entries)

    async def _get(self, get: Get) -> None:
        try:
            values = await self._keys.get(get.account, get.type, get.ids)
        except StoreUnwell as error:
            self._connector.halt(get.account, str(error))
            return
        self._gateway.answer_get(get.account, get.id, values)

    async def _find(self, find: Find) -> None:
        try:
            entry = await self._journal.find(find.account, find.source)
        except StoreUnwell as error:
            self._connector.halt(find.account, str(error))
            return
        self._gateway.answer_find(find.account, find.id, entry)

    async def _count_crash(self) -> None:
        try:
            parked = await self._journal.bridge_crashed()
        except StoreUnwell as error:
            log.error("crash_not_counted", reason=str(error))
            return
        for one in parked:
            log.error("history_parked", account=one.account, seq=one.seq, reason=one.reason)
