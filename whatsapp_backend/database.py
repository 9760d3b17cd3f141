"""Firestore, as the daemon and the commands use it, in production or an emulator; and who signs in there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.leases import FirestoreLeases
from whatsapp_backend.adapters.firestore.queries import FirestoreQueries
from whatsapp_backend.adapters.id_tokens import GoogleIdTokens
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.operations import Operations
from whatsapp_backend.ports import DocumentQueries, DocumentStore, IdTokens, Leases
from whatsapp_backend.settings import Settings

LOCAL_PROJECT = "demo-local"
"""The project of a local Firestore, unless FIREBASE_PROJECT_ID names one."""
_WRITE_GRACE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """Where documents go, where the API reads them, and where it is known who owns what.

    `id_tokens`: None where nobody can sign in with Firebase, which is so where no project is named, and locally:
    an emulator's staff could be anybody, and must not get in by a production token. A test names its own.
    """

    store: DocumentStore
    queries: DocumentQueries
    leases: Leases
    id_tokens: IdTokens | None = None
    operations: Callable[[], Operations] = Operations
    """All that was asked of it so far."""


@asynccontextmanager
async def firestore(settings: Settings, *, emulator: str | None = None) -> AsyncIterator[Documents]:
    """Firestore in production, or the emulator at `host:port`."""
    client = firestore_client(
        settings.firebase_project_id or (LOCAL_PROJECT if emulator else None),
        credentials=settings.credentials,
        emulator_host=emulator,
    )
    try:
        store, queries = FirestoreDocuments(client, grace_s=_WRITE_GRACE_S), FirestoreQueries(client)
        leases = FirestoreLeases(client)
        yield Documents(
            store=store,
            queries=queries,
            leases=leases,
            id_tokens=None if emulator else _id_tokens(settings),
            operations=lambda: store.operations + queries.operations + leases.operations,
        )
    finally:
        await close(client)


def _id_tokens(settings: Settings) -> IdTokens | None:
    project = settings.firebase_project_id
    return GoogleIdTokens(project, SystemClock()) if project else None
