"""Account documents: status at once, diagnostics at most every 15 seconds. Pairing secrets never.

They are fenced: only the owner of an account writes its document, under its term, and who begins a term writes the
whole status. What is told of an account while nobody knows whose it is waits, and is dropped once another has owned it.

Each document is written by one attempt at a time, never two versions side by side: the older might land last. What did
not land is noted again, under what has been noted since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from whatsapp_backend.clock import Clock, within
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.leases import Term, called
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.domain.writes import Outcome, Result, Write
from whatsapp_backend.errors import DocumentsUnavailable, LeaseLost
from whatsapp_backend.flows.history_counts import HistoryCounts
from whatsapp_backend.flows.lead import Owner
from whatsapp_backend.flows.publish import Published
from whatsapp_backend.ports import DocumentStore, LeaseStore
from whatsapp_backend.rules.account_fields import account_path, connection_fields, newest_live

log = structlog.get_logger()

_PAUSE_S = 15.0
_AGAIN_S = 1.0
_LONGEST_AGAIN_S = 30.0
_AT_ONCE = 16
"""Documents on their way together: hundreds of accounts may change at one moment."""
_COUNT = "historySyncCount"


class AccountDocuments:
    """Collects what changed of each account and writes it, one write an account."""

    def __init__(
        self, *, leases: LeaseStore, documents: DocumentStore, owner: Owner, clock: Clock, worker: Mapping[str, Any]
    ) -> None:
        self._leases = leases
        self._documents = documents
        self._owner = owner
        self._clock = clock
        self._worker = worker
        self._views: dict[str, AccountView] = {}
        self._terms: dict[str, Term] = {}
        """The last term of ours of each account, in force or not."""
        self._claimed: dict[str, Term] = {}
        """The term that each document tells of."""
        self._pending: dict[str, dict[str, Any]] = {}
        self._urgent: set[str] = set()
        self._flying: dict[str, float] = {}
        """The accounts whose document is being written, and since when."""
        self._written_s: dict[str, float] = {}
        self._failures: dict[str, tuple[int, float]] = {}
        """For documents that did not land: how often in a row, and when to try again."""
        self._history = HistoryCounts()
        self._synced: dict[str, int] = {}
        """What each document's count of history messages stands at, once it has been read."""
        self._wake = asyncio.Event()
        self._landed = asyncio.Event()
        self.problem: str | None = None
        """Why the last write did not land, None while all is well."""
        self.realtime: dict[str, dict[str, Any]] = {}
        """Per account, what /diag shows of live ingestion."""

    def longest_wait_s(self) -> float:
        """For how long the oldest attempt has been waiting for its answer."""
        return self._clock.monotonic_s() - min(self._flying.values()) if self._flying else 0.0

    # -- What is to be told ----------------------------------------------------------------------------------------

    def tell(self, account: str, fields: Mapping[str, Any], *, urgent: bool = False) -> None:
        """Have these fields of the account's document written, soon, or at once. None is written as null."""
        if self._is_anothers(account):
            self._drop(account)
            return
        self._pending.setdefault(account, {}).update(fields)
        if urgent:
            self._urgent.add(account)
        self._wake.set()

    def on_change(self, view: AccountView) -> None:
        """An account's connection changed, perhaps in nothing that its document shows."""
        before = self._views.get(view.account)
        self._views[view.account] = view
        fields = connection_fields(view)
        if self._owner.term(view.account) and (before is None or fields != connection_fields(before)):
            self.tell(view.account, fields, urgent=True)

    def on_owned(self, term: Term) -> None:
        """An account is ours: its document must say how it is, whatever another, or an earlier life, wrote there."""
        before = self._terms.get(term.account)
        if before and before != term:
            self._drop(term.account)  # another owned it meanwhile and knows better
        self._terms[term.account] = term
        self._failures.pop(term.account, None)
        if view := self._views.get(term.account):
            self.tell(term.account, connection_fields(view), urgent=True)

    def on_published(self, published: Published) -> None:
        """A window landed: keep the diagnostics the runbook names."""
        now_ms = self._clock.wall_ms()
        for account, sent_at_ms in newest_live(published.seen).items():
            self.realtime[account] = {
                "lastRealtimeIngestAt": at_ms(now_ms),
                "lastRealtimeMessageAt": at_ms(sent_at_ms),
                "lastRealtimeError": None,
            }
            self.tell(account, self.realtime[account])
        for account, fields in self._history.of_window(published, now_ms):
            waiting = self._pending.get(account, {}).get(_COUNT, 0)
            self.tell(account, {**fields, _COUNT: fields[_COUNT] + waiting})

    # -- Writing ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write what is due until cancelled."""
        async with asyncio.TaskGroup() as flights:
            while True:
                self._wake.clear()
                now_s = self._clock.monotonic_s()
                waits_s = {account: self._wait_s(account, now_s) for account in self._ready()}
                due = [account for account, wait_s in waits_s.items() if wait_s <= 0]
                for account in due[: _AT_ONCE - len(self._flying)]:
                    self._take_off(account, flights)
                later = min((wait_s for wait_s in waits_s.values() if wait_s > 0), default=None)
                await within(self._clock, later, self._wake.wait())

    async def drained(self) -> None:
        """Write all that waits and may be written, however recently an account was: we are about to stop.

        What `run` is writing is waited for; `run` must go on.
        """
        while waiting := self._ready() | self._flying.keys():
            self._urgent |= waiting
            self._landed.clear()
            self._wake.set()
            await self._landed.wait()

    def _ready(self) -> set[str]:
        """The accounts whose document may be written: those that are ours, and not on their way."""
        return {account for account in self._pending.keys() - self._flying.keys() if self._owner.term(account)}

    def _wait_s(self, account: str, now_s: float) -> float:
        if account in self._failures:
            return self._failures[account][1] - now_s
        written_s = self._written_s.get(account)
        if written_s is None or account in self._urgent:
            return 0.0
        return written_s + _PAUSE_S - now_s

    def _take_off(self, account: str, flights: asyncio.TaskGroup) -> None:
        term = self._owner.term(account)
        if term is None:
            return
        fields = self._pending.pop(account)
        self._urgent.discard(account)
        self._flying[account] = self._clock.monotonic_s()
        flights.create_task(self._fly(term, fields), name=f"account document {account}")

    async def _fly(self, term: Term, fields: dict[str, Any]) -> None:
        account = term.account
        try:
            outcome = await self._attempt(term, fields)
        except LeaseLost:
            log.warning("account_document_of_another", account=account, token=term.token)
            if self._terms.get(account) == term:
                self._drop(account)
            self._owner.disproved(term)
        except DocumentsUnavailable as error:
            self._again(term, fields, str(error))
        else:
            if outcome.result in (Result.RETRY, Result.DENIED):
                self._again(term, fields, f"Firestore does not take the account's document: {outcome.detail}")
            else:
                self._settled(term, fields, outcome)
        finally:
            del self._flying[account]
            self._wake.set()
            self._landed.set()

    async def _attempt(self, term: Term, fields: Mapping[str, Any]) -> Outcome:
        account = term.account
        wanted = {"accountId": account, "worker": dict(self._worker), **fields}
        if self._claimed.get(account) != term:  # once a term: whoever looks at it need not know whether we still live
            wanted |= {"claimedBy": called(term.holder), "claimedAt": at_ms(self._clock.wall_ms())}
        if _COUNT in fields:
            # It goes on from where the document stands: an earlier life, or another instance, wrote it.
            if account not in self._synced:
                found = (await self._documents.read([account_path(account)])).get(account_path(account))
                count = found.fields.get(_COUNT) if found else None
                self._synced[account] = count if isinstance(count, int) else 0
            wanted[_COUNT] = self._synced[account] + fields[_COUNT]
        (outcome,) = await self._leases.write(term, [_write(account, wanted)])
        return outcome

    def _settled(self, term: Term, fields: Mapping[str, Any], outcome: Outcome) -> None:
        account = term.account
        self._written_s[account] = self._clock.monotonic_s()
        self._failures.pop(account, None)
        if self.problem:
            log.info("account_documents_well_again", was=self.problem)
            self.problem = None
        if outcome.result is not Result.LANDED:
            log.error("account_document_refused", account=account, reason=outcome.detail)
            return
        self._claimed[account] = term
        if _COUNT in fields and account in self._synced:
            self._synced[account] += fields[_COUNT]

    def _again(self, term: Term, fields: dict[str, Any], problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            log.error("account_documents_wait", reason=problem)
        account = term.account
        if self._terms.get(account) != term:
            return  # it is of a time after which another owned the account
        times, _ = self._failures.get(account, (0, 0.0))
        wait_s = min(_LONGEST_AGAIN_S, _AGAIN_S * 2**times)
        self._failures[account] = (min(times + 1, 10), self._clock.monotonic_s() + wait_s)
        newer = self._pending.get(account, {})
        if _COUNT in fields and _COUNT in newer:
            newer[_COUNT] += fields[_COUNT]
        self._pending[account] = fields | newer
        self._urgent.add(account)

    def _is_anothers(self, account: str) -> bool:
        holder, ours = self._owner.holder(account), self._terms.get(account)
        return self._owner.term(account) is None and holder is not None and not (ours and ours.holder == holder)

    def _drop(self, account: str) -> None:
        for kept in (self._pending, self._failures, self._synced):
            kept.pop(account, None)
        self._urgent.discard(account)


def _write(account: str, fields: Mapping[str, Any]) -> Write:
    return Write(path=account_path(account), fields=fields, mask=tuple(sorted(fields)), server_times=("updatedAt",))
