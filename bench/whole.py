"""The whole chain to be measured: a fake WhatsApp, the real daemon as a process of its own, a Firestore emulator."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from whatsapp_backend.adapters.local_firestore import LocalFirestore
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

PHONE = "15550001111"
_ROOT = Path(__file__).parent.parent
_NODE = _ROOT / "whatsapp_backend" / "node"
_POLL_S = 0.05
_STOP_S = 20.0
clock = SystemClock()


class Whole:
    """A daemon with one paired account, and the server that sends to it."""

    def __init__(self, server: FakeWhatsApp, process: asyncio.subprocess.Process, api: aiohttp.ClientSession) -> None:
        self.server = server
        self._process = process
        self._api = api
        self.account = ""

    async def pair(self) -> None:
        """Add an account and scan its code."""
        phone = {"phone": f"+{PHONE}", "name": "Bench"}
        async with self._api.post("/api/whatsapp/add-account", json=phone) as answer:
            self.account = (await answer.json())["account"]["id"]
        qr = await until(self._qr, patience_s=60)
        await self.server.scan(qr, phone=PHONE)
        await until(self._caught_up, patience_s=60)

    async def landed(self, *, beyond: int, patience_s: float) -> None:
        """Wait until more than so many entries are journaled and all of them landed."""

        async def is_landed() -> bool:
            documents = (await self._get("/health/consumers"))["consumers"][0]
            return bool(documents["lag"] == 0 and documents["position"] > beyond)

        await until(is_landed, patience_s=patience_s)

    async def position(self) -> int:
        """The seq of the newest entry that landed."""
        return int((await self._get("/health/consumers"))["consumers"][0]["position"])

    def memory_mb(self, which: str = "VmHWM") -> float:
        """The daemon's resident memory: its peak, or (VmRSS) now."""
        status = Path(f"/proc/{self._process.pid}/status").read_text("ascii")
        found = re.search(rf"^{which}:\s+(\d+) kB$", status, re.MULTILINE)
        return int(found[1]) / 1024 if found else float("nan")

    async def _get(self, path: str) -> Any:
        async with self._api.get(path) as answer:
            return await answer.json()

    async def _qr(self) -> Any:
        return (await self._get(f"/api/whatsapp/qr/{self.account}"))["qr"]

    async def _caught_up(self) -> bool:
        accounts = (await self._get("/api/whatsapp/accounts"))["accounts"]
        return any(one["status"] == "connected" and one["caughtUp"] for one in accounts)


@asynccontextmanager
async def running(emulator: LocalFirestore) -> AsyncIterator[Whole]:
    """Everything started and paired, over a fresh state directory; nothing of it is left behind."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with FakeWhatsApp.started(_NODE) as server:
            await server.op("mute", events=["receipt", "ack", "download", "presence"])
            log = Path(folder) / "daemon.log"
            process = await _start(Path(folder), log, server.url, emulator)
            try:
                async with aiohttp.ClientSession(await until(lambda: _address(process, log), patience_s=60)) as api:
                    whole = Whole(server, process, api)
                    await whole.pair()
                    yield whole
            finally:
                await _stop(process)


async def until(condition: Callable[[], Awaitable[Any]], *, patience_s: float) -> Any:
    """Ask until the answer is true, and return it. Raises TimeoutError."""
    async with asyncio.timeout(patience_s):
        while not (answer := await condition()):
            await clock.sleep(_POLL_S)
        return answer


async def _start(folder: Path, log: Path, server: str, emulator: LocalFirestore) -> asyncio.subprocess.Process:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "STATE_DIR": str(folder / "state"),
        "PORT": "0",
        "ACCOUNT_NAMESPACE": "bench",
        "FIRESTORE_LOCAL": "true",
        "FIRESTORE_EMULATOR_HOST": emulator.address,
        "FIREBASE_PROJECT_ID": emulator.project,
        "WHATSAPP_WEB_URL": server,
        "WHATSAPP_BRIDGE_PRELOAD": str(_NODE / "fake_whatsapp" / "preload.js"),
    }
    with log.open("wb") as stderr:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "whatsapp_backend",
            "serve",
            env=environment,
            cwd=_ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=stderr,
        )


async def _address(process: asyncio.subprocess.Process, log: Path) -> str | None:
    text = log.read_text("utf-8", "replace")  # noqa: ASYNC240 -- a local file, and nobody is kept waiting
    if process.returncode is not None:
        raise RuntimeError(f"the daemon did not start:\n{text[-3000:]}")
    found = re.search(r" listening .*url='?(\S+?)'?(?:\s|$)", text)
    return found[1] if found else None


async def _stop(process: asyncio.subprocess.Process) -> None:
    try:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(_STOP_S):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
