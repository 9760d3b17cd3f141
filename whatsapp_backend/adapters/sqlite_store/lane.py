"""One thread with one connection, fed by a queue.

What is waiting is carried out together: in order, in one transaction, with one fsync, answered in one wake-up of the
loop. So many accounts share one fsync, a read sees every write that was called before it, and nothing is answered
before it is on disk. What the disk refuses fails for every writer; otherwise each is done again alone, and only the
culprit fails.

A commit of an account that fails breaks that account's *chain*: what was called after it fails too, until the chain is
begun anew. Otherwise the next commit would move the ratchet past a message that was not kept, and WhatsApp's
redelivery of that message could never be decrypted again.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from whatsapp_backend.adapters.sqlite_store.mapping import is_the_disk, ours
from whatsapp_backend.errors import StoreUnwell

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

MAX_TOGETHER = 256

T = TypeVar("T")
Done = tuple["asyncio.Future[Any]", Any, Exception | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something to do with the connection, and who waits for it."""

    run: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    writes: bool
    extends: str | None
    """The account whose chain of commits this continues."""
    begins: str | None
    """The account whose chain of commits begins anew with this."""


class Lane:
    """Carries out operations in the order in which they were submitted. All methods but `close` belong to the loop."""

    def __init__(
        self, connection: sqlite3.Connection, *, file: Path, name: str, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._connection = connection
        self._file = file
        self._loop = loop
        self._queue: SimpleQueue[Operation | None] = SimpleQueue()
        self._broken: set[str] = set()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(
        self,
        run: Callable[[sqlite3.Connection], T],
        *,
        writes: bool = False,
        extends: str | None = None,
        begins: str | None = None,
    ) -> asyncio.Future[T]:
        """Queue an operation. To cancel the future does not undo the operation."""
        if self._stopped:
            raise StoreUnwell(f"{self._file} is closed.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(Operation(run=run, future=future, writes=writes, extends=extends, begins=begins))
        return future

    def stop(self) -> None:
        """Take nothing more; what is queued is still carried out."""
        if not self._stopped:
            self._stopped = True
            self._queue.put(None)

    def close(self) -> None:
        """After `stop`: wait until all is carried out, then close the connection. Off the loop; may be repeated."""
        self._thread.join()
        self._connection.close()

    def _work(self) -> None:
        while self._take_turn():
            pass

    def _take_turn(self) -> bool:
        batch, last = self._drain()
        done = self._carry_out(batch)
        if done:
            with contextlib.suppress(RuntimeError):  # the loop is gone, and with it everyone who waited
                self._loop.call_soon_threadsafe(_resolve, done)
        return not last

    def _drain(self) -> tuple[list[Operation], bool]:
        batch: list[Operation] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == MAX_TOGETHER:
                return batch, False
            try:
                item = self._queue.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _carry_out(self, batch: Sequence[Operation]) -> list[Done]:
        if self._broken and any(op.extends in self._broken or op.begins in self._broken for op in batch):
            return [self._alone(op) for op in batch]
        try:
            with _transaction(self._connection, writes=any(op.writes for op in batch)):
                results = [op.run(self._connection) for op in batch]
        except Exception as error:  # noqa: BLE001 (each caller gets it; the thread must outlive it)
            if is_the_disk(error):
                return [self._failed(op, error) if op.writes else self._alone(op) for op in batch]
            return [self._failed(op, error) for op in batch] if len(batch) == 1 else [self._alone(op) for op in batch]
        return [(op.future, result, None) for op, result in zip(batch, results, strict=True)]

    def _alone(self, op: Operation) -> Done:
        if op.extends in self._broken:
            return op.future, None, StoreUnwell(f"{self._file}: an earlier commit of {op.extends} was not kept.")
        try:
            with _transaction(self._connection, writes=op.writes):
                result = op.run(self._connection)
        except Exception as error:  # noqa: BLE001 (the caller gets it; the thread must outlive it)
            return self._failed(op, error)
        if op.begins is not None:
            self._broken.discard(op.begins)
        return op.future, result, None

    def _failed(self, op: Operation, error: Exception) -> Done:
        if op.extends is not None:
            self._broken.add(op.extends)
        translated = ours(error, self._file)
        if translated is not error:
            translated.__cause__ = error
        return op.future, None, translated


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, *, writes: bool) -> Iterator[None]:
    if connection.in_transaction:  # a rollback that failed with the disk
        connection.execute("ROLLBACK")
    if not writes:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def _resolve(done: Sequence[Done]) -> None:
    for future, result, error in done:
        if future.cancelled():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
