"""The table of variables: every name, older names in order of precedence, unit, range, default and meaning."""

from __future__ import annotations

from whatsapp_backend.settings.credentials import ServiceAccount
from whatsapp_backend.settings.kinds import (
    File,
    Folder,
    LoopbackAddress,
    LoopbackUrl,
    Switch,
    Text,
    Whole,
)
from whatsapp_backend.settings.requests import REQUESTS
from whatsapp_backend.settings.surfaces import SURFACES
from whatsapp_backend.settings.variables import Variable, row

_DAY_S = 86_400


def _ms(low: int, high: int) -> Whole:
    return Whole(low=low, high=high, unit="ms", per_unit=0.001)


def _minutes(low: int, high: int) -> Whole:
    return Whole(low=low, high=high, unit="minutes", per_unit=60.0, unset_below_one=True)


def _days(low: int = 1, high: int = 3650) -> Whole:
    return Whole(low=low, high=high, unit="days")


def _clamped(high: int) -> Whole:
    return Whole(low=1, high=high, clamp=True)


_PROJECT = Text(pattern=r"[a-z][a-z0-9-]{3,61}[a-z0-9]", allowed="a project id, as demo-inbox")

PROCESS: tuple[Variable, ...] = (
    row(
        "state_dir",
        "STATE_DIR",
        Folder(),
        "Keys, journal and mirror: the only thing that must never be lost. One process at a time.",
        older=(("SESSIONS_PATH", Folder()), ("STATE_DIRECTORY", Folder(first_of_several=True))),
        shown_default="`$XDG_STATE_HOME/whatsapp-backend`, else `~/.local/state/whatsapp-backend`",
    ),
    row(
        "cache_dir",
        "CACHE_DIRECTORY",
        Folder(first_of_several=True),
        "What can be made again: Node modules, the emulator. systemd sets it.",
        shown_default="`$XDG_CACHE_HOME/whatsapp-backend`, else `~/.cache/whatsapp-backend`",
    ),
    row(
        "instance_id",
        "INSTANCE_ID",
        Text(pattern=r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,127}", allowed="letters, digits and . : _ -, at most 128"),
        "Name of this instance in logs and answers.",
        shown_default="host name, `-`, process id",
    ),
    row(
        "instance_lease_s",
        "INSTANCE_LEASE_MS",
        _ms(2_000, 600_000),
        "How long an instance counts as alive after a heartbeat: so long others wait after a crash. At least twice the "
        "heartbeat.",
        default=15.0,
    ),
    row(
        "instance_heartbeat_s",
        "INSTANCE_HEARTBEAT_MS",
        _ms(1_000, 300_000),
        "Time between two heartbeats, each of them one write, however many accounts there are.",
        default=5.0,
    ),
    row(
        "standby",
        "STANDBY",
        Switch(),
        "Wait while another process has the state directory, and go on in its place when it is gone. Also `--standby`.",
        default=False,
    ),
    row(
        "account_namespace",
        "ACCOUNT_NAMESPACE",
        Text(pattern=r"[a-z0-9][a-z0-9_-]{0,31}", allowed="lower-case letters, digits, - and _, at most 32"),
        "Part of every account id: `account_<namespace>_<hash>`. Changing it makes new accounts.",
        default="prod",
    ),
)

FIRESTORE: tuple[Variable, ...] = (
    row(
        "credentials",
        "FIREBASE_SERVICE_ACCOUNT_PATH",
        File(),
        "Production credentials.",
        secret=True,
        older=(("FIREBASE_SERVICE_ACCOUNT_JSON", ServiceAccount()), ("GOOGLE_APPLICATION_CREDENTIALS", File())),
    ),
    row(
        "firebase_project_id",
        "FIREBASE_PROJECT_ID",
        _PROJECT,
        "The project whose Firestore is written to.",
        shown_default="the project of the credentials",
    ),
    row(
        "firebase_storage_bucket",
        "FIREBASE_STORAGE_BUCKET",
        Text(pattern=r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", allowed="a bucket's name"),
        "Where media go.",
        shown_default="`<project>.firebasestorage.app`",
        used=False,
    ),
    row(
        "firestore_local",
        "FIRESTORE_LOCAL",
        Switch(),
        "Write to a local emulator instead of to production. Also `--local-firestore`. Unless FIRESTORE_EMULATOR_HOST "
        "names one that runs already, one is started, its data kept in STATE_DIR.",
        default=False,
    ),
    row(
        "firestore_emulator_host",
        "FIRESTORE_EMULATOR_HOST",
        LoopbackAddress(),
        "A running emulator to be used with FIRESTORE_LOCAL. Without that, `serve` refuses to start: nobody may "
        "mistake an emulator for production.",
    ),
    row(
        "firestore_emulator_jar",
        "FIRESTORE_EMULATOR_JAR",
        File(),
        "Google's emulator.",
        shown_default="looked for beside `gcloud` and in the Firebase tools' cache",
    ),
)

WHATSAPP: tuple[Variable, ...] = (
    row(
        "connect_timeout_s",
        "WHATSAPP_CONNECT_TIMEOUT_MS",
        _ms(1_000, 600_000),
        "How long an account may take to connect.",
        default=60.0,
    ),
    row(
        "web_url",
        "WHATSAPP_WEB_URL",
        LoopbackUrl(),
        "Another server in WhatsApp's place, for tests and the demo.",
        shown_default="WhatsApp's own",
    ),
    row(
        "bridge_preload",
        "WHATSAPP_BRIDGE_PRELOAD",
        File(),
        "A module that the bridge's Node loads first (`node --import`); a fake server may need one.",
    ),
    row(
        "sync_full_history",
        "WHATSAPP_SYNC_FULL_HISTORY",
        Switch(),
        "Ask for the full history when an account is paired.",
        default=True,
    ),
    row(
        "history_sync_dry_run",
        "WHATSAPP_HISTORY_SYNC_DRY_RUN",
        Switch(),
        "Hold back all history: nothing of it is written to Firestore, what landing it would do is logged and shown by "
        "`GET /api/whatsapp/history-plan/ACCOUNT`. It lands after a start with this off.",
        default=False,
    ),
    row(
        "journal_retention_days",
        "JOURNAL_RETENTION_DAYS",
        _days(),
        "How long journal entries are kept after they landed, so that they can be replayed.",
        default=30,
    ),
    row(
        "mirror_days",
        "MIRROR_DAYS",
        _days(),
        "How long a message's merge state is kept; after that a change to it costs one read.",
        default=30,
    ),
)

BACKFILL: tuple[Variable, ...] = (
    row(
        "auto_backfill_enabled",
        "WHATSAPP_AUTO_BACKFILL_ENABLED",
        Switch(),
        "Backfill on connect and on a timer. On unless either name says no. Those by hand can always be begun.",
        older=(("AUTO_BACKFILL_ENABLED", Switch()),),
        all_must_agree=True,
        default=True,
    ),
    row(
        "auto_backfill_interval_s",
        "WHATSAPP_BACKFILL_INTERVAL_SECONDS",
        Whole(low=1, high=_DAY_S, unit="seconds", per_unit=1.0, unset_below_one=True),
        "Time between two ticks.",
        older=(("AUTO_BACKFILL_INTERVAL_MS", _ms(1_000, _DAY_S * 1000)),),
        default=720.0,
    ),
    row(
        "auto_backfill_cooldown_s",
        "WHATSAPP_BACKFILL_COOLDOWN_MINUTES",
        _minutes(1, 30 * 1440),
        "Time an account rests after a backfill that succeeded.",
        older=(
            ("AUTO_BACKFILL_COOLDOWN_MINUTES", _minutes(1, 30 * 1440)),
            ("AUTO_BACKFILL_COOLDOWN_SUCCESS_MS", _ms(0, 30 * _DAY_S * 1000)),
        ),
        default=3600.0,
    ),
    row(
        "auto_backfill_attempt_backoff_s",
        "AUTO_BACKFILL_ATTEMPT_BACKOFF_MS",
        _ms(0, _DAY_S * 1000),
        "Least time between the beginnings of two runs of an account, whatever came of the first.",
        default=600.0,
    ),
    row(
        "auto_backfill_lease_s",
        "AUTO_BACKFILL_LEASE_MS",
        _ms(30_000, _DAY_S * 1000),
        "Life of an account's backfill lock; a run renews it at a third of that.",
        default=900.0,
    ),
    row(
        "auto_backfill_accounts_per_tick",
        "AUTO_BACKFILL_MAX_ACCOUNTS_PER_TICK",
        Whole(low=1, high=1000),
        "Accounts that begin in one tick; those that have nothing to do, or rest, do not count.",
        default=4,
    ),
    row(
        "auto_backfill_concurrency",
        "WHATSAPP_BACKFILL_CONCURRENCY",
        Whole(low=1, high=100, unset_below_one=True),
        "Backfills at the same time, those by hand included.",
        older=(("AUTO_BACKFILL_MAX_CONCURRENCY", Whole(low=1, high=100)),),
        default=2,
    ),
    row(
        "backfill_threads",
        "WHATSAPP_BACKFILL_THREADS",
        Whole(low=1, high=10_000),
        "Threads in one run.",
        default=50,
    ),
    row(
        "backfill_messages_per_thread",
        "WHATSAPP_BACKFILL_COUNT",
        Whole(low=1, high=100_000),
        "Most messages of one thread in one run.",
        default=100,
    ),
    row(
        "backfill_page_size",
        "WHATSAPP_BACKFILL_MESSAGES_PER_THREAD",
        _clamped(50),
        "Messages asked for in one request; never more than `WHATSAPP_BACKFILL_COUNT`.",
        default=20,
    ),
    row(
        "backfill_max_days",
        "WHATSAPP_BACKFILL_MAX_DAYS",
        _days(),
        "How far back a backfill digs.",
        shown_default="as far as WhatsApp gives",
    ),
)

RECENT_SYNC: tuple[Variable, ...] = (
    row("recent_sync_enabled", "RECENT_SYNC_ENABLED", Switch(), "Fill recent gaps on a timer.", default=True),
    row(
        "recent_sync_interval_s",
        "RECENT_SYNC_INTERVAL_MS",
        _ms(1_000, _DAY_S * 1000),
        "Time between two ticks.",
        default=120.0,
    ),
    row(
        "recent_sync_lookback_s",
        "RECENT_SYNC_LOOKBACK_MS",
        _ms(1_000, 30 * _DAY_S * 1000),
        "How old a gap may be; older ones are the backfill's. At least the interval.",
        default=21_600.0,
    ),
    row(
        "recent_sync_threads", "RECENT_SYNC_MAX_THREADS", _clamped(100), "Threads of an account in one run.", default=30
    ),
    row(
        "recent_sync_messages_per_thread",
        "RECENT_SYNC_MAX_MESSAGES_PER_THREAD",
        _clamped(50),
        "Messages asked for of one thread in one run.",
        default=20,
    ),
    row(
        "recent_sync_concurrency",
        "RECENT_SYNC_MAX_CONCURRENCY",
        Whole(low=1, high=100),
        "Accounts at the same time.",
        default=1,
    ),
    row(
        "recent_sync_lease_s",
        "RECENT_SYNC_LEASE_MS",
        _ms(30_000, _DAY_S * 1000),
        "Life of an account's recent-sync lock; a run renews it at a third of that.",
        default=300.0,
    ),
)

REPAIR: tuple[Variable, ...] = (
    row(
        "auto_repair_enabled",
        "AUTO_REPAIR_THREADS_ENABLED",
        Switch(),
        "Look through threads in turn and correct their last activity, in accounts in which something landed or a run "
        "did something since the last time.",
        default=True,
    ),
    row(
        "auto_repair_threads_per_run",
        "AUTO_REPAIR_THREADS_LIMIT_PER_RUN",
        _clamped(500),
        "Threads in one run; it reads each and its newest message.",
        default=200,
    ),
    row(
        "auto_repair_cooldown_s",
        "AUTO_REPAIR_COOLDOWN_MINUTES",
        _minutes(1, 30 * 1440),
        "Least time between two runs of an account.",
        default=3600.0,
    ),
)

SECTIONS: dict[str, tuple[Variable, ...]] = {
    "The API": SURFACES,
    "Process": PROCESS,
    "Firestore": FIRESTORE,
    "WhatsApp and the journal": WHATSAPP,
    "Requests to the phone": REQUESTS,
    "Backfill": BACKFILL,
    "Recent-sync": RECENT_SYNC,
    "Repair": REPAIR,
}
VARIABLES: tuple[Variable, ...] = tuple(v for section in SECTIONS.values() for v in section)

KNOWN = frozenset(name.name for variable in VARIABLES for name in variable.names)
OUR_PREFIXES = ("WHATSAPP_", "AUTO_BACKFILL_", "RECENT_SYNC_", "AUTO_REPAIR_")
NOT_OURS = ("WHATSAPP_BACKEND_",)
"""Kubernetes and Docker make such names up for a service called whatsapp-backend."""
