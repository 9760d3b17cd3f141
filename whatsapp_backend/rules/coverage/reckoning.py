"""One thread's coverage after a window: what came changes it, and when the store has been asked what lies around its
holes, its gaps follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from whatsapp_backend.domain.coverage import UNCLOSED, Around, Asked, Coverage, Gap, Held, Outcome, Point
from whatsapp_backend.rules.coverage.epochs import Claims
from whatsapp_backend.rules.coverage.ledger import NO_MORE, answered, settled
from whatsapp_backend.rules.coverage.news import News
from whatsapp_backend.rules.coverage.pages import to_the_beginning
from whatsapp_backend.rules.coverage.threads import owing, paid, proven, surprised
from whatsapp_backend.rules.requests import gap_after


@dataclass(slots=True)
class Matter:
    """What a window has to say of one thread: its news, and what came for requests of it."""

    news: News
    pages: list[tuple[Asked, tuple[Point, ...]]] = field(default_factory=list)
    ends: list[tuple[Asked, Outcome, int | None]] = field(default_factory=list)
    """With the phone's word on what is left."""

    @property
    def held(self) -> tuple[Held, ...]:
        """The messages that came."""
        return tuple(one.held for one in self.news.came)


def told(coverage: Coverage, matter: Matter, claims_at: Callable[[int], Claims]) -> Coverage:
    """The coverage when everything that came has been taken in. `claims_at` gives the claims as of a moment in ms."""
    news = matter.news
    for one in news.came:
        if one.new:
            coverage = surprised(coverage, claims_at(one.received_at_ms), [one.held])
    coverage = owing(coverage, news.owed) if news.owed else coverage
    coverage = paid(coverage, [one for one in coverage.owed if one.id in news.paid])
    coverage = proven(coverage, news.chunks) if news.chunks else coverage
    here = {one.at for one in matter.held}
    for asked, page in matter.pages:
        coverage = answered(coverage, _gap(coverage, asked), page, asked.anchor, None, held=here)
    for asked, _, end in matter.ends:
        if end == NO_MORE:
            coverage = proven(coverage, to_the_beginning((), asked.anchor))
    return coverage


def concluded(coverage: Coverage, matter: Matter, claims: Claims, around: Iterable[Around], now_ms: int) -> Coverage:
    """The coverage with the gaps that follow. `around` answers `ledger.to_look_at`, and holds what came."""
    coverage = settled(coverage, claims, around, now_ms)
    for asked, outcome, end in matter.ends:
        gaps = tuple(
            gap_after(asked.gap, gap, outcome, now_ms, end=end)
            if gap.number == asked.gap.number and gap.state in UNCLOSED
            else gap
            for gap in coverage.gaps
        )
        coverage = replace(coverage, gaps=gaps)
    return coverage


def _gap(coverage: Coverage, asked: Asked) -> Gap:
    """The gap as it is by now; one that is closed, as it was."""
    return next((gap for gap in coverage.gaps if gap.number == asked.gap.number), asked.gap)


def put(before: Coverage, after: Coverage) -> tuple[Coverage, ...]:
    """What of it is to be kept: nothing where nothing changed, and only those gaps that did. Of the others asking may
    have changed something meanwhile."""
    if before == after:
        return ()
    return (replace(after, gaps=tuple(gap for gap in after.gaps if gap not in before.gaps)),)
