"""The store in both of its forms."""

import pytest

from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.testing.memory_store import MemoryStore


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path):
    """In memory, and on disk."""
    opened = MemoryStore.opened() if request.param == "memory" else SqliteStore.opened(tmp_path / "state")
    async with opened as store:
        yield store
