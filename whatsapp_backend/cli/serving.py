"""`serve`: one daemon, from its settings to the signal that ends it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from whatsapp_backend.adapters.local_firestore import LocalFirestore
from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.app import LOCAL_PROJECT, Daemon, firestore
from whatsapp_backend.cli.notify import notify
from whatsapp_backend.settings import Settings

log = structlog.get_logger()


class _Stop:
    """Notes SIGTERM and Ctrl-C. Before the daemon listens there is nothing to drain: what starts is cancelled."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._starting = asyncio.current_task()

    def ask(self) -> None:
        """Stop; called by the signals, also more than once."""
        if not self.asked.is_set():
            notify(os.environ, "STOPPING=1")
        self.asked.set()
        if self._starting:
            self._starting.cancel()

    def now_running(self) -> None:
        """From here on there is something to drain."""
        self._starting = None


async def serve_until_stopped(settings: Settings) -> int:
    """Serve until a signal comes. Raises OperatorMustAct when it cannot start."""
    for warning in settings.warnings:
        log.warning("settings", warning=warning)
    stop = _Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.ask)
    try:
        await _serve(settings, stop)
    except asyncio.CancelledError:
        if not stop.asked.is_set():
            raise
        log.info("stopped_before_it_listened")
    return 0


async def _serve(settings: Settings, stop: _Stop) -> None:
    async with emulator_of(settings) as emulator:
        await _run(settings, stop, emulator=emulator)


@asynccontextmanager
async def emulator_of(settings: Settings) -> AsyncIterator[str | None]:
    """The address of the local Firestore that the settings name or ask for; None where they name production."""
    if not settings.firestore_local:
        yield None
    elif settings.firestore_emulator_host:
        yield settings.firestore_emulator_host
    else:
        async with SqliteStore.opened(settings.state_dir):
            pass  # somebody else's state directory must be known before an emulator is started on its documents
        async with LocalFirestore.started(
            settings.state_dir / "firestore",
            project=settings.firebase_project_id or LOCAL_PROJECT,
            jar=settings.firestore_emulator_jar,
        ) as emulator:
            yield emulator.address


async def _run(settings: Settings, stop: _Stop, *, emulator: str | None) -> None:
    def started(port: int) -> None:
        stop.now_running()
        host = f"[{settings.bind_host}]" if ":" in settings.bind_host else settings.bind_host
        log.info("listening", url=f"http://{host}:{port}", instance=settings.instance_id)
        notify(os.environ, "READY=1")

    if emulator:
        log.info("local_firestore", address=emulator)
    async with firestore(settings, emulator=emulator) as documents:
        await Daemon(settings, documents).run(stop.asked, started)
