"""Gaps: unknown stretches with a message after them, and what became of each.

A stretch with nothing after it is quiet: there is nothing to ask with, and perhaps nothing to be found. It is known by
the same sums all the same, so the first message after it makes it a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from whatsapp_backend.domain.coverage import (
    ENDLESS,
    SECOND_MS,
    UNCLOSED,
    Around,
    Coverage,
    Gap,
    GapState,
    Held,
    Point,
    Proof,
    Reason,
)
from whatsapp_backend.rules.coverage.epochs import Claims
from whatsapp_backend.rules.coverage.intervals import Cover, Stretch, bottom

JOINED = "joined"


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch with a message after it, unknown until second `last`. `anchor` is to ask with.

    `loose`: any message of the anchor's second may be the one to ask with.
    """

    first: int
    last: int
    deep: bool
    below: Point | None
    anchor: Point
    loose: bool

    @property
    def range_ms(self) -> tuple[int, int]:
        """Its seconds as moments."""
        return self.first * SECOND_MS, self.last * SECOND_MS


def hole_of(cover: Cover, stretch: Stretch, around: Around) -> Hole | None:
    """The stretch as a hole; None where no message is after it."""
    loose = [one for one in around.inside if not _is_linked(stretch, one.at)]
    last, lowest = stretch.last, bottom(cover, Point(stretch.last * SECOND_MS))
    anchor = _first((*around.inside, *around.above), lowest)
    if stretch.tail or anchor is None:
        if not loose:
            return None
        last, lowest = loose[-1].at.second + 1, bottom(cover, loose[-1].at)
        anchor = _first(around.inside, lowest) or loose[-1].at
    linked = (one.at for one in around.inside if _is_linked(stretch, one.at))
    below = None if stretch.deep else max(linked, default=around.below.at if around.below else None)
    return Hole(stretch.first, last, stretch.deep, below, anchor, not lowest.id)


def _first(held: Iterable[Held], lowest: Point) -> Point | None:
    return next((one.at for one in held if one.at >= lowest), None)


def _is_linked(stretch: Stretch, at: Point) -> bool:
    return at.second == stretch.first and at.id in stretch.linked


def reconciled(
    coverage: Coverage, holes: Iterable[Hole], covers: Mapping[Proof, Cover], claims: Claims, now_ms: int
) -> Coverage:
    """The thread's gaps as they are now: known ones follow their stretch, new ones open, covered ones are closed."""
    left = sorted(coverage.gaps, key=lambda gap: gap.start_ms)
    gaps: list[Gap] = []
    ever = coverage.gaps_ever
    for hole in holes:
        known = [gap for gap in left if gap.state in UNCLOSED and _overlap(gap, hole)]
        if known:
            left.remove(known[0])
            gaps.append(_followed(coverage, known[0], hole, claims))
        else:
            ever += 1
            gaps.append(_opened(coverage, ever, hole, claims, now_ms))
    gaps += [_closed(gap, covers, now_ms) for gap in left]
    return replace(coverage, gaps=tuple(sorted(gaps, key=lambda gap: gap.number)), gaps_ever=ever)


def _overlap(gap: Gap, hole: Hole) -> bool:
    start_ms, end_ms = hole.range_ms
    return gap.start_ms < end_ms and start_ms < gap.end_ms


def _followed(coverage: Coverage, gap: Gap, hole: Hole, claims: Claims) -> Gap:
    start_ms, end_ms = hole.range_ms
    cursor = gap.cursor if hole.loose and gap.cursor and gap.cursor.second == hole.anchor.second else None
    above = cursor or hole.anchor
    moved = above != gap.above or gap.below != hole.below
    if (gap.reason is Reason.DEBT) is not _is_owed(coverage, start_ms, end_ms):
        gap = replace(gap, reason=_reason(coverage, hole, claims))
    gap = replace(gap, start_ms=start_ms, end_ms=end_ms, below=hole.below, above=above, cursor=cursor)
    if not moved:
        return gap
    # Another place to ask with is another chance, also for one that was given up.
    state = GapState.OPEN if gap.state is GapState.UNREACHABLE else gap.state
    return replace(gap, tried=0, rounds=0, next_at_ms=0, state=state)


def _opened(coverage: Coverage, number: int, hole: Hole, claims: Claims, now_ms: int) -> Gap:
    start_ms, end_ms = hole.range_ms
    return Gap(
        account=coverage.account,
        thread=coverage.thread,
        number=number,
        start_ms=start_ms,
        end_ms=end_ms,
        below=hole.below,
        above=hole.anchor,
        reason=_reason(coverage, hole, claims),
        opened_at_ms=now_ms,
    )


def _reason(coverage: Coverage, hole: Hole, claims: Claims) -> Reason:
    start_ms, end_ms = hole.range_ms
    if _is_owed(coverage, start_ms, end_ms):
        return Reason.DEBT
    doubted = [one.reason for one in coverage.doubts if one.from_ms < end_ms and start_ms < one.until_ms]
    if doubted:
        return doubted[-1]
    return Reason.BEFORE if hole.deep else claims.reason_at(hole.first)


def _is_owed(coverage: Coverage, start_ms: int, end_ms: int) -> bool:
    """Whether nothing but messages that are owed makes this a gap: they are asked for by themselves."""
    seconds = {one.second for one in coverage.owed}
    first, last = start_ms // SECOND_MS, end_ms // SECOND_MS
    return last - first <= len(seconds) and seconds.issuperset(range(first, last))


def _closed(gap: Gap, covers: Mapping[Proof, Cover], now_ms: int) -> Gap:
    first, last = gap.start_ms // SECOND_MS, min(gap.end_ms, ENDLESS.ms) // SECOND_MS
    by = [proof for proof in _STRONGEST if proof in covers and _meets(covers[proof], first, last)]
    return replace(gap, state=GapState.CLOSED, closed_at_ms=now_ms, closed_by=str(by[0]) if by else JOINED)


_STRONGEST = (Proof.OFFLINE_COMPLETE, Proof.OVERLAP, Proof.PHONE_COMPLETE, Proof.LIVE, Proof.HISTORY)


def _meets(cover: Cover, first: int, last: int) -> bool:
    """Whether some of these seconds are claimed."""
    whole = any(begin < last and first < until for begin, until in cover.whole)
    return whole or any(first <= link[0] < last for link in cover.links)
