"""The API with everything behind it in memory."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestClient
from backend import Backend, Desk, Runs, Ward
from served import app_of

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
    return await aiohttp_client(app_of(backend, admin_token))
