"""What an instance answers that may not work: how it is, what it knows, and 503 to whoever wants something done."""

import pytest
from backend import SHOP, THREAD, refused
from test_guard import ROUTES

from whatsapp_backend.api.server import application
from whatsapp_backend.api.standby import Standby
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.leases import Mode, Standing

HELD = Standing(mode=Mode.PASSIVE, reason="instance server-2 owns every account", held_by="server-2")
CUT_OFF = Standing(mode=Mode.PASSIVE, reason="Firestore does not answer for leases")
SIGNING_IN = "/api/session"
CHANGING = [(method, path) for method, path in ROUTES if method != "GET" and path != SIGNING_IN]


@pytest.mark.parametrize("standing", [HELD, CUT_OFF])
async def test_the_mode_is_told_with_its_reason_and_who_has_the_accounts(api, backend, standing):
    backend.ward.stands = standing
    ready, diag, health = [await (await api.get(path)).json() for path in ("/ready", "/diag", "/health")]
    assert (ready["ready"], ready["mode"], ready["reason"]) == (False, "passive", standing.reason)
    assert ready.get("heldBy") == standing.held_by
    assert (diag["ready"], diag["mode"], health["mode"]) == (False, "passive", "passive")
    assert (health["ok"], health["reason"]) == (True, standing.reason)


@pytest.mark.parametrize("standing", [HELD, CUT_OFF])
@pytest.mark.parametrize(("method", "path"), CHANGING)
async def test_whatever_changes_something_is_refused(api, backend, method, path, standing):
    backend.ward.stands = standing
    answer = await api.request(method, path, json={"phone": "+15550003333", "name": "New"})
    body = await answer.json()
    assert standing.reason in await refused(answer, 503, "instance_passive")
    assert answer.headers["Retry-After"] == "15"
    assert {name: body[name] for name in body if name not in ("message", "requestId")} == {
        "success": False,
        "error": "instance_passive",
        "mode": "passive",
        "waMode": "passive",
        "instanceId": "test-1",
        "holderInstanceId": standing.held_by,
        "retryAfterSeconds": 15,
    }
    assert (len(backend.desk.known), backend.desk.resumed, backend.bridge.asked) == (2, [], [])


async def test_what_only_reads_is_answered(api, backend):
    backend.ward.stands = HELD
    await backend.put(f"threads/{THREAD}", accountId=SHOP)
    for path in ("accounts", f"qr/{SHOP}", f"threads/{SHOP}", f"messages/{SHOP}/{THREAD}"):
        assert (await api.get(f"/api/whatsapp/{path}")).status == 200


async def test_whoever_looks_after_it_may_sign_in_and_out(api, backend):
    backend.ward.stands = HELD
    assert (await api.post(SIGNING_IN, json={"token": "any"})).status == 200
    assert (await api.delete(SIGNING_IN)).status == 200


async def test_what_does_not_exist_does_not_exist(api, backend):
    backend.ward.stands = HELD
    assert (await api.post("/nowhere")).status == 404
    assert (await api.delete("/ready")).status == 405


async def test_a_standby_tells_how_it_is_and_refuses_everything_else(aiohttp_client):
    standby = Standby("7")
    api = await aiohttp_client(application(standby.routes(instance_id="b", clock=SystemClock())))
    for path in ("/ready", "/diag", "/health"):
        answer = await (await api.get(path)).json()
        assert (answer["mode"], answer["instanceId"]) == ("passive", "b")
    assert "process 7" in (await (await api.get("/ready")).json())["reason"]
    for method, path in [*ROUTES[5:], ("GET", "/nowhere"), ("DELETE", "/ready")]:
        assert "process 7" in await refused(await api.request(method, path), 503, "instance_passive")
    assert (await api.get("/ready", headers={"Host": "evil.example"})).status == 403
