"""Documents in memory: the same ports as Firestore's adapter, and the same answers, with faults to order."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from whatsapp_backend.clock import Clock, SystemClock
from whatsapp_backend.domain.operations import Operations
from whatsapp_backend.domain.pages import Place
from whatsapp_backend.domain.writes import Document, Fields, Outcome, Result, Write
from whatsapp_backend.errors import DocumentsUnavailable, OurBug
from whatsapp_backend.rules.document_ids import thread_path
from whatsapp_backend.rules.limits import MAX_DOCUMENT_BYTES, document_bytes, fields_problem, path_problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS: tuple[type | tuple[type, ...], ...] = (type(None), bool, (int, float), datetime, str, bytes, list, Mapping)
"""In the order Firestore sorts values of different types."""


class Fault(enum.Enum):
    """What can go wrong."""

    UNAVAILABLE = "unavailable"  # nothing happens; writes say RETRY, reads raise
    DENIED = "denied"  # nothing happens; writes say DENIED, reads raise
    AMBIGUOUS = "ambiguous"  # the write takes effect, and says RETRY
    INVALID = "invalid"  # these documents are never accepted


@dataclass(slots=True)
class _Injected:
    fault: Fault
    paths: Collection[str] | None
    left: int | None


class MemoryDocuments:
    """Implements `DocumentStore` and `DocumentQueries`. `documents` is what it holds, by path."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.documents: dict[str, Document] = {}
        self.operations = Operations()
        self._clock = clock or SystemClock()
        self._injected: list[_Injected] = []
        self._last_ns = 0

    def inject(self, fault: Fault, *, paths: Collection[str] | None = None, times: int | None = None) -> None:
        """From now on, so many calls (or for ever) meet this fault; only for these paths, or for all."""
        self._injected.append(_Injected(fault, paths, times))

    def heal(self) -> None:
        """No more faults."""
        self._injected.clear()

    async def write(self, writes: Sequence[Write]) -> list[Outcome]:
        """Carry out all of them, once; one outcome each, in the same order."""
        if len({write.path for write in writes}) != len(writes):
            raise OurBug("two writes of one document in one call")
        if not writes:
            return []
        faults = self._faults([write.path for write in writes])
        self.operations.rpcs += 1
        return [self._write_one(write, faults.get(write.path)) for write in writes]

    async def read(self, paths: Sequence[str]) -> dict[str, Document]:
        """The documents that exist. Raises DocumentsUnavailable."""
        possible = [path for path in dict.fromkeys(paths) if path_problem(path) is None]
        if not possible:
            return {}
        self.operations.rpcs += 1
        self.operations.reads += len(possible)
        self._raise_if_faulty(possible)
        return {path: _copy(self.documents[path]) for path in possible if path in self.documents}

    async def threads(self, account: str, *, limit: int, after: Place | None = None) -> list[Document]:
        """An account's threads, last activity first."""
        mine = [doc for doc in self._collection("threads") if doc.fields.get("accountId") == account]
        return self._newest(mine, by="lastMessageAt", limit=limit, after=after)

    async def messages(self, thread: str, *, limit: int, after: Place | None = None) -> list[Document]:
        """A thread's messages by `tsClient`, newest first."""
        found = self._collection(f"{thread_path(thread)}/messages")
        return self._newest(found, by="tsClient", limit=limit, after=after)

    async def messages_by(self, field: str, thread: str, *, limit: int) -> list[Document]:
        """A thread's messages by another field, newest first: only those in which it is a timestamp."""
        found = self._collection(f"{thread_path(thread)}/messages")
        return self._newest(
            [doc for doc in found if isinstance(doc.fields.get(field), datetime)], by=field, limit=limit
        )

    async def list_threads(
        self, accounts: Sequence[str], *, fields: Sequence[str] | None, after: str, limit: int
    ) -> list[Document]:
        """Threads of any of these accounts, in the order of their ids."""
        mine = [doc for doc in self._collection("threads") if doc.fields.get("accountId") in accounts]
        return self._listed(mine, fields=fields, after=after, limit=limit)

    async def list_messages(
        self, thread: str, *, fields: Sequence[str] | None, after: str, limit: int
    ) -> list[Document]:
        """All messages of a thread, in the order of their ids."""
        found = self._collection(f"{thread_path(thread)}/messages")
        return self._listed(found, fields=fields, after=after, limit=limit)

    def _listed(
        self, documents: list[Document], *, fields: Sequence[str] | None, after: str, limit: int
    ) -> list[Document]:
        self.operations.rpcs += 1
        self._raise_if_faulty([document.path for document in documents] or [""])
        by_id = {document.id.encode(): document for document in documents}
        found = [by_id[own_id] for own_id in sorted(by_id) if own_id > after.encode()][:limit]
        self.operations.reads += max(1, len(found))
        if fields is None:
            return [_copy(one) for one in found]
        return [
            replace(_copy(one), fields={name: _plain(one.fields[name]) for name in fields if name in one.fields})
            for one in found
        ]

    def _write_one(self, write: Write, fault: Fault | None) -> Outcome:
        problem = path_problem(write.path) or fields_problem(write.fields)
        if problem is not None:
            return Outcome(result=Result.INVALID, detail=problem)
        self.operations.writes += 1
        match fault:
            case Fault.UNAVAILABLE:
                return Outcome(result=Result.RETRY, detail="UNAVAILABLE: injected")
            case Fault.DENIED:
                return Outcome(result=Result.DENIED, detail="PERMISSION_DENIED: injected")
            case Fault.INVALID:
                return Outcome(result=Result.INVALID, detail="INVALID_ARGUMENT: injected")
        outcome = self._apply(write)
        if fault is Fault.AMBIGUOUS:
            return Outcome(result=Result.RETRY, detail="DEADLINE_EXCEEDED: injected")
        return outcome

    def _apply(self, write: Write) -> Outcome:
        current = self.documents.get(write.path)
        if write.must_not_exist:
            if current is not None:
                return Outcome(result=Result.EXISTS)
        elif write.updated_at_ns is not None:
            if current is None:
                return Outcome(result=Result.MISSING)
            if current.updated_at_ns != write.updated_at_ns:
                return Outcome(result=Result.STALE)
        now_ns = self._next_ns()
        fields = _merged(current.fields if current else {}, write)
        if document_bytes(write.path, fields) > MAX_DOCUMENT_BYTES:
            return Outcome(result=Result.INVALID, detail=f"a document over {MAX_DOCUMENT_BYTES} bytes")
        fields.update(dict.fromkeys(write.server_times, _EPOCH + timedelta(microseconds=now_ns // 1000)))
        if current is not None and current.fields == fields:
            now_ns = current.updated_at_ns  # a write that changes nothing leaves the time as it was
        self.documents[write.path] = Document(path=write.path, fields=fields, updated_at_ns=now_ns)
        return Outcome(result=Result.LANDED, updated_at_ns=now_ns)

    def _next_ns(self) -> int:
        """The server's clock: microseconds, and it never shows the same time twice."""
        self._last_ns = max(self._last_ns + 1000, self._clock.wall_ms() * 1_000_000)
        return self._last_ns

    def _faults(self, paths: Sequence[str]) -> dict[str, Fault]:
        faults: dict[str, Fault] = {}
        for injected in list(self._injected):
            met = [path for path in paths if injected.paths is None or path in injected.paths]
            if met and injected.left is not None:
                injected.left -= 1
                if injected.left <= 0:
                    self._injected.remove(injected)
            for path in met:
                faults.setdefault(path, injected.fault)
        return faults

    def _raise_if_faulty(self, paths: Sequence[str]) -> None:
        for fault in self._faults(paths).values():
            if fault in (Fault.UNAVAILABLE, Fault.DENIED):
                raise DocumentsUnavailable(f"{fault.value}: injected")

    def _collection(self, path: str) -> list[Document]:
        return [doc for doc in self.documents.values() if doc.path.rpartition("/")[0] == path]

    def _newest(self, documents: list[Document], *, by: str, limit: int, after: Place | None = None) -> list[Document]:
        self.operations.rpcs += 1
        self._raise_if_faulty([document.path for document in documents] or [""])
        places = {
            (_order(document.fields[by]), document.id.encode()): document
            for document in documents
            if by in document.fields
        }
        begins = None if after is None else (_order(after.value), after.id.encode())
        found = [places[at] for at in sorted(places, reverse=True) if begins is None or at < begins][:limit]
        self.operations.reads += max(1, len(found))
        return [_copy(document) for document in found]


def _merged(current: Fields, write: Write) -> dict[str, Any]:
    if write.mask is None:
        return {name: _plain(value) for name, value in write.fields.items()}
    kept = {name: value for name, value in current.items() if name not in write.mask}
    return kept | {name: _plain(value) for name, value in write.fields.items() if name in write.mask}


def _copy(document: Document) -> Document:
    return Document(path=document.path, fields=_plain(document.fields), updated_at_ns=document.updated_at_ns)


def _plain(value: Any) -> Any:
    """A copy that shares nothing with the original."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _order(value: Any) -> tuple[int, Any]:
    kind = next(rank for rank, types in enumerate(_KINDS) if isinstance(value, types))
    comparable = value if isinstance(value, (bool, int, float, datetime, bytes)) else str(value).encode()
    return kind, comparable
