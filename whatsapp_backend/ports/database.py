"""What Firestore keeps: documents, and who owns what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from whatsapp_backend.domain.leases import Heartbeat, Instance, RunLock, Sighting, Term
from whatsapp_backend.domain.pages import Place
from whatsapp_backend.domain.writes import Document, Outcome, Write


class DocumentStore(Protocol):
    """Documents. Every write must be idempotent: the outcome of one can be unknown."""

    async def write(self, writes: Sequence[Write]) -> list[Outcome]:
        """Carry out all of them, once, in batches; one outcome each, in the same order. No path twice in one call.

        Never raises for what the database says: that is in the outcomes.
        """

    async def read(self, paths: Sequence[str]) -> dict[str, Document]:
        """The documents that exist. Raises DocumentsUnavailable."""


class DocumentQueries(Protocol):
    """What the API shows, and what a survey goes through."""

    async def threads(self, account: str, *, limit: int, after: Place | None = None) -> list[Document]:
        """An account's threads by `lastMessageAt`, the newest first, from the first after a place. Raises
        DocumentsUnavailable."""

    async def messages(self, thread: str, *, limit: int, after: Place | None = None) -> list[Document]:
        """A thread's messages by `tsClient`, as `threads`: text before timestamps. Raises DocumentsUnavailable."""

    async def messages_by(self, field: str, thread: str, *, limit: int) -> list[Document]:
        """As `messages`, by another field, and only those in which it is a timestamp. Raises DocumentsUnavailable."""

    async def list_threads(
        self, accounts: Sequence[str], *, fields: Sequence[str] | None, after: str, limit: int
    ) -> list[Document]:
        """Threads of any of these accounts (ten at most), with these fields only or, for None, all of them, in the
        order of their ids, from the first after this id. Raises DocumentsUnavailable."""

    async def list_messages(
        self, thread: str, *, fields: Sequence[str] | None, after: str, limit: int
    ) -> list[Document]:
        """All messages of a thread, as `list_threads`. Raises DocumentsUnavailable."""


class LeaseStore(Protocol):
    """Who owns which account. All but `write` raise DocumentsUnavailable, after which nobody knows whether they took
    effect: asking again tells."""

    async def beat(self, instance: Instance, *, register: bool) -> bool:
        """Renew the instance's heartbeat, or make it. False: there was none to renew."""

    async def take(self, instance: Instance, accounts: Sequence[str], *, ttl_s: float) -> dict[str, Sighting]:
        """Begin a term of each account that is free, and say what is in force of every one. The heartbeats of holders
        that are dead end with it."""

    async def look(self, holders: Sequence[str]) -> dict[str, Heartbeat]:
        """The heartbeats of these instances; those that are gone are absent."""

    async def give(self, instance: Instance, terms: Sequence[Term]) -> None:
        """End these terms where they are still in force."""

    async def leave(self, instance: Instance) -> None:
        """End the heartbeat: what the instance owns is free."""

    async def write(self, term: Term, writes: Sequence[Write]) -> list[Outcome]:
        """Carry out all of these writes or none, and only while the term is in force. Raises LeaseLost otherwise.

        Never raises for what the database says: that is in the outcomes, the same for all.
        """


class RunLocks(Protocol):
    """Which run works on an account. All raise DocumentsUnavailable, after which asking again tells."""

    async def lock(self, term: Term, *, kind: str, run: str, life_s: float) -> RunLock:
        """Lock the account for this run, and say which lock is in force: another's, if its `run` is another.

        Raises LeaseLost where the term has ended. A lock of an ended term holds nobody up.
        """

    async def renew(self, term: Term, lock: RunLock, *, life_s: float) -> RunLock:
        """Live longer from now. Raises LeaseLost where the lock, or the term, is not its own any more."""

    async def unlock(self, lock: RunLock) -> None:
        """Release it if it is still its own."""


class Leases(LeaseStore, RunLocks, Protocol):
    """Both, as one store has them."""
