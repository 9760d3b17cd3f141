"""How a daemon stops: step by step, each with its time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from whatsapp_backend.adapters.bridge.gateway import BridgeGateway
from whatsapp_backend.adapters.sqlite_store.store import SqliteStore
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.flows.account_documents import AccountDocuments
from whatsapp_backend.flows.connect import Connector
from whatsapp_backend.flows.lead import Lead
from whatsapp_backend.flows.publish import Publisher
from whatsapp_backend.flows.runs import Runs

log = structlog.get_logger()

_RUNS_S = 1.0
_DISCONNECT_S = 1.5
_TELL_S = 0.5
_RELEASE_S = 0.5
_STORE_S = 1.0
_BRIDGE_S = 2.0
_DRAIN_S = 1.0
"""With the second that HTTP gets, all this stays below ten, also when a part of it is waited for twice."""


@dataclass(slots=True)
class Step:
    """A step of stopping."""

    in_time: bool = True


@asynccontextmanager
async def at_most(seconds: float, step: str) -> AsyncIterator[Step]:
    """Give up on a step of stopping that takes too long: the next ones matter more, and the journal keeps the rest."""
    said = Step()
    try:
        async with asyncio.timeout(seconds):
            yield said
    except TimeoutError:
        said.in_time = False
        log.warning("stopping_took_too_long", step=step, limit_s=seconds)
    except StoreUnwell as error:
        log.warning("stopping_without_the_store", step=step, reason=str(error))


async def shut_down(
    *,
    runs: Runs,
    connector: Connector,
    documents: AccountDocuments,
    lead: Lead,
    store: SqliteStore,
    publisher: Publisher,
    gateway: BridgeGateway,
    bridge: asyncio.Task[None],
) -> None:
    """Stop all of it, those first on whom others depend. `bridge` is what runs the gateway."""
    log.info("stopping")
    async with at_most(_RUNS_S, "runs"):
        await runs.stop()
    async with at_most(_DISCONNECT_S, "goodbye") as goodbye:
        await connector.stop()
    if not goodbye.in_time:  # a socket may still be open, and closes with the bridge: only then another may connect
        await _stop_bridge(gateway, bridge)
    async with at_most(_TELL_S, "account documents"):
        await documents.drained()
    async with at_most(_RELEASE_S, "giving up the accounts"):
        await lead.release()
    await _stop_bridge(gateway, bridge)
    async with at_most(_STORE_S, "store"):
        await store.bridge_stopped()  # also when it had to be killed: we asked for it, it did not crash
    async with at_most(_DRAIN_S, "landing"):
        publisher.nudge()
        await publisher.drained()
    log.info("stopped", position=publisher.position)


async def _stop_bridge(gateway: BridgeGateway, bridge: asyncio.Task[None]) -> None:
    if bridge.done():
        return
    async with at_most(_BRIDGE_S, "bridge"):
        await gateway.stop()
    bridge.cancel()
    await asyncio.wait((bridge,))
