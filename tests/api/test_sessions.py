"""Signing in at the dashboard: a cookie that counts like the token it was made of, and not longer."""

from __future__ import annotations

import re

import pytest
from aiohttp import CookieJar
from backend import refused
from doors import ADMIN_TOKEN, BOSS, OBS_TOKEN, Doors, all_routes, behind_the_gate

from whatsapp_backend.api.sessions import Sessions
from whatsapp_backend.api.who import Role
from whatsapp_backend.domain.people import Identity
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_documents import Fault

SESSION, ACCOUNTS, ADMINS = "/api/session", "/api/whatsapp/accounts", f"/api/admin/backfill/{BOSS}/status"


@pytest.fixture
async def browser(doors, aiohttp_client):
    """Something that keeps cookies, also of 127.0.0.1."""
    app = behind_the_gate(all_routes(doors.backend, doors.gate), doors.gate, doors.backend)
    return await aiohttp_client(app, cookie_jar=CookieJar(unsafe=True))


def staff_token(doors: Doors, sender: str = "staff") -> str:
    return doors.headers(sender)["Authorization"].removeprefix("Bearer ")


async def role(browser):
    answer = await browser.get(SESSION)
    body = await answer.json()
    assert (answer.status, body["success"], body["open"]) == (200, True, False)
    assert answer.headers["Cache-Control"] == "no-store"
    return body["role"]


async def test_the_admin_signs_in_and_out(browser):
    assert await role(browser) is None
    await refused(await browser.get(ADMINS), 401, "missing_auth_token")
    answer = await browser.post(SESSION, json={"token": f" {ADMIN_TOKEN} "})
    assert (answer.status, await answer.json()) == (200, {"success": True, "role": "admin"})
    assert await role(browser) == "admin"
    assert (await browser.get(ADMINS)).status == 200
    answer = await browser.delete(SESSION)
    assert (answer.status, await answer.json()) == (200, {"success": True, "role": None})
    assert await role(browser) is None
    await refused(await browser.get(ADMINS), 401, "missing_auth_token")


async def test_the_cookie_is_for_this_site_alone_and_no_script_reads_it(browser):
    answer = await browser.post(SESSION, json={"token": ADMIN_TOKEN})
    cookie = answer.headers["Set-Cookie"]
    form = r"wb_session=[A-Za-z0-9_-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=Strict"
    assert re.fullmatch(form, cookie), cookie
    assert ADMIN_TOKEN not in cookie


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
async def test_where_the_page_came_by_https_its_cookie_never_goes_without(browser, scheme, secure):
    host = "127.0.0.1:8080"
    headers = {"Host": host, "Origin": f"{scheme}://{host}"}
    for answer in (
        await browser.post(SESSION, json={"token": ADMIN_TOKEN}, headers=headers),
        await browser.delete(SESSION, headers=headers),
    ):
        assert ("Secure" in answer.headers["Set-Cookie"]) == secure


async def test_signed_out_the_cookie_is_worth_nothing_to_who_kept_it(browser):
    cookie = (await browser.post(SESSION, json={"token": ADMIN_TOKEN})).cookies["wb_session"].value
    await browser.delete(SESSION)
    await refused(await browser.get(ADMINS, cookies={"wb_session": cookie}), 401, "missing_auth_token")


async def test_signing_in_anew_ends_the_session_before(browser):
    """Also one that somebody else had put into this browser."""
    first = (await browser.post(SESSION, json={"token": ADMIN_TOKEN})).cookies["wb_session"].value
    second = (await browser.post(SESSION, json={"token": ADMIN_TOKEN})).cookies["wb_session"].value
    assert first != second
    browser.session.cookie_jar.clear()
    await refused(await browser.get(ADMINS, cookies={"wb_session": first}), 401, "missing_auth_token")
    browser.session.cookie_jar.clear()
    assert (await browser.get(ADMINS, cookies={"wb_session": second})).status == 200


async def test_an_admins_session_lasts_twelve_hours(doors, browser):
    await browser.post(SESSION, json={"token": ADMIN_TOKEN})
    await doors.clock.advance(12 * 3600 - 1)
    assert await role(browser) == "admin"
    await doors.clock.advance(1)
    assert await role(browser) is None


async def test_that_of_staff_ends_with_their_token(doors, browser):
    answer = await browser.post(SESSION, json={"token": staff_token(doors)})
    assert (await answer.json())["role"] == "staff"
    assert "Max-Age=3600;" in answer.headers["Set-Cookie"]
    await doors.clock.advance(3599)
    assert await role(browser) == "staff"
    await doors.clock.advance(1)
    assert await role(browser) is None
    await refused(await browser.get(ACCOUNTS), 401, "missing_auth_token")


async def test_who_is_staff_no_more_is_signed_in_no_more_within_a_minute(doors, browser):
    await browser.post(SESSION, json={"token": staff_token(doors)})
    del doors.backend.documents.documents["staffProfiles/staff-1"]
    await doors.clock.advance(59)
    assert (await browser.get(ACCOUNTS)).status == 200
    await doors.clock.advance(1)
    await refused(await browser.get(ACCOUNTS), 403, "forbidden")
    assert await role(browser) is None


async def test_a_session_of_staff_is_not_believed_while_firestore_is_away(doors, browser):
    await browser.post(SESSION, json={"token": staff_token(doors)})
    doors.backend.documents.inject(Fault.UNAVAILABLE)
    await doors.clock.advance(60)
    await refused(await browser.get(ACCOUNTS), 503, "auth_unavailable")
    await refused(await browser.get(SESSION), 503, "auth_unavailable")
    doors.backend.documents.heal()
    assert await role(browser) == "staff"


@pytest.mark.parametrize(
    ("token", "status", "error"),
    [
        ("guess", 401, "unauthorized"),
        (OBS_TOKEN, 401, "unauthorized"),
        ("stranger", 403, "forbidden"),
        ("one who says he is", 403, "forbidden"),
        ("one whose time is over", 401, "unauthorized"),
        ("", 400, "bad_request"),
        ("  ", 400, "bad_request"),
        (7, 400, "bad_request"),
        (None, 400, "bad_request"),
        ({"token": ADMIN_TOKEN}, 400, "bad_request"),
    ],
)
async def test_whoever_has_no_good_token_is_not_signed_in(doors, browser, token, status, error):
    if isinstance(token, str) and token.startswith(("stranger", "one")):
        token = staff_token(doors, token)
    answer = await browser.post(SESSION, json={"token": token})
    await refused(answer, status, error)
    assert "Set-Cookie" not in answer.headers
    assert await role(browser) is None


@pytest.mark.parametrize(("away", "name"), [("google", "Google"), ("firestore", "Firestore")])
async def test_whose_token_cannot_be_told_is_not_signed_in_now(doors, browser, away, name):
    token = staff_token(doors)
    if away == "google":
        doors.id_tokens.reachable = False
    else:
        doors.backend.documents.inject(Fault.UNAVAILABLE)
    await refused(await browser.post(SESSION, json={"token": token}), 503, "auth_unavailable")


async def test_a_session_does_not_let_a_wrong_token_in(doors, browser):
    """Who sends a token is judged by it."""
    await browser.post(SESSION, json={"token": ADMIN_TOKEN})
    await refused(await browser.get(ACCOUNTS, headers=doors.headers("somebody")), 401, "unauthorized")
    await refused(await browser.get(ADMINS, headers=doors.headers("staff")), 403, "forbidden")


@pytest.mark.parametrize("admin_token", [None])
async def test_without_tokens_everybody_is_signed_in_as_admin(api, admin_token):
    answer = await (await api.get(SESSION)).json()
    assert answer == {"success": True, "role": "admin", "open": True}
    answer = await api.post(SESSION, json={"token": "anything"})
    assert ((await answer.json())["role"], "Set-Cookie" in answer.headers) == ("admin", False)


# -- The table ---------------------------------------------------------------------------------------------------------


def somebody(clock: FakeClock, *, for_s: int) -> Identity:
    return Identity(uid="u", email=None, email_verified=False, expires_at_ms=clock.wall_ms() + for_s * 1000)


async def test_a_session_lasts_as_long_as_its_token_and_twelve_hours_at_most():
    clock = FakeClock()
    sessions = Sessions(clock)
    assert [sessions.begin(somebody(clock, for_s=for_s))[1] for for_s in (60, 100_000, 0, -5)] == [60, 43_200, 0, 0]
    expired, _ = sessions.begin(somebody(clock, for_s=-5))
    assert sessions.holder(expired) is None


@pytest.mark.parametrize("guess", [None, "", "guess", "\udce9"])
async def test_a_guess_is_nobodys_session(guess):
    sessions = Sessions(FakeClock())
    sessions.begin(Role.ADMIN)
    assert sessions.holder(guess) is None
    sessions.end(guess)


async def test_the_table_keeps_hashes_only_and_does_not_grow_for_ever():
    clock = FakeClock()
    sessions = Sessions(clock)
    short, _ = sessions.begin(somebody(clock, for_s=60))
    ids = [sessions.begin(Role.ADMIN)[0] for _ in range(1000)]
    assert sessions.holder(short) is None, "the oldest had to go"
    assert all(sessions.holder(one) is Role.ADMIN for one in ids)
    assert len(sessions._sessions) == 1000
    assert not {one.encode() for one in ids} & sessions._sessions.keys()
    await clock.advance(43_200)
    sessions.begin(Role.ADMIN)
    assert len(sessions._sessions) == 1, "those that are over do not stay"
