"""The whole system for tests: the real daemon as a process of its own, the fake server, the emulator."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from google.cloud.firestore import AsyncClient

from whatsapp_backend.clock import SystemClock
from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

PHONE = "+15550001111"
ANA = "15550002222"
BOB = "15550003333"
NODE_DIR = Path(__file__).parent.parent / "whatsapp_backend" / "node"
PRELOAD = NODE_DIR / "fake_whatsapp" / "preload.js"
_DYING = Path(__file__).parent / "crash" / "dying_daemon.py"
_PATIENCE_S = 60.0
_LISTENS = re.compile(r"\blistening\b.*\burl\W+(https?:[^'\"\s]+)")
_clock = SystemClock()


class RealDaemon:
    """`whatsapp-backend serve` as an operator runs it. Start it, kill it, start it again over the same state."""

    def __init__(
        self,
        *,
        state_dir: Path,
        server_url: str,
        emulator: str,
        project: str,
        preload: Path = PRELOAD,
        **environment: str,
    ) -> None:
        self.state_dir = state_dir
        self.project = project
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(state_dir),
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "STATE_DIR": str(state_dir),
            "PORT": "0",
            "ACCOUNT_NAMESPACE": "test",
            "FIRESTORE_LOCAL": "true",
            "FIRESTORE_EMULATOR_HOST": emulator,
            "FIREBASE_PROJECT_ID": project,
            "WHATSAPP_WEB_URL": server_url,
            "WHATSAPP_BRIDGE_PRELOAD": str(preload),
            **environment,
        }
        self.program: tuple[str, ...] = ("-m", "whatsapp_backend")
        """What is run; a test may run the same with other parameters."""
        self._process: asyncio.subprocess.Process | None = None
        self._log: asyncio.Task[None] | None = None
        self._url: asyncio.Future[str] | None = None
        self.lines: list[str] = []

    async def start(self, *options: str, die: str | None = None, who: str = "both") -> None:
        """Start it and wait until it listens. `die` names the point at which it kills itself, see dying_daemon.py."""
        program = (str(_DYING), die, who) if die else self.program
        self._url = asyncio.get_running_loop().create_future()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *program,
            "serve",
            *options,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self._log = asyncio.create_task(self._read_log(self._process))
        async with asyncio.timeout(_PATIENCE_S):
            self.url = await self._url

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        assert self._process is not None
        return self._process.pid

    def bridge_pid(self) -> int | None:
        """The bridge's process id, while it runs."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii").split()
        return int(children[0]) if children else None

    def kill(self) -> None:
        """As kill -9 does: nothing is said to anybody."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    async def gone(self) -> int:
        """Wait until the daemon and its bridge are gone; the exit code."""
        assert self._process is not None and self._log is not None
        async with asyncio.timeout(_PATIENCE_S):
            code = await self._process.wait()
            await self._log
        return code

    async def terminate(self) -> int:
        """As systemd stops it; the exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
        return await self.gone()

    async def close(self) -> None:
        """Leave nothing behind, whatever happened."""
        if self._process is not None:
            if self._process.returncode is None:
                self.kill()
            await self.gone()

    async def get(self, path: str, **headers: str) -> Any:
        """The JSON answer to a GET."""
        async with aiohttp.ClientSession() as session, session.get(self.url + path, headers=headers) as answer:
            return await answer.json()

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON answer to a POST."""
        async with aiohttp.ClientSession() as session, session.post(self.url + path, json=body) as answer:
            return await answer.json()

    async def add_account(self, phone: str = PHONE, name: str = "Shop") -> str:
        """Declare an account, as soon as the daemon may; its id."""

        async def added() -> Any:
            answer = await self.post("/api/whatsapp/add-account", {"phone": phone, "name": name})
            return None if answer.get("error") == "instance_passive" else answer

        return str((await until(added))["account"]["id"])

    async def status(self, account: str) -> str:
        """The account's status."""
        return str((await self.get(f"/api/whatsapp/qr/{account}"))["status"])

    async def qr(self, account: str) -> str:
        """The code to scan, as soon as there is one."""
        return str(await until(lambda: self._qr(account)))

    async def _qr(self, account: str) -> str | None:
        return (await self.get(f"/api/whatsapp/qr/{account}"))["qr"]

    async def connected(self, account: str, *, patience_s: float = _PATIENCE_S) -> None:
        """Wait until the account is connected."""

        async def is_connected() -> bool:
            return await self.status(account) == "connected"

        await until(is_connected, patience_s=patience_s)

    async def caught_up(self, account: str, *, patience_s: float = _PATIENCE_S) -> None:
        """Wait until the account has received everything that was queued for it."""

        async def is_caught_up() -> bool:
            accounts = (await self.get("/api/whatsapp/accounts"))["accounts"]
            return any(one["id"] == account and one["caughtUp"] for one in accounts)

        await until(is_caught_up, patience_s=patience_s)

    async def landed(self) -> None:
        """Wait until everything journaled has landed."""

        async def is_landed() -> bool:
            consumers = (await self.get("/health/consumers"))["consumers"]
            return all(consumer["lag"] == 0 for consumer in consumers)

        await until(is_landed)

    async def _read_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None and self._url is not None
        async for raw in process.stderr:
            line = raw.decode("utf-8", "replace").rstrip()
            self.lines.append(line)
            if (listens := _LISTENS.search(line)) and not self._url.done():
                self._url.set_result(listens[1])
        if not self._url.done():
            self._url.set_exception(AssertionError("the daemon did not start:\n" + "\n".join(self.lines[-30:])))


class Whole:
    """Everything together, with one paired account."""

    def __init__(self, server: FakeWhatsApp, daemon: RealDaemon, firestore: AsyncClient) -> None:
        self.server = server
        self.daemon = daemon
        self.firestore = firestore
        self.account = ""
        self.phone = PHONE.lstrip("+")

    async def pair(self) -> None:
        """Declare the account and scan its code, as an operator with a phone does."""
        self.account = await self.daemon.add_account(f"+{self.phone}")
        await self.server.scan(await self.daemon.qr(self.account), phone=self.phone)
        await self.daemon.connected(self.account)
        await self.daemon.caught_up(self.account)

    async def send(self, id: str, *, chat: str = ANA, text: str | None = None, **more: Any) -> Any:
        """Somebody sends a text."""
        return await self.server.op(
            "message", account=self.phone, chat=chat, id=id, text=text or f"text of {id}", **more
        )

    async def documents(self) -> dict[str, dict[str, Any]]:
        """All message documents, by path."""
        return {
            document.reference.path: document.to_dict() or {}
            async for document in self.firestore.collection_group("messages").stream()
        }

    async def threads(self) -> dict[str, dict[str, Any]]:
        """All thread documents, by id."""
        return {
            document.id: document.to_dict() or {} async for document in self.firestore.collection("threads").stream()
        }

    async def bodies(self) -> dict[str, Any]:
        """WhatsApp id → body. Fails where one id has two documents."""
        documents = (await self.documents()).values()
        bodies = {document["waMessageId"]: document["body"] for document in documents}
        assert len(bodies) == len(documents), "a message has two documents"
        return bodies

    async def lands(self, ids: set[str], *, patience_s: float = _PATIENCE_S) -> dict[str, Any]:
        """Wait until these messages are there; all bodies."""

        async def are_there() -> dict[str, Any] | None:
            bodies = await self.bodies()
            return bodies if ids <= bodies.keys() else None

        try:
            return dict(await until(are_there, patience_s=patience_s))
        except TimeoutError:
            missing = ids - (await self.bodies()).keys()
            tail = "\n".join(self.daemon.lines[-40:])
            raise AssertionError(f"{len(missing)} messages did not land, as {sorted(missing)[:5]}\n{tail}") from None

    async def queued(self) -> int:
        """How many stanzas the server still holds for our device."""
        person = await self.server.op("person", phone=self.phone)
        return sum(device["queued"] for device in person["devices"])

    async def nothing_queued(self) -> None:
        """Wait until the server holds nothing for us any more: everything was received and receipted."""

        async def is_empty() -> bool:
            return await self.queued() == 0

        await until(is_empty)


async def until(condition: Any, *, patience_s: float = _PATIENCE_S) -> Any:
    """Ask until the answer is true, and return it. Raises TimeoutError."""
    answer = None
    try:
        async with asyncio.timeout(patience_s):
            while True:
                if answer := await condition():
                    return answer
                await _clock.sleep(0.02)
    except TimeoutError:
        raise TimeoutError(f"{condition.__name__} never came true; it last said {answer!r}") from None


async def run(environment: Mapping[str, str], *arguments: str) -> tuple[int | None, str, str]:
    """Run the command to its end; exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "whatsapp_backend", *arguments),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_PATIENCE_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def server() -> AsyncIterator[FakeWhatsApp]:
    """A fake WhatsApp."""
    async with FakeWhatsApp.started(NODE_DIR) as started:
        yield started


@pytest.fixture
async def daemon(
    tmp_path: Path, server: FakeWhatsApp, firestore_emulator: Any, firestore_project: str
) -> AsyncIterator[RealDaemon]:
    """The daemon, not started yet."""
    made = RealDaemon(
        state_dir=tmp_path / "state",
        server_url=server.url,
        emulator=firestore_emulator.address,
        project=firestore_project,
    )
    yield made
    await made.close()


@pytest.fixture
async def whole(server: FakeWhatsApp, daemon: RealDaemon, firestore: AsyncClient) -> Whole:
    """Daemon, server and Firestore, started and paired."""
    await daemon.start()
    made = Whole(server, daemon, firestore)
    await made.pair()
    return made
