"""What the settings say of runs: how much one may do, how often, how many at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whatsapp_backend.domain.coverage import ENDLESS_MS
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.flows.fill import Limits
from whatsapp_backend.flows.prospects import Policy
from whatsapp_backend.rules.quiet import is_quiet
from whatsapp_backend.rules.runs import Pace

if TYPE_CHECKING:
    from whatsapp_backend.clock import Clock
    from whatsapp_backend.flows.runs import Runs
    from whatsapp_backend.nudges import Nudge
    from whatsapp_backend.settings import Settings

_DAY_MS = 24 * 60 * 60 * 1000
_ALL_ACCOUNTS = 1_000_000
_SWEEP_EVERY_S = 60.0


def run_policies(settings: Settings) -> dict[str, Policy]:
    """The settings of runs, as `Runs` takes them. What a dry run holds back need not be asked for."""
    asks = not settings.history_sync_dry_run
    days = settings.backfill_max_days
    recent_sync = Policy(
        enabled=settings.recent_sync_enabled and asks,
        pace=Pace(per_tick=_ALL_ACCOUNTS),
        slots=settings.recent_sync_concurrency,
        lock_life_s=settings.recent_sync_lease_s,
        limits=Limits(
            threads=settings.recent_sync_threads,
            page=settings.recent_sync_messages_per_thread,
            thread=settings.recent_sync_messages_per_thread,
            lookback_ms=round(settings.recent_sync_lookback_s * 1000),
            oldest_ms=ENDLESS_MS,  # deep history is the backfill's
        ),
    )
    backfill = Policy(
        enabled=settings.auto_backfill_enabled and asks,
        pace=Pace(
            per_tick=settings.auto_backfill_accounts_per_tick,
            cooldown_ms=round(settings.auto_backfill_cooldown_s * 1000),
            backoff_ms=round(settings.auto_backfill_attempt_backoff_s * 1000),
        ),
        slots=settings.auto_backfill_concurrency,
        lock_life_s=settings.auto_backfill_lease_s,
        limits=Limits(
            threads=settings.backfill_threads,
            page=settings.backfill_page_size,
            thread=settings.backfill_messages_per_thread,
        ),
        dig_ms=None if days is None else days * _DAY_MS,
    )
    return {"recent_sync": recent_sync, "backfill": backfill}


def run_ticks(settings: Settings, runs: Runs) -> dict[str, tuple[Nudge, float]]:
    """When runs are nudged."""
    return {
        "recent-sync": (runs.recent_sync_tick, settings.recent_sync_interval_s),
        "backfill": (runs.backfill_tick, settings.auto_backfill_interval_s),
        "sweep": (runs.sweep, _SWEEP_EVERY_S),
    }


def is_quiet_now(settings: Settings, clock: Clock) -> bool:
    """Whether no run may begin by itself: by this machine's local time."""
    now = at_ms(clock.wall_ms()).astimezone()
    return settings.quiet_hours is not None and is_quiet(now.hour * 60 + now.minute, settings.quiet_hours)
