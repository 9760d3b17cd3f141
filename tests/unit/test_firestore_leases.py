"""FirestoreLeases where there is no database: what Firestore answers then is also its word for a missing document."""

import asyncio
import random

import grpc
import pytest

from whatsapp_backend.adapters.firestore.client import Calls, close, firestore_client
from whatsapp_backend.adapters.firestore.leases import FirestoreLeases
from whatsapp_backend.domain.leases import Instance, Mode, Timings
from whatsapp_backend.errors import DocumentsUnavailable
from whatsapp_backend.flows.lead import Lead
from whatsapp_backend.testing.fake_clock import FakeClock

ONE = Instance(id="one", nonce="n")


async def not_found(_request, **_):
    nothing = grpc.aio.Metadata()
    raise grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, nothing, nothing, details="no such database")


@pytest.fixture
async def store(monkeypatch):
    """Every call is answered with NOT_FOUND."""
    monkeypatch.setattr(Calls, "unary", lambda calls, method, *, answer: not_found)
    client = firestore_client("demo-nowhere", emulator_host="127.0.0.1:1")
    yield FirestoreLeases(client)
    await close(client)


async def test_a_heartbeat_that_cannot_be_made_is_no_heartbeat_that_ended(store):
    """Making one has no condition that a document could fail."""
    with pytest.raises(DocumentsUnavailable, match="no such database"):
        await store.beat(ONE, register=True)
    assert not await store.beat(ONE, register=False)


async def test_without_a_database_an_instance_says_so_and_asks_again_after_a_pause(store):
    """It does not ask again and again without one."""
    clock, told = FakeClock(), []
    lead = Lead(
        store=store,
        clock=clock,
        rng=random.Random(1),
        instance=ONE,
        timings=Timings(),
        on_owned=told.append,
        on_lost=told.append,
        on_mode=told.append,
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(lead.run())
        await clock.advance(2)
        running.cancel()
    assert store.operations.rpcs == 2
    assert "no such database" in lead.problem
    assert (lead.mode, told) == (Mode.PASSIVE, [])
