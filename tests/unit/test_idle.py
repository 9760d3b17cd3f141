"""What an idle account costs: the daemon as it runs, wired by its composition root, over a simulated day.

Only what reaches outside is in memory: the bridge, the local file, the database. The port is not opened.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from linked import PHONE, SERVER
from structlog.testing import capture_logs
from world import ANA, BOB, payload

from whatsapp_backend import app, nudges
from whatsapp_backend.app import Daemon
from whatsapp_backend.database import Documents
from whatsapp_backend.domain.journal import Commit, DeclaredAccount
from whatsapp_backend.rules.coverage.ledger import NO_MORE
from whatsapp_backend.settings import load
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_documents import MemoryDocuments
from whatsapp_backend.testing.memory_leases import MemoryLeases
from whatsapp_backend.testing.memory_store import MemoryStore
from whatsapp_backend.testing.scripted_bridge import Asked, ScriptedBridge

ACCOUNTS = ("account_test_a", "account_test_b")
DAY_S = 24 * 3600
BEAT_S = 60
"""A longer heartbeat than usual, so that the day does not take long."""


class Phone(ScriptedBridge):
    """Sockets that open at once, and phones that have nothing older than what is here."""

    pid = 1

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock
        self._said = 0
        self.scripts |= {"start": self._open, "fetch-history": self._nothing_older}

    def _open(self, asked: Asked) -> Mapping[str, object]:
        account = str(asked.account)
        now_ms = self._clock.wall_ms()
        for status, more in (
            ("open", {"me": {"id": f"{PHONE.lstrip('+')}:3@s.whatsapp.net"}}),
            ("offline", {"announced": 0}),
            ("caught-up", {"received": 0}),
        ):
            asyncio.get_running_loop().call_soon(lambda status=status, more=more: self.state(account, status, **more))
        self.heard[account] = now_ms
        return {}

    def _nothing_older(self, asked: Asked) -> Mapping[str, object]:
        request = asked.args["id"]
        told = {"notice": f"enc:{request}", "syncType": 6, "session": request, "messages": [], "chats": []}
        over = told | {"records": 1, "messages": 0, "result": "complete"}
        over["chats"] = [{"id": asked.args["chat"], "end": NO_MORE}]
        entries = (
            self._entry("history", f"enc:{request}#0:00", "ondemand", told),
            self._entry("history-end", f"enc:{request}#end", "ondemand", over),
        )
        asyncio.get_running_loop().call_soon(lambda: self.commit(str(asked.account), *entries))
        return {"request": request}

    def _entry(self, kind: str, source: str, origin: str, told: Any) -> dict[str, Any]:
        return {"kind": kind, "source": source, "origin": origin, "at": self._clock.wall_ms(), "payload": told}

    def writes(self, account: str, chat: str) -> None:
        """Somebody sends a message."""
        self._said += 1
        message = payload(f"M{self._said}", chat=chat, at=self._clock.wall_ms() // 1000)
        self.commit(account, self._entry("message", f"enc:{self._said}", "live", message))

    def lives(self) -> None:
        """Every open socket is heard."""
        self.heard = dict.fromkeys(self.heard, self._clock.wall_ms())


class Place:
    """One daemon, and what its Firestore and its phones are asked."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.bridge = Phone(self.clock)
        self.store = MemoryStore()
        self.documents = MemoryDocuments(self.clock)
        self.leases = MemoryLeases(self.clock, documents=self.documents)
        settings = load(
            {
                "STATE_DIR": str(folder),
                "FIREBASE_PROJECT_ID": "demo-idle",
                "FIRESTORE_LOCAL": "true",
                "WHATSAPP_WEB_URL": SERVER,
                "INSTANCE_HEARTBEAT_MS": str(BEAT_S * 1000),
                "INSTANCE_LEASE_MS": str(3 * BEAT_S * 1000),
            }
        )
        documents = Documents(store=self.documents, queries=self.documents, leases=self.leases)
        self.daemon = Daemon(settings, documents, clock=self.clock)
        self.nudges: dict[str, int] = {}

    def wire(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What reaches outside is replaced."""
        monkeypatch.setattr(app, "BridgeGateway", lambda *_, **__: self.bridge)
        monkeypatch.setattr(app, "SqliteStore", self)
        monkeypatch.setattr(nudges, "nudging", self._nudging)
        monkeypatch.setattr(self.daemon, "_launch", self._nothing_to_launch)
        monkeypatch.setattr(self.daemon, "_serving", self._no_port)

    @asynccontextmanager
    async def opened(self, *_: Any, **__: Any) -> AsyncIterator[MemoryStore]:
        """As SqliteStore's."""
        yield self.store

    async def _nothing_to_launch(self) -> None:
        """There is no process."""

    @asynccontextmanager
    async def _no_port(self) -> AsyncIterator[int]:
        yield 0

    @asynccontextmanager
    async def _nudging(
        self,
        *,
        prune: Callable[[], Awaitable[None]],
        collect: Callable[[], Awaitable[None]],
        beat: Callable[[], Awaitable[None]],
        ticks: Mapping[str, tuple[Callable[[], Awaitable[None]], float]],
    ) -> AsyncIterator[None]:
        """Every nudge at its time, by the clock of the test."""
        every = {
            "prune": (prune, nudges._PRUNE_EVERY_S),
            "collect": (collect, nudges._COLLECT_EVERY_S),
            "beat": (beat, nudges._BEAT_EVERY_S),
            **ticks,
        }
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._nudge(name, *one)) for name, one in every.items()]
            yield
            for one in running:
                one.cancel()

    async def _nudge(self, name: str, nudge: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            await self.clock.sleep(every_s)
            self.bridge.lives()
            await nudge()
            self.nudges[name] = self.nudges.get(name, 0) + 1

    async def declare(self) -> None:
        """Accounts of an earlier life."""
        for number, account in enumerate(ACCOUNTS):
            await self.store.commit(Commit(account=account, id="0", creds=orjson.dumps({"me": "old"}).decode()))
            await self.store.declare(
                DeclaredAccount(account=account, phone=PHONE, name="Shop", server=SERVER, created_at_ms=number)
            )

    def cost(self) -> dict[str, Any]:
        """So far."""
        return {
            "requests": self.asked("fetch-history"),
            "reads": self.documents.operations.reads + self.leases.operations.reads,
            "writes": self.documents.operations.writes,
            "fenced writes and locks": len([call for call in self.leases.calls if call != "beat"]),
        }

    def asked(self, command: str) -> int:
        """How often the bridge was asked for this."""
        return sum(one.command == command for one in self.bridge.asked)


@asynccontextmanager
async def running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """Until the context ends."""
    place = Place(folder)
    place.wire(monkeypatch)
    await place.declare()
    stop = asyncio.Event()
    with capture_logs():
        async with asyncio.timeout(100), asyncio.TaskGroup() as tasks:
            daemon = tasks.create_task(place.daemon.run(stop, lambda _: None))
            await place.clock.advance(5)
            yield place
            stop.set()
            await place.clock.advance(5)
            await daemon


async def test_over_a_day_nothing_is_asked_read_or_written_but_the_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two accounts that have worked: messages came, a backfill found the beginning, a repair looked through them."""
    async with running(tmp_path, monkeypatch) as place:
        for account in ACCOUNTS:
            for chat in (ANA, BOB):
                place.bridge.writes(account, chat)
        await place.clock.advance(2 * 3600)
        assert sum("/messages/" in path for path in place.documents.documents) == 4
        assert place.asked("fetch-history") == 4, "what is older than the first message of each thread"
        for account in ACCOUNTS:
            fields = place.documents.documents[f"accounts/{account}"].fields
            assert (fields["status"], fields["lastBackfillStatus"]) == ("connected", "success")
            assert fields["lastAutoRepairResult"]["scanned"] == 2
            assert not await place.store.open_gaps(account, limit=10)
        before, beats, nudged = place.cost(), place.leases.calls.count("beat"), dict(place.nudges)
        await place.clock.advance(DAY_S)
        assert place.cost() == before
        assert DAY_S // BEAT_S - 1 <= place.leases.calls.count("beat") - beats <= DAY_S // BEAT_S + 1
        assert {name: count - nudged[name] for name, count in place.nudges.items()} == {
            "prune": 24,
            "collect": DAY_S // 60,
            "beat": DAY_S // 20,
            "recent-sync": DAY_S // 120,
            "backfill": DAY_S // 720,
            "sweep": DAY_S // 60,
            "repair": DAY_S // 60,
            "lookout": DAY_S // 5,
        }
