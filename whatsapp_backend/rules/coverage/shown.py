"""What a thread's document shows of its coverage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from whatsapp_backend.domain.coverage import SECOND_MS, UNCLOSED, Around, Coverage, Proof
from whatsapp_backend.rules.coverage.epochs import Claims
from whatsapp_backend.rules.coverage.intervals import unknown
from whatsapp_backend.rules.coverage.threads import bounds, contiguous, covered, covers_of

_STRONGEST = (Proof.LIVE, Proof.OFFLINE_COMPLETE, Proof.OVERLAP, Proof.PHONE_COMPLETE, Proof.HISTORY)


def coverage_shown(coverage: Coverage, claims: Claims, around: Iterable[Around]) -> Mapping[str, Any]:
    """The field `coverage`: the newest stretch without a hole, what proves its end, and how many gaps there are.

    `contiguousToMs` is None while that stretch reaches the newest message, whichever that is by then: so a message
    that comes live changes nothing here.
    """
    held = bounds(around)
    covers = covers_of(coverage, claims, held)
    gaps = sum(gap.state in UNCLOSED for gap in coverage.gaps)
    cover = covered(coverage, covers)
    run = contiguous(cover)
    if run is None:
        return {"contiguousFromMs": None, "contiguousToMs": None, "openGaps": gaps, "proof": None}
    first, last = run
    tail = unknown(cover)[-1]
    newest = held[-1].at if held else None
    reaches = newest is None or newest.second < last or (newest.second == last and newest.id in tail.linked)
    by = next((proof for proof in _STRONGEST if proof in covers and covers[proof].run_at(last - 1)), None)
    return {
        "contiguousFromMs": first * SECOND_MS,
        "contiguousToMs": None if reaches else last * SECOND_MS,
        "openGaps": gaps,
        "proof": by and str(by),
    }
