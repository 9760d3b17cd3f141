"""Tokens and session ids stand in no answer and in no log line, whatever goes wrong."""

from __future__ import annotations

import io
import logging
from typing import NamedTuple

import pytest
import structlog
from backend import SHOP, raw
from doors import ADMIN_TOKEN, OBS_TOKEN, Doors, behind_the_gate

from whatsapp_backend.api.routes import Access, get, post
from whatsapp_backend.api.server import serving
from whatsapp_backend.api.signing_in import SigningIn
from whatsapp_backend.api.who import Role
from whatsapp_backend.cli.logs import configure_logs
from whatsapp_backend.testing.memory_documents import Fault

WRONG = "wrong-token-that-nobody-may-read-anywhere"


@pytest.fixture
def log():
    """Everything that is logged in the test, as the daemon writes it."""
    handlers, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    configure_logs(debug=True, stream=stream)
    structlog.configure(cache_logger_on_first_use=False)  # else what is logged first would log here for ever
    yield stream
    structlog.reset_defaults()
    logging.root.handlers[:], logging.root.level = handlers, level


async def fail(request):
    """A bug, with the request at hand."""
    secret = request.headers.get("Authorization")
    await request.read()
    raise RuntimeError(f"something is wrong with {len(secret or '')} characters")


class Listening(NamedTuple):
    """Where a server is."""

    host: str
    port: int


class Telling(Doors):
    """Somebody who keeps all that he was told, and knows all secrets that he used."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.told = ""
        self.secrets = {ADMIN_TOKEN, OBS_TOKEN, WRONG}

    async def ask(self, door, method, path, **more) -> int:
        answer = await door.request(method, path, **more)
        self.told += await answer.text()
        self.told += "\n".join(f"{name}: {value}" for name, value in answer.headers.items() if name != "Set-Cookie")
        return answer.status

    async def everywhere(self, door, token, path) -> list[int]:
        """Send this token in all the ways there are."""
        self.secrets.add(token)
        ways = (
            {"headers": {"Authorization": f"Bearer {token}"}},
            {"headers": {"Authorization": token}},
            {"headers": {"Authorization": f"Basic {token}"}},
            {"headers": {"X-Internal-Token": token}},
            {"cookies": {"wb_session": token}},
        )
        answers = [await self.ask(door, "GET", path, **way) for way in ways]
        answers.append(await self.ask(door, "POST", "/api/session", json={"token": token}))
        await self.clock.advance(61)
        door.session.cookie_jar.clear()
        return answers


@pytest.fixture
async def telling(backend):
    telling = Telling(backend)
    await telling.stock()
    return telling


@pytest.fixture
async def door(telling, aiohttp_client, log):
    routes = [
        *SigningIn(telling.gate).routes(),
        get("/look/{account}", fail),
        get("/watched", fail, Access.WATCHER),
        post("/admin", fail, Access.ADMIN),
        get("/anybody", fail, Access.ANYBODY),
    ]
    return await aiohttp_client(behind_the_gate(routes, telling.gate, telling.backend))


async def test_no_token_stands_in_an_answer_or_in_the_log(telling, door, log):
    statuses = set()
    people = [telling.headers(sender) for sender in ("staff", "stranger", "one whose time is over")]
    tokens = [ADMIN_TOKEN, OBS_TOKEN, WRONG, *(one["Authorization"].removeprefix("Bearer ") for one in people)]
    for token in tokens:
        for path in (f"/look/{SHOP}", "/watched", "/admin", "/anybody", "/nowhere"):
            statuses |= set(await telling.everywhere(door, token, path))
    for _ in range(11):
        statuses.add(await telling.ask(door, "GET", "/watched", headers={"Authorization": f"Bearer {WRONG}"}))
    await telling.clock.advance(61)
    telling.backend.documents.inject(Fault.UNAVAILABLE)
    statuses |= set(await telling.everywhere(door, tokens[3], f"/look/{SHOP}"))
    assert statuses == {200, 401, 403, 404, 405, 429, 500, 503}
    lines = log.getvalue()
    assert "too_many_wrong_tokens" in lines
    assert "Traceback" in lines
    assert "RuntimeError" in lines
    for secret in telling.secrets:
        assert secret not in telling.told
        assert secret not in lines


async def test_nor_does_the_id_of_a_session(telling, door, log):
    answer = await door.post("/api/session", json={"token": ADMIN_TOKEN})
    cookie = answer.cookies["wb_session"].value
    door.session.cookie_jar.clear()
    for path in ("/admin", "/watched", "/anybody", f"/look/{SHOP}", "/nowhere"):
        await telling.ask(door, "POST" if path == "/admin" else "GET", path, cookies={"wb_session": cookie})
    assert (await answer.text()).find(cookie) == -1
    assert "Traceback" in log.getvalue()
    assert cookie not in telling.told + log.getvalue()


@pytest.mark.parametrize(
    "request_text",
    [
        "GET / HTTP/1.1\nAuthorization: Bearer {}\x00",
        "GET / HTTP/1.1\nAuthorization : Bearer {}",
        "GET / HTTP/1.1\nAuthorization: Bearer {}\x7f",
    ],
)
async def test_what_is_no_http_is_quoted_nowhere(telling, log, request_text):
    """aiohttp would quote it."""
    app = behind_the_gate(SigningIn(telling.gate).routes(), telling.gate, telling.backend)
    async with serving(app, host="127.0.0.1", port=0) as port:
        status, answer = await raw(Listening("127.0.0.1", port), request_text.format(ADMIN_TOKEN))
    assert status == 400
    assert "BadHttpMessage" in log.getvalue()
    assert ADMIN_TOKEN not in log.getvalue()
    assert ADMIN_TOKEN not in str(answer)


def test_nor_do_the_parts_that_hold_them(telling):
    session_id, _ = telling.gate.sessions.begin(Role.ADMIN)
    told = repr(telling.gate)
    assert not [secret for secret in {*telling.secrets, session_id} if secret in told]
