"""Accounts: added, listed, paired; and what comes back for rubbish."""

import json

import pytest
from aiohttp.test_utils import make_mocked_request
from backend import OTHER, SHOP, raw, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whatsapp_backend.api.routes import ROUTES
from whatsapp_backend.api.who import WHO, Role, Who

ACCOUNTS = "/api/whatsapp/accounts"
ADD = "/api/whatsapp/add-account"
GOOD = {"phone": "+1 (555) 000-3333", "name": "  Second shop 👩‍🚀 "}


async def test_an_account_is_added_and_listed(api):
    answer = await api.post(ADD, json=GOOD)
    account = (await answer.json())["account"]
    assert (account["phone"], account["name"], account["status"]) == ("+15550003333", "Second shop 👩‍🚀", "connecting")
    listed = await (await api.get("/api/whatsapp/accounts")).json()
    assert (listed["success"], listed["count"]) == (True, 3)
    assert listed["accounts"][-1] == account
    names = {"id", "name", "phone", "status", "lastError", "passiveModeReason", "createdAt", "caughtUp"}
    names |= {"pausedUntil", "hearing"}
    assert account.keys() == names


async def test_the_list_of_accounts_leaves_out_those_that_the_caller_must_not_know_of(api, backend):
    (handler,) = [route.handler for route in api.app[ROUTES].values() if route.path == ACCOUNTS]
    request = make_mocked_request("GET", ACCOUNTS)
    request[WHO] = Who(role=Role.STAFF, hidden=frozenset({OTHER}))
    listed = json.loads((await handler(request)).body)
    assert ([account["id"] for account in listed["accounts"]], listed["count"]) == ([SHOP], 1)


async def test_the_list_of_accounts_holds_no_pairing_secret(api, backend):
    backend.desk.change(SHOP, status="qr_ready", qr="2@secret")
    assert "secret" not in await (await api.get("/api/whatsapp/accounts")).text()


@pytest.mark.parametrize(
    "phone",
    ["", "none", "+", "12345", "+1555000x3333", "1" * 40, "1" * 16, "+١٢٣٤٥٦٧٨", "+15550003333\n", "+0555000333"],
)
async def test_what_is_no_phone_number_is_refused(api, backend, phone):
    answer = await api.post(ADD, json={"phone": phone, "name": "New"})
    assert "country code" in await refused(answer, 400, "bad_phone")
    assert len(backend.desk.known) == 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"phone": "+15550003333"},
        {"name": "New"},
        {"phone": 15550003333, "name": "New"},
        {"phone": "+15550003333", "name": ""},
        {"phone": "+15550003333", "name": "   "},
        {"phone": "+15550003333", "name": "x" * 201},
        {"phone": "+15550003333", "name": "two\nlines"},
        {"phone": "+15550003333", "name": "nul\x00"},
        {"phone": "+15550003333", "name": ["New"]},
        {"phone": None, "name": None},
    ],
)
async def test_a_body_that_says_too_little_is_refused(api, body):
    assert "`phone`" in await refused(await api.post(ADD, json=body), 400, "bad_request")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b'{"phone": NaN, "name": "x"}',
        b'{"phone": "+15550003333", "name": "x", "more": Infinity}',
        b'{"phone": "+15550003333", "name": "\\ud800"}',
        b'{"phone": "+15550003333", "name": "\xff"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"phone": ' + b"1" * 10_000 + b"}",
        b"\xef\xbb\xbf{}",
        '{"phone": "+15550003333", "name": "x"}'.encode("utf-16"),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(api, body):
    answer = await api.post(ADD, data=body, headers={"Content-Type": "application/json"})
    await refused(answer, 400, "bad_request")


async def test_an_odd_content_type_is_no_trouble(api):
    headers = {"Content-Type": "application/json; charset=klingon"}
    assert (await api.post(ADD, data=json.dumps(GOOD), headers=headers)).status == 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200) | st.dictionaries(st.text(), st.text() | st.integers()).map(json.dumps).map(str.encode)
)
async def test_no_body_at_all_is_our_fault(api, body):
    answer = await api.post(ADD, data=body)
    assert answer.status in (200, 400)
    assert (await answer.json())["success"] is (answer.status == 200)


async def test_a_body_over_the_limit_is_refused(api):
    largest = 256 * 1024
    fits = json.dumps({"name": "x" * (largest - 12)})
    assert len(fits) == largest
    await refused(await api.post(ADD, data=fits), 400, "bad_request")
    answer = await api.post(ADD, data=fits + " " * 2)
    assert answer.status == 413
    assert (await answer.json())["success"] is False


async def test_an_account_that_waits_for_its_operator_is_paired_again(api, backend):
    backend.desk.change(SHOP, status="logged_out")
    answer = await api.post(f"/api/whatsapp/regenerate-qr/{SHOP}")
    assert await answer.json() == {"success": True, "status": "connecting"}
    assert backend.desk.resumed == [SHOP]


@pytest.mark.parametrize("status", ["connected", "qr_ready", "connecting", "pairing", "reconnecting"])
async def test_an_account_that_is_at_work_is_left_alone(api, backend, status):
    backend.desk.change(SHOP, status=status)
    answer = await api.post(f"/api/whatsapp/regenerate-qr/{SHOP}")
    assert await answer.json() == {"success": True, "status": status}
    assert backend.desk.resumed == []


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
async def test_programs_get_the_raw_code(api, backend, accept):
    backend.desk.change(SHOP, status="qr_ready", qr="2@code,with,commas")
    answer = await api.get(f"/api/whatsapp/qr/{SHOP}", headers={"Accept": accept})
    assert await answer.json() == {"success": True, "status": "qr_ready", "qr": "2@code,with,commas"}
    assert answer.headers["Cache-Control"] == "no-store"


async def test_programs_are_told_that_there_is_no_code(api):
    answer = await api.get(f"/api/whatsapp/qr/{SHOP}")
    assert await answer.json() == {"success": True, "status": "connected", "qr": None}


async def page(api, account=SHOP):
    answer = await api.get(
        f"/api/whatsapp/qr/{account}", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    )
    assert answer.status == 200
    assert answer.content_type == "text/html"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    return await answer.text()


async def test_browsers_get_a_page_with_the_code(api, backend):
    backend.desk.change(SHOP, status="qr_ready", qr="2@" + "a" * 230)
    text = await page(api)
    assert "<svg" in text
    assert "Linked devices" in text
    assert "2@" not in text
    backend.desk.change(SHOP, qr="2@" + "b" * 230)
    assert await page(api) != text


@pytest.mark.parametrize("status", ["connected", "connecting", "needs_qr", "logged_out", "something else"])
async def test_browsers_are_told_why_there_is_no_code(api, backend, status):
    backend.desk.change(SHOP, status=status)
    text = await page(api)
    assert "<svg" not in text
    assert "<p>" in text


async def test_names_and_statuses_are_text_on_the_page(api, backend):
    backend.desk.change(SHOP, name="<script>alert('{account}')</script>", status="<b>")
    text = await page(api)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "<b>" not in text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "qr"),
        ("POST", "regenerate-qr"),
        ("POST", "fetch-history"),
        ("GET", "threads"),
    ],
)
@pytest.mark.parametrize(
    "account",
    ["account_test_0", "%2F", "..", ".", "%2e%2e%2fready", "%00", "%FF", "%", "%C3%A9", "a" * 5000, "*", "%0d%0aX:1"],
)
async def test_an_unknown_account_is_a_404_however_it_is_written(api, method, path, account):
    status, answer = await raw(api, f"{method} /api/whatsapp/{path}/{account} HTTP/1.1\nContent-Length: 2\n\n{{}}")
    assert (status, answer["error"]) == (404, "not_found")
