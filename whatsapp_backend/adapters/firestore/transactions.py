"""Transactions: read, decide, commit; locks are let go however it ends.

The library's own try five times without a pause, and a transaction that was cancelled keeps its locks until Firestore
ends it for its idleness. Ours are tried again only when Firestore aborted them, which is the one answer after which
nothing has happened for sure.

A transaction is begun by a call of its own, before the first read. The first read could begin it and save a round trip;
but one that is cancelled before its answer leaves locks behind in a transaction whose id nobody knows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.cloud.firestore import AsyncClient
from google.cloud.firestore_v1 import types as messages

from whatsapp_backend.adapters.firestore import decoding, encoding
from whatsapp_backend.adapters.firestore.client import Calls
from whatsapp_backend.domain.operations import Operations
from whatsapp_backend.domain.writes import Document, Write

_ATTEMPTS = 3
_ABORTED = grpc.StatusCode.ABORTED
_Result = TypeVar("_Result")
_GetRequest = messages.BatchGetDocumentsRequest.pb()
_CommitRequest = messages.CommitRequest.pb()
_BeginRequest = messages.BeginTransactionRequest.pb()
_RollbackRequest = messages.RollbackRequest.pb()
_WriteMessage = messages.Write.pb()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A document, or that there is none, at a time of the server's."""

    document: Document | None
    read_at_ns: int

    @property
    def age_s(self) -> float:
        """How long before the reading it was updated, by the server's clock alone."""
        updated_at_ns = self.document.updated_at_ns if self.document else self.read_at_ns
        return (self.read_at_ns - updated_at_ns) / 1e9


class Transactions:
    """Begins them. Raises what gRPC raises: what it means depends on what was to be done."""

    def __init__(self, client: AsyncClient, operations: Operations, *, timeout_s: float) -> None:
        self._operations = operations
        self._calls = Calls(client)
        self._timeout_s = timeout_s
        self._batch_get = self._calls.stream("BatchGetDocuments", answer=messages.BatchGetDocumentsResponse.pb())
        self._commit = self._calls.unary("Commit", answer=messages.CommitResponse.pb())
        self._begin = self._calls.unary("BeginTransaction", answer=messages.BeginTransactionResponse.pb())
        self._rollback = self._calls.unary("Rollback", answer=_Nothing)
        self._encoder = encoding.Encoder(self._calls.documents)
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self, work: Callable[[Transaction], Awaitable[_Result]]) -> _Result:
        """Do this in a transaction, again if Firestore aborts it. `work` commits, or leaves everything as it was."""
        before = b""
        for attempt in range(_ATTEMPTS):
            transaction = Transaction(self, await self._begun(before))
            try:
                return await work(transaction)
            except grpc.aio.AioRpcError as error:
                if error.code() is not _ABORTED or attempt == _ATTEMPTS - 1:
                    raise
                before = transaction.id
            finally:
                self._end(transaction)
        raise AssertionError  # pragma: no cover -- the last attempt returns or raises

    async def read(self, paths: Sequence[str], transaction: bytes = b"") -> dict[str, Snapshot]:
        """Read; without a transaction also without locks."""
        root = self._calls.documents
        request = _GetRequest(database=self._calls.database, documents=[f"{root}/{path}" for path in paths])
        if transaction:  # part of a `oneof`: an empty one would be another request than none
            request.transaction = transaction
        self._operations.rpcs += 1
        self._operations.reads += len(paths)
        found: dict[str, Snapshot] = {}
        answers = self._batch_get(request.SerializeToString(), timeout=self._timeout_s, metadata=self._calls.metadata)
        async for answer in answers:
            self._note(answer, found)
        return found

    async def commit(self, writes: Sequence[Any], transaction: bytes = b"") -> None:
        """Write all of these or none; without a transaction whatever was read before."""
        request = _CommitRequest(database=self._calls.database, writes=writes, transaction=transaction)
        self._operations.rpcs += 1
        self._operations.writes += len(writes)
        self._operations.deletes += sum(write.WhichOneof("operation") == "delete" for write in writes)
        await self._commit(request.SerializeToString(), timeout=self._timeout_s, metadata=self._calls.metadata)

    def message(self, write: Write) -> Any:
        """A write. Raises Unencodable."""
        return _WriteMessage.FromString(self._encoder.encode(write))

    def deletion(self, path: str) -> Any:
        """The end of a document; nothing where there is none."""
        return _WriteMessage(delete=f"{self._calls.documents}/{path}")

    async def _begun(self, before: bytes) -> bytes:
        request = _BeginRequest(database=self._calls.database)
        request.options.read_write.retry_transaction = before
        self._operations.rpcs += 1
        self._operations.transactions += 1
        answer = await self._begin(request.SerializeToString(), timeout=self._timeout_s, metadata=self._calls.metadata)
        return bytes(answer.transaction)

    def _note(self, answer: Any, found: dict[str, Snapshot]) -> None:
        root, read_at_ns = self._calls.documents, decoding.nanoseconds(answer.read_time)
        if answer.HasField("found"):
            document = decoding.document(answer.found, root=root)
            found[document.path] = Snapshot(document=document, read_at_ns=read_at_ns)
        elif answer.missing:
            found[answer.missing[len(root) + 1 :]] = Snapshot(document=None, read_at_ns=read_at_ns)

    def _end(self, transaction: Transaction) -> None:
        """Let its locks go, without waiting for it: others wait for them, also when we were cancelled."""
        if transaction.committed:
            return
        ending = asyncio.get_running_loop().create_task(self._roll_back(transaction.id), name="rollback")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _roll_back(self, transaction: bytes) -> None:
        request = _RollbackRequest(database=self._calls.database, transaction=transaction)
        with contextlib.suppress(grpc.aio.AioRpcError, grpc.aio.UsageError):  # it ends by itself then, only later
            await self._rollback(request.SerializeToString(), timeout=self._timeout_s, metadata=self._calls.metadata)


class Transaction:
    """One attempt. All reads come before the commit."""

    def __init__(self, transactions: Transactions, id: bytes) -> None:
        self.id = id
        self.committed = False
        self._all = transactions

    async def read(self, paths: Sequence[str]) -> dict[str, Snapshot]:
        """Read, and see that nobody changes it until the end."""
        return await self._all.read(paths, self.id) if paths else {}

    async def commit(self, writes: Sequence[Any]) -> None:
        """Carry out all of these, or raise. An error other than ABORTED leaves open whether it did."""
        await self._all.commit(writes, self.id)
        self.committed = True


class _Nothing:
    """The answer that says nothing."""

    @staticmethod
    def FromString(data: bytes) -> bytes:  # noqa: N802 -- as the messages' own
        """Keep it as it is."""
        return data
