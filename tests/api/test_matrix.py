"""Every route of the daemon, and everybody who may ask: found by walking the router, answered as its Access says."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from unittest.mock import MagicMock

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from backend import SHOP
from doors import ADMIN_TOKEN, BOSS, OBS_TOKEN, THROUGH, Doors, behind_the_gate, gate_of, let_in

from whatsapp_backend.api.routes import ROUTES, Access, Route
from whatsapp_backend.api.server import application
from whatsapp_backend.api.standby import Standby
from whatsapp_backend.settings import load
from whatsapp_backend.surfaces import Surfaces
from whatsapp_backend.testing.memory_documents import Fault

NOBODY = {Access.ANYBODY: THROUGH}
MISSING = NOBODY | dict.fromkeys([Access.STAFF, Access.WATCHER, Access.ADMIN], "401 missing_auth_token")
WRONG = NOBODY | {
    Access.STAFF: "401 unauthorized",
    Access.WATCHER: "403 forbidden",
    Access.ADMIN: "403 forbidden",
}
STAFF = WRONG | {Access.STAFF: THROUGH}
KEPT_OUT = WRONG | {Access.STAFF: "403 admin_only_account"}
STRANGER = WRONG | {Access.STAFF: "403 forbidden"}
WATCHER = WRONG | {Access.WATCHER: THROUGH}
ADMIN = dict.fromkeys(Access, THROUGH)
UNKNOWABLE = WRONG | {Access.STAFF: "503 auth_unavailable"}


@pytest.fixture
async def door(doors, aiohttp_client) -> TestClient:
    return await aiohttp_client(behind_the_gate(doors.routes(), doors.gate, doors.backend))


def every_route(app: web.Application) -> list[tuple[str, str, Access]]:
    """What the router has, each with what is said of it. A route of which nothing is said is an error."""
    return [
        (route.method, route.resource.canonical, app[ROUTES][route].access)
        for route in app.router.routes()
        if route.resource
    ]


def place(path: str, account: str) -> str:
    """The path of a route, filled in."""
    return re.sub(r"\{[^}]*\}", "x", path.replace("{account}", account))


async def said(door: TestClient, method: str, path: str, headers: dict[str, str]) -> int | str:
    """What the door said: that it let through, or why not."""
    answer = await door.request(method, path, headers=headers)
    if answer.status == THROUGH:
        return THROUGH
    body = await answer.json()
    assert body["requestId"] == answer.headers["X-Request-ID"]
    assert (answer.status == 401) == (answer.headers.get("WWW-Authenticate") == "Bearer")
    return f"{answer.status} {body['error']}"


async def wrongly_answered(doors: Doors, door: TestClient, sender: str, expected, account: str) -> list[str]:
    """Routes that answered this sender otherwise than their Access says."""
    wrong = []
    for method, path, access in every_route(door.app):
        wanted = expected[access]
        if wanted == "403 admin_only_account" and "{account}" not in path:
            wanted = THROUGH
        answered = await said(door, method, place(path, account), doors.headers(sender))
        if answered != wanted:
            wrong.append(f"{method} {path} ({access}) said {answered} to {sender}, not {wanted}")
        await doors.clock.advance(7)  # ten failures a minute are not reached
    return wrong


MATRIX = [
    ("nobody", SHOP, MISSING),
    ("somebody", SHOP, WRONG),
    ("one whose time is over", SHOP, WRONG),
    ("stranger", SHOP, STRANGER),
    ("one who says he is", SHOP, STRANGER),
    ("staff", SHOP, STAFF),
    ("staff", BOSS, KEPT_OUT),
    ("super-admin", SHOP, STAFF),
    ("super-admin", BOSS, STAFF),
    ("watcher", SHOP, MISSING | {Access.WATCHER: THROUGH}),
    ("watcher, by bearer", SHOP, WATCHER),
    ("a guessing watcher", SHOP, MISSING | {Access.WATCHER: "403 forbidden"}),
    ("admin", SHOP, ADMIN),
    ("admin", BOSS, ADMIN),
]


@pytest.mark.parametrize(("sender", "account", "expected"), MATRIX)
async def test_every_route_answers_everybody_as_its_access_says(doors, door, sender, account, expected):
    assert await wrongly_answered(doors, door, sender, expected, account) == []


WATCHED = Route(method="GET", path="/watched", handler=let_in, access=Access.WATCHER)


@pytest.mark.parametrize(("sender", "account", "expected"), MATRIX)
async def test_so_does_what_watchers_read(doors, aiohttp_client, sender, account, expected):
    door = await aiohttp_client(behind_the_gate([WATCHED], doors.gate, doors.backend))
    assert await wrongly_answered(doors, door, sender, expected, account) == []


@pytest.mark.parametrize(("sender", "account", "expected"), MATRIX)
async def test_a_session_counts_like_the_token_it_was_made_of(doors, door, sender, account, expected):
    """Of the admin and of staff; others have none."""
    token = doors.headers(sender).get("Authorization", "")[len("Bearer ") :].strip()
    known = await doors.gate.tokens.holder(token) if expected in (ADMIN, STAFF, KEPT_OUT) else None
    cookie = doors.gate.sessions.begin(known)[0] if known else "guess"
    if known is None:
        expected = MISSING
    doors.headers = lambda _: {"Cookie": f"wb_session={cookie}"}
    assert (len(every_route(door.app)) + 1) * 7 < 3600, "the ID token outlasts the walk"
    assert await wrongly_answered(doors, door, sender, expected, account) == []


async def test_a_route_that_nobody_guards_would_be_found(doors, aiohttp_client):
    """The control of the tests above."""
    unguarded = await aiohttp_client(application(doors.routes()))
    wrong = await wrongly_answered(doors, unguarded, "nobody", MISSING, SHOP)
    closed = [route for route in every_route(unguarded.app) if route[2] is not Access.ANYBODY]
    assert len(wrong) == len(closed) > 15


def test_a_route_of_which_nothing_is_said_would_be_found(doors):
    app = behind_the_gate(doors.routes(), doors.gate, doors.backend)
    app.router.add_get("/forgotten", let_in)
    with pytest.raises(KeyError):
        every_route(app)


def test_these_are_all_routes_of_the_daemon(doors):
    """Whose parts are nothing here: they are not asked. A part that is added does not have to be named."""
    parts = {part.name: MagicMock(name=part.name) for part in fields(Surfaces)}
    real = {"settings": load({"HOME": "/home/operator"}), "gate": doors.gate, "clock": doors.clock}
    surfaces = Surfaces(**parts | real)
    found = every_route(surfaces.application())
    assert sorted(found) == sorted((route.method, route.path, route.access) for route in doors.routes())
    assert len(found) == len(set(found)) > 20


async def test_only_these_are_open_to_anybody(door):
    """A route that joins them is to be thought about: nothing in it may be anybody's secret."""
    assert {(method, path) for method, path, access in every_route(door.app) if access is Access.ANYBODY} == {
        ("GET", "/"),
        ("GET", "/ready"),
        ("GET", "/diag"),
        ("GET", "/health"),
        ("GET", "/health/consumers"),
        ("GET", "/openapi.json"),
        ("GET", "/dashboard"),
        ("GET", "/dashboard/{file}"),
        ("GET", "/api/session"),
        ("POST", "/api/session"),
        ("DELETE", "/api/session"),
    }


@pytest.mark.parametrize(
    ("sender", "path", "told"),
    [
        ("nobody", "/health", {"role": "nobody", "sees boss": False, "sees shop": False}),
        ("admin", "/health", {"role": "nobody", "sees boss": False, "sees shop": False}),
        ("staff", "/api/whatsapp/accounts", {"role": "staff", "sees boss": False, "sees shop": True}),
        ("super-admin", "/api/whatsapp/accounts", {"role": "staff", "sees boss": True, "sees shop": True}),
        ("admin", "/api/whatsapp/accounts", {"role": "admin", "sees boss": True, "sees shop": True}),
    ],
)
async def test_a_route_is_told_who_came_in_and_what_he_may_see(doors, door, sender, path, told):
    answer = await door.get(path, headers=doors.headers(sender))
    assert json.loads(answer.headers["X-Who"]) == told


@pytest.mark.parametrize(
    ("sender", "answers"),
    [
        ("nobody", ("401 missing_auth_token",) * 3),
        ("somebody", ("401 unauthorized", "401 unauthorized", "403 forbidden")),
        ("staff", ("404 not_found", "405 method_not_allowed", "403 forbidden")),
        ("admin", ("404 not_found", "405 method_not_allowed", "405 method_not_allowed")),
    ],
)
async def test_nobody_maps_the_api_without_a_token(doors, door, sender, answers):
    """What there is not, and a method that a route of staff, or of admins, does not have."""
    asked = ("/nowhere", "/api/whatsapp/accounts", f"/api/admin/backfill/{SHOP}/status")
    assert tuple([await said(door, "DELETE", path, doors.headers(sender)) for path in asked]) == answers


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE"])
async def test_another_method_of_an_open_route_is_told_to_anybody(door, method):
    assert (await door.request(method, "/ready")).status == 405
    assert (await door.request(method, "/api/whatsapp/accounts")).status == 401


@pytest.mark.parametrize("sender", ["staff", "stranger", "super-admin"])
async def test_who_is_staff_cannot_be_known_while_firestore_is_away(doors, door, sender):
    doors.backend.documents.inject(Fault.UNAVAILABLE)
    assert await wrongly_answered(doors, door, sender, UNKNOWABLE, SHOP) == []
    assert await wrongly_answered(doors, door, "admin", ADMIN, SHOP) == []


async def test_who_somebody_is_cannot_be_known_while_googles_keys_are_away(doors, door):
    staff = doors.headers("staff")
    doors.id_tokens.reachable = False
    assert await said(door, "GET", "/api/whatsapp/accounts", staff) == "503 auth_unavailable"
    assert await wrongly_answered(doors, door, "somebody", WRONG, SHOP) == []
    assert await wrongly_answered(doors, door, "admin", ADMIN, SHOP) == []


# -- Without tokens ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", ["nobody", "somebody", "admin", "staff"])
async def test_without_admin_token_whoever_is_on_this_machine_may_do_everything(doors, aiohttp_client, sender):
    gate = gate_of(doors.backend)
    door = await aiohttp_client(behind_the_gate(doors.routes(), gate, doors.backend))
    assert await wrongly_answered(doors, door, sender, ADMIN, BOSS) == []


async def test_the_token_of_watchers_is_asked_for_also_without_that_of_admins(doors, aiohttp_client):
    door = await aiohttp_client(behind_the_gate([WATCHED], gate_of(doors.backend, obs=OBS_TOKEN), doors.backend))
    answers = [
        await said(door, "GET", "/watched", doors.headers(sender))
        for sender in ("nobody", "a guessing watcher", "watcher", "watcher, by bearer")
    ]
    assert answers == ["401 missing_auth_token", "403 forbidden", THROUGH, THROUGH]


async def test_without_the_token_of_watchers_admins_watch(doors, aiohttp_client):
    gate = gate_of(doors.backend, admin=ADMIN_TOKEN)
    door = await aiohttp_client(behind_the_gate([WATCHED], gate, doors.backend))
    answers = [await said(door, "GET", "/watched", doors.headers(sender)) for sender in ("nobody", "watcher", "admin")]
    assert answers == ["401 missing_auth_token", "403 forbidden", THROUGH]
    assert await said(door, "GET", "/watched", {"X-Internal-Token": ""}) == "401 missing_auth_token"


# -- Odd requests ------------------------------------------------------------------------------------------------------


async def test_more_than_one_token_is_none(door):
    headers = [("Authorization", f"Bearer {ADMIN_TOKEN}"), ("Authorization", f"Bearer {ADMIN_TOKEN}")]
    answer = await door.get("/api/whatsapp/accounts", headers=headers)
    assert answer.status in (400, 401)


async def test_a_token_in_the_query_or_of_a_watcher_elsewhere_is_none(doors, door):
    assert await said(door, "GET", f"/api/whatsapp/accounts?token={ADMIN_TOKEN}", {}) == "401 missing_auth_token"
    internal = {"X-Internal-Token": ADMIN_TOKEN}
    assert await said(door, "GET", "/api/whatsapp/accounts", internal) == "401 missing_auth_token"


@pytest.mark.parametrize("encoded", ["%61", "a"])
async def test_an_account_is_for_admins_only_however_it_is_written(doors, door, encoded):
    path = f"/api/whatsapp/threads/{BOSS.replace('a', encoded, 1)}"
    answer = await door.get(path, headers=doors.headers("staff"))
    assert (await answer.json())["error"] == "admin_only_account"


async def test_staff_cannot_add_an_account_that_is_for_admins_only(doors, real_door):
    """It would be started by that, and shown."""
    known = list(doors.backend.desk.known)
    body = {"phone": "+1 555 000-9999", "name": "Boss"}
    answer = await real_door.post("/api/whatsapp/add-account", json=body, headers=doors.headers("staff"))
    assert (answer.status, (await answer.json())["error"]) == (403, "admin_only_account")
    assert list(doors.backend.desk.known) == known
    assert (await real_door.post("/api/whatsapp/add-account", json=body, headers=doors.headers("admin"))).status == 200


async def test_staff_are_shown_the_accounts_that_are_theirs_to_see(doors, real_door):
    seen = {}
    for sender in ("staff", "super-admin", "admin"):
        answer = await (await real_door.get("/api/whatsapp/accounts", headers=doors.headers(sender))).json()
        seen[sender] = {account["id"] for account in answer["accounts"]}
        assert answer["count"] == len(seen[sender])
    assert seen == {"staff": {SHOP}, "super-admin": {SHOP, BOSS}, "admin": {SHOP, BOSS}}


async def test_a_standby_is_as_open_as_it_was(aiohttp_client, doors):
    routes = Standby("7").routes(instance_id="b", clock=doors.clock)
    door = await aiohttp_client(application(routes))
    for path, status in (("/ready", 200), ("/health", 200), ("/api/whatsapp/accounts", 503), ("/api/session", 503)):
        assert (await door.get(path)).status == status
        assert (await door.get(path, headers={"Host": "evil.example"})).status == 403
