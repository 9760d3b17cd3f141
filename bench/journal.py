"""From the journal to landed documents, projection and mirror included, and what that costs in Firestore operations."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import corpus
from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.queries import FirestoreQueries
from whatsapp_backend.adapters.local_firestore import LocalFirestore
from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.domain.writes import Document, Outcome, Write
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.publish import Publisher

_CLOCK = SystemClock()
_MESSAGE_PATH_PARTS = 4  # threads/<id>/messages/<id>


class _Watched:
    """The document store, told apart by what a write was for. The totals are the adapter's own."""

    def __init__(self, documents: FirestoreDocuments) -> None:
        self._documents = documents
        self.message_writes = 0
        self.contact_writes = 0

    async def write(self, writes: Sequence[Write]) -> list[Outcome]:
        self.message_writes += sum(len(write.path.split("/")) == _MESSAGE_PATH_PARTS for write in writes)
        self.contact_writes += sum(write.path.startswith("contacts/") for write in writes)
        return await self._documents.write(writes)

    async def read(self, paths: Sequence[str]) -> dict[str, Document]:
        return await self._documents.read(paths)

    @property
    def total(self) -> int:
        return self._documents.operations.writes + self.reads

    @property
    def reads(self) -> int:
        return self._documents.operations.reads

    @property
    def thread_writes(self) -> int:
        return self._documents.operations.writes - self.message_writes - self.contact_writes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Path:
    """Everything between the journal and Firestore, with a publisher that runs."""

    store: SqliteStore
    documents: _Watched
    publisher: Publisher

    async def land(self, *entries: NewEntry) -> None:
        """Journal these and wait until they and their threads have landed."""
        await _journal(self.store, entries)
        self.publisher.nudge()
        await self.publisher.drained()


@asynccontextmanager
async def _path(emulator: LocalFirestore, *, waiting: Iterable[NewEntry] = ()) -> AsyncIterator[_Path]:
    """A path to an empty Firestore; what waits is in the journal when the publisher starts."""
    await emulator.reset()
    client = firestore_client(emulator.project, emulator_host=emulator.address)
    documents = _Watched(FirestoreDocuments(client))
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            async with SqliteStore.opened(Path(folder)) as store, asyncio.TaskGroup() as tasks:
                publisher = Publisher(
                    journal=store,
                    mirror=store,
                    identities=store,
                    consumers=store,
                    ledger=store,
                    held=store,
                    lander=Lander(documents, _CLOCK),
                    clock=_CLOCK,
                    on_published=lambda _: None,
                    queries=FirestoreQueries(client),
                    survey=False,
                )
                await _journal(store, waiting)
                running = tasks.create_task(publisher.run())
                yield _Path(store=store, documents=documents, publisher=publisher)
                running.cancel()
    finally:
        await close(client)


async def _journal(store: SqliteStore, entries: Iterable[NewEntry]) -> None:
    for number, entry in enumerate(entries):
        await store.commit(Commit(account=corpus.ACCOUNT, id=str(number), entries=(entry,)))


async def journal_to_landed(emulator: LocalFirestore, *, count: int, rounds: int) -> dict[str, float]:
    """Documents a second when a history waits in the journal, threads included. The first round warms up."""
    speeds = []
    for _ in range(rounds + 1):
        async with _path(emulator, waiting=corpus.history(count)) as path:
            start = _CLOCK.monotonic_s()
            await path.publisher.drained()
            speeds.append(path.documents.message_writes / (_CLOCK.monotonic_s() - start))
    return {"journal_to_landed_docs_per_s": statistics.median(speeds[1:])}


def _named(message: Mapping[str, Any]) -> tuple[str, str] | None:
    """Who sent it, and what he calls himself."""
    key = message["key"]
    return (key.get("participant", key["remoteJid"]), message["pushName"]) if "pushName" in message else None


async def operations(emulator: LocalFirestore, *, lone: int, count: int) -> dict[str, float]:
    """Writes and reads: of lone messages, of the same ones once more, of a history."""
    async with _path(emulator) as path:
        spent = path.documents
        names = {_named(corpus.message(number, chat=number)) for number in range(lone)} - {None}
        for number in range(lone):
            await path.land(corpus.live(number, chat=number))
        new = {
            "writes_per_new_message": spent.message_writes / lone,
            "reads_per_new_message": spent.reads / lone,
            "thread_writes_per_lone_message": spent.thread_writes / lone,
            "contact_writes_per_new_name": spent.contact_writes / len(names),
        }
        before = spent.total
        await path.land(*(corpus.live(number, chat=number) for number in range(lone)))
        await path.land(*(corpus.again(number, chat=number) for number in range(lone)))
        redelivered = {"operations_per_redelivered_message": (spent.total - before) / (2 * lone)}
    async with _path(emulator, waiting=corpus.history(count)) as path:
        await path.publisher.drained()
        spent = path.documents
        of_history = {
            "history_writes_per_message": spent.message_writes / count,
            "history_reads_per_message": spent.reads / count,
            "history_thread_writes_per_message": spent.thread_writes / count,
        }
    return {**new, **redelivered, **of_history}
