"""One child process: started with nothing of ours in it, spoken to over pipes, and gone for certain afterwards.

The child is the leader of its own session, so that a Ctrl-C in the daemon's terminal reaches only the daemon, which
ends the child in good order. It needs no death signal from us: it exits when its standard input closes.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from whatsapp_backend.errors import BridgeGone

UNSENT_ALARM_BYTES: Final = 64 * 1024 * 1024
_PIPE_CHUNK_BYTES: Final = 256 * 1024

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start the child. `environment` is all it gets: the daemon's own holds secrets."""

    argv: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


def node_launch(
    *, node: str, folder: Path, preload: str | None = None, max_heap_mb: int | None = None, web_url: str | None = None
) -> Launch:
    """Say how the bridge is started. `node` is the program's path; `folder` holds `bridge/main.js`."""
    preloading = ("--import", preload) if preload else ()
    heap = (f"--max-old-space-size={max_heap_mb}",) if max_heap_mb else ()
    return Launch(
        argv=(node, *preloading, *heap, "bridge/main.js"),
        folder=folder,
        environment={"WHATSAPP_WEB_URL": web_url} if web_url else {},
    )


class Child:
    """A running child process. Whoever started it ends it with `end`."""

    def __init__(self, process: Process) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise BridgeGone  # cannot be: all three are pipes
        self._process = process
        self._stdin = process.stdin
        self._alarmed = False
        self.stdout = process.stdout
        self.stderr = process.stderr

    @classmethod
    async def start(cls, launch: Launch) -> Child:
        """Start it. Raises BridgeGone when the program cannot be run."""
        _switch_core_dumps_off()
        starting = asyncio.get_running_loop().create_task(
            asyncio.create_subprocess_exec(
                *launch.argv,
                cwd=launch.folder,
                env=dict(launch.environment),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                limit=_PIPE_CHUNK_BYTES,
                start_new_session=True,
            ),
            name="start the bridge",
        )
        try:
            process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # asyncio, cancelled while it connects the pipes, leaves some open: let it finish, then end the child.
            with suppress(OSError):
                await cls(await starting).end()
            raise
        except OSError as error:
            raise BridgeGone(f"cannot start {launch.argv[0]}: {error.strerror}") from error
        return cls(process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code, negative for a signal, None while it runs."""
        return self._process.returncode

    def write(self, line: bytes) -> None:
        """Send a line. Never waits: the transport keeps what the child does not read yet, bounded by the credit."""
        if self._stdin.is_closing():
            return
        self._stdin.write(line)
        unsent = self._stdin.transport.get_write_buffer_size()
        if unsent > UNSENT_ALARM_BYTES and not self._alarmed:
            self._alarmed = True
            log.error("bridge-does-not-read", pid=self.pid, unsent_bytes=unsent)

    def close_stdin(self) -> None:
        """Ask it to exit."""
        self._stdin.close()

    def signal(self, number: signal.Signals) -> None:
        """Signal it and what it may have started, if it still runs."""
        if self.code is None:
            with suppress(ProcessLookupError, PermissionError):  # it is gone, and asyncio has not told us yet
                os.killpg(self.pid, number)

    async def wait(self) -> None:
        """Wait for its exit."""
        await self._process.wait()

    async def end(self) -> None:
        """Kill it if it still runs, and wait until it is reaped and its pipes are closed."""
        self.signal(signal.SIGKILL)
        self._stdin.close()
        try:
            # Reads what is left in the pipes: an unread pipe would keep the transport, and with it the child, for ever.
            await self._process.communicate()
        finally:
            # asyncio offers no other way to be sure of it when this is cancelled.
            self._process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001


def _switch_core_dumps_off() -> None:
    # Children inherit it. Not set between fork and exec, where Python code is unsafe beside threads (gRPC has some);
    # and the daemon holds the same keys, so it must not dump core either.
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
