"""What is sent to break the daemon: too large, too deep, no JSON, or JSON that two readers read differently."""

from __future__ import annotations

import gzip
import json

import pytest
from backend import SHOP, raw, refused

RESYNC, SESSION = f"/api/whatsapp/resync/{SHOP}", "/api/session"
LIMIT = 256 * 1024


def of_size(size):
    body = json.dumps({"since": "2h", "jobId": "J1", "chats": None, "x": ""})
    body = body.replace(', "x": ""', "")
    return body[:-1] + " " * (size - len(body)) + "}"


@pytest.mark.parametrize("path", [RESYNC, SESSION, "/api/whatsapp/add-account"])
async def test_a_body_that_is_too_large_is_not_taken(api, backend, path):
    answer = await api.post(path, data=of_size(LIMIT + 1))
    await refused(answer, 413, "request_entity_too_large")
    assert backend.runs.known == {}


async def test_one_that_just_fits_is(api):
    assert (await api.post(RESYNC, data=of_size(LIMIT))).status == 200


async def test_it_is_measured_also_where_its_size_is_not_said(api):
    async def pieces():
        for _ in range(5):
            yield b" " * 65_536

    await refused(await api.post(RESYNC, data=pieces()), 413, "request_entity_too_large")


async def test_and_after_it_was_unpacked(api):
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < LIMIT
    answer = await api.post(RESYNC, data=bomb, headers={"Content-Encoding": "gzip"})
    await refused(answer, 413, "request_entity_too_large")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        '"text"',
        '{"since": NaN}',
        '{"since": Infinity}',
        '{"since": "2h", "x": -Infinity}',
        '{"since": "\\ud800"}',
        '{"\\udfff": 1}',
        '{"since": "2h", "since": "3h"}',
        '{"since": "2h", "s\\u0069nce": "3h"}',
        '{"since": "2h", "chats": [{"a": 1, "a": 1}]}',
        '{"since": "2h",}',
        "{'since': '2h'}",
        '{"since": "2h"} {}',
        '{"since": "2h"}\x00',
        '\ufeff{"since": "2h"}',
        '{"x": ' * 100_00 + "1" + "}" * 100_00,
        '{"x": ' + "[" * 900 + "]" * 900 + "}",
        '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"x": ' + "9" * 5_000 + "}",
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_what_is_no_json_object_of_which_all_think_the_same_is_a_400(api, backend, body):
    for path in (RESYNC, SESSION, "/api/whatsapp/add-account"):
        if body or path != RESYNC:  # there all fields may be left out
            await refused(await api.post(path, data=body.encode()), 400, "bad_request")
    assert backend.runs.known == {}


@pytest.mark.parametrize(
    "body", [b"\xff\xfe{}", b'{"since": "\xc3"}', b'{"since": "\xed\xa0\x80"}', "{}".encode("utf-16")]
)
async def test_what_is_no_utf8_is_a_400(api, body):
    await refused(await api.post(RESYNC, data=body), 400, "bad_request")


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: -1",
        "Content-Length: 1e3",
        "Content-Length: 5\nContent-Length: 6",
        "Transfer-Encoding: chunked\nContent-Length: 5",
        "Transfer-Encoding: identity",
    ],
)
async def test_a_body_whose_end_can_be_read_in_two_ways_is_a_400(api, head):
    status, _ = await raw(api, f"POST {RESYNC} HTTP/1.1\n{head}\n\nhello")
    assert status == 400
    assert (await api.get("/ready")).status == 200
