"""How long a scrape of /metrics takes in an office of two hundred phones, all of them with gaps."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.api.metric_families import STATUSES
from whatsapp_backend.api.metrics import shown
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.coverage import Coverage, Gap, GapState, LedgerChange, Outcome, Point, Reason
from whatsapp_backend.domain.operations import Operations
from whatsapp_backend.domain.sight import Sight, Waiting
from whatsapp_backend.flows.meters import Meters
from whatsapp_backend.lookout import StoreWatch
from whatsapp_backend.rules.identity import account_id

_CLOCK = SystemClock()
_REASONS = (Reason.BEFORE, Reason.DISCONNECTED, Reason.DEAF, Reason.UNPROVEN)
_STATES = (GapState.OPEN, GapState.FILLING, GapState.UNREACHABLE)


async def scrape(*, accounts: int, threads: int, rounds: int) -> dict[str, float]:
    """Milliseconds: of a scrape with the store's counting, which is done every 15 s at most, and of the counting."""
    ids = [account_id(f"1555{number:07}", "bench") for number in range(accounts)]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with SqliteStore.opened(Path(folder)) as store:
            for account in ids:
                await store.record(LedgerChange(coverages=tuple(_coverages(account, threads))))
            whole, counting = [], []
            for _ in range(rounds):
                start_s = _CLOCK.monotonic_s()
                watch = StoreWatch(store, _CLOCK)
                await watch.count()
                if not await watch.answers() or watch.known is None or watch.counted is None:
                    raise RuntimeError("the store took too long to be counted")
                counting.append(_CLOCK.monotonic_s() - start_s)
                shown(_sight(ids, watch))
                whole.append(_CLOCK.monotonic_s() - start_s)
    return {
        "scrape_200_accounts_ms": statistics.median(whole) * 1000,
        "scrape_counting_ms": statistics.median(counting) * 1000,
    }


def _coverages(account: str, threads: int) -> Iterator[Coverage]:
    for number in range(threads):
        thread = f"threads/{account}__{number}"
        gap = Gap(
            account=account,
            thread=thread,
            number=1,
            start_ms=1_000,
            end_ms=2_000,
            below=None,
            above=Point(3_000, "M"),
            reason=_REASONS[number % len(_REASONS)],
            opened_at_ms=1_000 + number,
            state=_STATES[number % len(_STATES)],
        )
        yield Coverage(account=account, thread=thread, jid=f"{number}@s.whatsapp.net", gaps=(gap,), gaps_ever=1)


def _sight(ids: list[str], watch: StoreWatch) -> Sight:
    """With every series that an account can have."""
    now_ms = _CLOCK.wall_ms()
    views = [
        AccountView(account=one, phone="", name="", created_at_ms=0, status=STATUSES[number % len(STATUSES)])
        for number, one in enumerate(ids)
    ]
    return Sight(
        now_ms=now_ms,
        version="bench",
        active=True,
        ready=True,
        firestore_connected=True,
        store_answers=True,
        known=watch.known,
        counted=watch.counted,
        views=views,
        trust_s=dict.fromkeys(ids, 9.0),
        bridge_up=True,
        bridge_starts=1,
        protocol_errors=0,
        heard_at_ms=dict.fromkeys(ids, now_ms),
        unanswered=dict.fromkeys(ids, Waiting(count=1, since_ms=now_ms)),
        resident_bytes={"daemon": 1, "bridge": 1},
        operations=Operations(),
        landing={kind: (times.counts, times.sum_s) for kind, times in Meters().landing.items()},
        requests={(one, outcome.name.lower()): 1 for one in ids for outcome in Outcome},
        commits=dict.fromkeys(ids, 0),
    )
