"""What is no setting any more."""

from __future__ import annotations

RETIRED: frozenset[str] = frozenset(
    {
        "DEFAULT_CALLING_CODE",
        "DEFAULT_COUNTRY",
        "ENRICH_CONTACTS_INTERVAL_MS",
        "FF_API_CACHING",
        "FF_CACHE_TTL",
        "LONGRUN_ADMIN_TOKEN",
        "MAX_LOGOUT_RETRIES",
        "MAX_PAIRING_RECONNECT_ATTEMPTS",
        "ORPHAN_SESSION_DELETE",
        "REQUIRE_FIRESTORE",
        "WA_DEBUG_LOGS",
        "WA_EVENT_LOOP_LAG_P95_THRESHOLD_MS",
        "WHATSAPP_BACKFILL_EMPTY_THREADS",
        "WHATSAPP_BACKFILL_ENABLE_SEEDING",
    }
)
"""Names of the Node system that have no effect here: they may stay in an env file."""
