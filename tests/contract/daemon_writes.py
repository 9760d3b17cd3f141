"""What the daemon writes, written by the daemon's own code: journal entries, published to a real Firestore."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from world import publish

from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.queries import FirestoreQueries
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.domain.writes import Result, Write
from whatsapp_backend.flows.account_documents import AccountDocuments
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.publish import Publisher
from whatsapp_backend.testing.memory_store import MemoryStore

START_S = 1_795_328_371
"""When the first message was sent; every other time of a test is counted from it."""
STATUS = "status@broadcast"
_PATIENCE_S = 30.0


def message(
    id: str, *, chat: str, text: str | None = None, at: int = 0, content: Mapping[str, Any] | None = None, **key: Any
) -> dict[str, Any]:
    """A message of the engine, sent so many seconds after the start."""
    return {
        "key": {"remoteJid": chat, "fromMe": False, "id": id, **key},
        "messageTimestamp": START_S + at,
        "pushName": "Ana",
        "message": content or {"conversation": text or id},
    }


class DaemonWrites:
    """A journal in memory, and the publisher and account documents of the daemon over a Firestore."""

    def __init__(self, store: MemoryStore, documents: FirestoreDocuments, queries: FirestoreQueries) -> None:
        clock = SystemClock()
        lander = Lander(documents, clock)
        self.documents = documents
        self._accounts = AccountDocuments(lander, clock, worker={"instanceId": "tests"})
        self.store = store
        self.publisher = Publisher(
            journal=store,
            mirror=store,
            identities=store,
            consumers=store,
            ledger=store,
            held=store,
            lander=lander,
            clock=clock,
            on_published=self._accounts.on_published,
            queries=queries,
            survey=False,
        )
        self._commits = 0

    async def receive(self, account: str, messages: Iterable[Mapping[str, Any]], *, origin: str = "live") -> None:
        """Journal messages of an account and land them, threads included."""
        entries = tuple(
            NewEntry(
                kind="message",
                source=f"tests:{self._commits}:{number}",
                origin=origin,
                received_at_ms=(START_S + 3600) * 1000,
                payload=orjson.dumps(payload),
            )
            for number, payload in enumerate(messages)
        )
        self._commits += 1
        await self.store.commit(Commit(account=account, id=str(self._commits), entries=entries))
        await publish(self.publisher, timeout_s=_PATIENCE_S)

    async def connect(self, account: str, phone: str) -> None:
        """Write the document of an account that is connected."""
        view = AccountView(
            account=account, phone=phone, name="Shop", created_at_ms=START_S * 1000, status="connected", qr="a secret"
        )
        self._accounts.on_change(view)
        await self._accounts.drained()

    async def others(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        """Write what others wrote into the same database: operators, the app's Functions, earlier generations."""
        outcomes = await self.documents.write([Write(path=path, fields=fields) for path, fields in documents.items()])
        assert {outcome.result for outcome in outcomes} <= {Result.LANDED}

    async def patch(self, path: str, **fields: Any) -> None:
        """Change a few fields of a document, as somebody else may."""
        (outcome,) = await self.documents.write([Write(path=path, fields=fields, mask=tuple(fields))])
        assert outcome.result is Result.LANDED
