"""The connection: one client per event loop, made inside it and closed before it ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import google.auth
import grpc
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.firestore import AsyncClient
from google.cloud.firestore_v1.services.firestore.async_client import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport
from google.oauth2 import service_account

from whatsapp_backend.errors import FirestoreCredentialsUnusable

_CHANNEL_OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # The default grows to two minutes, in which every call fails at once although Firestore is back long ago.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Clients of one address share a connection, and its back-off, unless told otherwise.
    ("grpc.use_local_subchannel_pool", 1),
)


def firestore_client(
    project: str | None,
    database: str | None = None,
    *,
    credentials: Path | str | None = None,
    emulator_host: str | None = None,
) -> AsyncClient:
    """A client for production (a service account's file or JSON text, else what the environment offers) or an emulator.

    Only `emulator_host` decides which: FIRESTORE_EMULATOR_HOST is ignored. Raises FirestoreCredentialsUnusable.
    """
    if emulator_host:
        usable, own_project = AnonymousCredentials(), None  # type: ignore[no-untyped-call]
    else:
        usable, own_project = _usable(credentials)
    try:
        client = AsyncClient(project=project or own_project, credentials=usable, database=database)
    except (OSError, GoogleAuthError) as error:
        raise FirestoreCredentialsUnusable(f"Firestore needs a project id: {error}") from error
    # The library reads this from the process's environment and nowhere else. It must be set before the first call.
    client._emulator_host = emulator_host  # noqa: SLF001
    transport = FirestoreGrpcAsyncIOTransport
    if emulator_host:
        channel = grpc.aio.insecure_channel(emulator_host, options=_CHANNEL_OPTIONS)
    else:
        channel = transport.create_channel(client._target, credentials=client._credentials, options=_CHANNEL_OPTIONS)  # noqa: SLF001
    client._transport = transport(host=client._target, channel=channel)  # noqa: SLF001
    client._firestore_api_internal = FirestoreAsyncClient(transport=client._transport)  # noqa: SLF001
    return client


async def close(client: AsyncClient) -> None:
    """Close its connection. Closing twice is fine."""
    await client._firestore_api.transport.close()  # noqa: SLF001


class Calls:
    """Firestore's methods on a client's own channel, in plain bytes and messages.

    The library's wrappers cost more than the calls: they copy messages and retry as they see fit.
    """

    def __init__(self, client: AsyncClient) -> None:
        self.database: str = client._database_string  # noqa: SLF001
        self.documents = f"{self.database}/documents"
        self._channel = client._firestore_api.transport.grpc_channel  # noqa: SLF001
        self._metadata: Sequence[tuple[str, str]] = (
            *client._rpc_metadata,  # noqa: SLF001
            ("x-goog-request-params", f"database={self.database}"),
        )

    def unary(self, method: str, *, answer: Any) -> Any:
        """A method that takes serialised bytes: `await call(request, timeout=…, metadata=calls.metadata)`."""
        return self._channel.unary_unary(_full(method), response_deserializer=answer.FromString)

    def stream(self, method: str, *, answer: Any) -> Any:
        """A method whose answers come as a stream."""
        return self._channel.unary_stream(_full(method), response_deserializer=answer.FromString)

    @property
    def metadata(self) -> Sequence[tuple[str, str]]:
        """What goes along with each call."""
        return self._metadata


def _full(method: str) -> str:
    return f"/google.firestore.v1.Firestore/{method}"


def _usable(credentials: Path | str | None) -> tuple[Any, str | None]:
    """Never None: the library takes "none" for "anonymous" where FIRESTORE_EMULATOR_HOST is set."""
    try:
        if credentials is None:
            return google.auth.default(scopes=AsyncClient.SCOPE)
        key = credentials.read_text(encoding="utf-8") if isinstance(credentials, Path) else credentials
        load = service_account.Credentials.from_service_account_info
        usable = load(json.loads(key), scopes=AsyncClient.SCOPE)  # type: ignore[no-untyped-call]
    # AttributeError and TypeError: JSON that is no object, or has numbers where texts belong.
    except (OSError, ValueError, AttributeError, TypeError, GoogleAuthError) as error:
        raise FirestoreCredentialsUnusable(f"{_name(credentials)}: {error}") from error
    return usable, usable.project_id


def _name(credentials: Path | str | None) -> str:
    if credentials is None:
        return "No credentials for Firestore"
    where = credentials if isinstance(credentials, Path) else "FIREBASE_SERVICE_ACCOUNT_JSON"
    return f"{where} holds no usable key of a service account"
