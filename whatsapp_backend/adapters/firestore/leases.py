"""Leases and locks on Firestore.

A term document is read in the same transaction as what it protects is written, so it must be quiet: the heartbeat,
which is renewed all the time, lies beside it. A heartbeat is renewed only where it still exists: who takes over ends
it, and the sleeper learns of that when it next beats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
from google.cloud.firestore import AsyncClient

from whatsapp_backend.adapters.firestore import encoding
from whatsapp_backend.adapters.firestore.errors import describe, of_call
from whatsapp_backend.adapters.firestore.transactions import Snapshot, Transaction, Transactions
from whatsapp_backend.domain.leases import Heartbeat, Instance, RunLock, Sighting, Term
from whatsapp_backend.domain.operations import Operations
from whatsapp_backend.domain.writes import Outcome, Result, Write
from whatsapp_backend.errors import DocumentsUnavailable, LeaseLost, OurBug
from whatsapp_backend.rules import lease, run_lock
from whatsapp_backend.rules import lease_documents as documents

_NOT_FOUND = grpc.StatusCode.NOT_FOUND
_NS_PER_MS = 1_000_000


class FirestoreLeases:
    """Implements `LeaseStore` and `RunLocks`. Belongs to the loop of its client."""

    def __init__(self, client: AsyncClient, *, timeout_s: float = 10.0) -> None:
        self.operations = Operations()
        self._transactions = Transactions(client, self.operations, timeout_s=timeout_s)

    async def beat(self, instance: Instance, *, register: bool) -> bool:
        """Renew the heartbeat, or make it. False: there was none to renew."""
        make = documents.first_beat if register else documents.next_beat
        message = self._transactions.message(make(instance))
        if not register:
            message.current_document.exists = True
        with _as_unavailable():
            try:
                await self._transactions.commit([message])
            except grpc.aio.AioRpcError as error:
                if register or error.code() is not _NOT_FOUND:  # registering has no condition: no database
                    raise
                return False
        return True

    async def take(self, instance: Instance, accounts: Sequence[str], *, ttl_s: float) -> dict[str, Sighting]:
        """Begin a term of each account that is free, all in one transaction."""
        with _as_unavailable():
            return await self._transactions.run(
                lambda transaction: self._take(transaction, instance, accounts, ttl_s=ttl_s)
            )

    async def look(self, holders: Sequence[str]) -> dict[str, Heartbeat]:
        """The heartbeats that are there."""
        with _as_unavailable():
            found = await self._transactions.read([documents.instance_path(holder) for holder in holders])
        return _heartbeats(holders, found)

    async def give(self, instance: Instance, terms: Sequence[Term]) -> None:
        """End these terms where they are in force, and count it where others look."""
        with _as_unavailable():
            await self._transactions.run(lambda transaction: self._give(transaction, instance, terms))

    async def leave(self, instance: Instance) -> None:
        """End the heartbeat."""
        with _as_unavailable():
            deletion = self._transactions.deletion(documents.instance_path(instance.id))
            await self._transactions.commit([deletion])

    async def write(self, term: Term, writes: Sequence[Write]) -> list[Outcome]:
        """Write while the term is in force."""
        try:
            messages = [self._transactions.message(write) for write in writes]
        except encoding.Unencodable as problem:
            return [Outcome(result=Result.INVALID, detail=str(problem))] * len(writes)
        if any(message.HasField("current_document") for message in messages):
            raise OurBug("a fenced write has no condition but its term")
        try:
            await self._transactions.run(lambda transaction: self._write(transaction, term, messages))
        except grpc.aio.AioRpcError as error:
            return [of_call(error)] * len(writes)
        return [Outcome(result=Result.LANDED)] * len(writes)

    async def lock(self, term: Term, *, kind: str, run: str, life_s: float) -> RunLock:
        """Lock the account for a run, or say who has."""
        with _as_unavailable():
            return await self._transactions.run(
                lambda transaction: self._lock(transaction, term, kind=kind, run=run, life_s=life_s)
            )

    async def renew(self, term: Term, lock: RunLock, *, life_s: float) -> RunLock:
        """Let it live longer."""
        with _as_unavailable():
            return await self._transactions.run(lambda transaction: self._renew(transaction, term, lock, life_s=life_s))

    async def unlock(self, lock: RunLock) -> None:
        """Release it if it is its own."""
        with _as_unavailable():
            await self._transactions.run(lambda transaction: self._unlock(transaction, lock))

    # -- Inside transactions ---------------------------------------------------------------------------------------

    async def _take(
        self, transaction: Transaction, instance: Instance, accounts: Sequence[str], *, ttl_s: float
    ) -> dict[str, Sighting]:
        found = await transaction.read([documents.term_path(account) for account in accounts])
        terms = {account: _term(account, found) for account in accounts}
        holders = sorted({term.holder for term in terms.values() if term and term.holder})
        beats = _heartbeats(holders, await transaction.read([documents.instance_path(holder) for holder in holders]))
        taking = lease.taking(terms, beats, instance, ttl_s=ttl_s)
        if taking.begun:
            deletions = [self._transactions.deletion(documents.instance_path(holder)) for holder in sorted(taking.dead)]
            begun = [self._transactions.message(documents.term_write(term)) for term in taking.begun]
            await transaction.commit([*deletions, *begun])
        return taking.sightings

    async def _give(self, transaction: Transaction, instance: Instance, terms: Sequence[Term]) -> None:
        own = documents.instance_path(instance.id)
        found = await transaction.read([own, *(documents.term_path(term.account) for term in terms)])
        writes = [documents.term_write(lease.ended(term)) for term in terms if _term(term.account, found) == term]
        if beating := found[own].document:
            writes.append(documents.count_given(instance, documents.given_of(beating.fields) + 1))
        if writes:
            await transaction.commit([self._transactions.message(write) for write in writes])

    async def _write(self, transaction: Transaction, term: Term, messages: Sequence[Any]) -> None:
        _demand(term, await transaction.read([documents.term_path(term.account)]))
        await transaction.commit(messages)

    async def _lock(self, transaction: Transaction, term: Term, *, kind: str, run: str, life_s: float) -> RunLock:
        found = await self._read_lock(transaction, term)
        current, now_ms = _lock(term.account, found), _now_ms(term.account, found)
        if current is not None and run_lock.is_busy(current, term, run, now_ms=now_ms):
            return current
        lock = run_lock.made(term, current, kind=kind, run=run, life_s=life_s, now_ms=now_ms)
        await transaction.commit([self._transactions.message(documents.lock_write(lock))])
        return lock

    async def _renew(self, transaction: Transaction, term: Term, lock: RunLock, *, life_s: float) -> RunLock:
        found = await self._read_lock(transaction, term)
        if not run_lock.is_own(_lock(lock.account, found), lock):
            raise LeaseLost
        renewed = run_lock.renewed(lock, life_s=life_s, now_ms=_now_ms(lock.account, found))
        await transaction.commit([self._transactions.message(documents.lock_write(renewed))])
        return renewed

    async def _unlock(self, transaction: Transaction, lock: RunLock) -> None:
        path = documents.lock_path(lock.account)
        if run_lock.is_own(_lock(lock.account, await transaction.read([path])), lock):
            await transaction.commit([self._transactions.deletion(path)])

    async def _read_lock(self, transaction: Transaction, term: Term) -> dict[str, Snapshot]:
        found = await transaction.read([documents.term_path(term.account), documents.lock_path(term.account)])
        _demand(term, found)
        return found


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise DocumentsUnavailable(f"Firestore does not answer for leases: {describe(error)}") from error


def _term(account: str, found: dict[str, Snapshot]) -> Term | None:
    document = found[documents.term_path(account)].document
    return documents.term_of(account, document.fields) if document else None


def _demand(term: Term, found: dict[str, Snapshot]) -> None:
    if _term(term.account, found) != term:
        raise LeaseLost


def _heartbeats(holders: Sequence[str], found: dict[str, Snapshot]) -> dict[str, Heartbeat]:
    beats: dict[str, Heartbeat] = {}
    for holder in holders:
        snapshot = found[documents.instance_path(holder)]
        if snapshot.document:
            beats[holder] = Heartbeat(age_s=snapshot.age_s, era=documents.era_of(snapshot.document.fields))
    return beats


def _lock(account: str, found: dict[str, Snapshot]) -> RunLock | None:
    document = found[documents.lock_path(account)].document
    return documents.lock_of(account, document.fields, updated_at_ns=document.updated_at_ns) if document else None


def _now_ms(account: str, found: dict[str, Snapshot]) -> int:
    return found[documents.lock_path(account)].read_at_ns // _NS_PER_MS
