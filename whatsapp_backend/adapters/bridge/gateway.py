"""The port Gateway over a supervised child process.

A *life* is one child, from its start until it is reaped. It becomes *up* with its `hello`, and ends when the child
exits, hangs (two pings in a row unanswered), is stopped, or `run` is cancelled; pending commands fail then. Frames are
handed to the handler synchronously, in order, by the one task that reads; what we send is written without waiting.

Ids of one life mean nothing in the next, but an answer can be late: every id carries the number of its life while it is
with the handler, and an answer to an earlier life is dropped. The new child would take it as the answer to another
question of its own.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import structlog

from whatsapp_backend.adapters.bridge.chatter import Throttle, forward_log, forward_stderr
from whatsapp_backend.adapters.bridge.process import Child, Launch
from whatsapp_backend.adapters.bridge.supervisor import Supervisor
from whatsapp_backend.adapters.bridge.wire import Wire
from whatsapp_backend.clock import Clock, within
from whatsapp_backend.domain.frames import Done, Failed, Find, Frame, Get, Hello, Log, State
from whatsapp_backend.domain.journal import Commit, Entry
from whatsapp_backend.errors import BridgeGone, CommandFailed, CommandTimedOut, OurBug, ProtocolError
from whatsapp_backend.ports import BridgeHandler
from whatsapp_backend.rules import encode

PROTOCOL: Final = 1
HELLO_S: Final = 10.0
PING_EVERY_S: Final = 15.0
PING_TIMEOUT_S: Final = 10.0
PINGS_MISSED: Final = 2
EXIT_S: Final = 5.0
"""How long a child may take to exit once its standard input is closed, before SIGTERM."""
TERM_S: Final = 2.0
"""How long it may take after SIGTERM, before SIGKILL."""
REAP_S: Final = 1.0
"""How long a child that closed its output may take to exit by itself, so that its exit code can be known."""
_CHUNK_BYTES: Final = 64 * 1024

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Life:
    number: int
    child: Child
    handler: BridgeHandler
    up: asyncio.Event = field(default_factory=asyncio.Event)


class BridgeGateway:
    """Starts the bridge, keeps it alive, and speaks to it."""

    def __init__(self, launch: Launch, *, clock: Clock, rng: random.Random) -> None:
        self._launch = launch
        self._clock = clock
        self._supervisor = Supervisor(clock, rng)
        self._throttle = Throttle(clock)
        self._life: _Life | None = None
        self._lives = 0
        self._commands = 0
        self._pending: dict[str, asyncio.Future[Done | Failed | None]] = {}
        self.protocol_errors = 0
        self.pong: Mapping[str, object] = {}
        """What the bridge said of itself last, nothing while it is down."""

    async def run(self, handler: BridgeHandler) -> None:
        """Keep a bridge alive until `stop`. Cancelled, it kills the bridge and leaves nothing behind."""
        await self._supervisor.run(partial(self._live, handler))

    async def stop(self) -> None:
        """End the bridge in good order and return when it is gone. May be called before `run`, and again."""
        await self._supervisor.stop()

    @property
    def pid(self) -> int | None:
        """The bridge's process id while it is up."""
        return self._life.child.pid if self._life and self._life.up.is_set() else None

    @property
    def lives(self) -> int:
        """How many bridges have been started."""
        return self._lives

    # -- The port --------------------------------------------------------------------------------------------------

    async def do(
        self, command: str, *, account: str | None = None, timeout_s: float, **args: object
    ) -> Mapping[str, object]:
        """Carry out a command. Raises CommandFailed, BridgeGone or CommandTimedOut."""
        if self._life is None or not self._life.up.is_set():
            raise BridgeGone
        self._commands += 1
        id = f"c{self._commands}"  # noqa: A001 -- the protocol's word
        try:
            lines = encode.do(id, command, account, args)
        except OurBug as error:
            raise CommandFailed("bad-arguments", str(error)) from None
        answer: asyncio.Future[Done | Failed | None] = asyncio.get_running_loop().create_future()
        self._pending[id] = answer
        try:
            self._send(lines)
            if not await within(self._clock, timeout_s, asyncio.wait((answer,))):
                raise CommandTimedOut(f"{command} was not answered within {timeout_s:g} s")
        finally:
            del self._pending[id]
        settled = answer.result()
        if settled is None:
            raise BridgeGone
        if isinstance(settled, Failed):
            raise CommandFailed(settled.code, settled.message)
        return settled.result

    def halt(self, account: str, reason: str) -> None:
        """End this account's socket now and answer nothing that is pending."""
        self._send(encode.halt(account, reason))

    def answer_commit(self, account: str, id: str) -> None:
        """Say that the commit is on disk."""
        self._answer(account, id, partial(encode.committed, account))

    def answer_get(self, account: str, id: str, values: Mapping[str, str]) -> None:
        """Answer a read of keys."""
        self._answer(account, id, lambda own: encode.got(account, own, values))

    def answer_find(self, account: str, id: str, entry: Entry | None) -> None:
        """Answer a search."""
        self._answer(account, id, lambda own: encode.found(account, own, entry))

    def _answer(self, account: str, id: str, lines: Callable[[str], encode.Lines]) -> None:
        number, _, own = id.partition("/")
        if self._life is None or number != str(self._life.number):
            log.info("bridge-answer-too-late", account=account)
            return
        try:
            self._send(lines(own))
        except OurBug as error:  # unanswered, the account would wait for ever
            log.exception("bridge-answer-impossible", account=account, reason=str(error))
            self.halt(account, "protocol")

    def _send(self, lines: encode.Lines) -> None:
        if self._life is not None:
            for line in lines:
                self._life.child.write(line)

    # -- One life --------------------------------------------------------------------------------------------------

    async def _live(self, handler: BridgeHandler) -> None:
        self._lives += 1
        try:
            child = await Child.start(self._launch)
        except BridgeGone as error:
            log.error("bridge-not-started", reason=str(error))
            return
        life = self._life = _Life(number=self._lives, child=child, handler=handler)
        log.info("bridge-started", pid=child.pid)
        try:
            await self._until_over(life)
        finally:
            self._life, self.pong = None, {}
            for answer in self._pending.values():
                if not answer.done():
                    answer.set_result(None)
            await child.end()
        stopped = self._supervisor.stopping.is_set()
        (log.info if stopped else log.error)("bridge-ended", pid=child.pid, code=child.code)
        if life.up.is_set() and not stopped:
            handler.on_bridge(up=False)

    async def _until_over(self, life: _Life) -> None:
        # Tasks return why the life is over instead of raising it: until Python 3.13 a task group that is left by an
        # exception forgets that it was cancelled meanwhile.
        async with asyncio.TaskGroup() as tasks:
            stderr = tasks.create_task(forward_stderr(life.child.stderr, life.child.pid, self._throttle))
            ends = [tasks.create_task(end(life)) for end in (self._read, self._watch, self._wind_down)]
            over, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            reasons = [task.result() for task in over if task.exception() is None]
            for task in (stderr, *ends):
                task.cancel()
        log.info("bridge-life-over", pid=life.child.pid, reasons=reasons)

    async def _read(self, life: _Life) -> str:
        wire = Wire()
        while data := await life.child.stdout.read(_CHUNK_BYTES):
            for frame in wire.feed(data):
                if isinstance(frame, ProtocolError):
                    self._rubbish(life, frame)
                else:
                    self._dispatch(life, frame)
        await within(self._clock, REAP_S, life.child.wait())
        return "closed its output"

    async def _watch(self, life: _Life) -> str:
        if not await within(self._clock, HELLO_S, life.up.wait()):
            return "said no hello"
        missed = 0
        while missed < PINGS_MISSED:
            await self._clock.sleep(PING_EVERY_S)
            missed = 0 if await self._answers_ping() else missed + 1
        return "does not answer"

    async def _answers_ping(self) -> bool:
        try:
            self.pong = await self.do("ping", timeout_s=PING_TIMEOUT_S)
        except CommandTimedOut:
            return False
        except CommandFailed:  # an answer all the same
            return True
        return True

    async def _wind_down(self, life: _Life) -> str:
        await self._supervisor.stopping.wait()
        life.child.close_stdin()
        await self._clock.sleep(EXIT_S)
        life.child.signal(signal.SIGTERM)
        await self._clock.sleep(TERM_S)
        return "would not exit"

    # -- Frames ----------------------------------------------------------------------------------------------------

    def _dispatch(self, life: _Life, frame: Frame) -> None:
        if isinstance(frame, Hello):
            self._hello(life, frame)
        elif not life.up.is_set():
            self._rubbish(life, ProtocolError("unknown-type", "before hello"))
        else:
            self._hand_over(life, frame)

    def _hello(self, life: _Life, hello: Hello) -> None:
        if hello.protocol != PROTOCOL:
            log.error(
                "bridge-of-another-protocol", protocol=hello.protocol, ours=PROTOCOL
            )  # no hello, so it will be ended
        elif life.up.is_set():
            self._rubbish(life, ProtocolError("unknown-type", "hello again"))
        else:
            log.info("bridge-up", pid=life.child.pid, engine=hello.engine, node=hello.node)
            life.up.set()
            life.handler.on_bridge(up=True)

    def _hand_over(self, life: _Life, frame: Frame) -> None:
        match frame:
            case Commit():
                life.handler.on_commit(replace(frame, id=f"{life.number}/{frame.id}"))
            case Get():
                life.handler.on_get(replace(frame, id=f"{life.number}/{frame.id}"))
            case Find():
                life.handler.on_find(replace(frame, id=f"{life.number}/{frame.id}"))
            case State():
                life.handler.on_state(frame)
            case Done() | Failed():
                self._settle(frame)
            case Log():
                forward_log(frame, self._throttle)

    def _settle(self, frame: Done | Failed) -> None:
        answer = self._pending.get(frame.id)
        if answer is not None and not answer.done():  # else it came after its timeout
            answer.set_result(frame)

    def _rubbish(self, life: _Life, error: ProtocolError) -> None:
        self.protocol_errors += 1
        if self._throttle.allows():
            log.warning("bridge-protocol-error", error=error.name, detail=error.detail, account=error.account)
        if error.account is not None and life.up.is_set():
            self.halt(error.account, "protocol")
            life.handler.on_protocol_error(error)
