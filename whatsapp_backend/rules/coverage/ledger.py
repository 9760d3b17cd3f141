"""A thread's account, in three steps: what was received changes its coverage, and its gaps follow from that.

1. `surprised`, then `proven` (rules.coverage.threads): what came, and what that proves.
2. `to_look_at`: the stretches around which the store is to be asked what messages it holds.
3. `settled`: the gaps.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

from whatsapp_backend.domain.coverage import Around, Coverage, Gap, Held, Interval, Point, Proof
from whatsapp_backend.rules.coverage.epochs import Claims
from whatsapp_backend.rules.coverage.gaps import hole_of, reconciled
from whatsapp_backend.rules.coverage.intervals import Stretch, unknown
from whatsapp_backend.rules.coverage.pages import page_older, page_spans, to_the_beginning
from whatsapp_backend.rules.coverage.threads import bounds, cover_of_thread, covered, covers_of, proven

NO_MORE = 1
"""The phone's word that nothing older is left (`endOfHistoryTransferType`)."""


def to_look_at(coverage: Coverage, claims: Claims) -> tuple[Stretch, ...]:
    """The stretches that may be gaps."""
    return unknown(cover_of_thread(coverage, claims))


def settled(coverage: Coverage, claims: Claims, around: Iterable[Around], now_ms: int) -> Coverage:
    """The coverage with the gaps that follow. `around` answers `to_look_at`."""
    held = bounds(around)
    covers = covers_of(coverage, claims, held)
    cover = covered(coverage, covers)
    holes = [hole for one in unknown(cover) if (hole := hole_of(cover, one, _near(one, held)))]
    return reconciled(coverage, holes, covers, claims, now_ms)


def _near(stretch: Stretch, held: Sequence[Held]) -> Around:
    below = [one for one in held if one.at.second < stretch.first]
    return Around(
        below=below[-1] if below else None,
        inside=tuple(one for one in held if stretch.first <= one.at.second < stretch.last),
        above=tuple(one for one in held if one.at.second >= stretch.last),
    )


def met(gap: Gap, page: Iterable[Point]) -> bool:
    """Whether paging down met the lower bound: the message itself, by its id, or what is older."""
    below = gap.below
    return below is not None and any(one == below or one.second < below.second for one in page)


def answered(
    coverage: Coverage,
    gap: Gap,
    page: Sequence[Point],
    newer: Point,
    end: int | None,
    *,
    held: Container[Point] | None = None,
) -> Coverage:
    """What a page proves that the phone sent as older than `newer`; `end` is its word on what is left.

    The page is in the phone's order, oldest first. Where it did not get out of the second it began in, asking goes on
    with its oldest message: ids do not tell which of a second's messages is the first. Only what is `held` can be asked
    with (None: all of it is).
    """
    proof = Proof.OVERLAP if met(gap, page) else Proof.HISTORY
    intervals = [Interval(start, until, proof) for start, until in page_spans(page, newer)]
    if end == NO_MORE:
        intervals += to_the_beginning(page, newer)
    older = next((one for one in page_older(page, newer) if held is None or one in held), gap.cursor)
    gaps = tuple(replace(one, cursor=older) if one.number == gap.number else one for one in coverage.gaps)
    return proven(replace(coverage, gaps=gaps), intervals)
