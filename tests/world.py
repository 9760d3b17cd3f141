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
AT = 1795328371
"""When a message was sent, in seconds."""
RECEIVED_AT_MS = 1795400000000


class Quick(SystemClock):
    """Waits without waiting."""

    async def sleep(self, seconds: float) -> None:
        """Let others run."""
        await asyncio.sleep(0)


def payload(id: str = "M1", *, chat: str = ANA, text: str = "hi", at: int = AT, **key: Any) -> dict[str, Any]:
    """A message of the engine."""
    return {
        "key": {"remoteJid": chat, "fromMe": False, "id": id, **key},
        "messageTimestamp": at,
        "pushName": "Ana",
        "message": {"conversation": text},
    }


class World:
    """A publisher between a journal and documents, both in memory. Without `survey` it knows of nobody else."""

    def __init__(
        self, store: MemoryStore, documents: MemoryDocuments, *, survey: bool = False, dry_run: bool = False
    ) -> None:
        self.store = store
        self.documents = documents
        self.windows: list[Published] = []
        self.lander = Lander(documents, Quick())
        self.publisher = Publisher(
            journal=store,
            mirror=store,
            identities=store,
            consumers=store,
            ledger=store,
            held=store,
            lander=self.lander,
            clock=Quick(),
            on_published=self.windows.append,
            queries=documents,
            dry_run=dry_run,
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

    async def mapped(self, lid: str, pn: str) -> None:
        """Commit that WhatsApp tells whose LID it is."""
        await self.journal({"event": "lid-mapping.update", "data": {"lid": lid, "pn": pn}}, kind="update")

    async def publish(self, *, wholly: bool = False) -> None:
        """Until all of it has landed; wholly: and nothing waits to be united or written later."""
        await publish(self.publisher, wholly=wholly)

    def message(self, id: str = "M1", *, chat: str = ANA) -> dict[str, Any]:
        """The fields of a message document."""
        return dict(self.documents.documents[f"threads/{ACCOUNT}__{chat}/messages/{id}"].fields)

    def thread(self, chat: str = ANA) -> dict[str, Any]:
        """The fields of a thread document."""
        return dict(self.documents.documents[f"threads/{ACCOUNT}__{chat}"].fields)

    def bodies(self) -> dict[str, Any]:
        """What each message document says, by its id."""
        found = self.documents.documents.items()
        return {path.rpartition("/")[2]: doc.fields["body"] for path, doc in found if "/messages/" in path}


@asynccontextmanager
async def publishing(publisher: Publisher, *, timeout_s: float = 60.0) -> AsyncIterator[None]:
    """While it publishes. If it fails, so does the body, at once and with the publisher's own error."""
    try:
        async with asyncio.timeout(timeout_s), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(publisher.run())
            yield
            running.cancel()
    except ExceptionGroup as failed:
        error = failed.exceptions[0]
        raise error from error.__cause__


async def publish(publisher: Publisher, *, wholly: bool = False, timeout_s: float = 60.0) -> None:
    """Until all of it has landed; wholly: and nothing waits to be united or written later."""
    async with publishing(publisher, timeout_s=timeout_s):
        while not publisher.started:
            await asyncio.sleep(0)
        await (publisher.settled() if wholly else publisher.drained())


@asynccontextmanager
async def a_world(documents: MemoryDocuments | None = None, *, survey: bool = False) -> AsyncIterator[World]:
    """Memory on both sides: a new store over these documents, or over none."""
    async with MemoryStore.opened() as store:
        yield World(store, documents or MemoryDocuments(), survey=survey)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Memory on both sides."""
    async with a_world() as made:
        yield made
