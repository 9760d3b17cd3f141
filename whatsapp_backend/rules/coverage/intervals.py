"""The algebra of intervals. A cover is what a set of intervals claims together; joining covers is a plain union.

Whole seconds are numbers and merge as such. Within a second that is not whole there are only links: "everything from
this place to that one is here". Links that meet at the same message make one, and a second whose links lead from its
beginning to its end is whole. So two intervals meet inside a second only at a message they both name, by its id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from whatsapp_backend.domain.coverage import BEGINNING, ENDLESS, SECOND_MS, Interval, Point, Proof

Span = tuple[Point, Point]
Range = tuple[int, int]
"""Seconds, the last one excluded."""

Place = str | None
"""Within a second: a message, or one of these two."""
_START, _END = "", None
Link = tuple[int, Place, Place]
"""(second, from, to)"""


@dataclass(frozen=True, slots=True)
class Cover:
    """What is claimed: `whole` seconds, sorted, none touching another, and links (second, from id, to id)."""

    whole: tuple[Range, ...] = ()
    links: frozenset[Link] = frozenset()

    def claims(self, at: Point) -> bool:
        """Whether a message of this second would have to be here, whatever its place in it."""
        return self.run_at(at.second) is not None

    def run_at(self, second: int) -> Range | None:
        """The whole run that this second lies in."""
        return next((run for run in self.whole if run[0] <= second < run[1]), None)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Seconds that are not whole, between whole ones.

    `linked` are the messages of its first second up to which everything from the range below is here.
    """

    first: int
    last: int
    linked: frozenset[str] = frozenset()

    @property
    def deep(self) -> bool:
        """Nothing is known below it."""
        return self.first == BEGINNING.second

    @property
    def tail(self) -> bool:
        """Nothing is known above it."""
        return self.last == ENDLESS.second


def cover_of(spans: Iterable[Span]) -> Cover:
    """What these spans claim together. A span from a place to an earlier one claims nothing."""
    ranges: list[Range] = []
    links: set[Link] = set()
    for start, end in spans:
        if end.second < start.second:
            continue
        if start.second == end.second:
            if end.id and start.id != end.id:
                links.add((start.second, start.id, end.id))
            continue
        ranges.append((start.second + bool(start.id), end.second))
        if start.id:
            links.add((start.second, start.id, _END))
        if end.id:
            links.add((end.second, _START, end.id))
    return _closed(ranges, links)


def joined(*covers: Cover) -> Cover:
    """What they claim together."""
    return _closed([one for cover in covers for one in cover.whole], {link for cover in covers for link in cover.links})


def both(one: Cover, other: Cover) -> Cover:
    """The whole seconds that both claim; links are not worth comparing."""
    ranges = [(max(first, begin), min(last, until)) for first, last in one.whole for begin, until in other.whole]
    return _closed(ranges, set())


def without(cover: Cover, first: int, last: int) -> Cover:
    """What is left of it beside these seconds."""
    ranges = [part for begin, until in cover.whole for part in ((begin, min(until, first)), (max(begin, last), until))]
    return _closed(ranges, {link for link in cover.links if not first <= link[0] < last})


def intervals_of(cover: Cover, proof: Proof) -> tuple[Interval, ...]:
    """The cover as intervals, in the one way it can be written."""
    spans = [(_at(first), _at(last)) for first, last in cover.whole]
    spans += [(_at(s, start), _at(s + (end is _END), end)) for s, start, end in cover.links]
    return tuple(sorted(Interval(start, end, proof) for start, end in spans))


def normal(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same claims, merged as far as they touch or overlap under one proof."""
    return tuple(one for proof, cover in sorted(by_proof(intervals).items()) for one in intervals_of(cover, proof))


def by_proof(intervals: Iterable[Interval]) -> dict[Proof, Cover]:
    """What each proof claims."""
    spans: dict[Proof, list[Span]] = defaultdict(list)
    for one in intervals:
        spans[one.proof].append((one.start, one.end))
    return {proof: cover_of(of_it) for proof, of_it in spans.items()}


def unknown(cover: Cover) -> tuple[Stretch, ...]:
    """Everything that is not covered: with the whole seconds it is all of time."""
    edges = [BEGINNING.second, *(edge for one in cover.whole for edge in one), ENDLESS.second]
    return tuple(
        Stretch(first, last, frozenset(one for one in _walk(cover.links, first, _START) if one))
        for first, last in zip(edges[::2], edges[1::2], strict=True)
        if first < last
    )


def bottom(cover: Cover, at: Point) -> Point:
    """The place down to which everything from here is covered: a message, or the beginning of a second."""
    while True:
        if at.id:
            run = cover.run_at(at.second)
            below = _walk(cover.links, at.second, at.id, down=True)
            if run is None and _START not in below:
                return _at(at.second, _lowest(cover, at.second, below))
            at = _at(run[0] if run else at.second)
            continue
        run = next((run for run in cover.whole if run[1] == at.second), None)
        if run:
            at = _at(run[0])
            continue
        below = _walk(cover.links, at.second - 1, _END, down=True) - {_END}
        return _at(at.second - 1, _lowest(cover, at.second - 1, below)) if below else at


def _lowest(cover: Cover, second: int, places: set[Place]) -> Place:
    """Of these places of a second one that nothing leads to. Links go one way, as time does, unless somebody lies."""
    led_to = {b for s, _, b in cover.links if s == second}
    return min((one for one in places if one and one not in led_to), default=min(one for one in places if one))


def _closed(ranges: list[Range], links: set[Link]) -> Cover:
    whole = _merged([*ranges, *((s, s + 1) for s in {link[0] for link in links} if _END in _walk(links, s, _START))])
    return Cover(whole, frozenset(link for link in links if not any(a <= link[0] < b for a, b in whole)))


def _merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if first >= last:
            continue
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def _walk(links: Iterable[Link], second: int, place: Place, *, down: bool = False) -> set[Place]:
    """The places of this second that links lead to from this one, itself included."""
    steps = [(b, a) if down else (a, b) for s, a, b in links if s == second]
    reached, news = {place}, {place}
    while news:
        news = {b for a, b in steps if a in news} - reached
        reached |= news
    return reached


def _at(second: int, place: Place = _START) -> Point:
    return Point(second * SECOND_MS, place or "")
