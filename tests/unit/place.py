"""The daemon as it runs, wired by its composition root, over virtual time.

Only what reaches outside is in memory: the bridge, the local file, the database. The port is not opened.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from linked import PHONE, SERVER
from structlog.testing import capture_logs
from structlog.typing import EventDict
from world import payload

from whatsapp_backend import app, nudges
from whatsapp_backend.app import Daemon
from whatsapp_backend.database import Documents
from whatsapp_backend.domain.journal import Commit, DeclaredAccount
from whatsapp_backend.errors import CommandFailed
from whatsapp_backend.rules.coverage.ledger import NO_MORE
from whatsapp_backend.settings import load
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_documents import MemoryDocuments
from whatsapp_backend.testing.memory_leases import MemoryLeases
from whatsapp_backend.testing.memory_store import MemoryStore
from whatsapp_backend.testing.scripted_bridge import Asked, ScriptedBridge

ACCOUNTS = ("account_test_a", "account_test_b")
BEAT_S = 60
GLANCE_S = 60
"""Both are longer than usual, so that a day does not take long."""
Every = Callable[[str, float], float]

FRAMES, MESSAGES, ENGINE = "frames", "messages", "engine"
"""What a deaf connection swallows: all frames, messages only, nothing (it comes, and the engine hangs)."""


class Phone(ScriptedBridge):
    """Sockets that open at once, and phones that have nothing older than what is here. `off`: phones that are off.

    `deafen` makes a connection deaf until it is opened anew; then what has waited is handed over.
    """

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock
        self._said = count(1)
        self.off: set[str] = set()
        self.pid = 4242
        self._deaf: dict[str, tuple[str, int]] = {}
        self._waits: dict[str, list[dict[str, Any]]] = {}
        self.scripts |= {
            "start": self._open,
            "fetch-history": self._nothing_older,
            "ping": self._ping,
            "probe": self._probe,
            "echo": self._echo,
        }

    # -- What is asked of it -------------------------------------------------------------------------------------------

    def _open(self, asked: Asked) -> Mapping[str, object]:
        account = str(asked.account)
        self._deaf.pop(account, None)
        self.heard[account] = self._clock.wall_ms()
        asyncio.get_running_loop().call_soon(self._opened, account)
        return {}

    def _opened(self, account: str) -> None:
        waited = [entry | {"origin": "offline"} for entry in self._waits.pop(account, [])]
        self.state(account, "open", me={"id": f"{PHONE.lstrip('+')}:3@s.whatsapp.net"})
        self.state(account, "offline", announced=len(waited))
        for entry in waited:
            self.commit(account, entry)
        self.state(account, "caught-up", received=len(waited))

    def _ping(self, _: Asked) -> Mapping[str, object]:
        now_ms = self._clock.wall_ms()
        hung = {
            account: {"for": now_ms - since_ms, "age": now_ms - since_ms}
            for account, (kind, since_ms) in self._deaf.items()
            if kind == ENGINE and self._waits.get(account)
        }
        return {"accounts": len(self.heard), "heard": dict(self.heard), "stuck": hung, "rss": 0}

    def _probe(self, asked: Asked) -> Mapping[str, object]:
        if self.swallows(str(asked.account)) == FRAMES:
            raise CommandFailed("timeout", "no answer in time")
        return {"ms": 40}

    def _echo(self, asked: Asked) -> Mapping[str, object]:
        account, request = str(asked.account), asked.args["id"]
        if account not in self.off:
            told = {"protocolMessage": {"peerDataOperationRequestResponseMessage": {"stanzaId": request}}}
            answer = payload(f"A{next(self._said)}", at=self._clock.wall_ms() // 1000, fromMe=True) | {"message": told}
            resent = payload(asked.args["key"]["id"], chat=asked.args["key"]["remoteJid"]) | {"requestId": request}
            asyncio.get_running_loop().call_soon(
                self.comes,
                account,
                self._entry("message", f"enc:{request}", "live", answer),
                self._entry("message", f"plain:{asked.args['key']['id']}", "resend", resent),
                self._entry("message", f"ev:{request}", "resend", resent),
            )
        return {"request": request}

    def _nothing_older(self, asked: Asked) -> Mapping[str, object]:
        request = asked.args["id"]
        if str(asked.account) in self.off:
            return {"request": request}
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

    # -- What happens to it --------------------------------------------------------------------------------------------

    def writes(self, account: str, chat: str) -> str:
        """Somebody sends a message; its id."""
        id = f"M{next(self._said)}"  # noqa: A001 -- WhatsApp's word
        message = payload(id, chat=chat, at=self._clock.wall_ms() // 1000)
        self.comes(account, self._entry("message", f"enc:{id}", "live", message))
        return id

    def comes(self, account: str, *entries: dict[str, Any]) -> None:
        """It is on its way to the account."""
        if account not in self._deaf:
            self.commit(account, *entries)
            return
        kind, since_ms = self._deaf[account]
        if not self._waits.get(account):
            since_ms = self._clock.wall_ms()  # an engine hangs from the first thing that it does not deal with
        self._deaf[account] = (kind, since_ms)
        self._waits.setdefault(account, []).extend(entries)

    def deafen(self, account: str, kind: str) -> None:
        """From now on."""
        self._deaf[account] = (kind, self._clock.wall_ms())

    def swallows(self, account: str) -> str | None:
        """What, while it is deaf."""
        return self._deaf[account][0] if account in self._deaf else None

    def lives(self) -> None:
        """Every socket is heard whose frames come."""
        now_ms = self._clock.wall_ms()
        for account in self.heard:
            if self.swallows(account) != FRAMES:
                self.heard[account] = now_ms


class Place:
    """One daemon, and what its Firestore and its phones are asked. `every` may change how often it is nudged."""

    def __init__(
        self,
        folder: Path,
        *,
        every: Every = lambda _, seconds: seconds,
        beat_s: float = BEAT_S,
        environment: Mapping[str, str] | None = None,
    ) -> None:
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
                "INSTANCE_HEARTBEAT_MS": str(round(beat_s * 1000)),
                "INSTANCE_LEASE_MS": str(round(3 * beat_s * 1000)),
                **(environment or {}),
            }
        )
        documents = Documents(store=self.documents, queries=self.documents, leases=self.leases)
        self.daemon = Daemon(settings, documents, clock=self.clock)
        self.nudges: dict[str, int] = {}
        self.lines: list[EventDict] = []
        self._every = every

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
            "glances": (ticks["glances"][0], GLANCE_S),
        }
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._nudge(name, *one)) for name, one in every.items()]
            yield
            for one in running:
                one.cancel()

    async def _nudge(self, name: str, nudge: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            await self.clock.sleep(self._every(name, every_s))
            self.bridge.lives()
            await nudge()
            self.nudges[name] = self.nudges.get(name, 0) + 1

    async def declare(self, *accounts: str) -> None:
        """Accounts of an earlier life."""
        for number, account in enumerate(accounts):
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

    def asked(self, command: str, account: str | None = None) -> int:
        """How often the bridge was asked for this."""
        return sum(one.command == command and account in (None, one.account) for one in self.bridge.asked)

    def hearing(self, account: str) -> str | None:
        """As it is shown."""
        view = self.daemon.connector.view(account)
        assert view is not None
        return view.hearing

    def landed(self) -> set[str]:
        """The ids of the messages in the database."""
        return {path.rpartition("/")[2] for path in self.documents.documents if "/messages/" in path}


@asynccontextmanager
async def running(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, accounts: tuple[str, ...] = ACCOUNTS, **how: Any
) -> AsyncIterator[Place]:
    """Until the context ends."""
    place = Place(folder, **how)
    place.wire(monkeypatch)
    await place.declare(*accounts)
    stop = asyncio.Event()
    with capture_logs() as place.lines:
        async with asyncio.timeout(600), asyncio.TaskGroup() as tasks:
            daemon = tasks.create_task(place.daemon.run(stop, lambda _: None))
            await place.clock.advance(5)
            yield place
            stop.set()
            await place.clock.advance(5)
            await daemon
