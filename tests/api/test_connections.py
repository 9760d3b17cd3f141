"""One account's connection: how it fares, its name, its end and its beginning."""

import pytest
from backend import NOW_MS, OTHER, SHOP, at, refused

from whatsapp_backend.errors import StoreUnwell

HEALTH = f"/api/whatsapp/accounts/{SHOP}/health"
NAME = f"/api/whatsapp/accounts/{SHOP}/name"
DISCONNECT = [f"/api/whatsapp/disconnect/{SHOP}", f"/api/admin/account/{SHOP}/disconnect"]
RECONNECT = [f"/api/whatsapp/reconnect/{SHOP}", f"/api/admin/account/{SHOP}/reconnect"]


async def test_a_connected_account_is_healthy_and_tells_of_its_last_live_message(api, backend):
    backend.desk.change(SHOP, caught_up=True, last_connected_at_ms=NOW_MS)
    backend.ward.seen[SHOP] = {"lastRealtimeIngestAt": at(5), "lastRealtimeMessageAt": at(4)}
    answer = await (await api.get(HEALTH)).json()
    assert answer == {
        "success": True,
        "accountId": SHOP,
        "name": "Shop",
        "status": "connected",
        "healthy": True,
        "reason": None,
        "caughtUp": True,
        "lastConnectedAt": "2026-11-22T06:19:31.000Z",
        "lastDisconnectedAt": None,
        "lastDisconnectCode": None,
        "lastDisconnectReason": None,
        "retryCount": 0,
        "nextRetryAt": None,
        "lastRealtimeIngestAt": "1970-01-01T00:00:05.000Z",
        "lastRealtimeMessageAt": "1970-01-01T00:00:04.000Z",
        "lastRealtimeError": None,
    }


async def test_an_account_that_is_not_connected_says_why(api, backend):
    backend.desk.change(
        SHOP, status="reconnecting", last_error="gone", retry_count=2, next_retry_at_ms=NOW_MS, last_disconnect_code=428
    )
    answer = await (await api.get(HEALTH)).json()
    assert (answer["healthy"], answer["reason"], answer["retryCount"]) == (False, "gone", 2)
    assert (answer["nextRetryAt"], answer["lastDisconnectCode"]) == ("2026-11-22T06:19:31.000Z", 428)
    backend.desk.change(SHOP, status="passive", last_error=None, passive_reason="instance two owns this account")
    assert (await (await api.get(HEALTH)).json())["reason"] == "instance two owns this account"


async def test_no_health_tells_a_number(api):
    assert "15550001111" not in await (await api.get(HEALTH)).text()


async def test_an_account_gets_another_name(api, backend):
    answer = await api.patch(NAME, json={"name": "  Front desk "})
    assert await answer.json() == {"success": True, "accountId": SHOP, "name": "Front desk"}
    assert backend.desk.known[SHOP].name == "Front desk"


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "a\nb"}, {"name": 5}, {"name": "x" * 201}, {"name": None}])
async def test_what_is_no_name_is_refused(api, backend, body):
    assert "`name`" in await refused(await api.patch(NAME, json=body), 400, "bad_request")
    assert backend.desk.known[SHOP].name == "Shop"


@pytest.mark.parametrize("path", DISCONNECT)
async def test_an_account_is_disconnected(api, path):
    answer = await api.post(path)
    assert await answer.json() == {"success": True, "accountId": SHOP, "status": "disconnected"}


@pytest.mark.parametrize("path", RECONNECT)
async def test_an_account_is_connected_again(api, path):
    answer = await api.post(path)
    assert await answer.json() == {"success": True, "accountId": SHOP, "status": "connecting"}


@pytest.mark.parametrize("path", [*DISCONNECT, *RECONNECT, NAME])
async def test_what_is_done_to_an_account_that_is_elsewhere_or_cannot_be_kept_is_refused(api, backend, path):
    method = "PATCH" if path == NAME else "POST"
    backend.desk.trouble = StoreUnwell("disk full")
    await refused(await api.request(method, path, json={"name": "New"}), 503, "store_unwell")
    backend.desk.change(SHOP, status="passive")
    await refused(await api.request(method, path, json={"name": "New"}), 409, "invalid_state")
    unknown = path.replace(SHOP, "account_test_0")
    await refused(await api.request(method, unknown, json={"name": "New"}), 404, "account_not_found")


async def test_both_lists_of_accounts_are_one(api):
    one, other = [await (await api.get(path)).json() for path in ("/accounts", "/api/whatsapp/accounts")]
    assert one["accounts"] == other["accounts"]
    assert [account["id"] for account in one["accounts"]] == [SHOP, OTHER]
