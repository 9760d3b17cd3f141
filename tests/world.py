"""A publisher between a journal and documents, both in memory: what the projection makes of entries."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.publish import Published, Publisher
from whatsapp_backend.testing.memory_documents import MemoryDocuments
from whatsapp_backend.testing.memory_store import MemoryStore

ACCOUNT = "account_demo_0a"
ANA = "15550001111@s.whatsapp.net"
BOB = "15550002222@s.whatsapp.net"
GROUP = "120363001234567890@g.us"
RECEIVED_AT_MS = 1795400000000


class Quick(SystemClock):
    """Waits without waiting."""

    async def sleep(self, seconds: float) -> None:
        """Let others run."""
        await asyncio.sleep(0)


def payload(id: str = "M1", *, chat: str = ANA, text: str = "hi", at: int = 1795328371, **key: Any) -> dict[str, Any]:
    """A message of the engine."""
    return {
        "key": {"remoteJid": chat, "fromMe": False, "id": id, **key},
        "messageTimestamp": at,
        "pushName": "Ana",
        "message": {"conversation": text},
    }


class World:
    """A publisher between a journal and documents, both in memory. Without `survey` it knows of nobody else."""

    def __init__(self, store: MemoryStore, documents: MemoryDocuments, *, survey: bool = False) -> None:
        self.store = store
        self.documents = documents
        self.windows: list[Published] = []
        self.lander = Lander(documents, Quick())
        self.publisher = Publisher(
            journal=store,
            mirror=store,
            identities=store,
            consumers=store,
            lander=self.lander,
            clock=Quick(),
            on_published=self.windows.append,
            queries=documents,
            survey=survey,
        )
        self._sources = 0

    async def journal(self, content: Any, *, kind: str = "message", origin: str = "live", source: str = "") -> None:
        """Commit one entry."""
        self._sources += 1
        new = NewEntry(
            kind=kind,
            source=source or f"enc:{self._sources}",
            origin=origin,
            received_at_ms=RECEIVED_AT_MS,
            payload=orjson.dumps(content),
        )
        await self.store.commit(Commit(account=ACCOUNT, id=str(self._sources), entries=(new,)))

    async def publish(self, *, wholly: bool = False) -> None:
        """Until all of it has landed; wholly: and nothing waits to be united or written later."""
        running = asyncio.create_task(self.publisher.run())
        done = asyncio.create_task(self._done(wholly=wholly))
        try:
            await asyncio.wait({running, done}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            assert done.done(), "it never came to an end"
            done.result()
        finally:
            running.cancel()
            done.cancel()
            await asyncio.gather(running, done, return_exceptions=True)

    async def _done(self, *, wholly: bool) -> None:
        while not self.publisher.started:
            await asyncio.sleep(0)
        await (self.publisher.settled() if wholly else self.publisher.drained())

    def message(self, id: str = "M1", *, chat: str = ANA) -> dict[str, Any]:
        """The fields of a message document."""
        return dict(self.documents.documents[f"threads/{ACCOUNT}__{chat}/messages/{id}"].fields)

    def thread(self, chat: str = ANA) -> dict[str, Any]:
        """The fields of a thread document."""
        return dict(self.documents.documents[f"threads/{ACCOUNT}__{chat}"].fields)


@asynccontextmanager
async def a_world() -> AsyncIterator[World]:
    """Memory on both sides."""
    async with MemoryStore.opened() as store:
        yield World(store, MemoryDocuments())


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Memory on both sides."""
    async with a_world() as made:
        yield made
