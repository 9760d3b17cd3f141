"""The runbook's commands as it prints them, host and token aside, by the real curl against a real port.

Shown there: `curl -s …/ready | jq`, `curl -s …/diag | jq`, `curl … /health | jq .firestore.status`,
`curl -X POST "…/api/whatsapp/backfill/{accountId}"`; and, as requests with their answers, threads, messages, the two
backfills and the admin's status of the last one.
"""

import asyncio
import json
import shutil

import pytest
from backend import NOW_MS, SHOP, THREAD, at

from whatsapp_backend.domain.jobs import JobState, Work

TOKEN = "admin-token"
pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="apt-get install curl")


@pytest.fixture
def admin_token():
    return TOKEN


@pytest.fixture
async def curl(api, backend):
    """Runs curl with these arguments and the address; what it printed, as JSON."""
    path = f"threads/{THREAD}"
    jid = THREAD.partition("__")[2]
    told = {"lastMessagePreview": "Hello...", "displayName": "Ana", "lastBackfillAt": at(3)}
    await backend.put(path, accountId=SHOP, clientJid=jid, lastMessageAt=at(2), **told)
    await backend.put(
        f"{path}/messages/3EB0AA",
        accountId=SHOP,
        clientJid=jid,
        direction="inbound",
        body="message text",
        waMessageId="3EB0AA",
        status="delivered",
        messageType="text",
        tsClient=at(2),
        tsServer=at(3),
        createdAt=at(3),
        syncedAt=at(3),
        syncSource="history_sync",
    )

    async def run(*arguments):
        *options, path = arguments
        headers = ["-H", f"Authorization: Bearer {TOKEN}"]
        process = await asyncio.create_subprocess_exec(
            *("curl", *options, *headers, f"http://127.0.0.1:{api.port}{path}"), stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(20):
            out, _ = await process.communicate()
        assert process.returncode == 0
        return json.loads(out)

    return run


async def test_ready(curl):
    answer = await curl("-s", "/ready")
    assert (answer["ready"], answer["mode"], answer["instanceId"]) == (True, "active", "test-1")
    assert "timestamp" in answer


async def test_diag(curl):
    answer = await curl("-s", "/diag")
    assert {"ready", "mode", "instanceId", "firestoreConnected", "latestRealtime", "timestamp"} == answer.keys()


async def test_health_tells_firestores_status_where_the_runbook_looks_for_it(curl):
    assert (await curl("-s", "/health"))["firestore"]["status"] == "connected"


async def test_the_manual_backfill(curl):
    answer = await curl("-s", "-X", "POST", f"/api/whatsapp/backfill/{SHOP}")
    printed = {"success": True, "message": "Backfill started (runs asynchronously)", "accountId": SHOP}
    assert answer.items() >= printed.items()


async def test_the_admins_backfill_and_what_came_of_it(curl, backend):
    answer = await curl("-s", "-X", "POST", f"/api/admin/backfill/{SHOP}")
    assert answer.items() >= {"success": True, "message": "Backfill enqueued", "accountId": SHOP}.items()
    done = {"state": JobState.DONE, "started_at_ms": NOW_MS, "ended_at_ms": NOW_MS + 1_500}
    backend.runs.put(answer["jobId"], work=Work(threads=2, fetched=40), **done)
    status = await curl("-s", f"/api/admin/backfill/{SHOP}/status")
    assert status["lastBackfillAt"] == "2026-11-22T06:19:32.500Z"
    assert (status["lastBackfillStatus"], status["lastBackfillError"]) == ("success", None)
    assert status["lastBackfillStats"] == {"threads": 2, "messages": 40, "errors": 0, "durationMs": 1500}


async def test_threads(curl):
    answer = await curl("-s", f"/api/whatsapp/threads/{SHOP}?limit=50&orderBy=lastMessageAt")
    assert (answer["success"], answer["count"]) == (True, 1)
    printed = {"id", "accountId", "clientJid", "lastMessageAt", "lastMessagePreview", "displayName", "lastBackfillAt"}
    assert printed <= answer["threads"][0].keys()
    assert answer["threads"][0]["lastMessageAt"] == {"_seconds": 2, "_nanoseconds": 0}, "FirestoreTimestamp"


async def test_messages(curl):
    answer = await curl("-s", f"/api/whatsapp/messages/{SHOP}/{THREAD}?limit=50&orderBy=createdAt")
    assert (answer["success"], answer["count"]) == (True, 1)
    assert {"id", "accountId", "clientJid", "lastMessageAt"} <= answer["thread"].keys()
    (message,) = answer["messages"]
    printed = {"id", "accountId", "clientJid", "direction", "body", "waMessageId", "status", "messageType", "tsClient"}
    assert printed | {"tsServer", "createdAt", "syncedAt", "syncSource"} <= message.keys()
    assert (message["id"], message["tsClient"]) == ("3EB0AA", "1970-01-01T00:00:02.000Z")
