"""What to ask the phone for next, and what its answer, or its silence, means.

On-demand history returns what is older than its anchor. So a gap is asked for with the first message after it, page by
page, until the message below it is met; deep history with the oldest message of the oldest interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from whatsapp_backend.domain.coverage import Asked, Asking, Due, Gap, GapState, Held, Outcome, Point
from whatsapp_backend.domain.pages import GapPlace
from whatsapp_backend.rules.coverage.ledger import NO_MORE

LARGEST_PAGE = 50
_ANCHORS = 2
"""The nearest message after the gap, and once the next newer one."""
_WAITS_MS = (10 * 60_000, 60 * 60_000, 6 * 60 * 60_000, 24 * 60 * 60_000)
"""How long a thread waits whose anchors got no answer; after the last one it is given up."""
_FAILURES = 10
_PAUSE_MS = 2 * 60 * 60_000
_KEPT_MS = 14 * 24 * 60 * 60_000
"""So long an answer may be on its way: then WhatsApp has forgotten it, too."""
NO_ACCESS = 3
"""The phone's word that it has more and may not give it (`endOfHistoryTransferType`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a run may ask for. `oldest_ms`: deep history is not dug further back. `thread` messages for each."""

    page: int
    thread: int
    spacing_ms: int
    oldest_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Up to `count` messages of a gap, older than the anchor. `chat` is the JID that the anchor's key names."""

    gap: Gap
    anchor: Held
    chat: str
    count: int


def next_request(
    gap: Gap, anchors: Sequence[Held], *, jid: str, budget: Budget, asked_for: int, now_ms: int
) -> Request | None:
    """The next request for this gap, None where nothing is to be asked now.

    `anchors` are the message at `gap.above` and some of later seconds, the nearest first; `jid` is the thread's own;
    `asked_for` is how much of the thread this run has asked for.
    """
    # From a newer anchor one page must reach over the one that got no answer, and beyond it.
    count = min(LARGEST_PAGE if gap.tried else budget.page, LARGEST_PAGE, budget.thread - asked_for)
    if count < 1 or not Due(now_ms=now_ms, oldest_ms=budget.oldest_ms).has(gap):
        return None
    usable = [one for one in anchors if _is_anchor(one.at, gap)]
    if not usable:
        return None
    anchor = usable[min(gap.tried, _ANCHORS - 1, len(usable) - 1)]
    return Request(gap=gap, anchor=anchor, chat=anchor.chat or jid, count=count)


def _is_anchor(at: Point, gap: Gap) -> bool:
    """Whether asking with it asks for the gap, and not for what is below. Within its second ids tell no order."""
    if gap.below is not None and (at == gap.below or at.second < gap.below.second):
        return False
    return at == gap.above or at.second > gap.above.second


def in_turn(gaps: Iterable[Gap]) -> list[Gap]:
    """Gaps in the order to fill them: the newest first, deep history after everything else."""
    return sorted(gaps, key=turn)


def turn(gap: Gap) -> GapPlace:
    """A gap's place in that order."""
    return gap.below is None, -gap.above.ms, gap.thread, gap.number


def rest_ms(asking: Asking, budget: Budget, now_ms: int) -> int:
    """How long the phone rests from its last request. A clock that was set back does not stop it for ever."""
    since_ms = now_ms - asking.asked_at_ms
    return budget.spacing_ms - since_ms if 0 <= since_ms < budget.spacing_ms else 0


def is_paused(asking: Asking, now_ms: int) -> bool:
    """Whether the phone is left alone because it did not answer."""
    return 0 < asking.paused_until_ms - now_ms <= _PAUSE_MS


def is_forgotten(asked: Asked, now_ms: int) -> bool:
    """Whether no answer to this request will come any more."""
    return now_ms - asked.asked_at_ms > _KEPT_MS


def outcome_of(older: int, end: int | None, *, downloaded: bool = True) -> Outcome:
    """What an answer means with so many messages older than its anchor."""
    if not downloaded:
        return Outcome.FAILED
    if end == NO_MORE:
        return Outcome.COMPLETE
    return Outcome.PAGE if older else Outcome.EMPTY


def asking_after(asking: Asking, outcome: Outcome, now_ms: int) -> Asking:
    """How the phone answers, after this. Ten requests without an answer in a row are a pause."""
    if outcome is not Outcome.NO_ANSWER:
        return replace(asking, unanswered=0, asked_at_ms=now_ms, paused_until_ms=0)
    unanswered = asking.unanswered + 1
    if unanswered < _FAILURES:
        return replace(asking, unanswered=unanswered, asked_at_ms=now_ms)
    return replace(asking, unanswered=0, asked_at_ms=now_ms, paused_until_ms=now_ms + _PAUSE_MS)


def gap_after(asked: Gap, left: Gap, outcome: Outcome, now_ms: int, *, end: int | None = None) -> Gap:
    """What is left of a gap after a request for it. An answer that changed none of its bounds is of no use."""
    if outcome is Outcome.NO_ANSWER:
        return _unanswered(left, now_ms)
    if outcome is Outcome.FAILED:  # it says nothing of the anchor, nor of what the phone has
        return replace(left, next_at_ms=now_ms + _WAITS_MS[0])
    if _bounds(asked) != _bounds(left):
        return replace(left, state=GapState.FILLING, tried=0, rounds=0, next_at_ms=0)
    if asked.tried:
        return _unanswered(left, now_ms)  # the newer anchor was no better than the one it stood for
    return replace(left, state=GapState.NO_ACCESS if end == NO_ACCESS else GapState.UNREACHABLE, tried=0, rounds=0)


def _bounds(gap: Gap) -> tuple[int, int, Point | None, Point]:
    return gap.start_ms, gap.end_ms, gap.below, gap.above


def _unanswered(gap: Gap, now_ms: int) -> Gap:
    if gap.tried + 1 < _ANCHORS:
        return replace(gap, tried=gap.tried + 1)
    if gap.rounds == len(_WAITS_MS):
        return replace(gap, state=GapState.UNREACHABLE, tried=0, rounds=0)
    return replace(gap, state=GapState.OPEN, tried=0, rounds=gap.rounds + 1, next_at_ms=now_ms + _WAITS_MS[gap.rounds])
