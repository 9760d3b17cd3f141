"""Drive the fake server of `node/fake_whatsapp`: start it, tell it what to do, wait for what it sees, stop it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

_READ_LIMIT = 64 * 1024 * 1024
_STOP_GRACE_S = 5.0

Event = dict[str, Any]


class FakeWhatsAppError(Exception):
    """The fake WhatsApp server refused an op, or is gone."""


class FakeWhatsApp:
    """A fake WhatsApp server in a process of its own. Use `started`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asked = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._news = asyncio.Condition()
        self._gone = False
        self.url = ""
        self.events: list[Event] = []

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    @classmethod
    @contextlib.asynccontextmanager
    async def started(
        cls, node_dir: Path, *, node: str = "node", port: int = 0, timeout_s: float = 20.0
    ) -> AsyncIterator[FakeWhatsApp]:
        """Start a server from `node_dir` (where package.json is) and stop it on leaving."""
        process = await asyncio.create_subprocess_exec(
            node,
            str(node_dir / "fake_whatsapp" / "main.js"),
            f"--port={port}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_READ_LIMIT,
        )
        server = cls(process)
        # No TaskGroup: it would wrap a test's own failure, and a fixture may end in another task than it began in.
        reader = asyncio.get_running_loop().create_task(server._read(), name="fake-whatsapp-reader")
        try:
            server.url = (await server.wait("listening", timeout_s=timeout_s))["url"]
            yield server
        finally:
            await server.stop()
            await reader

    async def op(self, op: str, /, **args: Any) -> Any:
        """Carry out an op of `node/fake_whatsapp/README.md` and return its result. `class_` stands for `class`."""
        if self._gone:
            raise FakeWhatsAppError("the server is gone")
        self._asked += 1
        asked = self._asked
        answer = self._answers[asked] = asyncio.get_running_loop().create_future()
        try:
            line = json.dumps(
                {"id": asked, "op": op, "args": {name.rstrip("_"): value for name, value in args.items()}}
            )
            assert self._process.stdin is not None
            self._process.stdin.write(line.encode() + b"\n")
            await self._process.stdin.drain()
            return await answer
        except ConnectionError as error:
            raise FakeWhatsAppError("the server is gone") from error
        finally:
            self._answers.pop(asked, None)

    async def wait(self, event: str, /, *, timeout_s: float = 10.0, since: int = 0, **fields: Any) -> Event:
        """The first event (from index `since` on) of this name and with these fields; waits for it if need be."""
        wanted = {name.rstrip("_"): value for name, value in fields.items()}
        seen = since
        try:
            async with asyncio.timeout(timeout_s), self._news:
                while True:
                    for found in self.events[seen:]:
                        if found["event"] == event and _has(found, wanted):
                            return found
                    seen = len(self.events)
                    if self._gone:
                        raise FakeWhatsAppError("the server is gone")
                    await self._news.wait()
        except TimeoutError:
            raise TimeoutError(f"no {event} {wanted} within {timeout_s} s") from None

    def seen(self, event: str, /, **fields: Any) -> list[Event]:
        """All events so far of this name and with these fields."""
        wanted = {name.rstrip("_"): value for name, value in fields.items()}
        return [each for each in self.events if each["event"] == event and _has(each, wanted)]

    def mark(self) -> int:
        """Now, for `since`."""
        return len(self.events)

    async def scan(self, qr: str, *, phone: str, name: str | None = None) -> Event:
        """Scan a pairing code with somebody's phone; returns once the device is linked."""
        since = self.mark()
        args = {} if name is None else {"name": name}
        linked = await self.op("scan", qr=qr, phone=phone, **args)
        return await self.wait("paired", account=linked["account"], device=linked["device"], since=since)

    async def stop(self) -> None:
        """Let it end, or kill it. May be called twice."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_GRACE_S):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            if self._process.returncode is None:
                self._process.kill()
        await self._process.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            async for line in self._process.stdout:
                await self._take(json.loads(line))
        finally:
            async with self._news:
                self._gone = True
                self._news.notify_all()
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(FakeWhatsAppError("the server is gone"))

    async def _take(self, line: Event) -> None:
        if "event" in line:
            async with self._news:
                self.events.append(line)
                self._news.notify_all()
            return
        answer = self._answers.get(line["id"])
        if answer is None or answer.done():
            return
        if line["ok"]:
            answer.set_result(line["result"])
        else:
            answer.set_exception(FakeWhatsAppError(line["error"]))


def _has(event: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(event.get(name) == value for name, value in wanted.items())
