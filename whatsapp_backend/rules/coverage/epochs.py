"""What an account's connections claim for every thread of it at once.

While a connection is caught up, the server hands over whatever comes, in its order: nothing is missing between
catching up and the last sign of life. And what comes while we are away waits at the server: when the next connection
has got all of that, nothing is missing in between either.

Our clock is not WhatsApp's, so each claim ends a margin earlier and begins a margin later than our clock says. Within
the margins the messages themselves speak: one that came live proves everything between the claim and itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from whatsapp_backend.domain.coverage import SECOND_MS, Ending, Epoch, Held, Point, Proof, Reason
from whatsapp_backend.rules.coverage.intervals import Cover, Range, Span, cover_of, joined

MARGIN_MS = 10_000
"""How far our clock and WhatsApp's may be apart."""
UNHEARD_MS = 3 * 60_000
"""More than passes between two heartbeats, also where one or two fail."""
AHEAD_MS = 5 * 60_000
"""How far WhatsApp's clock may be ahead of ours before a time is taken for made up."""
QUEUED_FOR_S = 14 * 24 * 3600
"""What waited longer than this the server may have thrown away."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What an account's epochs claim, and the seconds in which each epoch was live."""

    covers: Mapping[Proof, Cover]
    lives: Mapping[int, Range]
    endings: tuple[tuple[int, Reason], ...]
    """From which second on, and why, nothing was known any more."""

    @property
    def cover(self) -> Cover:
        """All of it."""
        return joined(*self.covers.values())

    def reason_at(self, second: int) -> Reason:
        """Why nothing is known from here on."""
        said = [reason for at, reason in self.endings if at <= second]
        return said[-1] if said else Reason.UNPROVEN


# -- The rows ----------------------------------------------------------------------------------------------------------


def opened(account: str, last: Epoch | None, now_ms: int) -> tuple[Epoch, ...]:
    """The rows to be written when a connection opens: one that was left open by a crash is ended, a new one begins."""
    left = (_ended(last, last.heard_at_ms, Ending.CRASHED),) if last and last.ending is None else ()
    number = last.number + 1 if last else 1
    return (*left, Epoch(account=account, number=number, opened_at_ms=now_ms, heard_at_ms=now_ms))


def announced(epoch: Epoch, count: int) -> Epoch:
    """The server said how much waits for us."""
    return replace(epoch, announced=count)


def caught_up(epoch: Epoch, received: int, now_ms: int) -> Epoch:
    """What waited for us has come."""
    return replace(heard(epoch, now_ms), caught_up_at_ms=now_ms, received=received)


def heard(epoch: Epoch, at_ms: int) -> Epoch:
    """A frame, or a heartbeat that knows of one. An ended epoch hears nothing."""
    return epoch if epoch.ending else replace(epoch, heard_at_ms=max(at_ms, epoch.heard_at_ms))


def closed(epoch: Epoch, now_ms: int) -> Epoch:
    """It ended, and we saw it. What was heard last counts, not the end: it may have been dead for a while."""
    return _ended(epoch, now_ms, Ending.CLOSED)


def deaf(epoch: Epoch, inbound_at_ms: int, now_ms: int) -> Epoch:
    """It looked alive, and was not: it counts until its last inbound frame."""
    cut = min(epoch.heard_at_ms, max(inbound_at_ms, epoch.opened_at_ms))
    return replace(_ended(epoch, now_ms, Ending.DEAF), heard_at_ms=cut)


def _ended(epoch: Epoch, at_ms: int, ending: Ending) -> Epoch:
    return replace(epoch, closed_at_ms=at_ms, ending=ending) if epoch.ending in (None, Ending.CLOSED) else epoch


def as_of(epochs: Iterable[Epoch], at_ms: int) -> tuple[Epoch, ...]:
    """The rows as they were at a moment. What came then may be dealt with later, when more is claimed."""
    return tuple(_as_of(epoch, at_ms) for epoch in epochs if epoch.opened_at_ms <= at_ms)


def _as_of(epoch: Epoch, at_ms: int) -> Epoch:
    caught_up_at_ms = epoch.caught_up_at_ms
    if caught_up_at_ms is not None and caught_up_at_ms > at_ms:
        caught_up_at_ms = None
    return replace(epoch, caught_up_at_ms=caught_up_at_ms, heard_at_ms=min(epoch.heard_at_ms, at_ms))


def live_on(epochs: Iterable[Epoch], received_at_ms: int, sent_at_ms: int) -> int | None:
    """The number of the caught-up connection on which something came live at this moment.

    It may have come after the last sign of life that was noted, when a crash kept later ones from being noted. But one
    that came long after that, or after the end, came on a connection whose row the disk would not take. And what was
    sent before the connection had caught up, or after it came, is not of its time: what is in between need not be here.
    """
    rows = [epoch for epoch in epochs if epoch.opened_at_ms <= received_at_ms]
    last = rows[-1] if rows else None
    if last is None or last.caught_up_at_ms is None or last.caught_up_at_ms > received_at_ms:
        return None
    ended_ms = last.closed_at_ms if last.ending is Ending.CLOSED else None
    if received_at_ms > (last.heard_at_ms + UNHEARD_MS if ended_ms is None else ended_ms):
        return None
    is_of_its_time = last.caught_up_at_ms - MARGIN_MS <= sent_at_ms <= received_at_ms + AHEAD_MS
    return last.number if is_of_its_time else None


def folded(epochs: Iterable[Epoch], before_ms: int) -> tuple[Epoch, ...]:
    """Fewer rows that claim the same: of connections long ago between which nothing is missing only one is kept.

    The last two of such a run stay as they are, with the messages that speak for their margins. Those that never caught
    up claim nothing.
    """
    kept: list[Epoch] = []
    for epoch in epochs:
        if kept and kept[-1].caught_up_at_ms is None and kept[-1].opened_at_ms < before_ms:
            kept.pop()
        if epoch.opened_at_ms < before_ms and len(kept) > _KEPT:
            kept[-3:] = _folded(*kept[-3:])
        kept.append(epoch)
    return tuple(kept)


_KEPT = 2


def _folded(first: Epoch, second: Epoch, third: Epoch) -> list[Epoch]:
    if not (_joins(first, second) and _joins(second, third)):
        return [first, second, third]
    first = replace(first, heard_at_ms=second.heard_at_ms, closed_at_ms=second.closed_at_ms, ending=second.ending)
    return [first, third]


def _joins(one: Epoch, other: Epoch) -> bool:
    """Whether both are live for a while, and nothing is missing between them."""
    if one.caught_up_at_ms is None or other.caught_up_at_ms is None or not other.complete:
        return False
    (first, last), (begin, end) = _live(one, one.caught_up_at_ms), _live(other, other.caught_up_at_ms)
    return first < last and begin < end and begin - last <= QUEUED_FOR_S


# -- What they claim ---------------------------------------------------------------------------------------------------


def claims_of(epochs: Iterable[Epoch]) -> Claims:
    """What they claim together; in the order of their numbers."""
    live: list[Span] = []
    queued: list[Span] = []
    lives: dict[int, Range] = {}
    endings: list[tuple[int, Reason]] = []
    reach: int | None = None  # up to this second all is known, and what came later had to wait at the server
    for epoch in epochs:
        if epoch.caught_up_at_ms is None:
            continue  # what it did not get still waits
        first, last = _live(epoch, epoch.caught_up_at_ms)
        if reach is not None and epoch.announced is not None and not epoch.complete:
            endings.append((reach, Reason.MISMATCH))
        if epoch.complete and reach is not None and first - reach <= QUEUED_FOR_S:
            until = first if first < last else (epoch.caught_up_at_ms - MARGIN_MS) // SECOND_MS
            queued.append((_at(reach), _at(until)))
            reach = max(reach, until)
        else:
            reach = max(reach or 0, first)
        if first < last:
            live.append((_at(first), _at(last)))
            lives[epoch.number] = (first, last)
            reach = max(reach, last)
        endings.append((reach, _REASONS.get(epoch.ending or Ending.CLOSED, Reason.DISCONNECTED)))
    covers = {Proof.LIVE: cover_of(live), Proof.OFFLINE_COMPLETE: cover_of(queued)}
    return Claims(covers, lives, tuple(endings))


_REASONS = {Ending.DEAF: Reason.DEAF, Ending.CRASHED: Reason.CRASHED}


def _live(epoch: Epoch, caught_up_at_ms: int) -> Range:
    first = -(-(caught_up_at_ms + MARGIN_MS) // SECOND_MS)
    return first, (epoch.heard_at_ms - MARGIN_MS) // SECOND_MS


def margins(claims: Claims, held: Iterable[Held]) -> Cover:
    """What messages that came live prove beyond the seconds that their epoch claims."""
    spans: list[Span] = []
    for one in held:
        first, last = claims.lives.get(one.epoch or 0, (0, 0))
        if first == last:
            continue
        if one.at.second >= last:
            spans.append((_at(last), one.at))
        elif one.at.second < first:
            spans.append((one.at, _at(first)))
    return cover_of(spans)


def _at(second: int) -> Point:
    return Point(second * SECOND_MS)
