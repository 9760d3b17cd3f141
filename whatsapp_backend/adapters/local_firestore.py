"""Google's Firestore emulator as our own child process.

It is started directly, never through gcloud's wrapper (which leaves Java running when it is stopped), and in a session
of its own, so that a Ctrl-C meant for us leaves it time to be exported. On Linux it dies with us, however we die.

Its data lives in its memory. With a data directory it is exported there when it is stopped and imported when it is
started: each export is a folder of its own that gets its final name only when it is complete, so a crash in the middle
of one costs that export and never an older one. One project is kept: the one that was named.

Nothing here belongs to an event loop; several loops may use one emulator, one after the other.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from whatsapp_backend.adapters.emulator_files import find_jar, find_java
from whatsapp_backend.clock import Clock, SystemClock
from whatsapp_backend.errors import EmulatorFailed

_MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
_DIE_WITH_PARENT = (
    "import ctypes,os,sys\n"
    "if sys.platform == 'linux': ctypes.CDLL(None).prctl(1, 9)\n"  # PR_SET_PDEATHSIG, SIGKILL; survives the exec
    "if os.getppid() != int(sys.argv[1]): sys.exit('our parent died')\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
_POLL_S = 0.03
_PORT_ATTEMPTS = 3
_METADATA = "kept.overall_export_metadata"


class _PortTaken(EmulatorFailed):
    """Somebody else took the port between our choosing it and the emulator's binding it."""


class LocalFirestore:
    """One emulator: started, stopped and started again on the same port, frozen and thawed."""

    def __init__(
        self,
        *,
        project: str = "demo-local",
        data_dir: Path | None = None,
        heap: str = "1g",
        rules: Path | None = None,
        jar: Path | None = None,
        start_timeout_s: float = 90.0,
        stop_timeout_s: float = 10.0,
        clock: Clock | None = None,
    ) -> None:
        if project != project.lower():
            raise ValueError("the emulator answers 500 to project ids with capitals")
        self.host = "127.0.0.1"
        self.port = 0
        self.project = project
        self._data_dir = data_dir
        self._heap = heap
        self._rules = rules
        self._jar = jar
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._clock = clock or SystemClock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    @classmethod
    @asynccontextmanager
    async def started(
        cls,
        data_dir: Path | None = None,
        *,
        project: str = "demo-local",
        heap: str = "1g",
        rules: Path | None = None,
        jar: Path | None = None,
    ) -> AsyncIterator[LocalFirestore]:
        """A running emulator, stopped (and kept, with a data directory) at the end."""
        emulator = cls(project=project, data_dir=data_dir, heap=heap, rules=rules, jar=jar)
        try:
            await emulator.start()
            yield emulator
        finally:
            await emulator.close()

    @property
    def address(self) -> str:
        """`host:port`, as clients want it."""
        return f"{self.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The emulator's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    async def start(self) -> None:
        """Start it with what was kept, on the port it had before, and wait until it answers."""
        if self.pid is not None:
            raise EmulatorFailed("the local Firestore is already running")
        java, jar = find_java(), self._jar or find_jar()
        folder = self._open_folder()
        had_port = self.port
        for attempts_left in reversed(range(_PORT_ATTEMPTS)):
            self.port = had_port or _free_port()
            self._process = self._spawn(java, jar, folder)
            try:
                await self._until_healthy()
            except _PortTaken:
                if had_port or not attempts_left:
                    raise
            else:
                return

    async def _until_healthy(self) -> None:
        try:
            async with asyncio.timeout(self._start_timeout_s):
                while not await self.healthy():
                    self._raise_if_dead()
                    await self._clock.sleep(_POLL_S)
        except TimeoutError:
            await self._end()
            raise EmulatorFailed(f"the local Firestore did not answer in {self._start_timeout_s:g} s") from None
        except BaseException:
            await self._end()
            raise

    async def stop(self, *, keep: bool = True) -> None:
        """Export what it holds, then stop it. Stopped twice, or before it was started, is fine."""
        try:
            if keep and self.pid is not None:
                self.thaw()
                await self._export()
        finally:
            await self._end()

    async def close(self) -> None:
        """Stop it for good; without a data directory nothing of it is left."""
        try:
            await self.stop(keep=self._data_dir is not None)
        finally:
            if self._data_dir is None and self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    async def healthy(self) -> bool:
        """Whether it answers."""
        try:
            return (await self._call("GET", "/", timeout_s=2.0)).strip() == "Ok"
        except EmulatorFailed:
            return False

    async def reset(self) -> None:
        """Forget all documents of all projects."""
        await self._call("POST", "/reset")

    def freeze(self) -> None:
        """Let it hang: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it as a crash would: nothing is kept."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def _open_folder(self) -> Path:
        if self._folder is None:
            self._folder = self._data_dir or Path(tempfile.mkdtemp(prefix="local-firestore-"))
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._folder

    def _spawn(self, java: Path, jar: Path, folder: Path) -> subprocess.Popen[bytes]:
        command = [str(java), f"-Xmx{self._heap}", "-Duser.language=en", "-cp", str(jar), _MAIN]
        command += ["--host", self.host, "--port", str(self.port)]
        if self._rules is not None:
            command += ["--rules", str(self._rules)]
        kept = _exports(folder)
        if kept:
            command += ["--import-data", str(kept[-1] / _METADATA)]
        wrapper = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid())]
        with (folder / "emulator.log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - our own arguments
                [*wrapper, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    async def _export(self) -> None:
        """Export beside what was kept before; the rename is what makes it the one that counts."""
        folder = self._open_folder()
        older = _exports(folder)
        unfinished = folder / "exporting"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        database = f"projects/{self.project}/databases/(default)"
        body = {"database": database, "export_directory": str(unfinished.absolute()), "export_name": "kept"}
        await self._call("POST", f"/emulator/v1/projects/{self.project}:export", body=body, timeout_s=300.0)
        if not (unfinished / "kept" / _METADATA).is_file():
            raise EmulatorFailed("the local Firestore exported nothing")
        _sync(unfinished)
        number = int(older[-1].parent.name.rpartition("-")[2]) + 1 if older else 1
        unfinished.rename(folder / f"export-{number:06}")
        _fsync(folder)
        for export in older:
            shutil.rmtree(export.parent, ignore_errors=True)

    async def _call(
        self, method: str, path: str, *, body: dict[str, str] | None = None, timeout_s: float = 30.0
    ) -> str:
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(method, f"http://{self.address}{path}", json=body) as answer,
            ):
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EmulatorFailed(f"the local Firestore did not answer {method} {path}: {error!r}") from error
        if not answer.ok:
            raise EmulatorFailed(f"the local Firestore refused {method} {path}: {answer.status} {text[:300]}")
        return text

    async def _end(self) -> None:
        """Ask it to end, then make it. Whatever interrupts this, no process is left."""
        process = self._process
        if process is None:
            return
        try:
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)
            async with asyncio.timeout(self._stop_timeout_s):
                while process.poll() is None:
                    await self._clock.sleep(_POLL_S)
        except TimeoutError:
            pass
        finally:
            self.kill()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)  # does nothing once the process was reaped

    def _raise_if_dead(self) -> None:
        if self._process is not None and self._process.poll() is not None and self._folder is not None:
            log = (self._folder / "emulator.log").read_text("utf-8", "replace")
            said = "\n".join(line for line in log.splitlines() if not line.startswith("\tat "))
            error = _PortTaken if "BindException" in said else EmulatorFailed
            raise error(f"the local Firestore ended at once ({self._process.returncode}): {said[-600:]}")


def _exports(folder: Path) -> list[Path]:
    """The folders of the complete exports, oldest first."""
    named = (entry for entry in folder.glob("export-*") if re.fullmatch(r"export-\d+", entry.name))
    return [export / "kept" for export in sorted(named) if (export / "kept" / _METADATA).is_file()]


def _sync(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        _fsync(path)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
