"""A bridge without a process: the port Gateway, and on its other side methods that say what a bridge would say.

What is said goes through the same bytes and the same decoder as with a real bridge. An answer that a real bridge would
not get, or would not heed, is one whose future stays pending: after a failed commit, a halt, a crash.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson

from whatsapp_backend.domain.frames import Done, Failed, Find, Frame, Get, Hello, Log, Part, State
from whatsapp_backend.domain.journal import Commit, Entry
from whatsapp_backend.errors import BridgeGone, CommandFailed, OurBug, ProtocolError
from whatsapp_backend.ports import BridgeHandler
from whatsapp_backend.rules import encode
from whatsapp_backend.rules.decode import decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A command as it arrived at the bridge."""

    command: str
    account: str | None
    args: Mapping[str, Any]


Script = Callable[[Asked], Mapping[str, object]]
"""What a command does. It returns the result or raises CommandFailed or CommandTimedOut."""


class ScriptedBridge:
    """Takes the bridge's place in tests. Commands without a script succeed.

    `heard` is what a ping tells of open sockets.
    """

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.asked: list[Asked] = []
        self.heard: dict[str, int] = {}
        self.halted: list[tuple[str, str]] = []
        self.protocol_errors = 0
        self._handler: BridgeHandler | None = None
        self._stop = asyncio.Event()
        self._ids = count(1)
        self._pending: dict[tuple[str, str], asyncio.Future[Any]] = {}

    # -- Its life --------------------------------------------------------------------------------------------------

    async def run(self, handler: BridgeHandler) -> None:
        """Be there until `stop`, as the real gateway."""
        self.come_up(handler)
        await self._stop.wait()
        self._handler = None

    async def stop(self) -> None:
        """End `run`."""
        self._stop.set()

    def come_up(self, handler: BridgeHandler) -> None:
        """Be a new bridge that said hello."""
        self._handler = handler
        handler.on_bridge(up=True)

    def crash(self) -> None:
        """Be gone. Nothing that is pending is ever answered."""
        handler, self._handler = self._handler, None
        self._pending.clear()
        if handler is not None:
            handler.on_bridge(up=False)

    # -- What it says ----------------------------------------------------------------------------------------------

    def commit(self, account: str, *entries: Mapping[str, object], **more: object) -> asyncio.Future[None]:
        """Send a commit: `entries` as in docs/frames.md, `more` is `keys`, `creds`, `begin`. Done when committed."""
        return self._ask({"t": "commit", "account": account, "entries": entries, **more})

    def get(self, account: str, type: str, *ids: str) -> asyncio.Future[Mapping[str, str]]:
        """Read keys."""
        return self._ask({"t": "get", "account": account, "type": type, "ids": ids})

    def find(self, account: str, source: str) -> asyncio.Future[Entry | None]:
        """Look for an entry."""
        return self._ask({"t": "find", "account": account, "source": source})

    def state(self, account: str, status: str, *, at: int = 0, **details: object) -> None:
        """Tell what became of an account's socket."""
        self.say({"t": "state", "account": account, "status": status, "at": at, **details})

    def say(self, frame: Mapping[str, object]) -> None:
        """Send any frame."""
        self.say_line(orjson.dumps(frame))

    def say_line(self, line: bytes) -> None:
        """Send any line, rubbish too."""
        if self._handler is None:
            raise BridgeGone
        try:
            frame = decode(line)
            if isinstance(frame, Hello | Part | Done | Failed):
                raise OurBug("a scripted bridge sends no such frame")
            self._hand_over(self._handler, frame)
        except ProtocolError as error:
            self.protocol_errors += 1
            if error.account is not None:
                self.halt(error.account, "protocol")
                self._handler.on_protocol_error(error)

    def _hand_over(self, handler: BridgeHandler, frame: Frame) -> None:
        match frame:
            case Commit():
                handler.on_commit(frame)
            case Get():
                handler.on_get(frame)
            case Find():
                handler.on_find(frame)
            case State():
                handler.on_state(frame)
            case Log() | _:
                pass

    def _ask(self, frame: Mapping[str, object]) -> asyncio.Future[Any]:
        id = f"s{next(self._ids)}"  # noqa: A001 -- the protocol's word
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[str(frame["account"]), id] = answer
        self.say({**frame, "id": id})
        return answer

    # -- The port --------------------------------------------------------------------------------------------------

    async def do(
        self,
        command: str,
        *,
        account: str | None = None,
        timeout_s: float,  # noqa: ARG002 -- the port's; a script that never answers raises CommandTimedOut
        **args: object,
    ) -> Mapping[str, object]:
        """Note the command and do what its script says."""
        if self._handler is None:
            raise BridgeGone
        try:
            encode.do("c", command, account, args)
        except OurBug as error:
            raise CommandFailed("bad-arguments", str(error)) from None
        asked = Asked(command=command, account=account, args=orjson.loads(orjson.dumps(args)))
        self.asked.append(asked)
        script = self.scripts.get(command)
        return script(asked) if script is not None else self._by_itself(asked)

    def _by_itself(self, asked: Asked) -> Mapping[str, object]:
        if asked.command == "ping":
            return {"accounts": len(self.heard), "heard": dict(self.heard), "stuck": {}, "rss": 0}
        return {"request": asked.args.get("id")} if asked.command == "fetch-history" else {}

    def halt(self, account: str, reason: str) -> None:
        """Forget everything that is pending for this account."""
        if self._handler is None:
            return
        self.halted.append((account, reason))
        for key in [key for key in self._pending if key[0] == account]:
            del self._pending[key]

    def answer_commit(self, account: str, id: str) -> None:
        """Settle a `commit`."""
        self._settle(account, id, None)

    def answer_get(self, account: str, id: str, values: Mapping[str, str]) -> None:
        """Settle a `get`."""
        self._settle(account, id, dict(values))

    def answer_find(self, account: str, id: str, entry: Entry | None) -> None:
        """Settle a `find`."""
        self._settle(account, id, entry)

    def _settle(self, account: str, id: str, value: object) -> None:
        answer = self._pending.pop((account, id), None)
        if answer is not None and not answer.done():
            answer.set_result(value)
