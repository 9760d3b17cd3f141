"""What the store remembers of documents, in memory: the ports Mirror, Identities and Debts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from whatsapp_backend.domain.mirror import Nameless

if TYPE_CHECKING:
    from collections.abc import Iterable

    from whatsapp_backend.domain.mirror import Alias, Debt, Gathered, Mirrored, Moved, Progress, Waiting
    from whatsapp_backend.domain.pages import DebtPlace
    from whatsapp_backend.domain.surveys import Survey


class MemoryMirror:
    """The part of MemoryStore that is about documents."""

    def __init__(self) -> None:
        self._messages: dict[str, Mirrored] = {}
        self._gathered: dict[str, Gathered] = {}
        self._waiting: dict[str, Waiting] = {}
        self._unread: dict[str, dict[str, int]] = defaultdict(dict)
        self._aliases: dict[tuple[str, str], Alias] = {}
        self._united: set[tuple[str, str]] = set()
        self._nameless: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._debts: dict[str, Debt] = {}
        self._adopted: dict[str, str] = {}
        self._surveys: dict[str, Survey] = {}

    def _check(self, *, writes: bool) -> None:
        raise NotImplementedError

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

    async def adopted(self, paths: Iterable[str]) -> dict[str, str]:
        """See the port."""
        self._check(writes=False)
        return {path: self._adopted[path] for path in paths if path in self._adopted}

    async def survey(self, account: str) -> Survey | None:
        """See the port."""
        self._check(writes=False)
        return self._surveys.get(account)

    async def surveys(self) -> list[Survey]:
        """See the port."""
        self._check(writes=False)
        return [self._surveys[account] for account in sorted(self._surveys)]

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

    async def open_debts(self, account: str, *, limit: int, after: DebtPlace = (-1, "")) -> list[Debt]:
        """See the port."""
        self._check(writes=False)
        open_ = [debt for debt in self._debts.values() if debt.account == account and debt.closed is None]
        places = {(debt.opened_at_ms, debt.path): debt for debt in open_}
        return [places[at] for at in sorted(places) if at > after][:limit]

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

    # What progress brings

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
        for one in progress.not_unread:
            self._unread[one.thread].pop(one.message_id, None)
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
            self._united.discard((alias.account, alias.lid))
        for one in progress.nameless:
            self._nameless[one.account, one.lid].add(one.path)
        for one in progress.named:
            self._nameless[one.account, one.lid].discard(one.path)
        self._united |= {(alias.account, alias.lid) for alias in progress.united}

    def _adopt(self, progress: Progress) -> None:
        self._adopted |= {one.path: one.lies for one in progress.adopted}
        if progress.survey:
            self._surveys[progress.survey.account] = progress.survey
            if not progress.survey.thread:
                self._adopted = {path: lies for path, lies in self._adopted.items() if lies != path}

    def _owe(self, progress: Progress) -> None:
        for debt in progress.debts:
            self._debts.setdefault(debt.path, debt)
        for path, why, at_ms in progress.paid:
            if path in self._debts and self._debts[path].closed is None:
                self._debts[path] = replace(self._debts[path], closed=why, closed_at_ms=at_ms)

    def _forget(self, before_ms: int) -> int:
        stale = [m for m in self._messages.values() if m.state is not None and m.touched_at_ms < before_ms]
        self._messages.update({mirrored.path: _aged(mirrored) for mirrored in stale})
        self._waiting = {
            path: one
            for path, one in self._waiting.items()
            if one.due_at_ms is not None or one.touched_at_ms >= before_ms
        }
        self._debts = {
            path: debt
            for path, debt in self._debts.items()
            if debt.closed_at_ms is None or debt.closed_at_ms >= before_ms
        }
        return len(stale)


def _aged(mirrored: Mirrored) -> Mirrored:
    return replace(mirrored, state=None, updated_at_ns=None, touched_at_ms=0)
