"""Who may ask, and that every refusal is a JSON answer."""

import pytest
from backend import SHOP, raw, refused
from doors import asked_for

from whatsapp_backend.errors import DocumentsUnavailable, StoreUnwell


async def test_no_route_answers_under_the_name_of_somebody_else(api, backend):
    routes = asked_for(api.app)
    assert len(routes) > 20
    for method, path in routes:
        answer = await api.request(method, path, headers={"Host": "evil.example"})
        assert "localhost" in await refused(answer, 403, "forbidden_host")
    assert backend.desk.resumed == []
    assert backend.runs.known == {}
    assert backend.distrusted == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.0.0.2:8080", "[::1]", "[::1]:8080"]
)
async def test_names_of_this_machine_are_ours_whatever_the_port(api, host):
    assert (await api.get("/ready", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example#localhost",
        "evil@localhost",
        "localhost@evil.example",
        "localhost/",
        "localhost.",
        "0.0.0.0",
        "10.0.0.1",
        "2130706433",
        "::1",
        "[::1",
        "[::2]",
        "[evil.example]",
        "127.0.0.1:port",
        "localhost:8080:8080",
        "127.0.0.1, evil.example",
        "",
    ],
)
async def test_other_names_are_not(api, host):
    status, answer = await raw(api, "GET /ready HTTP/1.1", host=host)
    assert (status, answer["error"]) == (403, "forbidden_host")


async def test_a_request_that_names_no_host_is_refused(api):
    assert (await raw(api, "GET /ready HTTP/1.0", host=None))[0] == 403


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("path", ["/api/whatsapp/accounts", "/api/whatsapp/add-account", "/nowhere"])
async def test_pages_from_elsewhere_may_use_no_method_of_any_route(api, method, path):
    answer = await api.request(method, path, headers={"Origin": "https://evil.example"})
    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "http://localhost:8080",
        "https://127.0.0.1:8081",
        "ftp://127.0.0.1:8080",
        "http://127.0.0.1:8081",
        "http://127.0.0.1",
        "http://user@127.0.0.1:8080",
        "http://[::1",
        "127.0.0.1:8080",
        "",
    ],
)
async def test_another_origin_than_our_own_is_refused(api, origin):
    headers = {"Host": "127.0.0.1:8080", "Origin": origin}
    await refused(await api.get("/api/whatsapp/accounts", headers=headers), 403, "forbidden_origin")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "localhost"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_our_own_page_may_ask_also_where_a_proxy_before_us_speaks_tls(api, host, scheme):
    headers = {"Host": host, "Origin": f"{scheme}://{host}"}
    assert (await api.post(f"/api/whatsapp/regenerate-qr/{SHOP}", headers=headers)).status == 200


async def test_a_second_host_is_refused(api):
    assert (await raw(api, "GET /ready HTTP/1.1\nHost: evil.example"))[0] in (400, 403)


@pytest.mark.parametrize(
    "line", ["GET /é HTTP/1.1", "GET", "GET /ready HTTP/9.9", "G\x00T /ready HTTP/1.1", "\x16\x03\x01"]
)
async def test_what_is_no_http_is_a_400_and_not_the_end(api, line):
    assert (await raw(api, line))[0] == 400
    assert (await api.get("/ready")).status == 200


@pytest.mark.parametrize("path", ["/nowhere", "/api/whatsapp", "/api/whatsapp/qr/", "/ready/", "/x//ready"])
async def test_an_unknown_route_is_a_json_404(api, path):
    answer = await api.get(path)
    assert "GET / lists all" in (await answer.json())["message"]
    await refused(answer, 404, "not_found")


async def test_a_method_that_a_route_does_not_know_is_a_json_405_that_names_those_it_knows(api):
    answer = await api.delete("/api/whatsapp/accounts")
    await refused(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


async def test_the_callers_request_id_is_given_back(api):
    answer = await api.get("/health", headers={"X-Request-ID": "abc-1"})
    assert answer.headers["X-Request-ID"] == (await answer.json())["requestId"] == "abc-1"


@pytest.mark.parametrize("given", ["two words", "x" * 129, "é", ""])
async def test_what_can_be_no_request_id_is_replaced(api, given):
    answer = await api.get("/health", headers={"X-Request-ID": given})
    assert len(answer.headers["X-Request-ID"]) == 32


@pytest.mark.parametrize(
    ("trouble", "status", "error"),
    [
        (StoreUnwell("the disk is full"), 503, "store_unwell"),
        (DocumentsUnavailable(), 503, "firestore_unavailable"),
        (RuntimeError("hush"), 500, "internal_error"),
    ],
)
async def test_what_fails_behind_us_is_a_json_answer_that_names_it(api, backend, trouble, status, error):
    backend.desk.trouble = trouble
    answer = await api.post("/api/whatsapp/add-account", json={"phone": "+15550003333", "name": "New"})
    assert "hush" not in await refused(answer, status, error)
