"""The store in both of its forms; and an inbox as it is in production: our rules are on, people hold the app."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from daemon_writes import DaemonWrites
from flutter_app import running_app

from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.leases import FirestoreLeases
from whatsapp_backend.adapters.firestore.queries import FirestoreQueries
from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.testing.memory_store import MemoryStore

RULES = Path(__file__).parents[2] / "deploy" / "firestore.rules"


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path):
    """In memory, and on disk."""
    opened = MemoryStore.opened() if request.param == "memory" else SqliteStore.opened(tmp_path / "state")
    async with opened as store:
        yield store


async def _load(emulator, project, content):
    url = f"http://{emulator.address}/emulator/v1/projects/{project}:securityRules"
    body = {"rules": {"files": [{"name": "firestore.rules", "content": content}]}}
    async with aiohttp.ClientSession() as session, session.put(url, json=body) as answer:
        assert answer.ok, await answer.text()


@pytest.fixture
async def rules(firestore_emulator, firestore_project):
    """`deploy/firestore.rules`, on in this test's project."""
    await _load(firestore_emulator, firestore_project, RULES.read_text())


@pytest.fixture
async def open_rules(rules, firestore_emulator, firestore_project):
    """Rules that let everybody do everything, for controls."""
    everything = "match /databases/{database}/documents/{path=**} { allow read, write; }"
    await _load(firestore_emulator, firestore_project, f"service cloud.firestore {{ {everything} }}")


@pytest.fixture
async def daemon(firestore):
    """What the daemon would write, into this test's project."""
    async with MemoryStore.opened() as store:
        yield DaemonWrites(
            store, FirestoreDocuments(firestore), FirestoreQueries(firestore), FirestoreLeases(firestore)
        )


@pytest.fixture
async def app(rules, firestore_emulator, firestore_project):
    """The app of everybody in this test, with the rules on."""
    emulator = firestore_emulator
    async with running_app(host=emulator.host, port=emulator.port, project=firestore_project) as running:
        yield running
