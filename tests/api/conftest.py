"""The API with everything behind it in memory."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestClient
from backend import NOW_MS, Backend, Desk, Ward

from whatsapp_backend.api.health import Health
from whatsapp_backend.api.passive import refuse_while_passive
from whatsapp_backend.api.server import application
from whatsapp_backend.api.whatsapp import WhatsApp
from whatsapp_backend.flows.fetch import HistoryFetcher
from whatsapp_backend.testing.memory_documents import MemoryDocuments
from whatsapp_backend.testing.scripted_bridge import ScriptedBridge


@pytest.fixture
def backend() -> Backend:
    desk, bridge = Desk(), ScriptedBridge()
    return Backend(desk, Ward(desk), bridge, HistoryFetcher(bridge), MemoryDocuments())


@pytest.fixture
async def api(backend: Backend, aiohttp_client) -> TestClient:
    """A client of the API."""
    health = Health(backend.ward, instance_id="test-1", wall_ms=lambda: NOW_MS)
    whatsapp = WhatsApp(
        desk=backend.desk,
        fetcher=backend.fetcher,
        documents=backend.documents,
        queries=backend.documents,
        namespace="test",
    )
    only_active = refuse_while_passive(backend.ward.standing, instance_id="test-1")
    return await aiohttp_client(application([*health.routes(), *whatsapp.routes()], guards=[only_active]))
