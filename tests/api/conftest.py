"""The API with everything behind it in memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient
from backend import OTHER, Backend, Desk, Runs, Ward
from doors import Doors, all_routes, behind_the_gate, gate_of
from whole import run

from whatsapp_backend.api.tokens import Gate
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.flows.fetch import Asker
from whatsapp_backend.testing.memory_documents import MemoryDocuments
from whatsapp_backend.testing.memory_store import MemoryStore
from whatsapp_backend.testing.scripted_bridge import ScriptedBridge


@pytest.fixture
def backend() -> Backend:
    desk, bridge = Desk(), ScriptedBridge()
    store = MemoryStore()
    asker = Asker(bridge, store, SystemClock(), timeout_s=60, is_connected=lambda _: True)
    return Backend(desk, Ward(desk), bridge, asker, MemoryDocuments(), Runs(desk), store)


@pytest.fixture
def admin_token() -> str | None:
    """None, unless a test says otherwise."""
    return None


@pytest.fixture
def obs_token() -> str | None:
    """As `admin_token`."""
    return None


@pytest.fixture
def gate(backend: Backend, admin_token: str | None, obs_token: str | None) -> Gate:
    """The door, with the tokens of this test."""
    return gate_of(backend, admin=admin_token, obs=obs_token)


@pytest.fixture
async def api(backend: Backend, gate: Gate, aiohttp_client) -> TestClient:
    """A client of the API."""
    return await aiohttp_client(behind_the_gate(all_routes(backend, gate), gate, backend))


@pytest.fixture
async def doors(backend: Backend) -> Doors:
    """A door with every kind of token, and everybody before it."""
    doors = Doors(backend)
    await doors.stock()
    return doors


@pytest.fixture
async def real_door(doors: Doors, aiohttp_client) -> TestClient:
    """That door, before the routes as they are."""
    return await aiohttp_client(behind_the_gate(all_routes(doors.backend, doors.gate), doors.gate, doors.backend))


@pytest.fixture
def environment(tmp_path, api):
    """Of a command that asks the API of these tests."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PORT": str(api.port),
        "COLUMNS": "250",
    }


@pytest.fixture
def command(environment):
    """Run a command to its end; exit code, standard output, standard error."""

    async def command(*arguments, **more):
        return await run(environment | more, *arguments)

    return command


@pytest.fixture
def alone(backend):
    """The shop is the only account."""
    del backend.desk.known[OTHER]
