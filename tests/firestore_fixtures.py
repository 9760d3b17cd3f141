"""Fixtures for tests that need Firestore: one emulator a worker, one project a test."""

import asyncio
import os
import uuid

import pytest

from whatsapp_backend.adapters.emulator_files import find_jar, find_java
from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.local_firestore import LocalFirestore
from whatsapp_backend.errors import EmulatorMissing


def need_emulator():
    """Skip where there is no emulator, naming the command that gets it; in CI that is a failure."""
    try:
        find_jar(), find_java()
    except EmulatorMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def firestore_emulator():
    """A running emulator that all tests of this worker share: never stop, freeze or reset it."""
    need_emulator()
    emulator = LocalFirestore(heap="512m")
    with asyncio.Runner() as runner:
        runner.run(emulator.start())
        yield emulator
        runner.run(emulator.close())


@pytest.fixture
def firestore_project():
    """A project of this test's own."""
    return f"demo-{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def firestore(firestore_emulator, firestore_project):
    """A client of an empty Firestore."""
    client = firestore_client(firestore_project, emulator_host=firestore_emulator.address)
    yield client
    await close(client)


@pytest.fixture
async def own_emulator(tmp_path, firestore_project):
    """An emulator of this test's own, to be stopped, started, frozen or killed; it keeps the test's project."""
    need_emulator()
    async with LocalFirestore.started(tmp_path / "firestore", project=firestore_project, heap="512m") as emulator:
        yield emulator
