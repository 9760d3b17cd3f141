"""What we need from the world, named by need. Each port has a fake in `testing/` and one contract suite for both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from whatsapp_backend.domain.coverage import (
    ENDLESS_MS,
    AccountLedger,
    Around,
    Coverage,
    Due,
    Gap,
    Held,
    LedgerChange,
    Point,
)
from whatsapp_backend.domain.frames import Find, Get, State
from whatsapp_backend.domain.holding import HistoryPlan
from whatsapp_backend.domain.jobs import Job, Kind
from whatsapp_backend.domain.journal import (
    FIRST_PARKED,
    Commit,
    DeclaredAccount,
    Entry,
    OpenNotice,
    Parked,
    ParkedPlace,
)
from whatsapp_backend.domain.leases import Heartbeat, Instance, RunLock, Sighting, Term
from whatsapp_backend.domain.mirror import Alias, Debt, Gathered, Mirrored, Nameless, Progress, Waiting
from whatsapp_backend.domain.overview import Activity, Tally
from whatsapp_backend.domain.pages import DebtPlace, GapPlace, JobPlace, Place
from whatsapp_backend.domain.people import Identity
from whatsapp_backend.domain.repairs import Rotation
from whatsapp_backend.domain.surveys import Survey
from whatsapp_backend.domain.writes import Document, Outcome, Write
from whatsapp_backend.errors import ProtocolError


class Journal(Protocol):
    """Everything that was received, in the order it was made durable."""

    async def commit(self, commit: Commit) -> tuple[int, ...]:
        """Make all of it durable and return the seqs of the entries that were new.

        Commits of one account take effect in the order of the calls. When nothing of it was kept it raises StoreUnwell
        (the disk said no) or StoreRefused (no store could hold this value), and every later commit of the account
        raises StoreUnwell until its credentials are read again: a ratchet must never land without the message before.
        """

    async def read(self, *, after: int, limit: int, max_bytes: int) -> list[Entry]:
        """Entries with seq > after, in order; at least one if there is any, however large."""

    async def find(self, account: str, source: str) -> Entry | None:
        """The entry with this source, of whatever kind."""

    async def end(self) -> int:
        """The highest seq ever given, 0 for an empty journal."""

    async def open_notices(self, account: str) -> list[OpenNotice]:
        """History notices whose chunks are not all journaled, oldest first. Parked ones are left out."""

    async def bridge_crashed(self) -> list[Parked]:
        """Count a crash for each notice that had begun; park (consumer `history`) and return those with two in a row.

        Crashes in which it had not begun do not end the row: two notices that crash in turns would never be parked.
        """

    async def bridge_stopped(self) -> None:
        """Forget what had begun and the crashes counted so far: the bridge ended in good order."""

    async def check(self) -> None:
        """Make something durable, to learn whether it can be done. Raises StoreUnwell."""


class KeyStore(Protocol):
    """Signal keys and credentials. Reads see every commit that was called before them, answered or not."""

    async def get(self, account: str, type: str, ids: Sequence[str]) -> dict[str, str]:
        """The stored values; ids that are not stored are absent."""

    async def creds(self, account: str) -> str | None:
        """The account's credentials; reading them lets an account whose commit failed commit again.

        Raises CredentialsUnreadable where they exist but cannot be read.
        """

    async def forget(self, account: str) -> None:
        """Delete keys and credentials of an account that was logged out, so that it can pair anew."""


class Accounts(Protocol):
    """The accounts an operator declared."""

    async def declare(self, account: DeclaredAccount) -> None:
        """Add it, or replace what is known of it."""

    async def declared(self) -> list[DeclaredAccount]:
        """All of them, oldest first."""


class Mirror(Protocol):
    """What we know of the documents without reading them."""

    async def messages(self, paths: Iterable[str]) -> dict[str, Mirrored]:
        """What is known of these message documents; unknown ones are absent."""

    async def waiting(self, paths: Iterable[str]) -> dict[str, Waiting]:
        """The amendments that wait for these message documents."""

    async def waiting_due(self, now_ms: int, limit: int) -> list[Waiting]:
        """Amendments whose time to be written has come, the longest due first."""

    async def gathered(self, paths: Iterable[str]) -> dict[str, Gathered]:
        """What is known of these thread and contact documents, unread messages counted; unknown ones are absent."""

    async def dirty(self, limit: int) -> list[Gathered]:
        """Documents that hold something Firestore does not have yet."""

    async def adopted(self, paths: Iterable[str]) -> dict[str, str]:
        """In which documents those of these messages lie that a survey found elsewhere; others are absent."""

    async def survey(self, account: str) -> Survey | None:
        """How far the account's survey has come, None when it was never begun."""

    async def surveys(self) -> list[Survey]:
        """All that were begun, by account."""


class Identities(Protocol):
    """Whose number a LID is."""

    async def aliases(self, account: str, lids: Iterable[str]) -> dict[str, str]:
        """The numbers of those of these LIDs that are known."""

    async def ununited(self, limit: int) -> list[Alias]:
        """Those known whose documents under the LID have not all been dealt with, oldest first."""

    async def nameless(self, account: str, lid: str, limit: int) -> list[Nameless]:
        """Documents that name somebody by this LID."""


class Debts(Protocol):
    """Messages that are owed to us."""

    async def debts_due(self, account: str, now_ms: int, limit: int) -> list[Debt]:
        """The account's open debts whose time to be asked for has come, the longest due first."""

    async def open_debts(self, account: str, *, limit: int, after: DebtPlace = (-1, "")) -> list[Debt]:
        """The account's debts that are not closed, the oldest first, from the first after this place."""

    async def put_debts(self, debts: Iterable[Debt]) -> None:
        """Keep what was done about these; one that was closed meanwhile stays closed. Raises StoreUnwell."""


class Ledger(Protocol):
    """What is known of every thread's history, and what is unknown. Threads are named by their documents' paths."""

    async def account_ledger(self, account: str) -> AccountLedger:
        """What is stored of the account as a whole."""

    async def coverages(self, threads: Iterable[str]) -> dict[str, Coverage]:
        """What is stored of these threads, with their gaps that are not closed; unknown ones are absent."""

    async def open_gaps(
        self,
        account: str,
        *,
        limit: int,
        due: Due | None = None,
        above: tuple[int, int] = (0, ENDLESS_MS),
        after: GapPlace | None = None,
    ) -> list[Gap]:
        """Gaps that are not closed, the newest first, those without a message below them last: those that are due, if
        that is asked, whose message after them is of a time between these two, both included; from the first after a
        place."""

    async def around(self, thread: str, ranges: Sequence[tuple[int, int]]) -> list[Around]:
        """For each range of ms (the last one excluded) what is held: the newest message below it, up to fifty from
        each of its ends, and the first three above it."""

    async def anchors(self, thread: str, at: Point) -> list[Held]:
        """This message, if it is held, and the first three of later seconds."""

    async def record(self, change: LedgerChange) -> None:
        """Keep a change that belongs to no window of the journal, all of it or nothing. Raises StoreUnwell.

        Messages of threads that have no coverage, before this change or in it, are not kept.
        """


class Overview(Protocol):
    """Everything at a glance: what a query for each account, or for each thread, would be too much for."""

    async def tallies(self) -> dict[str, Tally]:
        """What is missing, by account; one of which nothing is known to be missing may be absent."""

    async def active_threads(self, account: str, *, limit: int, below: Activity | None = None) -> list[Activity]:
        """The threads that the ledger knows, those with the newest messages first; only what sorts below `below`."""


class Jobs(Protocol):
    """What was run, is running and is to run."""

    async def put_job(self, job: Job) -> None:
        """Keep it, new or changed. Raises StoreUnwell."""

    async def job(self, id: str) -> Job | None:
        """One of them."""

    async def jobs(self, account: str | None = None, *, limit: int, after: JobPlace = (ENDLESS_MS, "")) -> list[Job]:
        """Those of an account, or of all, the newest first, from the first after this place."""

    async def unfinished_jobs(self) -> list[Job]:
        """All that have not ended, oldest first."""

    async def last_jobs(self, account: str, kind: Kind) -> tuple[Job | None, Job | None]:
        """The newest of this kind that was no dry run, and the newest of them that is done. Pruning keeps both."""


class Consumers(Protocol):
    """How far each named consumer of the journal has come."""

    async def cursor(self, consumer: str) -> int:
        """The contiguous position, 0 for a consumer never seen."""

    async def advance(self, progress: Progress) -> None:
        """Make progress durable, all of it or nothing. Raises StoreUnwell."""

    async def parked(
        self, *, limit: int = 1000, account: str | None = None, after: ParkedPlace = FIRST_PARKED
    ) -> list[Parked]:
        """What could not be projected or landed, of an account or of all, oldest first, from after a place on."""

    async def parked_entries(self, consumer: str, *, account: str | None, after: int, limit: int) -> dict[int, int]:
        """Of how many parts of which entries (seq > after, in order) a consumer could make nothing."""

    async def prune(self, *, landed_before_ms: int, state_before_ms: int) -> tuple[int, int]:
        """Drop journal entries that every consumer has passed and that were received before the first moment (open
        history notices, parked entries and those held back stay), and merge states not touched since the second.
        Returns both counts."""


class HeldHistory(Protocol):
    """History that a dry run keeps out of the documents. Progress says what is held back, and what no longer is."""

    async def held_back(self, *, limit: int, max_bytes: int) -> list[Entry]:
        """Entries that are held back, in order; at least one if there is any, however large."""

    async def history_plan(self, account: str) -> HistoryPlan:
        """What landing what is held back of an account would do."""


class Repairs(Protocol):
    """How far each account's threads have been looked through."""

    async def rotation(self, account: str) -> Rotation:
        """Where the next repair begins, and when the last one ended."""

    async def put_rotation(self, rotation: Rotation) -> None:
        """Keep it. Raises StoreUnwell."""


class Pauses(Protocol):
    """Until when no run of an account may begin by itself: an operator says so."""

    async def pauses(self) -> dict[str, int]:
        """The moments in ms, by account; those that have passed may be among them."""

    async def put_pause(self, account: str, until_ms: int | None) -> None:
        """Keep one; None: there is none any more. Raises StoreUnwell."""


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


class IdTokens(Protocol):
    """Who signed in with Firebase."""

    async def verify(self, token: str) -> Identity:
        """Whose ID token this is. Raises TokenRefused, and AuthUnavailable where that cannot be known now."""


class Gateway(Protocol):
    """The bridge, as the flows see it. Only `do` waits for anything."""

    async def do(
        self, command: str, *, account: str | None = None, timeout_s: float, **args: object
    ) -> Mapping[str, object]:
        """Carry out a command. Raises CommandFailed, BridgeGone or CommandTimedOut."""

    def halt(self, account: str, reason: str) -> None:
        """End this account's socket now and answer nothing that is pending."""

    def answer_commit(self, account: str, id: str) -> None:
        """Say that the commit is on disk. A commit that failed is never answered."""

    def answer_get(self, account: str, id: str, values: Mapping[str, str]) -> None:
        """Answer a read of keys."""

    def answer_find(self, account: str, id: str, entry: Entry | None) -> None:
        """Answer a search."""


class BridgeHandler(Protocol):
    """Who is told what the bridge says, in the order it was said.

    Called by the reader, which never waits: a method notes or schedules what is to be done and returns. Ids are to be
    given back in the answer as they came; an answer to a bridge that is gone by then is dropped.
    """

    def on_bridge(self, *, up: bool) -> None:
        """A new bridge is there, no account started in it; or it crashed (was not stopped) and another will come."""

    def on_commit(self, commit: Commit) -> None:
        """Make this durable, then call `answer_commit`; or `halt` if it cannot be kept."""

    def on_get(self, get: Get) -> None:
        """Read keys after all commits that came before, then call `answer_get`."""

    def on_find(self, find: Find) -> None:
        """Look for an entry, then call `answer_find`."""

    def on_state(self, state: State) -> None:
        """An account's socket changed."""

    def on_protocol_error(self, error: ProtocolError) -> None:
        """The bridge sent rubbish in the name of `error.account`, which has been halted for it."""
