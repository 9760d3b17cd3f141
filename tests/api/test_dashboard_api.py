"""The dashboard's JSON, news, map and files, with everything behind them in memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from backend import NOW_MS, OTHER, SHOP, Backend, refused, view

from whatsapp_backend.api import dashboard, glances
from whatsapp_backend.api.coverage import CoverageMap
from whatsapp_backend.api.dashboard import FILES, Dashboard
from whatsapp_backend.api.glances import Glances
from whatsapp_backend.api.live import Live
from whatsapp_backend.api.server import application
from whatsapp_backend.api.status import Status, needs_attention
from whatsapp_backend.api.values import iso_ms
from whatsapp_backend.api.who import WHO, Role, Who
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.coverage import (
    Coverage,
    Gap,
    GapState,
    Held,
    Interval,
    LedgerChange,
    Point,
    Proof,
    Reason,
)
from whatsapp_backend.domain.jobs import JobState, Kind
from whatsapp_backend.domain.mirror import Gathered, Progress
from whatsapp_backend.domain.states import ThreadState
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.rules.gathering import rules_of
from whatsapp_backend.testing.fake_clock import FakeClock

SOURCES = Path(dashboard.__file__).parents[1] / "dashboard"
STATUS, EVENTS, MAP = "/api/status/dashboard", "/api/events", f"/api/whatsapp/coverage/{SHOP}"
QR = "2@a-secret-code,with,parts"


class Behind:
    """What is behind the routes."""

    def __init__(self, backend: Backend) -> None:
        self.backend, self.store, self.desk = backend, backend.store, backend.desk
        self.clock = FakeClock(wall_ms=NOW_MS)
        self.sender: Who | None = Who(role=Role.ADMIN)
        self.glances = Glances(ward=backend.ward, store=backend.store, landed=lambda: 0, clock=self.clock)
        self.status = Status(
            self.glances,
            instance_id="test-1",
            wall_ms=self.clock.wall_ms,
            paused_until_ms=backend.pauses.until_ms,
        )
        self.live = Live(glances=self.glances, status=self.status, clock=self.clock, again=self.again, most=2)

    async def again(self, _: web.Request) -> Who | None:
        return self.sender

    @web.middleware
    async def guard(self, request: web.Request, handler: object) -> web.StreamResponse:
        """A stand-in for the real one: everybody is who the test says."""
        if self.sender:
            request[WHO] = self.sender
        return await handler(request)

    async def know(self, thread: str, *gaps: Gap, newest_s: int = 0, account: str = SHOP, **more) -> None:
        path = f"threads/{thread}"
        jid = thread.partition("__")[2]
        coverage = Coverage(account=account, thread=path, jid=jid, gaps=gaps, **more)
        held = (Held(thread=path, at=Point(newest_s * 1000, "M")),) if newest_s else ()
        await self.store.record(LedgerChange(coverages=(coverage,), held=held))


def gap(thread: str, number: int = 1, *, account: str = SHOP, **more) -> Gap:
    known = {"start_ms": 50_000, "end_ms": 90_000, "below": Point(40_000, "M4"), "above": Point(90_000, "M9")}
    fields = {**known, "reason": Reason.DISCONNECTED, "opened_at_ms": NOW_MS - 60_000, **more}
    return Gap(account=account, thread=f"threads/{thread}", number=number, **fields)


@pytest.fixture
def behind(backend: Backend) -> Behind:
    return Behind(backend)


@pytest.fixture
async def api(behind: Behind, aiohttp_client):
    routes = [
        *Dashboard(behind.desk).routes(),
        *behind.status.routes(),
        *behind.live.routes(),
        *CoverageMap(store=behind.store, accounts=behind.desk).routes(),
    ]
    app = application(routes, guards=[behind.guard])
    app.on_shutdown.append(behind.live.close)
    return await aiohttp_client(app)


# -- The JSON ----------------------------------------------------------------------------------------------------------


async def test_it_says_how_everything_is_without_any_code_or_number(behind, api):
    behind.desk.change(OTHER, status="qr_ready", qr=QR, name="Bob's bikes")
    behind.backend.ward.seen[SHOP] = {"lastRealtimeIngestAt": datetime.fromtimestamp(NOW_MS / 1000, UTC)}
    await behind.know(f"{SHOP}__t1@s.whatsapp.net", gap(f"{SHOP}__t1@s.whatsapp.net"))
    answer = await api.get(STATUS)
    assert answer.headers["Cache-Control"] == "no-store"
    text = await answer.text()
    assert QR not in text and "1555" not in text
    told = json.loads(text)
    assert told["service"]["ready"] is True
    assert told["summary"] == {
        "accounts": 2,
        "connected": 1,
        "needsAttention": 1,
        "openGaps": 1,
        "givenUpGaps": 0,
        "deepGaps": 0,
        "oldestGapAt": "2026-11-22T06:18:31.000Z",
        "debts": 0,
        "parked": 1,
        "lagEntries": 2,
    }
    shop, other = told["accounts"]
    assert (shop["phone"], shop["needsQR"], shop["gaps"]["open"]) == ("+1…11", False, 1)
    assert shop["lastEventAt"] == "2026-11-22T06:19:31.000Z"
    assert (other["needsQR"], other["needsAttention"]) == (True, True)
    assert {"lastBackfillAt", "lastHistorySyncAt", "lastSeen", "reconnectCount", "reconnectAttempts"} <= shop.keys()


async def test_a_pause_is_shown_while_it_lasts(behind, api):
    until_ms = await behind.backend.pauses.pause(SHOP, 2 * 3_600_000)
    told = await (await api.get(STATUS)).json()
    assert [one["pausedUntil"] for one in told["accounts"]] == [iso_ms(until_ms), None]


@pytest.mark.parametrize(
    ("status", "failures", "ago_s", "needed"),
    [
        ("connecting", 0, 600, False),
        ("connecting", 3, 59, False),
        ("reconnecting", 3, 59, False),
        ("connecting", 3, 61, True),
        ("reconnecting", 3, 61, True),
    ],
)
def test_an_account_that_keeps_failing_to_connect_needs_somebody(status, failures, ago_s, needed):
    fails = view(
        SHOP, "+15550001111", status=status, retry_count=failures, last_disconnected_at_ms=NOW_MS - ago_s * 1000
    )
    assert needs_attention(fails, NOW_MS) is needed


async def test_what_somebody_may_not_see_is_in_no_part_of_it(behind, api):
    behind.sender = Who(role=Role.STAFF, hidden=frozenset({OTHER}))
    await behind.know("x", gap("x", account=OTHER), account=OTHER)
    await behind.store.put_job(behind.backend.runs.put(account=OTHER))
    text = await (await api.get(STATUS)).text()
    assert OTHER not in text
    summary = json.loads(text)["summary"]
    assert (summary["accounts"], summary["openGaps"]) == (1, 0)


async def test_the_last_backfill_is_told_and_what_runs_comes_first(behind, api):
    done = behind.backend.runs.put("J1", state=JobState.DONE, ended_at_ms=NOW_MS - 5000)
    running = replace(done, id="J2", state=JobState.RUNNING, ended_at_ms=None, kind=Kind.RESYNC, created_at_ms=5)
    await behind.store.put_job(done)
    await behind.store.put_job(running)
    told = await (await api.get(STATUS)).json()
    assert [job["id"] for job in told["jobs"]] == ["J2", "J1"]
    account = told["accounts"][0]
    assert (account["lastBackfillAt"], account["lastBackfillStatus"]) == ("2026-11-22T06:19:26.000Z", "success")
    failed = replace(done, id="J3", state=JobState.FAILED, created_at_ms=NOW_MS + 1, ended_at_ms=NOW_MS + 2)
    await behind.store.put_job(failed)
    behind.glances.happenings.on_ended(failed)
    await behind.clock.advance(1)
    assert (await (await api.get(STATUS)).json())["accounts"][0]["lastBackfillStatus"] == "error"


async def test_a_store_that_is_unwell_is_named_and_what_was_known_stays(behind, api, monkeypatch):
    await behind.know("t", gap("t"))
    assert (await (await api.get(STATUS)).json())["summary"]["openGaps"] == 1

    async def unwell(*_: object, **__: object) -> None:
        raise StoreUnwell("The disk is full")

    monkeypatch.setattr(behind.store, "unfinished_jobs", unwell)
    await behind.clock.advance(1)
    told = await (await api.get(STATUS)).json()
    assert (told["service"]["ready"], told["service"]["reason"]) == (False, "The disk is full")
    assert told["summary"]["openGaps"] == 1


async def test_however_many_ask_the_store_is_asked_once_a_second(behind, api, monkeypatch):
    asked = []
    tallies = behind.store.tallies

    async def counted():
        asked.append(behind.clock.wall_ms())
        return await tallies()

    monkeypatch.setattr(behind.store, "tallies", counted)
    for _ in range(5):
        assert (await api.get(STATUS)).status == 200
    assert len(asked) == 1
    await behind.clock.advance(1)
    await api.get(STATUS)
    assert len(asked) == 2


async def test_a_count_that_takes_long_is_no_trouble_and_goes_on_alone(behind, api, monkeypatch):
    monkeypatch.setattr(glances, "_COUNTING_S", 0.01)
    counts, tallies = [], await behind.store.tallies()

    async def counted():
        counts.append(asyncio.get_running_loop().create_future())
        return await counts[-1]

    monkeypatch.setattr(behind.store, "tallies", counted)
    for _ in range(3):
        assert (await (await api.get(STATUS)).json())["service"]["reason"] is None
        await behind.clock.advance(1)
    assert len(counts) == 1, "one whose answer nobody waits for any more is not begun again beside itself"
    counts[0].set_result(tallies)
    await api.get(STATUS)
    await behind.clock.advance(59)
    await api.get(STATUS)
    assert len(counts) == 1, "it rests for twenty times as long as it took"


async def test_two_hundred_accounts_cost_no_more_questions_than_one(behind, api):
    for number in range(200):
        account = f"account_{number}"
        behind.desk.known[account] = replace(behind.desk.known[SHOP], account=account)
    asked = []

    class Counting:
        def __getattr__(self, name):
            asked.append(name)
            return getattr(behind.store, name)

    behind.glances._store = Counting()
    await api.get(STATUS)
    asked.clear()
    await behind.clock.advance(1)
    told = await (await api.get(STATUS)).json()
    assert len(told["accounts"]) == 202
    assert sorted(asked) == ["jobs", "tallies", "unfinished_jobs"]
    shown = await behind.status.shown_to(Who(role=Role.ADMIN))
    assert await behind.status.shown_to(Who(role=Role.STAFF)) is shown, "fifty who listen cost no more than one"
    assert len((await behind.status.shown_to(Who(role=Role.STAFF, hidden=frozenset({OTHER}))))["accounts"]) == 201


# -- News --------------------------------------------------------------------------------------------------------------


async def event(stream) -> tuple[str, str | None, dict]:
    """The next event of a stream: its name, its id, its data."""
    while True:
        fields = {}
        async with asyncio.timeout(10):
            while line := (await stream.content.readline()).decode().rstrip("\n"):
                name, _, value = line.partition(": ")
                fields[name] = value
        if "event" in fields:
            return fields["event"], fields.get("id"), json.loads(fields["data"])


async def test_the_status_comes_at_once_and_again_only_when_it_changed(behind, api):
    async with api.get(EVENTS) as stream:
        assert stream.content_type == "text/event-stream"
        name, _, told = await event(stream)
        assert (name, told["summary"]["connected"]) == ("status", 2)
        await behind.clock.advance(5)
        behind.desk.change(OTHER, status="reconnecting")
        await behind.clock.advance(2)
        name, _, told = await event(stream)
        assert (name, told["summary"]["connected"]) == ("status", 1)


async def test_what_happened_comes_with_an_id_from_which_a_listener_goes_on(behind, api):
    happenings = behind.glances.happenings
    for account, number in ((SHOP, 1), (OTHER, 2), (SHOP, 3)):
        happenings.on_ended(replace(behind.backend.runs.put(account=account), id=str(number)))
    behind.sender = Who(role=Role.STAFF, hidden=frozenset({OTHER}))
    async with api.get(EVENTS) as stream:
        await event(stream)
        first, last = await event(stream), await event(stream)
    assert [first[2]["id"], last[2]["id"]] == [1, 3], "what happened to an account that he may not see is not told"
    assert first[2] == {
        "id": 1,
        "kind": "job",
        "accountId": SHOP,
        "what": "backfill done",
        "at": "2026-11-22T06:19:31.000Z",
        "count": 0,
    }
    async with api.get(EVENTS, headers={"Last-Event-ID": first[1]}) as stream:
        await event(stream)
        assert (await event(stream))[2]["id"] == 3
    async with api.get(EVENTS, headers={"Last-Event-ID": "another-1"}) as stream:
        await event(stream)
        assert (await event(stream))[2]["id"] == 1


async def test_a_silent_stream_has_a_heartbeat(behind, api):
    async with api.get(EVENTS) as stream:
        await event(stream)
        for _ in range(16):
            await behind.clock.advance(1)
        async with asyncio.timeout(10):
            assert await stream.content.readline() == b": still here\n"


async def test_whoever_is_nobody_any_more_hears_no_more(behind, api):
    async with api.get(EVENTS) as stream:
        await event(stream)
        behind.sender = None
        await behind.clock.advance(1)
        async with asyncio.timeout(10):
            assert await stream.content.read() == b""


async def test_too_many_listeners_are_refused_and_there_is_room_when_one_has_gone(behind, api):
    async with api.get(EVENTS) as first, api.get(EVENTS) as second:
        await event(first), await event(second)
        await refused(await api.get(EVENTS), 503, "too_many_listeners")
        behind.sender = None
        await behind.clock.advance(1)
        await first.content.read(), await second.content.read()
    behind.sender = Who(role=Role.ADMIN)
    async with api.get(EVENTS) as again:
        assert (await event(again))[0] == "status"


async def test_a_listener_who_does_not_read_is_let_go(behind, api, monkeypatch):
    monkeypatch.setattr(behind.live, "_slow_s", 0.1)
    for number in range(2000):
        behind.desk.known[f"account_{number}"] = replace(behind.desk.known[SHOP], account=f"account_{number}")
    reader, writer = await asyncio.open_connection(api.host, api.port, limit=1024)
    writer.write(f"GET {EVENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    async with asyncio.timeout(30):
        await reader.readline()
        while behind.live.listeners:
            behind.desk.change(SHOP, retry_count=behind.desk.known[SHOP].retry_count + 1)
            await behind.clock.advance(1)
            await SystemClock().sleep(0.01)
        with contextlib.suppress(ConnectionError):
            while await reader.read(1 << 20):
                pass
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_shutting_down_ends_every_stream(behind, api):
    async with api.get(EVENTS) as stream:
        await event(stream)
        await behind.live.close(api.app)
        async with asyncio.timeout(10):
            assert await stream.content.read() == b""


# -- The gap map -------------------------------------------------------------------------------------------------------


async def test_the_map_names_threads_and_says_what_is_proven_missing_and_owed(behind, api):
    thread = f"{SHOP}__15550002222@s.whatsapp.net"
    proven = (Interval(Point(10_000), Point(50_000), Proof.HISTORY),)
    gaps = (gap(thread), gap(thread, 2, state=GapState.FILLING, below=None, start_ms=0, end_ms=10_000))
    await behind.know(thread, *gaps, newest_s=95, intervals=proven, owed=(Point(95_000, "D"),))
    told = await (await api.get(MAP)).json()
    (one,) = told["threads"]
    assert (one["threadId"], one["name"], one["newestAt"]) == (thread, "+1…22", "1970-01-01T00:01:35.000Z")
    assert one["covered"] == [{"fromMs": 10_000, "untilMs": 50_000, "proof": "history"}]
    assert [(g["number"], g["state"], g["reason"], g["deep"]) for g in one["gaps"]] == [
        (1, "open", "disconnected", False),
        (2, "filling", "disconnected", True),
    ]
    assert (one["filling"], one["owed"]) == (1, [{"at": "1970-01-01T00:01:35.000Z", "ms": 95_000}])
    state = ThreadState(account=SHOP, client_jid="15550002222@s.whatsapp.net", name="<b>Ana</b>", name_rank=1)
    row = Gathered(
        path=f"threads/{thread}",
        account=SHOP,
        state=rules_of(f"threads/{thread}").dumped(state),
        updated_at_ns=None,
        dirty=False,
    )
    await behind.store.advance(Progress(consumer="documents", gathered=(row,)))
    assert (await (await api.get(MAP)).json())["threads"][0]["name"] == "<b>Ana</b>"


async def test_pages_of_the_map_follow_one_another(behind, api):
    for number in range(5):
        await behind.know(f"{SHOP}__{number}@lid", newest_s=number + 1)
    found, cursor = [], ""
    while cursor is not None:
        told = await (await api.get(f"{MAP}?limit=2" + (f"&cursor={cursor}" if cursor else ""))).json()
        found += [one["threadId"].partition("__")[2] for one in told["threads"]]
        cursor = told["nextCursor"]
    assert found == [f"{number}@lid" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize("cursor", ["", "x", "%", "W10", "WzEsMl0", "e30", "WzFlNDAsICJ0Il0", "é"])
async def test_a_cursor_that_is_none_is_refused(api, cursor):
    assert "cursor" in await refused(await api.get(MAP, params={"cursor": cursor}), 400, "bad_request")


async def test_an_account_that_nobody_knows_has_no_map(api):
    await refused(await api.get("/api/whatsapp/coverage/nobody"), 404, "account_not_found")


# -- Files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/dashboard", *(f"/dashboard/{name}" for name in FILES)])
async def test_every_file_comes_with_a_strict_policy_and_is_not_sent_twice(api, path):
    answer = await api.get(path)
    assert answer.status == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "camera=()" in answer.headers["Permissions-Policy"]
    tag = answer.headers["ETag"]
    assert tag.startswith('"')
    again = await api.get(path, headers={"If-None-Match": tag})
    assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag)
    assert (await api.get(path, headers={"If-None-Match": '"another"'})).status == 200


@pytest.mark.parametrize(
    "name", ["page.html", "nothing.js", "..%2Fapp.py", "%2e%2e/app.py", "..%5Capp.py", "style.css%00", "STYLE.CSS"]
)
async def test_nothing_else_is_served(api, name):
    assert (await api.get(f"/dashboard/{name}")).status == 404


async def test_the_code_is_a_picture_that_nobody_keeps_and_there_is_none_without_one(behind, api):
    path = f"/api/whatsapp/qr/{SHOP}/code.svg"
    await refused(await api.get(path), 404, "no_code")
    await refused(await api.get("/api/whatsapp/qr/nobody/code.svg"), 404, "no_code")
    behind.desk.change(SHOP, status="qr_ready", qr=QR)
    answer = await api.get(path)
    assert (answer.status, answer.content_type) == (200, "image/svg+xml")
    assert answer.headers["Cache-Control"] == "no-store"
    assert QR not in await answer.text()


def test_the_list_of_files_is_the_folder():
    assert sorted(path.name for path in SOURCES.iterdir()) == sorted([*FILES, "page.html"])


@pytest.mark.parametrize("name", ["page.html", *FILES])
def test_no_source_makes_markup_of_text_or_loads_anything_from_elsewhere(name):
    text = (SOURCES / name).read_text()
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|\beval\b|"
    forbidden += r"new Function|\bstyle=|setAttribute\([\"']style|<[^>]*\son[a-z]+=|javascript:|\.srcdoc"
    assert not re.search(forbidden, text)
    places = set(re.findall(r"https?://[^\s\"')]+", text)) - {"http://www.w3.org/2000/svg"}
    assert not places
    assert not re.search(r"(?:src|href|from|import\()\s*=?\s*[\"'](?:https?:)?//", text)
    assert len(text.splitlines()) < 400


def test_the_page_has_no_script_or_style_of_its_own():
    page = (SOURCES / "page.html").read_text()
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|<base|<iframe|<object", page)
    labels = set(re.findall(r'<label[^>]*\sfor="([^"]+)"', page))
    fields = set(re.findall(r'<(?:input|select)\s+id="([^"]+)"', page))
    assert fields <= labels, "every field has a label"
    (sign_in,) = re.findall(r'<form id="sign-in-form".*?</form>', page, re.DOTALL)
    assert " name=" not in sign_in, "sent before the script has come, the form must not put the token into the address"
