"""The port Ledger, in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from whatsapp_backend.domain.coverage import (
    ANCHORS,
    ENDLESS_MS,
    SHOWN,
    UNCLOSED,
    AccountLedger,
    Around,
    Asked,
    Asking,
    Chunk,
    Coverage,
    Epoch,
    Gap,
    Held,
    Point,
)
from whatsapp_backend.rules.requests import in_turn, turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from whatsapp_backend.domain.coverage import Due, LedgerChange
    from whatsapp_backend.domain.mirror import Moved
    from whatsapp_backend.domain.pages import GapPlace


class MemoryLedger:
    """The part of MemoryStore that keeps account of what is known."""

    def __init__(self) -> None:
        super().__init__()
        self._epochs: dict[tuple[str, int], Epoch] = {}
        self._chunks: dict[tuple[str, int, int], Chunk] = {}
        self._askings: dict[str, Asking] = {}
        self._requests: dict[tuple[str, str], Asked] = {}
        self._coverages: dict[str, Coverage] = {}
        self._gaps: dict[tuple[str, int], Gap] = {}
        self._held: dict[str, dict[Point, Held]] = defaultdict(dict)

    def _check(self, *, writes: bool) -> None:
        raise NotImplementedError

    async def account_ledger(self, account: str) -> AccountLedger:
        """See the port."""
        self._check(writes=False)
        return AccountLedger(
            asking=self._askings.get(account, Asking(account=account)),
            asked=tuple(
                sorted(
                    (
                        one
                        for one in self._requests.values()
                        if one.account == account and one.gap.thread in self._coverages
                    ),
                    key=lambda one: (one.asked_at_ms, one.id),
                )
            ),
            epochs=tuple(self._epochs[key] for key in sorted(self._epochs) if key[0] == account),
            chunks=tuple(self._chunks[key] for key in sorted(self._chunks) if key[0] == account),
            gaps=Counter(gap.state for gap in self._gaps.values() if gap.account == account),
        )

    async def coverages(self, threads: Iterable[str]) -> dict[str, Coverage]:
        """See the port."""
        self._check(writes=False)
        return {thread: self._coverage(thread) for thread in threads if thread in self._coverages}

    def _coverage(self, thread: str) -> Coverage:
        gaps = [gap for key, gap in sorted(self._gaps.items()) if key[0] == thread and gap.state in UNCLOSED]
        return replace(self._coverages[thread], gaps=tuple(gaps))

    async def open_gaps(
        self,
        account: str,
        *,
        limit: int,
        due: Due | None = None,
        above: tuple[int, int] = (0, ENDLESS_MS),
        after: GapPlace | None = None,
    ) -> list[Gap]:
        """See the port."""
        self._check(writes=False)
        found = [
            gap
            for gap in self._gaps.values()
            if gap.account == account
            and gap.state in UNCLOSED
            and (due is None or due.has(gap))
            and above[0] <= gap.above.ms <= above[1]
            and (after is None or turn(gap) > after)
        ]
        return in_turn(found)[:limit]

    async def around(self, thread: str, ranges: Sequence[tuple[int, int]]) -> list[Around]:
        """See the port."""
        self._check(writes=False)
        held = [one for _, one in sorted(self._held[thread].items())]
        return [around_of(held, start_ms, end_ms) for start_ms, end_ms in ranges]

    async def anchors(self, thread: str, at: Point) -> list[Held]:
        """See the port."""
        self._check(writes=False)
        held = self._held[thread]
        later = [held[point] for point in sorted(held) if point.second > at.second]
        return [*([held[at]] if at in held else []), *later[:ANCHORS]]

    async def record(self, change: LedgerChange) -> None:
        """See the port."""
        self._check(writes=True)
        self._record(change)

    def _record(self, change: LedgerChange) -> None:
        self._epochs.update({(epoch.account, epoch.number): epoch for epoch in change.epochs})
        for epoch in change.folded:
            self._epochs.pop((epoch.account, epoch.number), None)
        self._askings.update({asking.account: asking for asking in change.askings})
        self._chunks.update({(chunk.account, chunk.sync_type, chunk.order): chunk for chunk in change.chunks})
        for coverage in change.coverages:
            self._coverages[coverage.thread] = replace(coverage, gaps=())
            self._gaps.update({(coverage.thread, gap.number): gap for gap in coverage.gaps})
        for asked in change.asked:
            if asked.gap.thread in self._coverages:
                self._requests[asked.account, asked.id] = asked
        for asked in change.answered:
            self._requests.pop((asked.account, asked.id), None)
        for gap in change.gaps:
            self._asked(gap)
        for held in change.held:
            if held.thread in self._coverages:
                self._held[held.thread].setdefault(held.at, held)

    def _asked(self, gap: Gap) -> None:
        known = self._gaps.get((gap.thread, gap.number))
        if known is None or known.state not in UNCLOSED:
            return
        if (known.start_ms, known.end_ms, known.above) == (gap.start_ms, gap.end_ms, gap.above):
            self._gaps[gap.thread, gap.number] = replace(
                known, state=gap.state, tried=gap.tried, rounds=gap.rounds, next_at_ms=gap.next_at_ms
            )

    def _move_ledger(self, moved: Moved) -> None:
        if moved.path not in self._coverages or moved.to not in self._coverages:
            return
        jid = self._coverages.pop(moved.path).jid
        for at, one in self._held.pop(moved.path, {}).items():
            self._held[moved.to].setdefault(at, replace(one, thread=moved.to, chat=one.chat or jid))
        self._gaps = {key: gap for key, gap in self._gaps.items() if key[0] != moved.path}
        self._requests = {key: one for key, one in self._requests.items() if one.gap.thread != moved.path}

    def _forget_gaps(self, before_ms: int) -> None:
        self._gaps = {
            key: gap for key, gap in self._gaps.items() if gap.closed_at_ms is None or gap.closed_at_ms >= before_ms
        }


def around_of(held: Sequence[Held], start_ms: int, end_ms: int) -> Around:
    """Those of a thread's messages, in order, that are shown around this range."""
    below = [one for one in held if one.at.ms < start_ms]
    inside = [one for one in held if start_ms <= one.at.ms < end_ms]
    return Around(
        below=below[-1] if below else None,
        inside=tuple(inside if len(inside) <= 2 * SHOWN else [*inside[:SHOWN], *inside[-SHOWN:]]),
        above=tuple([one for one in held if one.at.ms >= end_ms][:ANCHORS]),
    )
