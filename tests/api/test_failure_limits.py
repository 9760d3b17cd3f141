"""Nobody finds a token out by trying: ten wrong ones a minute, then none is looked at."""

from __future__ import annotations

import pytest
from backend import refused
from doors import ADMIN_TOKEN
from structlog.testing import capture_logs

from whatsapp_backend.api.limits import FailureLimits
from whatsapp_backend.testing.fake_clock import FakeClock

ACCOUNTS, ADMINS, SESSION = "/api/whatsapp/accounts", "/api/admin/backfill/x/status", "/api/session"


async def guess(door, doors, where):
    if where == SESSION:
        return await door.post(SESSION, json={"token": "guess"})
    return await door.get(where, headers=doors.headers("somebody"))


@pytest.mark.parametrize("where", [ACCOUNTS, ADMINS, SESSION, "/nowhere"])
async def test_after_ten_wrong_tokens_a_right_one_is_not_looked_at_either_for_a_minute(doors, real_door, where):
    with capture_logs() as logs:
        for _ in range(10):
            assert (await guess(real_door, doors, where)).status in (401, 403)
            await doors.clock.advance(1)
        assert logs == [{"event": "too_many_wrong_tokens", "log_level": "warning", "client": "127.0.0.1"}]
        for answer in (
            await guess(real_door, doors, where),
            await real_door.get(ACCOUNTS, headers=doors.headers("admin")),
            await real_door.post(SESSION, json={"token": ADMIN_TOKEN}),
        ):
            await refused(answer, 429, "too_many_attempts")
            assert (answer.headers["Retry-After"], (await answer.json())["retryAfterSeconds"]) == ("50", 50)
        signed = await real_door.get(ACCOUNTS, headers=doors.headers("staff"))
        assert signed.status == 200, "what Google has signed cannot be found by trying"
    await doors.clock.advance(50)
    assert (await real_door.get(ACCOUNTS, headers=doors.headers("admin"))).status == 200
    await guess(real_door, doors, where)
    assert (await guess(real_door, doors, where)).status == 429, "those that followed count on"


async def test_who_is_signed_in_already_goes_on_and_so_does_who_needs_no_token(doors, real_door):
    cookie = {"wb_session": (await real_door.post(SESSION, json={"token": ADMIN_TOKEN})).cookies["wb_session"].value}
    for _ in range(11):
        answer = await guess(real_door, doors, ACCOUNTS)
    assert answer.status == 429
    real_door.session.cookie_jar.clear()
    assert (await real_door.get(ACCOUNTS, cookies=cookie)).status == 200
    assert (await real_door.get("/ready")).status == 200
    real_door.session.cookie_jar.clear()
    assert (await real_door.get(ACCOUNTS)).status == 401


async def test_what_is_no_guess_does_not_count(doors, real_door):
    """No token, staff at the door of admins, somebody who is no staff, a session that has ended, Google away."""
    for _ in range(12):
        assert (await real_door.get(ACCOUNTS)).status == 401
        assert (await real_door.get(ACCOUNTS, cookies={"wb_session": "over"})).status == 401
        assert (await real_door.get(ADMINS, headers=doors.headers("staff"))).status == 403
        assert (await real_door.get(ACCOUNTS, headers=doors.headers("stranger"))).status == 403
        assert (await real_door.get(ACCOUNTS, headers=doors.headers("watcher, by bearer"))).status == 401
        doors.id_tokens.reachable = False
        assert (await real_door.get(ACCOUNTS, headers=doors.headers("staff"))).status == 503
        doors.id_tokens.reachable = True


async def test_what_a_proxy_says_of_the_client_is_not_believed(doors, real_door):
    for number in range(11):
        headers = {"X-Forwarded-For": f"10.0.0.{number}", "Forwarded": f"for=10.0.0.{number}"}
        answer = await real_door.get(ACCOUNTS, headers=headers | doors.headers("somebody"))
    assert answer.status == 429


@pytest.mark.parametrize(
    ("address", "others", "strangers"),
    [
        ("10.0.0.1", ["10.0.0.1", "::ffff:10.0.0.1"], ["10.0.0.2", "127.0.0.1", "::1"]),
        ("2001:db8::1", ["2001:db8::2", "2001:db8:0:0:ffff::"], ["2001:db8:0:1::1", "10.0.0.1"]),
        ("fe80::1%eth0", ["fe80::2%eth1"], ["fe81::1"]),
        (None, [None, "", "/run/socket"], ["10.0.0.1"]),
    ],
)
async def test_each_client_has_a_count_of_its_own(address, others, strangers):
    limits = FailureLimits(FakeClock())
    assert [limits.failed(address) for _ in range(11)] == [False] * 9 + [True] * 2
    assert all(limits.wait_s(other) == 60 for other in others)
    assert not any(limits.wait_s(stranger) for stranger in strangers)


async def test_the_table_of_clients_does_not_grow_for_ever():
    limits = FailureLimits(FakeClock())
    for number in range(5000):
        limits.failed(f"10.1.{number // 256}.{number % 256}")
        limits.failed("10.0.0.1") if number < 20 or number % 500 == 0 else None
    assert len(limits._failures) == 1000
    assert limits.wait_s("10.0.0.1") == 60, "who fails goes on being known"
    assert all(len(failures) <= 10 for failures in limits._failures.values())
