"""What the local store keeps, named by need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from whatsapp_backend.domain.holding import HistoryPlan
from whatsapp_backend.domain.journal import (
    FIRST_PARKED,
    Commit,
    DeclaredAccount,
    Entry,
    OpenNotice,
    Parked,
    ParkedPlace,
    StoreStats,
)
from whatsapp_backend.domain.mirror import Alias, Debt, Gathered, Mirrored, Nameless, Progress, Waiting
from whatsapp_backend.domain.pages import DebtPlace
from whatsapp_backend.domain.repairs import Rotation
from whatsapp_backend.domain.surveys import Survey
from whatsapp_backend.domain.watching import Counts, Lag


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


class Watched(Protocol):
    """What operators watch of the store. Nothing here waits for a write."""

    async def stats(self) -> StoreStats:
        """What it holds, cheap enough to be asked every second."""

    async def lag(self, consumer: str) -> Lag:
        """What this consumer has not passed yet; as cheap."""

    async def counts(self) -> Counts:
        """What waits, by account; once in some seconds: every open gap is looked at."""
