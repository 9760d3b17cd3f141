"""What a daemon with everything wrong looks like."""

from __future__ import annotations

from typing import Any

from backend import NOW_MS, OTHER, SHOP, view

from whatsapp_backend.domain.journal import StoreStats
from whatsapp_backend.domain.operations import Operations
from whatsapp_backend.domain.sight import Counted, Known, Sight, Waiting
from whatsapp_backend.domain.watching import Counts, Lag, Pile


def known(**more: Any) -> Known:
    """What a store says in which everything waits."""
    stats = StoreStats(
        journal_end=42,
        entries=42,
        parked=3,
        open_notices=1,
        dirty=5,
        open_debts=2,
        oldest_debt_at_ms=NOW_MS - 60_000,
        closed_debts={"arrived": 4},
        file_bytes=4096,
    )
    fields = {"at_ms": NOW_MS, "stats": stats}
    lag = Lag(position=40, entries=2, oldest_at_ms=NOW_MS - 7_000)
    return Known(**{**fields, "lags": {"documents": lag}, **more})


def counted() -> Counted:
    """What there is of everything that waits."""
    counts = Counts(
        gaps={
            (SHOP, "before", "open"): Pile(count=7, oldest_at_ms=NOW_MS - 1_000),
            (SHOP, "deaf", "filling"): Pile(count=1, oldest_at_ms=NOW_MS - 3_600_000),
        },
        debts={SHOP: Pile(count=2, oldest_at_ms=NOW_MS - 60_000)},
        parked={(SHOP, "documents"): 3},
        held_back={OTHER: 9},
        free_bytes=1 << 30,
    )
    return Counted(counts=counts, at_ms=NOW_MS - 5_000)


def sight(**more: Any) -> Sight:
    """Two accounts, one of them connected."""
    views = [view(SHOP, "+15550001111", name="Canary", hearing="quiet"), view(OTHER, "+15550009999", status="needs_qr")]
    fields: dict[str, Any] = {
        "now_ms": NOW_MS,
        "version": "1.2.3",
        "active": True,
        "ready": False,
        "firestore_connected": False,
        "store_answers": True,
        "known": known(),
        "counted": counted(),
        "views": views,
        "trust_s": {SHOP: 9.5, OTHER: 0.0},
        "bridge_up": True,
        "bridge_starts": 2,
        "protocol_errors": 1,
        "heard_at_ms": {SHOP: NOW_MS - 30_000},
        "unanswered": {SHOP: Waiting(count=4, since_ms=NOW_MS - 12_000)},
        "resident_bytes": {"daemon": 1000, "bridge": 2000},
        "operations": Operations(writes=110, deletes=10, reads=100, queried=40, rpcs=30, transactions=5),
        "landing": {"live": ((1, 2, *[0] * 12, 1), 3.5)},
        "requests": {(SHOP, "no_answer"): 3},
        "deafness": {SHOP: 2},
        "commits": {SHOP: 1, OTHER: 0},
    }
    return Sight(**{**fields, **more})
