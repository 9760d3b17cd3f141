"""The queries behind the API, and those of a survey.

Each needs an index of deploy/firestore.indexes.json; the emulator never asks for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import grpc
from google.cloud.firestore import AsyncClient
from google.cloud.firestore_v1 import types as messages

from whatsapp_backend.adapters.firestore import decoding
from whatsapp_backend.adapters.firestore.client import Calls
from whatsapp_backend.adapters.firestore.encoding import encoded_value
from whatsapp_backend.adapters.firestore.errors import describe
from whatsapp_backend.domain.operations import Operations
from whatsapp_backend.domain.pages import Place
from whatsapp_backend.domain.writes import Document
from whatsapp_backend.errors import DocumentsUnavailable
from whatsapp_backend.rules.document_ids import thread_path

_Request = messages.RunQueryRequest.pb()
_EQUAL = messages.StructuredQuery.FieldFilter.Operator.EQUAL
_NAME = "__name__"
_IN = messages.StructuredQuery.FieldFilter.Operator.IN
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_DESCENDING = messages.StructuredQuery.Direction.DESCENDING


class FirestoreQueries:
    """Implements `DocumentQueries`. Belongs to the loop of its client."""

    def __init__(self, client: AsyncClient, *, timeout_s: float = 30.0) -> None:
        self.operations = Operations()
        self._calls = Calls(client)
        self._run_query = self._calls.stream("RunQuery", answer=messages.RunQueryResponse.pb())
        self._timeout_s = timeout_s

    async def threads(self, account: str, *, limit: int, after: Place | None = None) -> list[Document]:
        """An account's threads, last activity first. Threads without `lastMessageAt` are left out."""
        request = self._newest(self._calls.documents, "threads", by="lastMessageAt", limit=limit, after=after)
        equal = request.structured_query.where.field_filter
        equal.field.field_path = "accountId"
        equal.op = _EQUAL
        equal.value.string_value = account
        return await self._run(request)

    async def messages(self, thread: str, *, limit: int, after: Place | None = None) -> list[Document]:
        """A thread's messages by `tsClient`, newest first. `thread` is the thread document's id."""
        parent = f"{self._calls.documents}/{thread_path(thread)}"
        return await self._run(self._newest(parent, "messages", by="tsClient", limit=limit, after=after))

    async def messages_by(self, field: str, thread: str, *, limit: int) -> list[Document]:
        """A thread's messages by another field, newest first: only those in which it is a timestamp."""
        request = self._newest(f"{self._calls.documents}/{thread_path(thread)}", "messages", by=field, limit=limit)
        query = request.structured_query
        query.start_at.values.add().string_value = ""  # text comes before timestamps here
        query.start_at.before = False
        query.end_at.values.add().timestamp_value.FromDatetime(_FIRST)
        query.end_at.before = False
        return await self._run(request)

    async def list_threads(
        self, accounts: Sequence[str], *, fields: Sequence[str] | None, after: str, limit: int
    ) -> list[Document]:
        """Threads of any of these accounts, with these fields only, in the order of their ids."""
        place = f"{self._calls.documents}/{thread_path(after)}" if after else ""
        request = self._listing(self._calls.documents, "threads", fields=fields, after=place, limit=limit)
        among = request.structured_query.where.field_filter
        among.field.field_path = "accountId"
        among.op = _IN
        for account in accounts:
            among.value.array_value.values.add().string_value = account
        return await self._run(request)

    async def list_messages(
        self, thread: str, *, fields: Sequence[str] | None, after: str, limit: int
    ) -> list[Document]:
        """All messages of a thread, with these fields only, in the order of their ids."""
        parent = f"{self._calls.documents}/{thread_path(thread)}"
        place = f"{parent}/messages/{after}" if after else ""
        return await self._run(self._listing(parent, "messages", fields=fields, after=place, limit=limit))

    def _listing(self, parent: str, collection: str, *, fields: Sequence[str] | None, after: str, limit: int) -> Any:
        request = _Request(parent=parent)
        query = request.structured_query
        query.from_.add().collection_id = collection
        for field in fields or ():
            query.select.fields.add().field_path = field
        query.order_by.add().field.field_path = _NAME
        if after:
            query.start_at.values.add().reference_value = after
        query.limit.value = limit
        return request

    def _newest(self, parent: str, collection: str, *, by: str, limit: int, after: Place | None = None) -> Any:
        request = _Request(parent=parent)
        query = request.structured_query
        query.from_.add().collection_id = collection
        order = query.order_by.add()
        order.field.field_path = by
        order.direction = _DESCENDING
        query.limit.value = limit
        if after is not None:
            name = query.order_by.add()  # Firestore's own tie-break, said aloud: a place among equals needs it
            name.field.field_path = _NAME
            name.direction = _DESCENDING
            query.start_at.values.add().MergeFromString(encoded_value(after.value))
            query.start_at.values.add().reference_value = f"{parent}/{collection}/{after.id}"
        return request

    async def _run(self, request: Any) -> list[Document]:
        self.operations.rpcs += 1
        found: list[Document] = []
        try:
            answers = self._run_query(
                request.SerializeToString(), timeout=self._timeout_s, metadata=self._calls.metadata
            )
            async for answer in answers:
                if answer.HasField("document"):  # the first answer of an empty result has none
                    found.append(decoding.document(answer.document, root=self._calls.documents))  # noqa: PERF401 - partial results are counted
        except grpc.aio.AioRpcError as error:
            raise DocumentsUnavailable(f"Firestore could not be queried: {describe(error)}") from error
        finally:
            billed = max(1, len(found))  # an empty answer is billed as one read
            self.operations.reads += billed
            self.operations.queried += billed
        return found
