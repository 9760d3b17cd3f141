"""The API with everything behind it in memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient
from backend import NOW_MS, OTHER, Backend, Desk, Runs, Ward
from whole import run

from whatsapp_backend.api.gaps import GapRoutes
from whatsapp_backend.api.health import Health
from whatsapp_backend.api.history_plan import HistoryPlans
from whatsapp_backend.api.parked import ParkedRoutes
from whatsapp_backend.api.passive import refuse_while_passive
from whatsapp_backend.api.pauses import PauseRoutes
from whatsapp_backend.api.runs import RunRoutes
from whatsapp_backend.api.server import application
from whatsapp_backend.api.tokens import admins_only
from whatsapp_backend.api.whatsapp import WhatsApp
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
async def api(backend: Backend, admin_token: str | None, aiohttp_client) -> TestClient:
    """A client of the API."""
    health = Health(backend.ward, instance_id="test-1", wall_ms=lambda: NOW_MS)
    whatsapp = WhatsApp(
        desk=backend.desk,
        asker=backend.asker,
        documents=backend.documents,
        queries=backend.documents,
        namespace="test",
        paused_until_ms=backend.pauses.until_ms,
    )
    only_active = refuse_while_passive(backend.ward.standing, instance_id="test-1")
    runs = RunRoutes(
        runs=backend.runs,
        jobs=backend.runs,
        accounts=backend.desk,
        wall_ms=lambda: NOW_MS,
        paused_until_ms=backend.pauses.until_ms,
    )
    gaps = GapRoutes(ledger=backend.store, accounts=backend.desk, distrust=backend, wall_ms=lambda: NOW_MS)
    plans = HistoryPlans(backend.store, view=backend.desk.view, dry_run=True)
    parked = ParkedRoutes(consumers=backend.store, replayer=backend, accounts=backend.desk)
    pauses = PauseRoutes(pauses=backend.pauses, accounts=backend.desk)
    routes = [
        *parked.routes(),
        *pauses.routes(),
        *health.routes(),
        *whatsapp.routes(),
        *plans.routes(),
        *runs.routes(),
        *gaps.routes(),
    ]
    return await aiohttp_client(application(routes, guards=[only_active, admins_only(admin_token)]))


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
