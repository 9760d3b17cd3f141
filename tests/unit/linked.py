"""A daemon's decisions about connections, between a scripted bridge and a store in memory, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from owner import FixedOwner

from whatsapp_backend.clock import within
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.journal import Commit, DeclaredAccount
from whatsapp_backend.errors import BridgeGone, CommandTimedOut
from whatsapp_backend.flows.connect import Connector
from whatsapp_backend.flows.fetch import Asker
from whatsapp_backend.flows.ingest import Ingest
from whatsapp_backend.rules.identity import account_id
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_store import MemoryStore
from whatsapp_backend.testing.scripted_bridge import ScriptedBridge

PHONE = "+15550001111"
ACCOUNT = account_id(PHONE, "demo")
SERVER = "ws://127.0.0.1/ws"
TIMEOUT_S = 60.0


class GatedBridge(ScriptedBridge):
    """A command in `gates` is answered when its event is set; until then it may time out or meet a crash."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.gates: dict[str, asyncio.Event] = {}
        self._clock = clock

    async def do(self, command: str, *, account: str | None = None, timeout_s: float, **args: object) -> Any:
        result = await super().do(command, account=account, timeout_s=timeout_s, **args)
        handler = self._handler
        gate = self.gates.get(command)
        if gate and not await within(self._clock, timeout_s, gate.wait()):
            raise CommandTimedOut(command)
        if self._handler is not handler:
            raise BridgeGone
        return result

    def crash(self) -> None:
        for gate in self.gates.values():
            gate.set()
        super().crash()


class Linked:
    """Connector, ingest and asker, put together as the daemon does."""

    def __init__(self, store: MemoryStore, tasks: asyncio.TaskGroup, *, willing: bool = True) -> None:
        self.store = store
        self.owner = FixedOwner(willing=willing)
        self.clock = FakeClock()
        self.bridge = GatedBridge(self.clock)
        self.changes: list[AccountView] = []
        self.nudges = 0
        self.connector = Connector(
            accounts=store,
            keys=store,
            journal=store,
            gateway=self.bridge,
            clock=self.clock,
            rng=random.Random(1),
            tasks=tasks,
            owner=self.owner,
            server=SERVER,
            full_history=True,
            connect_timeout_s=TIMEOUT_S,
            on_change=self.changes.append,
        )
        self.connected = True
        self.asker = Asker(self.bridge, store, self.clock, timeout_s=TIMEOUT_S, is_connected=lambda _: self.connected)
        self.owner.on_owned, self.owner.on_lost = self.connector.on_owned, self.connector.on_lost
        self.ingest = Ingest(
            journal=store,
            keys=store,
            gateway=self.bridge,
            connector=self.connector,
            asker=self.asker,
            on_journaled=self._nudge,
            on_heard=lambda *_: None,
            tasks=tasks,
        )

    def _nudge(self) -> None:
        self.nudges += 1

    @property
    def view(self) -> AccountView:
        """The one account."""
        view = self.connector.view(ACCOUNT)
        assert view is not None
        return view

    def asked(self, command: str) -> list[dict[str, Any]]:
        """The arguments of every such command so far."""
        return [dict(asked.args) for asked in self.bridge.asked if asked.command == command]

    @property
    def starts(self) -> int:
        """How often the bridge was told to start an account."""
        return len(self.asked("start"))

    async def boot(self) -> None:
        """Load, and have a bridge."""
        await self.connector.load()
        self.bridge.come_up(self.ingest)
        await self.clock.settle()

    async def add(self) -> None:
        """Declare the account."""
        await self.connector.add(phone=PHONE, name="Shop", namespace="demo")
        await self.clock.settle()

    async def say(self, status: str, **details: Any) -> None:
        """The bridge tells what became of the socket."""
        self.bridge.state(ACCOUNT, status, **details)
        await self.clock.settle()

    async def open(self, phone: str = PHONE) -> None:
        """The connection opens."""
        await self.say("open", me={"id": f"{phone.lstrip('+')}:3@s.whatsapp.net"})

    async def close(self, code: int, reason: str = "ended") -> None:
        """The connection closes."""
        await self.say("closed", code=code, reason=reason)

    async def declared(self) -> DeclaredAccount:
        """What the store knows of the one account."""
        (declared,) = await self.store.declared()
        return declared


def entry(source: str, **more: Any) -> dict[str, Any]:
    """An entry of a commit, as the bridge writes it."""
    return {"kind": "message", "source": source, "origin": "live", "at": 1, "payload": {"text": source}, **more}


async def sources(store: MemoryStore) -> list[str]:
    """What the journal holds, in order."""
    return [one.new.source for one in await store.read(after=0, limit=10_000, max_bytes=1 << 30)]


async def paired(store: MemoryStore, *, server: str | None = SERVER, stopped: str | None = None) -> None:
    """An account of an earlier life."""
    await store.commit(Commit(account=ACCOUNT, id="0", creds=orjson.dumps({"me": "old"}).decode()))
    await store.declare(
        DeclaredAccount(account=ACCOUNT, phone=PHONE, name="Shop", server=server, created_at_ms=1, stopped=stopped)
    )


@asynccontextmanager
async def linked(store: MemoryStore | None = None, *, willing: bool = True) -> AsyncIterator[Linked]:
    """The whole, stopped at the end; what it leaves behind would hang here. Unwilling it owns nothing by itself."""
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        made = Linked(store or MemoryStore(), tasks, willing=willing)
        yield made
        made.bridge.gates.clear()
        await made.connector.stop()


@asynccontextmanager
async def connected() -> AsyncIterator[Linked]:
    """With one account that is paired and connected."""
    store = MemoryStore()
    await paired(store)
    async with linked(store) as made:
        await made.boot()
        await made.open()
        assert made.view.status == "connected"
        yield made
