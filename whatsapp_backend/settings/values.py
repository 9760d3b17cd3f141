"""The settings, as the daemon uses them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, read once. docs/settings.md says what each one means."""

    port: int
    bind_host: str
    allowed_hosts: tuple[str, ...]
    admin_token: str | None = field(repr=False)
    obs_token: str | None = field(repr=False)
    state_dir: Path
    cache_dir: Path
    instance_id: str
    instance_lease_s: float
    instance_heartbeat_s: float
    standby: bool
    account_namespace: str

    credentials: Path | str | None = field(repr=False)
    """A credentials file, or the JSON text of a service account."""
    firebase_project_id: str | None
    firebase_storage_bucket: str | None
    firestore_local: bool
    firestore_emulator_host: str | None
    """Where an emulator runs already; used with `firestore_local` only."""
    firestore_emulator_jar: Path | None

    web_url: str | None
    bridge_preload: Path | None
    connect_timeout_s: float
    sync_full_history: bool
    history_sync_dry_run: bool
    journal_retention_days: int
    mirror_days: int

    history_timeout_s: float
    history_spacing_s: float
    history_retry_in_ms: bool
    quiet_hours: tuple[int, int] | None
    """The minutes of the day, local time, at which they begin and end."""

    auto_backfill_enabled: bool
    auto_backfill_interval_s: float
    auto_backfill_cooldown_s: float
    auto_backfill_attempt_backoff_s: float
    auto_backfill_lease_s: float
    auto_backfill_accounts_per_tick: int
    auto_backfill_concurrency: int
    backfill_threads: int
    backfill_messages_per_thread: int
    backfill_page_size: int
    backfill_max_days: int | None

    recent_sync_enabled: bool
    recent_sync_interval_s: float
    recent_sync_lookback_s: float
    recent_sync_threads: int
    recent_sync_messages_per_thread: int
    recent_sync_concurrency: int
    recent_sync_lease_s: float

    auto_repair_enabled: bool
    auto_repair_threads_per_run: int
    auto_repair_cooldown_s: float

    warnings: tuple[str, ...] = ()
    """What the operator should know, though nothing is wrong."""
