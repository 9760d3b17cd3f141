"""`serve`: one daemon, from its settings to the signal that ends it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace

import structlog

from whatsapp_backend.adapters.local_firestore import LocalFirestore
from whatsapp_backend.adapters.log_key import log_key
from whatsapp_backend.adapters.sqlite_store import lock_state
from whatsapp_backend.adapters.sqlite_store.lock import StateLock
from whatsapp_backend.api.server import application, serving
from whatsapp_backend.api.standby import Standby
from whatsapp_backend.app import Daemon
from whatsapp_backend.cli.logs import LogFormat, use_format, use_key
from whatsapp_backend.cli.notify import notify
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.database import LOCAL_PROJECT, firestore
from whatsapp_backend.errors import AddressInUse, StateInUse
from whatsapp_backend.settings import Settings
from whatsapp_backend.surfaces import hosts_of

log = structlog.get_logger()

_LOOK_EVERY_S = 0.5
_clock = SystemClock()


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
    use_format(LogFormat(settings.log_format))
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
    async with AsyncExitStack() as stack:
        if settings.firestore_local:
            place = await stack.enter_async_context(_own_place(settings))
            emulator = await stack.enter_async_context(emulator_of(settings, locked=True))
            log.info("local_firestore", address=emulator)
            documents = await stack.enter_async_context(firestore(settings, emulator=emulator))
        else:  # unusable credentials must be known before a standby waits for anything
            documents = await stack.enter_async_context(firestore(settings))
            place = await stack.enter_async_context(_own_place(settings))

        def started(port: int) -> None:
            stop.now_running()
            _listening(settings, port, standby=False)

        use_key(log_key(place.settings.state_dir))
        daemon = Daemon(place.settings, documents, locked=True, before_serving=place.leave_port)
        await daemon.run(stop.asked, started)


@asynccontextmanager
async def emulator_of(settings: Settings, *, locked: bool = False) -> AsyncIterator[str | None]:
    """The address of the local Firestore that the settings name or ask for; None where they name production.

    `locked`: the caller has the lock of the state directory, in which an emulator of our own keeps its documents.
    """
    if not settings.firestore_local:
        yield None
    elif settings.firestore_emulator_host:
        yield settings.firestore_emulator_host
    else:
        with nullcontext() if locked else lock_state(settings.state_dir):
            async with LocalFirestore.started(
                settings.state_dir / "firestore",
                project=settings.firebase_project_id or LOCAL_PROJECT,
                jar=settings.firestore_emulator_jar,
            ) as emulator:
                yield emulator.address


# -- Standing by -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A state directory that is ours. `leave_port` is to be called before the daemon listens."""

    settings: Settings
    leave_port: Callable[[], Awaitable[None]]


@asynccontextmanager
async def _own_place(settings: Settings) -> AsyncIterator[_Place]:
    """Lock the state directory; a standby waits for it. Raises StateInUse otherwise."""
    async with AsyncExitStack() as standing_by:
        try:
            lock = lock_state(settings.state_dir)
        except StateInUse as error:
            if not settings.standby:
                raise
            standby = Standby(error.holder)
            settings = await standing_by.enter_async_context(_standing_by(settings, standby))
            lock = await _waited_for(settings, standby)
        with lock:
            yield _Place(settings=settings, leave_port=standing_by.aclose)


@asynccontextmanager
async def _standing_by(settings: Settings, standby: Standby) -> AsyncIterator[Settings]:
    """Answer in the daemon's place; gives the settings with the port that it listens on."""
    routes = standby.routes(instance_id=settings.instance_id, clock=_clock)
    try:
        app = application(routes, hosts=hosts_of(settings))
        async with serving(app, host=settings.bind_host, port=settings.port) as port:
            _listening(settings, port, standby=True)
            log.info("standing_by", holder=standby.holder, state_dir=str(settings.state_dir))
            yield replace(settings, port=port)
    except AddressInUse as error:
        raise AddressInUse(f"{error}: a standby and the process that it waits for cannot share one") from error


async def _waited_for(settings: Settings, standby: Standby) -> StateLock:
    while True:
        await _clock.sleep(_LOOK_EVERY_S)
        try:
            lock = lock_state(settings.state_dir)
        except StateInUse as error:
            standby.holder = error.holder  # another standby may have been quicker
            continue
        log.info("taking_over", state_dir=str(settings.state_dir))
        return lock


def _listening(settings: Settings, port: int, *, standby: bool) -> None:
    host = f"[{settings.bind_host}]" if ":" in settings.bind_host else settings.bind_host
    log.info("listening", url=f"http://{host}:{port}", instance=settings.instance_id, standby=standby)
    notify(os.environ, "READY=1")
