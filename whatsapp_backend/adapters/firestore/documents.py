"""The document store on Firestore.

Writes go out by BatchWrite in batches of at most 500 writes and 3.5 MiB (the emulator takes 4 MiB a request, production
10), a few in flight at a time over all callers; the next batch is encoded meanwhile. Each batch is tried once: whether
to try again is the caller's decision, so that there is one retry policy and not two that multiply.

Cancelling a write is no rollback: what is in flight may land. So a cancelled call starts nothing more and waits a while
for what it has started, lest the same documents are written again while they are still on their way.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Generator, Sequence
from typing import Any

import grpc
from google.cloud.firestore import AsyncClient
from google.cloud.firestore_v1 import types as messages

from whatsapp_backend.adapters.firestore import decoding, encoding
from whatsapp_backend.adapters.firestore.client import Calls
from whatsapp_backend.adapters.firestore.errors import describe, of_call, of_write
from whatsapp_backend.domain.operations import Operations
from whatsapp_backend.domain.writes import Document, Outcome, Result, Write
from whatsapp_backend.errors import DocumentsUnavailable, OurBug
from whatsapp_backend.rules.limits import path_problem

MAX_BATCH_WRITES = 500
MAX_BATCH_BYTES = 3_670_016
_BREATH = 100
"""Documents encoded or decoded before other tasks get a turn: some milliseconds' worth."""
_READ_CHUNK = 300
_INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT

_Batch = list[tuple[int, bytes]]
"""Writes by their index in the call."""


class FirestoreDocuments:
    """Implements `DocumentStore`. Belongs to the loop of its client."""

    def __init__(
        self,
        client: AsyncClient,
        *,
        in_flight: int = 4,
        batch_writes: int = MAX_BATCH_WRITES,
        timeout_s: float = 30.0,
        grace_s: float = 5.0,
    ) -> None:
        self.operations = Operations()
        self._calls = Calls(client)
        self._batch_write = self._calls.unary("BatchWrite", answer=messages.BatchWriteResponse.pb())
        self._batch_get = self._calls.stream("BatchGetDocuments", answer=messages.BatchGetDocumentsResponse.pb())
        self._encoder = encoding.Encoder(self._calls.documents)
        self._slots = asyncio.Semaphore(in_flight)
        self._batch_writes = batch_writes
        self._timeout_s = timeout_s
        self._grace_s = grace_s

    async def write(self, writes: Sequence[Write]) -> list[Outcome]:
        """Carry out all of them, once; one outcome each, in the same order."""
        if len({write.path for write in writes}) != len(writes):
            raise OurBug("two writes of one document in one call")
        outcomes = [_NOT_SENT] * len(writes)
        sending: set[asyncio.Task[None]] = set()
        try:
            async for batch in self._batches(writes, outcomes):
                await self._slots.acquire()
                sending.add(asyncio.get_running_loop().create_task(self._send_and_free(batch, writes, outcomes)))
            if sending:
                await asyncio.wait(sending)
        except BaseException:
            await self._let_land(sending)
            raise
        for task in sending:
            task.result()
        return outcomes

    async def read(self, paths: Sequence[str]) -> dict[str, Document]:
        """The documents that exist. Raises DocumentsUnavailable."""
        possible = [path for path in dict.fromkeys(paths) if path_problem(path) is None]
        found: dict[str, Document] = {}
        for start in range(0, len(possible), _READ_CHUNK):
            async for document in self._read(possible[start : start + _READ_CHUNK]):
                found[document.path] = document
        return found

    async def _batches(self, writes: Sequence[Write], outcomes: list[Outcome]) -> AsyncIterator[_Batch]:
        batch: _Batch = []
        size = 0
        for index, write in enumerate(writes):
            if index % _BREATH == _BREATH - 1:
                await _breathe()
            try:
                encoded = self._encoder.encode(write)
            except encoding.Unencodable as problem:
                outcomes[index] = Outcome(result=Result.INVALID, detail=str(problem))
                continue
            if batch and (len(batch) == self._batch_writes or size + len(encoded) > MAX_BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append((index, encoded))
            size += len(encoded) + encoding.FRAME_BYTES
        if batch:
            yield batch

    async def _send_and_free(self, batch: _Batch, writes: Sequence[Write], outcomes: list[Outcome]) -> None:
        try:
            await self._send(batch, writes, outcomes)
        finally:
            self._slots.release()

    async def _send(self, batch: _Batch, writes: Sequence[Write], outcomes: list[Outcome]) -> None:
        self.operations.rpcs += 1
        self.operations.writes += len(batch)
        request = encoding.batch_request(self._calls.database, [encoded for _, encoded in batch])
        try:
            answer = await self._batch_write(request, timeout=self._timeout_s, metadata=self._calls.metadata)
        except grpc.aio.AioRpcError as error:
            if error.code() is _INVALID_ARGUMENT:
                await self._find_invalid(batch, writes, outcomes, message=error.details() or "")
                return
            outcome = of_call(error)
            for index, _ in batch:
                outcomes[index] = outcome
            return
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return  # the channel was closed under us, nobody cancelled this task
        _record(answer, batch, writes, outcomes)

    async def _find_invalid(
        self, batch: _Batch, writes: Sequence[Write], outcomes: list[Outcome], *, message: str
    ) -> None:
        """One write that Firestore will never take spoils all of its batch: halve until it is alone."""
        if len(batch) == 1:
            index = batch[0][0]
            outcomes[index] = of_write(writes[index], _INVALID_ARGUMENT.value[0], message)
            return
        await self._send(batch[: len(batch) // 2], writes, outcomes)
        await self._send(batch[len(batch) // 2 :], writes, outcomes)

    async def _let_land(self, sending: set[asyncio.Task[None]]) -> None:
        late = sending
        try:
            if sending:
                _, late = await asyncio.wait(sending, timeout=self._grace_s)
        finally:
            for task in late:
                task.cancel()
        if late:
            await asyncio.wait(late)

    async def _read(self, paths: Sequence[str]) -> AsyncIterator[Document]:
        request = messages.BatchGetDocumentsRequest.pb()(
            database=self._calls.database, documents=[f"{self._calls.documents}/{path}" for path in paths]
        )
        self.operations.rpcs += 1
        self.operations.reads += len(paths)
        try:
            answers = self._batch_get(
                request.SerializeToString(), timeout=self._timeout_s, metadata=self._calls.metadata
            )
            async for answer in answers:
                if answer.HasField("found"):
                    yield decoding.document(answer.found, root=self._calls.documents)
        except grpc.aio.AioRpcError as error:
            raise DocumentsUnavailable(f"Firestore could not be read: {describe(error)}") from error


_NOT_SENT = Outcome(result=Result.RETRY, detail="no answer")


def _record(answer: Any, batch: _Batch, writes: Sequence[Write], outcomes: list[Outcome]) -> None:
    for (index, _), status, result in zip(batch, answer.status, answer.write_results, strict=True):
        if status.code:
            outcomes[index] = of_write(writes[index], status.code, status.message)
        else:
            updated_at_ns = decoding.nanoseconds(result.update_time)
            outcomes[index] = Outcome(result=Result.LANDED, updated_at_ns=updated_at_ns)


@types.coroutine
def _breathe() -> Generator[None, None, None]:
    """Let other tasks run; a sleep would ask for a clock."""
    yield
