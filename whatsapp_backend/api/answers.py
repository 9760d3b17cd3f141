"""What the routes answer, as JSON Schema. The tests hold every answer against these."""

from __future__ import annotations

from whatsapp_backend.api.schemas import (
    COUNT,
    DOCUMENT,
    FLAG,
    MOMENT,
    MONEY,
    TEXT,
    WHOLE,
    counts,
    nullable,
    one_of,
    page,
    record,
    several,
    success,
)
from whatsapp_backend.domain.coverage import GapState, Proof, Reason
from whatsapp_backend.domain.jobs import JobState, Kind, Trigger
from whatsapp_backend.domain.leases import Mode

# -- How the daemon is ---------------------------------------------------------------------------------------------

_MODE = one_of(Mode)
_STANDING = {"ready": FLAG, "mode": _MODE, "instanceId": TEXT, "timestamp": MOMENT}
_REALTIME = record(
    {
        "accountId": TEXT,
        "lastRealtimeIngestAt": nullable(MOMENT),
        "lastRealtimeMessageAt": nullable(MOMENT),
        "lastRealtimeError": nullable(TEXT),
    }
)
_CONSUMER = record({"name": TEXT, "position": COUNT, "lag": COUNT, "oldestSeconds": nullable(COUNT)})
ROOT = record(
    {
        "status": TEXT,
        "service": TEXT,
        "version": TEXT,
        "accounts": record({"total": COUNT, "connected": COUNT}),
        "endpoints": several(TEXT),
        "timestamp": MOMENT,
    }
)
READY = record(_STANDING, {"reason": TEXT, "heldBy": TEXT})
DIAG = record({**_STANDING, "firestoreConnected": FLAG, "latestRealtime": several(_REALTIME)})
HEALTH = record(
    {
        "ok": FLAG,
        "status": one_of(["healthy", "degraded"]),
        "reason": nullable(TEXT),
        "mode": _MODE,
        "service": TEXT,
        "version": TEXT,
        "instanceId": TEXT,
        "bootTimestamp": MOMENT,
        "uptime": WHOLE,
        "timestamp": MOMENT,
        "requestId": TEXT,
        "accounts_total": COUNT,
        "connected": COUNT,
        "firestore": record({"status": one_of(["connected", "disconnected"])}),
        "parked": COUNT,
        "debts": record({"open": COUNT, "oldestSeconds": nullable(COUNT), "closed": counts()}),
    }
)
CONSUMERS = record(
    {"journalEnd": COUNT, "consumers": several(_CONSUMER), "parked": COUNT, "asOf": nullable(MOMENT)}, {"reason": TEXT}
)

# -- Accounts ------------------------------------------------------------------------------------------------------

_ACCOUNT = record(
    {
        "id": TEXT,
        "name": TEXT,
        "phone": TEXT,
        "status": TEXT,
        "lastError": nullable(TEXT),
        "passiveModeReason": nullable(TEXT),
        "createdAt": MOMENT,
        "caughtUp": FLAG,
        "hearing": nullable(TEXT),
        "pausedUntil": nullable(MOMENT),
    }
)
ACCOUNTS = success({"accounts": several(_ACCOUNT), "count": COUNT, "requestId": TEXT})
ACCOUNT = success({"account": _ACCOUNT})
STATUS = success({"accountId": TEXT, "status": TEXT})
NAMED = success({"accountId": TEXT, "name": TEXT})
PAIRING = success({"status": TEXT})
QR = success({"status": TEXT, "qr": nullable(TEXT)})
ACCOUNT_HEALTH = success(
    {
        "accountId": TEXT,
        "name": TEXT,
        "status": TEXT,
        "healthy": FLAG,
        "reason": nullable(TEXT),
        "caughtUp": FLAG,
        "lastConnectedAt": nullable(MOMENT),
        "lastDisconnectedAt": nullable(MOMENT),
        "lastDisconnectCode": nullable(WHOLE),
        "lastDisconnectReason": nullable(TEXT),
        "retryCount": COUNT,
        "nextRetryAt": nullable(MOMENT),
        "lastRealtimeIngestAt": nullable(MOMENT),
        "lastRealtimeMessageAt": nullable(MOMENT),
        "lastRealtimeError": nullable(TEXT),
    }
)

# -- Conversations -------------------------------------------------------------------------------------------------

THREADS = page("threads", DOCUMENT)
MESSAGES = page("messages", DOCUMENT, {"thread": DOCUMENT})
HISTORY_PAGE = success({"request": TEXT, "messages": COUNT, "result": TEXT, "end": nullable(WHOLE)})
_HISTORY_COUNT = record({"new": COUNT, "known": COUNT})
HISTORY_PLAN = success(
    {
        "dryRun": FLAG,
        "plan": record(
            {
                "messages": _HISTORY_COUNT,
                "threads": _HISTORY_COUNT,
                "contacts": _HISTORY_COUNT,
                "heldBack": COUNT,
                "writes": COUNT,
                "costUsd": MONEY,
            }
        ),
        "requestId": TEXT,
    }
)

# -- Runs ----------------------------------------------------------------------------------------------------------

_PLAN = record(
    {
        "threads": COUNT,
        "gaps": COUNT,
        "requests": COUNT,
        "writes": COUNT,
        "costUsd": MONEY,
        "mostWrites": nullable(COUNT),
        "mostCostUsd": nullable(MONEY),
    }
)
_WORK = record(
    dict.fromkeys(
        ("threads", "requests", "unanswered", "fetched", "stored", "duplicates", "gapsClosed", "errors"), COUNT
    )
)
_RESULT = record({"threadId": TEXT, "status": TEXT, "fetched": COUNT}, {"error": TEXT})
_JOB = record(
    {
        "id": TEXT,
        "accountId": TEXT,
        "kind": one_of(Kind),
        "trigger": one_of(Trigger),
        "state": one_of(JobState),
        "dryRun": FLAG,
        "since": nullable(MOMENT),
        "until": nullable(MOMENT),
        "chats": several(TEXT),
        "progress": _WORK,
        "results": several(_RESULT),
        "plan": nullable(_PLAN),
        "errorCode": nullable(TEXT),
        "errorMessage": nullable(TEXT),
        "createdAt": nullable(MOMENT),
        "startedAt": nullable(MOMENT),
        "beatAt": nullable(MOMENT),
        "endedAt": nullable(MOMENT),
        "durationMs": nullable(COUNT),
    }
)
JOB = success({"job": _JOB})
JOBS = page("jobs", _JOB, {"pausedUntil": nullable(MOMENT)})
BACKFILL = success({"message": TEXT, "accountId": TEXT, "jobId": TEXT}, {"plan": nullable(_PLAN)})
RESYNC = success(
    {
        "data": record(
            {"accountId": TEXT, "since": nullable(MOMENT), "until": nullable(MOMENT), "jobId": TEXT, "message": TEXT},
            {"plan": nullable(_PLAN)},
        )
    }
)
_STATS = record(dict.fromkeys(("threads", "messages", "errors"), COUNT) | {"durationMs": nullable(COUNT)})
BACKFILL_STATUS = success(
    {
        "accountId": TEXT,
        "lastBackfillAt": nullable(MOMENT),
        "lastBackfillStatus": nullable(one_of(["running", "success", "error"])),
        "lastBackfillError": nullable(TEXT),
        "lastBackfillStats": nullable(_STATS),
        "jobId": nullable(TEXT),
    }
)

# -- What is missing -----------------------------------------------------------------------------------------------

_SPAN = {"from": nullable(MOMENT), "until": nullable(MOMENT), "fromMs": WHOLE, "untilMs": WHOLE}
_POINT = record({"id": nullable(TEXT), "at": nullable(MOMENT), "ms": WHOLE})
_GAP = record(
    {
        "threadId": TEXT,
        "number": COUNT,
        "state": one_of(GapState),
        "reason": one_of(Reason),
        **_SPAN,
        "below": nullable(_POINT),
        "above": _POINT,
        "openedAt": nullable(MOMENT),
        "tried": COUNT,
        "rounds": COUNT,
        "nextAt": nullable(MOMENT),
    }
)
_OFFLINE = record(
    {
        "connection": COUNT,
        "openedAt": nullable(MOMENT),
        "announced": nullable(COUNT),
        "received": nullable(COUNT),
        "lost": COUNT,
    }
)
_ANNOUNCED = record(
    {
        "missingChunks": several(record({"syncType": nullable(WHOLE), "orders": several(WHOLE)})),
        "progress": several(record({"syncType": nullable(WHOLE), "percent": WHOLE})),
        "lostOffline": several(_OFFLINE),
    }
)
_REQUEST = record(
    {
        "id": TEXT,
        "threadId": TEXT,
        "gap": COUNT,
        "anchor": _POINT,
        "count": COUNT,
        "came": COUNT,
        "askedAt": nullable(MOMENT),
    }
)
GAPS = page(
    "gaps",
    _GAP,
    {
        "accountId": TEXT,
        "counts": record({"byState": counts(), "byReason": counts()}),
        "announced": _ANNOUNCED,
        "phone": record({"unanswered": COUNT, "askedAt": nullable(MOMENT), "pausedUntil": nullable(MOMENT)}),
        "requests": several(_REQUEST),
    },
)
_RANGE = record(_SPAN)
THREAD_GAPS = success(
    {
        "accountId": TEXT,
        "threadId": TEXT,
        "chat": TEXT,
        "contiguous": nullable(_RANGE),
        "covered": several(_RANGE),
        "proven": several(
            record({**_SPAN, "fromId": nullable(TEXT), "untilId": nullable(TEXT), "proof": one_of(Proof)})
        ),
        "claimed": several(record({**_SPAN, "proof": one_of(Proof)})),
        "doubts": several(record({**_SPAN, "reason": one_of(Reason)})),
        "owed": several(_POINT),
        "withdrawn": COUNT,
        "gapsEver": COUNT,
        "gaps": several(_GAP),
    }
)
RESET = success({"message": TEXT, "threadId": TEXT})
_DEBT = record(
    {
        "threadId": TEXT,
        "messageId": TEXT,
        "kind": TEXT,
        "since": nullable(MOMENT),
        "tries": COUNT,
        "nextAt": nullable(MOMENT),
    }
)
DEBTS = page("debts", _DEBT, {"accountId": TEXT})
_STRETCH = record({"fromMs": WHOLE, "untilMs": WHOLE, "proof": one_of(Proof)})
_MAPPED_GAP = record(
    {
        "number": COUNT,
        "state": one_of(GapState),
        "reason": one_of(Reason),
        "fromMs": WHOLE,
        "untilMs": WHOLE,
        "deep": FLAG,
        "openedAt": nullable(MOMENT),
        "rounds": COUNT,
        "nextAt": nullable(MOMENT),
    }
)
_MAPPED = record(
    {
        "threadId": TEXT,
        "name": TEXT,
        "newestAt": nullable(MOMENT),
        "covered": several(_STRETCH),
        "gaps": several(_MAPPED_GAP),
        "filling": COUNT,
        "owed": several(record({"at": nullable(MOMENT), "ms": WHOLE})),
    }
)
COVERAGE = page("threads", _MAPPED, {"accountId": TEXT})
PAUSED = success({"accountId": TEXT, "pausedUntil": nullable(MOMENT)})
_PARKED = record({"accountId": TEXT, "seq": COUNT, "part": COUNT, "consumer": TEXT, "reason": TEXT})
PARKED = page("parked", _PARKED)
REPLAYED = success({"landed": COUNT, "parked": COUNT, "nextCursor": nullable(TEXT)})
