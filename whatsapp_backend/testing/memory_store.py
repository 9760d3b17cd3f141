"""The store's ports in memory, for tests of what stands on them. Same contract suite as the real one."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from whatsapp_backend.domain.journal import Commit, DeclaredAccount, Entry, NewEntry, OpenNotice, Parked, StoreStats
from whatsapp_backend.errors import StoreRefused, StoreUnwell
from whatsapp_backend.rules.notices import CRASHES_TO_PARK, PARKED_CONSUMER, closed_by, is_notice, parked_reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from whatsapp_backend.domain.mirror import (
        Alias,
        Debt,
        Gathered,
        Mirrored,
        Moved,
        Nameless,
        Progress,
        Waiting,
    )


class _Notice:
    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.begun = False
        self.crashes = 0
        self.parked = False


class MemoryStore:
    """What is written while `unwell` is set raises StoreUnwell with that reason; reads go on."""

    def __init__(self) -> None:
        self.unwell: str | None = None
        self._closed = False
        self._broken: set[str] = set()
        self._end = 0
        self._entries: dict[int, Entry] = {}
        self._seqs: dict[tuple[str, str, str], int] = {}
        self._notices: dict[tuple[str, str], _Notice] = {}
        self._keys: dict[tuple[str, str, str], str] = {}
        self._creds: dict[str, str] = {}
        self._accounts: dict[str, DeclaredAccount] = {}
        self._messages: dict[str, Mirrored] = {}
        self._gathered: dict[str, Gathered] = {}
        self._waiting: dict[str, Waiting] = {}
        self._unread: dict[str, dict[str, int]] = defaultdict(dict)
        self._aliases: dict[tuple[str, str], Alias] = {}
        self._united: set[tuple[str, str]] = set()
        self._nameless: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._debts: dict[str, Debt] = {}
        self._cursors: dict[str, int] = {}
        self._parked: dict[tuple[int, str, int], Parked] = {}

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
        entries: list[Entry] = []
        room = max_bytes
        for seq in range(after + 1, self._end + 1):
            entry = self._entries.get(seq)
            if entry is None:
                continue
            room -= sum(len(part) for part in (entry.new.payload, entry.new.raw, entry.new.envelope) if part)
            if len(entries) == limit or (entries and room < 0):
                break
            entries.append(entry)
        return entries

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

    # Mirror

    async def messages(self, paths: Iterable[str]) -> dict[str, Mirrored]:
        """See the port."""
        self._check(writes=False)
        return {path: self._messages[path] for path in paths if path in self._messages}

    async def waiting(self, paths: Iterable[str]) -> dict[str, Waiting]:
        """See the port."""
        self._check(writes=False)
        return {path: self._waiting[path] for path in paths if path in self._waiting}

    async def waiting_due(self, now_ms: int, limit: int) -> list[Waiting]:
        """See the port."""
        self._check(writes=False)
        due = [(one.due_at_ms, one) for one in self._waiting.values() if one.due_at_ms is not None]
        return [one for at_ms, one in sorted(due, key=lambda item: item[0]) if at_ms <= now_ms][:limit]

    async def gathered(self, paths: Iterable[str]) -> dict[str, Gathered]:
        """See the port."""
        self._check(writes=False)
        return {path: self._counted(self._gathered[path]) for path in paths if path in self._gathered}

    async def dirty(self, limit: int) -> list[Gathered]:
        """See the port."""
        self._check(writes=False)
        return [self._counted(row) for row in self._gathered.values() if row.dirty][:limit]

    def _counted(self, row: Gathered) -> Gathered:
        return replace(row, unread=len(self._unread[row.path]))

    # Identities

    async def aliases(self, account: str, lids: Iterable[str]) -> dict[str, str]:
        """See the port."""
        self._check(writes=False)
        return {lid: self._aliases[account, lid].pn for lid in lids if (account, lid) in self._aliases}

    async def ununited(self, limit: int) -> list[Alias]:
        """See the port."""
        self._check(writes=False)
        left = [alias for place, alias in self._aliases.items() if place not in self._united]
        return sorted(left, key=lambda alias: alias.at_ms)[:limit]

    async def nameless(self, account: str, lid: str, limit: int) -> list[Nameless]:
        """See the port."""
        self._check(writes=False)
        paths = sorted(self._nameless[account, lid])[:limit]
        return [Nameless(account=account, lid=lid, path=path) for path in paths]

    # Debts

    async def debts_due(self, account: str, now_ms: int, limit: int) -> list[Debt]:
        """See the port."""
        self._check(writes=False)
        due = [
            debt
            for debt in self._debts.values()
            if debt.account == account and debt.closed is None and debt.next_at_ms <= now_ms
        ]
        return sorted(due, key=lambda debt: (debt.next_at_ms, debt.path))[:limit]

    async def put_debts(self, debts: Iterable[Debt]) -> None:
        """See the port."""
        self._check(writes=True)
        for debt in debts:
            known = self._debts.get(debt.path)
            if known is not None and known.closed is None:
                self._debts[debt.path] = replace(
                    known,
                    asked=debt.asked,
                    next_at_ms=debt.next_at_ms,
                    closed=debt.closed,
                    closed_at_ms=debt.closed_at_ms,
                )

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
        for debt in progress.debts:
            self._debts.setdefault(debt.path, debt)
        for path, why, at_ms in progress.paid:
            if path in self._debts and self._debts[path].closed is None:
                self._debts[path] = replace(self._debts[path], closed=why, closed_at_ms=at_ms)
        for parked in progress.parked:
            self._park(progress.consumer, *parked)
        if progress.cursor:
            self._cursors[progress.consumer] = max(progress.cursor, self._cursors.get(progress.consumer, 0))

    def _remember(self, progress: Progress) -> None:
        for mirrored in progress.mirrored:
            self._messages[mirrored.path] = mirrored if mirrored.state is not None else _aged(mirrored)
        for path in progress.waited:
            self._waiting.pop(path, None)
        self._waiting.update({one.path: one for one in progress.waiting})
        self._gathered.update({row.path: replace(row, unread=0) for row in progress.gathered})
        for moved in progress.moved:
            self._move(moved)
        for one in progress.unread:
            self._unread[one.thread].setdefault(one.message_id, one.sent_at_ms)
        for thread, until_ms in progress.read:
            left = {message: at_ms for message, at_ms in self._unread[thread].items() if at_ms > until_ms}
            self._unread[thread] = left

    def _move(self, moved: Moved) -> None:
        self._waiting.pop(moved.path, None)
        self._unread[moved.to] = self._unread.pop(moved.path, {}) | self._unread[moved.to]
        debt = self._debts.pop(moved.path, None)
        if debt is not None:
            self._debts.setdefault(moved.to, replace(debt, path=moved.to))

    def _identify(self, progress: Progress) -> None:
        for alias in progress.aliases:
            self._aliases.setdefault((alias.account, alias.lid), alias)
        for one in progress.nameless:
            self._nameless[one.account, one.lid].add(one.path)
        for one in progress.named:
            self._nameless[one.account, one.lid].discard(one.path)
        self._united |= {(alias.account, alias.lid) for alias in progress.united}

    def _park(self, consumer: str, seq: int, part: int, account: str, reason: str) -> Parked:
        parked = Parked(consumer=consumer, seq=seq, part=part, account=account, reason=reason)
        self._parked[seq, consumer, part] = parked
        return parked

    async def parked(self, *, limit: int = 1000) -> list[Parked]:
        """See the port."""
        self._check(writes=False)
        return [self._parked[key] for key in sorted(self._parked)][:limit]

    async def prune(self, *, landed_before_ms: int, state_before_ms: int) -> tuple[int, int]:
        """See the port."""
        self._check(writes=True)
        passed = min(self._cursors.values(), default=0)
        kept = {notice.entry.seq for notice in self._notices.values()} | {seq for seq, _, _ in self._parked}
        old = [
            entry
            for entry in self._entries.values()
            if entry.seq <= passed and entry.new.received_at_ms < landed_before_ms and entry.seq not in kept
        ]
        for entry in old:
            del self._entries[entry.seq]
            del self._seqs[entry.account, entry.new.source, entry.new.kind]
        stale = [m for m in self._messages.values() if m.state is not None and m.touched_at_ms < state_before_ms]
        self._messages.update({mirrored.path: _aged(mirrored) for mirrored in stale})
        self._waiting = {
            path: one
            for path, one in self._waiting.items()
            if one.due_at_ms is not None or one.touched_at_ms >= state_before_ms
        }
        self._debts = {
            path: debt
            for path, debt in self._debts.items()
            if debt.closed_at_ms is None or debt.closed_at_ms >= state_before_ms
        }
        return len(old), len(stale)


def _aged(mirrored: Mirrored) -> Mirrored:
    return replace(mirrored, state=None, updated_at_ns=None, touched_at_ms=0)


def _check_text(commit: Commit) -> None:
    """Refuse what no file can hold: text that is not Unicode."""
    texts = [commit.creds or "", *(entry.source for entry in commit.entries)]
    for values in commit.keys.values():
        texts += [text or "" for pair in values.items() for text in pair]
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise StoreRefused(f"The store cannot hold this value: {error}") from error
