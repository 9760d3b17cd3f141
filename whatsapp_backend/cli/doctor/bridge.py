"""Node, and the bridge that runs in it."""

from __future__ import annotations

import asyncio
import random
import shutil
from contextlib import suppress

from whatsapp_backend.adapters.bridge.gateway import BridgeGateway
from whatsapp_backend.adapters.bridge.process import Launch, node_launch
from whatsapp_backend.adapters.node_runtime import look_for_node
from whatsapp_backend.cli.doctor.findings import Finding, fail, ok, warn
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.frames import Find, Get, State
from whatsapp_backend.domain.journal import Commit
from whatsapp_backend.errors import NodeMissing, ProtocolError, WhatsAppBackendError
from whatsapp_backend.settings import Settings

_UP_S = 6.0
_PING_S = 3.0


async def node(settings: Settings) -> Finding:
    """Node is new enough, and the bridge's modules are there."""
    try:
        version, home = await look_for_node(settings.cache_dir)
    except NodeMissing as error:
        return fail("node", "no usable Node", str(error))
    if home:
        return ok("node", f"Node {version}, modules in {home.folder}")
    if shutil.which("npm"):
        return warn("node", f"Node {version}, no modules yet", "`make` or the first start installs them, by npm.")
    return fail("node", f"Node {version}, no modules and no npm", "Install npm: `sudo apt-get install npm`.")


async def bridge(settings: Settings) -> Finding:
    """The bridge starts and answers. It connects to nobody."""
    try:
        _, home = await look_for_node(settings.cache_dir)
    except NodeMissing:
        return fail("bridge", "cannot be started without Node", "See `node`.")
    if home is None:
        return warn("bridge", "not tried: its modules are not there yet", "See `node`.")
    return await answers(node_launch(node=str(home.node), folder=home.folder))


async def answers(launch: Launch, *, up_s: float = _UP_S) -> Finding:
    """Whether a bridge that is started so says hello and answers a ping."""
    gateway = BridgeGateway(launch, clock=SystemClock(), rng=random.Random())  # noqa: S311 -- it spreads restarts
    listener = _Listener()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(gateway.run(listener))
        try:
            async with asyncio.timeout(up_s):
                await listener.up.wait()
            await gateway.do("ping", timeout_s=_PING_S)
        except (TimeoutError, WhatsAppBackendError) as error:
            reason = str(error) or f"it said no hello within {up_s:.0f} s"
            todo = "Run `whatsapp-backend serve --debug` and read what the bridge says; `make setup` installs it anew."
            return fail("bridge", f"does not answer: {reason}", todo)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    return ok("bridge", "starts and answers")


class _Listener:
    """Hears a bridge that has no accounts."""

    def __init__(self) -> None:
        self.up = asyncio.Event()

    def on_bridge(self, *, up: bool) -> None:
        """It came, or it went."""
        if up:
            self.up.set()

    def on_commit(self, commit: Commit) -> None:
        """Cannot be."""

    def on_get(self, get: Get) -> None:
        """Cannot be."""

    def on_find(self, find: Find) -> None:
        """Cannot be."""

    def on_state(self, state: State) -> None:
        """Cannot be."""

    def on_protocol_error(self, error: ProtocolError) -> None:
        """Cannot be."""
