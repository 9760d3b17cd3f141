"""The Flutter app in small (tests/flutter/), as people of a test hold it in their hands."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from whatsapp_backend.adapters.node_runtime import node_home
from whatsapp_backend.errors import NodeMissing

FOLDER = Path(__file__).resolve().parent.parent / "flutter"
_PATIENCE_S = 20.0
_LINE_BYTES = 1 << 24
_ENDED = {"failed": "the app ended; what it said last stands above"}


async def need_app() -> Path:
    """The path of Node; skips where it or the app's modules are missing, naming the command that helps."""
    if not (FOLDER / "node_modules" / ".package-lock.json").is_file():
        # First: without them node_home would run `npm ci`.
        pytest.skip("the client SDK is not installed in tests/flutter: make setup-tests")
    try:
        home = await node_home(FOLDER, source=FOLDER)
    except NodeMissing as missing:
        pytest.skip(str(missing))
    return home.node


class Refused(Exception):
    """Firestore said no; the code is the client SDK's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class App:
    """One process that is the app of everybody in a test."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = count(1)
        self._told: dict[int, asyncio.Queue[Mapping[str, Any]]] = {}
        self._ended = False

    def of(self, token: Mapping[str, Any] | None) -> Person:
        """The app in the hand of somebody; None: signed in as nobody."""
        return Person(self, token)

    def ask(self, request: Mapping[str, Any], number: int | None = None) -> int:
        """Send a line; what comes back under its number is got by `told`."""
        number = next(self._numbers) if number is None else number
        told = self._told.setdefault(number, asyncio.Queue())
        if self._ended:
            told.put_nowait(_ENDED)
        self._process.stdin.write(json.dumps({"id": number, **request}).encode() + b"\n")
        return number

    async def told(self, number: int) -> Any:
        """The next line under this number."""
        async with asyncio.timeout(_PATIENCE_S):
            line = await self._told[number].get()
        if "refused" in line:
            raise Refused(line["refused"])
        assert "failed" not in line, line["failed"]
        return line["answer"]

    async def read(self) -> None:
        """Hand out what the process says until it ends."""
        async for line in self._process.stdout:
            told = json.loads(line)
            self._told[told["id"]].put_nowait(told)
        self._ended = True
        for queue in self._told.values():
            queue.put_nowait(_ENDED)


class Person:
    """The app, with one person signed in."""

    def __init__(self, app: App, token: Mapping[str, Any] | None) -> None:
        self._app = app
        self._token = token

    async def see(self, screen: str, **about: Any) -> dict[str, Any]:
        """Look at a screen. Raises Refused."""
        return await self._app.told(self._app.ask({"as": self._token, "do": screen, "about": about}))

    @asynccontextmanager
    async def watching(self, **about: Any) -> AsyncIterator[Watch]:
        """Look at an inbox (`account`) or a chat (`thread`) while it changes."""
        number = self._app.ask({"as": self._token, "do": "watch", "about": about})
        yield Watch(self._app, number)
        self._app.ask({"as": self._token, "do": "stop"}, number)


class Watch:
    """What a screen that stays open shows, one change after the other."""

    def __init__(self, app: App, number: int) -> None:
        self._app = app
        self._number = number

    async def change(self) -> dict[str, Any]:
        """The next snapshot. Raises Refused when the listener was ended."""
        return await self._app.told(self._number)


@asynccontextmanager
async def running_app(*, host: str, port: int, project: str) -> AsyncIterator[App]:
    """The app, connected to one project of an emulator; it is gone at the end, however that comes."""
    command = [str(await need_app()), str(FOLDER / "main.js"), host, str(port), project]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=_LINE_BYTES)
    app = App(process)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(app.read())
        try:
            yield app
        finally:
            process.stdin.close()
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()
