"""What operators and machines ask: always answered, and truthfully."""

import asyncio
from dataclasses import replace

import pytest
from backend import OTHER, SHOP, at

from whatsapp_backend.api.health import Health
from whatsapp_backend.api.server import application

PATHS = ["/ready", "/diag", "/health", "/health/consumers"]


async def json_of(api, path):
    async with asyncio.timeout(1.0), api.get(path) as answer:
        assert answer.status == 200
        return await answer.json()


async def test_all_is_well(api):
    assert await json_of(api, "/ready") == {
        "ready": True,
        "mode": "active",
        "instanceId": "test-1",
        "timestamp": "2026-11-22T06:19:31.000Z",
    }
    health = await json_of(api, "/health")
    assert (health["ok"], health["status"], health["firestore"]) == (True, "healthy", {"status": "connected"})
    assert (health["accounts_total"], health["connected"], health["parked"]) == (2, 2, 1)
    assert health["bootTimestamp"] == health["timestamp"]


async def test_the_lag_of_each_consumer_is_told(api):
    assert await json_of(api, "/health/consumers") == {
        "journalEnd": 42,
        "consumers": [{"name": "documents", "position": 40, "lag": 2, "oldestSeconds": 7}],
        "parked": 1,
        "asOf": "2026-11-22T06:19:31.000Z",
    }


async def test_the_root_lists_what_can_be_asked(api):
    answer = await json_of(api, "/")
    assert answer["accounts"] == {"total": 2, "connected": 2}
    assert "GET /api/whatsapp/messages/{account}/{thread}" in answer["endpoints"]


async def test_trouble_is_named_and_is_no_error(api, backend):
    backend.ward.now = replace(backend.ward.now, trouble="Firestore has not answered yet", firestore_connected=False)
    ready = await json_of(api, "/ready")
    assert (ready["ready"], ready["reason"]) == (False, "Firestore has not answered yet")
    diag = await json_of(api, "/diag")
    assert (diag["ready"], diag["firestoreConnected"]) == (False, False)
    health = await json_of(api, "/health")
    assert (health["ok"], health["status"], health["firestore"]["status"]) == (False, "degraded", "disconnected")


@pytest.mark.parametrize("path", PATHS)
async def test_an_answer_comes_within_a_second_also_when_the_store_hangs(api, backend, path):
    backend.ward.hangs = True
    answer = await json_of(api, path)
    if "ready" in answer:
        assert answer["ready"] is False


@pytest.mark.parametrize("path", PATHS)
async def test_an_answer_comes_also_when_we_have_a_bug(api, backend, path):
    backend.ward.trouble = RuntimeError("of +15550001111")
    await json_of(api, path)
    reason = (await json_of(api, "/ready"))["reason"]
    assert "RuntimeError" in reason
    assert "15550001111" not in reason


async def test_a_second_after_the_boot_is_a_second_of_uptime(backend, aiohttp_client):
    now = iter([1_000, *[3_500] * 10])
    api = await aiohttp_client(application(Health(backend.ward, instance_id="x", wall_ms=lambda: next(now)).routes()))
    assert (await json_of(api, "/health"))["uptime"] == 2


async def test_diag_shows_live_ingestion_of_connected_accounts_and_hides_who_they_are(api, backend):
    backend.ward.seen[SHOP] = {
        "lastRealtimeIngestAt": at(1, 500_000),
        "lastRealtimeMessageAt": at(0),
        "lastRealtimeError": None,
    }
    backend.desk.change(OTHER, status="needs_qr")
    answer = await json_of(api, "/diag")
    (shown,) = answer["latestRealtime"]
    assert shown.pop("accountId").endswith(f":{len(SHOP)}")
    assert SHOP not in str(answer)
    assert shown == {
        "lastRealtimeIngestAt": "1970-01-01T00:00:01.500Z",
        "lastRealtimeMessageAt": "1970-01-01T00:00:00.000Z",
        "lastRealtimeError": None,
    }


async def test_diag_shows_three_accounts_at_most(api, backend):
    for number in range(5):
        backend.desk.known[str(number)] = replace(backend.desk.known[SHOP], account=str(number))
    assert len((await json_of(api, "/diag"))["latestRealtime"]) == 3
