"""One thread's coverage: the account's claims where they are not doubted, and what was proven for the thread alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from whatsapp_backend.domain.coverage import (
    SECOND_MS,
    UNCLOSED,
    Around,
    Coverage,
    Doubt,
    Gap,
    GapState,
    Held,
    Interval,
    Point,
    Proof,
    Reason,
)
from whatsapp_backend.rules.coverage.epochs import Claims, margins
from whatsapp_backend.rules.coverage.intervals import (
    Cover,
    Range,
    both,
    by_proof,
    cover_of,
    intervals_of,
    joined,
    normal,
    without,
)


def covers_of(coverage: Coverage, claims: Claims, held: Iterable[Held] = ()) -> Mapping[Proof, Cover]:
    """What each proof claims of this thread. `held` are messages at the bounds of epochs."""
    covers: dict[Proof, list[Cover]] = defaultdict(list)
    for proof, cover in claims.covers.items():
        covers[proof].append(_undoubted(coverage, cover))
    covers[Proof.LIVE].append(_undoubted(coverage, margins(claims, held)))
    for proof, cover in by_proof(coverage.intervals).items():
        covers[proof].append(cover)
    return {proof: joined(*of_it) for proof, of_it in covers.items()}


def cover_of_thread(coverage: Coverage, claims: Claims, held: Iterable[Held] = ()) -> Cover:
    """What is known of this thread."""
    return covered(coverage, covers_of(coverage, claims, held))


def covered(coverage: Coverage, covers: Mapping[Proof, Cover]) -> Cover:
    """What all proofs claim together. A message that is owed is known to be missing: it splits what it lies in."""
    cover = joined(*covers.values())
    for point in coverage.owed:
        cover = without(cover, point.second, point.second + 1)
    return cover


def owing(coverage: Coverage, points: Iterable[Point]) -> Coverage:
    """The coverage with debts opened."""
    return replace(coverage, owed=tuple(sorted({*coverage.owed, *points})))


def paid(coverage: Coverage, points: Iterable[Point]) -> Coverage:
    """The coverage with debts closed, whether they were paid or given up."""
    return replace(coverage, owed=tuple(sorted({*coverage.owed}.difference(points))))


def forgiven(coverage: Coverage, message_id: str) -> Coverage:
    """The coverage when a message that is owed was given up."""
    return paid(coverage, [point for point in coverage.owed if point.id == message_id])


def proven(coverage: Coverage, intervals: Iterable[Interval]) -> Coverage:
    """The coverage with more proven. What lies in a second that is whole under some proof is not worth keeping."""
    merged = normal([*coverage.intervals, *intervals])
    whole = cover_of((one.start, one.end) for one in merged if not _is_link(one))
    kept = tuple(one for one in merged if not _is_link(one) or not whole.claims(one.start))
    return replace(coverage, intervals=kept)


def _is_link(interval: Interval) -> bool:
    return bool(interval.start.id or interval.end.id)


def surprised(coverage: Coverage, claims: Claims, came: Iterable[Held]) -> Coverage:
    """Messages came that were not here. What claims that they should have been is withdrawn, and counted.

    `claims` are those of the moment when they came. One that comes live and late is no surprise to its own connection.
    """
    for one in came:
        first, last = claims.lives.get(one.epoch or 0, (0, 0))
        if not first <= one.at.second < last:
            coverage = _withdrawn(coverage, claims, one.at)
    return coverage


def reset(coverage: Coverage, now_ms: int) -> Coverage:
    """An operator believes nothing of what is known of this thread until now. Its gaps become part of what is unknown
    because of that, and are asked for as if they never had been."""
    gaps = tuple(_as_reset(gap) if gap.start_ms < now_ms and gap.state in UNCLOSED else gap for gap in coverage.gaps)
    return replace(coverage, intervals=(), doubts=(Doubt(0, now_ms, Reason.RESET),), gaps=gaps)


def _as_reset(gap: Gap) -> Gap:
    return replace(gap, reason=Reason.RESET, state=GapState.OPEN, tried=0, rounds=0, next_at_ms=0)


def united(into: Coverage, other: Coverage, *, other_empty: bool, into_empty: bool) -> Coverage:
    """Two threads turn out to be one: what is claimed of both is claimed of it. One without messages has no say."""
    if other_empty:
        return into
    if into_empty:
        intervals = other.intervals
    else:
        others = joined(*by_proof(other.intervals).values())
        claims = by_proof(into.intervals)
        intervals = tuple(one for proof, cover in claims.items() for one in intervals_of(both(cover, others), proof))
    return replace(
        into,
        intervals=normal(intervals),
        doubts=tuple(sorted({*into.doubts, *other.doubts})),
        owed=tuple(sorted({*into.owed, *other.owed})),
        withdrawn=into.withdrawn + other.withdrawn,
    )


def bounds(around: Iterable[Around]) -> tuple[Held, ...]:
    """The messages around several stretches, each once."""
    found = {one.at: one for a in around for one in (*([a.below] if a.below else []), *a.inside, *a.above)}
    return tuple(found[at] for at in sorted(found))


def contiguous(cover: Cover) -> Range | None:
    """The seconds of the newest stretch without a hole."""
    return cover.whole[-1] if cover.whole else None


def _undoubted(coverage: Coverage, cover: Cover) -> Cover:
    for doubt in coverage.doubts:
        cover = without(cover, doubt.from_ms // SECOND_MS, -(-doubt.until_ms // SECOND_MS))
    return cover


def _withdrawn(coverage: Coverage, claims: Claims, point: Point) -> Coverage:
    kept: list[Interval] = []
    doubts: list[Doubt] = list(coverage.doubts)
    wrong = 0
    for proof, cover in by_proof(coverage.intervals).items():
        run = cover.run_at(point.second)
        wrong += run is not None
        kept += intervals_of(without(cover, *run) if run else cover, proof)
    for cover in claims.covers.values():
        run = _undoubted(coverage, cover).run_at(point.second)
        if run:
            wrong += 1
            doubts.append(Doubt(run[0] * SECOND_MS, run[1] * SECOND_MS, Reason.WITHDRAWN))
    if not wrong:
        return coverage
    return replace(
        coverage, intervals=normal(kept), doubts=tuple(sorted(set(doubts))), withdrawn=coverage.withdrawn + wrong
    )
