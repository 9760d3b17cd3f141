"""The store's ports in memory, for tests of what stands on them. Same contract suite as the real one."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

from whatsapp_backend.domain.journal import (
    FIRST_PARKED,
    Commit,
    DeclaredAccount,
    Entry,
    NewEntry,
    OpenNotice,
    Parked,
    ParkedPlace,
    StoreStats,
)
from whatsapp_backend.domain.watching import Counts, Lag
from whatsapp_backend.errors import StoreRefused, StoreUnwell
from whatsapp_backend.rules.notices import CRASHES_TO_PARK, PARKED_CONSUMER, closed_by, is_notice, parked_reason
from whatsapp_backend.testing.memory_holding import MemoryHolding, fitting
from whatsapp_backend.testing.memory_jobs import MemoryJobs
from whatsapp_backend.testing.memory_ledger import MemoryLedger
from whatsapp_backend.testing.memory_mirror import MemoryMirror
from whatsapp_backend.testing.memory_overview import MemoryOverview
from whatsapp_backend.testing.memory_pauses import MemoryPauses
from whatsapp_backend.testing.piles import piles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from whatsapp_backend.domain.mirror import Progress


class _Notice:
    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.begun = False
        self.crashes = 0
        self.parked = False


class MemoryStore(MemoryOverview, MemoryJobs, MemoryPauses, MemoryLedger, MemoryHolding, MemoryMirror):
    """What is written while `unwell` is set raises StoreUnwell with that reason; reads go on."""

    def __init__(self) -> None:
        super().__init__()
        self.unwell: str | None = None
        self._closed = False
        self._broken: set[str] = set()
        self._end = 0
        self._seqs: dict[tuple[str, str, str], int] = {}
        self._notices: dict[tuple[str, str], _Notice] = {}
        self._keys: dict[tuple[str, str, str], str] = {}
        self._creds: dict[str, str] = {}
        self._accounts: dict[str, DeclaredAccount] = {}
        self._cursors: dict[str, int] = {}
        self._parked: dict[ParkedPlace, Parked] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls) -> AsyncIterator[MemoryStore]:
        """Like SqliteStore.opened."""
        store = cls()
        try:
            yield store
        finally:
            await store.close()

    async def close(self) -> None:
        """Refuse everything from now on."""
        self._closed = True

    def _check(self, *, writes: bool) -> None:
        if self._closed:
            raise StoreUnwell("The store is closed.")
        if writes and self.unwell is not None:
            raise StoreUnwell(self.unwell)

    # Journal

    async def commit(self, commit: Commit) -> tuple[int, ...]:
        """See the port."""
        try:
            if commit.account in self._broken:
                raise StoreUnwell(f"An earlier commit of {commit.account} was not kept.")
            self._check(writes=True)
            _check_text(commit)
        except (StoreUnwell, StoreRefused):
            self._broken.add(commit.account)
            raise
        self._put_keys(commit)
        seqs = tuple(seq for new in commit.entries if (seq := self._add(commit.account, new)) is not None)
        notice = self._notices.get((commit.account, commit.begin or ""))
        if notice is not None:
            notice.begun = True
        return seqs

    def _put_keys(self, commit: Commit) -> None:
        for key_type, values in commit.keys.items():
            for key_id, value in values.items():
                if value is None:
                    self._keys.pop((commit.account, key_type, key_id), None)
                else:
                    self._keys[commit.account, key_type, key_id] = value
        if commit.creds is not None:
            self._creds[commit.account] = commit.creds

    def _add(self, account: str, new: NewEntry) -> int | None:
        self._notices.pop((account, closed_by(new) or ""), None)
        if (account, new.source, new.kind) in self._seqs:
            return None
        self._end += 1
        entry = Entry(seq=self._end, account=account, new=new)
        self._entries[self._end] = entry
        self._seqs[account, new.source, new.kind] = self._end
        if is_notice(new):
            self._notices[account, new.source] = _Notice(entry)
        return self._end

    async def read(self, *, after: int, limit: int, max_bytes: int) -> list[Entry]:
        """See the port."""
        self._check(writes=False)
        later = (self._entries[seq] for seq in range(after + 1, self._end + 1) if seq in self._entries)
        return fitting(later, limit=limit, max_bytes=max_bytes)

    async def find(self, account: str, source: str) -> Entry | None:
        """See the port."""
        self._check(writes=False)
        found = (e for e in self._entries.values() if (e.account, e.new.source) == (account, source))
        return next(found, None)

    async def end(self) -> int:
        """See the port."""
        self._check(writes=False)
        return self._end

    async def open_notices(self, account: str) -> list[OpenNotice]:
        """See the port."""
        self._check(writes=False)
        return [
            OpenNotice(
                source=notice.entry.new.source,
                raw=notice.entry.new.raw or b"",
                envelope=notice.entry.new.envelope,
                crashes=notice.crashes,
            )
            for notice in self._notices.values()
            if notice.entry.account == account and not notice.parked
        ]

    async def bridge_crashed(self) -> list[Parked]:
        """See the port."""
        self._check(writes=True)
        parked = []
        for notice in self._notices.values():
            notice.crashes += notice.begun
            notice.begun = False
            if notice.crashes >= CRASHES_TO_PARK and not notice.parked:
                notice.parked = True
                account, reason = notice.entry.account, parked_reason(notice.crashes)
                parked.append(self._park(PARKED_CONSUMER, notice.entry.seq, 0, account, reason))
        return parked

    async def bridge_stopped(self) -> None:
        """See the port."""
        self._check(writes=True)
        for notice in self._notices.values():
            if not notice.parked:
                notice.begun = False
                notice.crashes = 0

    async def check(self) -> None:
        """See the port."""
        self._check(writes=True)

    async def stats(self) -> StoreStats:
        """See the port."""
        self._check(writes=False)
        return StoreStats(
            journal_end=self._end,
            entries=len(self._entries),
            parked=len(self._parked),
            open_notices=sum(not notice.parked for notice in self._notices.values()),
            dirty=sum(row.dirty for row in self._gathered.values()),
            open_debts=len(opened := [debt for debt in self._debts.values() if debt.closed is None]),
            oldest_debt_at_ms=min((debt.opened_at_ms for debt in opened), default=None),
            closed_debts=dict(sorted(Counter(debt.closed for debt in self._debts.values() if debt.closed).items())),
            file_bytes=0,
        )

    # Watched

    async def lag(self, consumer: str) -> Lag:
        """See the port."""
        position = await self.cursor(consumer)
        first = min((seq for seq in self._entries if seq > position), default=None)
        return Lag(
            position=position,
            entries=max(0, self._end - position),
            oldest_at_ms=None if first is None else self._entries[first].new.received_at_ms,
        )

    async def counts(self) -> Counts:
        """See the port."""
        self._check(writes=False)
        return Counts(
            gaps=piles(
                ((gap.account, gap.reason, gap.state), gap.opened_at_ms)
                for gap in self._gaps.values()
                if gap.closed_at_ms is None
            ),
            debts=piles((debt.account, debt.opened_at_ms) for debt in self._debts.values() if debt.closed is None),
            parked=dict(Counter((one.account, one.consumer) for one in self._parked.values())),
            held_back=dict(Counter(self._kept_back.values())),
        )

    # KeyStore

    async def get(self, account: str, type: str, ids: Sequence[str]) -> dict[str, str]:
        """See the port."""
        self._check(writes=False)
        return {one: value for one in ids if (value := self._keys.get((account, type, one))) is not None}

    async def creds(self, account: str) -> str | None:
        """See the port."""
        self._check(writes=False)
        self._broken.discard(account)
        return self._creds.get(account)

    async def forget(self, account: str) -> None:
        """See the port."""
        self._check(writes=True)
        self._creds.pop(account, None)
        self._keys = {key: value for key, value in self._keys.items() if key[0] != account}

    # Accounts

    async def declare(self, account: DeclaredAccount) -> None:
        """See the port."""
        self._check(writes=True)
        self._accounts[account.account] = account

    async def declared(self) -> list[DeclaredAccount]:
        """See the port."""
        self._check(writes=False)
        return sorted(self._accounts.values(), key=lambda account: (account.created_at_ms, account.account))

    # Consumers

    async def cursor(self, consumer: str) -> int:
        """See the port."""
        self._check(writes=False)
        return self._cursors.get(consumer, 0)

    async def advance(self, progress: Progress) -> None:
        """See the port."""
        self._check(writes=True)
        self._remember(progress)
        self._identify(progress)
        self._owe(progress)
        self._adopt(progress)
        self._hold(progress)
        if progress.ledger is not None:
            self._record(progress.ledger)
        for moved in progress.moved:
            self._move_ledger(moved)
        for place in [
            place for place in self._parked if place[1] == progress.consumer and place[0] in progress.unparked
        ]:
            del self._parked[place]
        for parked in progress.parked:
            self._park(progress.consumer, *parked)
        if progress.cursor:
            self._cursors[progress.consumer] = max(progress.cursor, self._cursors.get(progress.consumer, 0))

    def _park(self, consumer: str, seq: int, part: int, account: str, reason: str) -> Parked:
        parked = Parked(consumer=consumer, seq=seq, part=part, account=account, reason=reason)
        self._parked[seq, consumer, part] = parked
        return parked

    async def parked(
        self, *, limit: int = 1000, account: str | None = None, after: ParkedPlace = FIRST_PARKED
    ) -> list[Parked]:
        """See the port."""
        self._check(writes=False)
        found = (self._parked[place] for place in sorted(self._parked) if place > after)
        return [one for one in found if account in (None, one.account)][:limit]

    async def parked_entries(self, consumer: str, *, account: str | None, after: int, limit: int) -> dict[int, int]:
        """See the port."""
        found = [one for one in await self.parked(limit=len(self._parked), account=account) if one.seq > after]
        return dict(list(Counter(one.seq for one in found if one.consumer == consumer).items())[:limit])

    async def prune(self, *, landed_before_ms: int, state_before_ms: int) -> tuple[int, int]:
        """See the port."""
        self._check(writes=True)
        passed = min(self._cursors.values(), default=0)
        kept = {notice.entry.seq for notice in self._notices.values()} | {seq for seq, _, _ in self._parked}
        kept |= self._kept_back.keys()
        old = [
            entry
            for entry in self._entries.values()
            if entry.seq <= passed and entry.new.received_at_ms < landed_before_ms and entry.seq not in kept
        ]
        for entry in old:
            del self._entries[entry.seq]
            del self._seqs[entry.account, entry.new.source, entry.new.kind]
        self._forget_gaps(state_before_ms)
        self._forget_jobs(state_before_ms)
        return len(old), self._forget(state_before_ms)


def _check_text(commit: Commit) -> None:
    """Refuse what no file can hold: text that is not Unicode."""
    texts = [commit.creds or "", *(entry.source for entry in commit.entries)]
    for values in commit.keys.values():
        texts += [text or "" for pair in values.items() for text in pair]
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise StoreRefused(f"The store cannot hold this value: {error}") from error
