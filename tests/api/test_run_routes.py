"""Runs started, followed and ended by hand; what callers may say of a resync; and who is an admin."""

from dataclasses import replace

import pytest
from backend import NOW_MS, OTHER, SHOP, raw, refused

from whatsapp_backend.domain.coverage import ENDLESS_MS
from whatsapp_backend.domain.jobs import Bounds, JobState, Kind, ThreadResult, Trigger, Work
from whatsapp_backend.errors import AccountUnknown, Busy, DocumentsUnavailable, HistoryHeldBack, StoreUnwell

BACKFILL = f"/api/whatsapp/backfill/{SHOP}"
ADMIN = f"/api/admin/backfill/{SHOP}"
RESYNC = f"/api/whatsapp/resync/{SHOP}"
JOBS = f"/api/whatsapp/jobs/{SHOP}"
STARTS = [BACKFILL, ADMIN, RESYNC]
HOUR_MS = 3_600_000
ANA, BOB = "15550002222@s.whatsapp.net", "15550003333@s.whatsapp.net"


async def json_of(api, path, **parameters):
    async with api.get(path, params=parameters) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def posted(api, path, body=None):
    async with api.post(path, json=body) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


# -- Starting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "message", "trigger"),
    [(BACKFILL, "Backfill started (runs asynchronously)", Trigger.MANUAL), (ADMIN, "Backfill enqueued", Trigger.ADMIN)],
)
async def test_a_backfill_is_started_by_staff_and_by_admins(api, backend, path, message, trigger):
    async with api.post(path) as answer:  # as `curl -X POST` does, without a body
        assert (answer.status, await answer.json()) == (
            200,
            {"success": True, "message": message, "accountId": SHOP, "jobId": "J1"},
        )
    job = backend.runs.known["J1"]
    assert (job.account, job.kind, job.trigger, job.bounds, job.dry_run) == (
        SHOP,
        Kind.BACKFILL,
        trigger,
        Bounds(),
        False,
    )


async def test_a_backfill_takes_what_callers_of_the_node_system_send(api):
    assert (await posted(api, BACKFILL, {"accountId": SHOP, "limit": 50}))["success"]


async def test_a_dry_run_tells_what_would_be_done(api, backend):
    answer = await posted(api, BACKFILL, {"dryRun": True})
    plan = {"threads": 3, "gaps": 4, "requests": 4, "writes": 200, "costUsd": 0.00018}
    plan |= {"mostWrites": 1000, "mostCostUsd": 0.0018}
    assert answer["plan"] == plan
    assert (await posted(api, RESYNC, {"dryRun": True}))["data"]["plan"] == plan
    assert all(job.dry_run for job in backend.runs.known.values())


async def test_a_resync_goes_back_two_hours_unless_it_is_told_otherwise(api, backend):
    async with api.post(RESYNC) as answer:
        told = await answer.json()
    assert told == {
        "success": True,
        "data": {
            "accountId": SHOP,
            "since": "2026-11-22T04:19:31.000Z",
            "until": "2026-11-22T06:19:31.000Z",
            "jobId": "J1",
            "message": "Resync started (runs asynchronously)",
        },
    }
    job = backend.runs.known["J1"]
    assert (job.kind, job.trigger) == (Kind.RESYNC, Trigger.MANUAL)
    assert job.bounds == Bounds(since_ms=NOW_MS - 2 * HOUR_MS, until_ms=NOW_MS)


@pytest.mark.parametrize("path", STARTS)
async def test_asking_again_with_the_same_job_id_starts_nothing_new(api, backend, path):
    await posted(api, path, {"jobId": "mine-1"})
    backend.runs.trouble = Busy("instance-1", "mine-1")
    again = await posted(api, path, {"jobId": "mine-1"})
    assert again.get("data", again)["jobId"] == "mine-1"
    assert len(backend.runs.known) == 1


async def test_a_job_id_of_another_account_or_kind_is_refused(api, backend):
    backend.runs.put("theirs", account=OTHER)
    backend.runs.put("sync", kind=Kind.RECENT_SYNC)
    for job_id in ("theirs", "sync"):
        message = await refused(await api.post(BACKFILL, json={"jobId": job_id}), 409, "conflict")
        assert "another one" in message


@pytest.mark.parametrize("path", STARTS)
async def test_while_a_run_works_on_the_account_its_holder_is_named(api, backend, path):
    backend.runs.trouble = Busy("instance-2", "J7")
    answer = await api.post(path)
    assert "instance-2" in await refused(answer, 409, "busy")
    assert ((await answer.json())["holder"], (await answer.json())["jobId"]) == ("instance-2", "J7")


@pytest.mark.parametrize("path", STARTS)
async def test_while_history_is_held_back_it_is_refused_with_what_to_do(api, backend, path):
    backend.runs.trouble = HistoryHeldBack()
    assert "WHATSAPP_HISTORY_SYNC_DRY_RUN" in await refused(await api.post(path), 409, "history_dry_run")


@pytest.mark.parametrize("path", STARTS)
@pytest.mark.parametrize("status", ["connecting", "needs_qr", "logged_out"])
async def test_an_account_that_is_not_connected_is_refused_with_its_status(api, backend, path, status):
    backend.desk.change(SHOP, status=status)
    answer = await api.post(path)
    await refused(answer, 409, "invalid_state")
    assert (await answer.json())["currentStatus"] == status


@pytest.mark.parametrize("path", STARTS)
async def test_trouble_has_its_name(api, backend, path):
    for trouble, status, error in (
        (AccountUnknown(), 404, "account_not_found"),
        (DocumentsUnavailable(), 503, "firestore_unavailable"),
        (StoreUnwell(), 503, "store_unwell"),
    ):
        backend.runs.trouble = trouble
        await refused(await api.post(path), status, error)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/whatsapp/backfill/{}"),
        ("POST", "/api/admin/backfill/{}"),
        ("GET", "/api/admin/backfill/{}/status"),
        ("POST", "/api/whatsapp/resync/{}"),
        ("GET", "/api/whatsapp/jobs/{}"),
        ("GET", "/api/whatsapp/jobs/{}/J1"),
        ("POST", "/api/whatsapp/jobs/{}/J1/cancel"),
        ("GET", "/api/whatsapp/gaps/{}"),
        ("GET", "/api/whatsapp/gaps/{}/thread"),
        ("POST", "/api/whatsapp/gaps/{}/thread/reset"),
    ],
)
@pytest.mark.parametrize("account", ["account_test_0", "%2F", "..%2F", "%00", "%FF", "a" * 5000, "%0d%0aX:1"])
async def test_an_account_nobody_declared_is_a_404_however_it_is_written(api, method, path, account):
    status, answer = await raw(api, f"{method} {path.format(account)} HTTP/1.1\nContent-Length: 2\n\n{{}}")
    assert (status, answer["error"]) == (404, "account_not_found")


# -- What is said of a resync ----------------------------------------------------------------------------------------

GOOD = [
    ({}, NOW_MS - 2 * HOUR_MS, NOW_MS),
    ({"since": None, "until": None, "chats": None, "dryRun": None, "jobId": None}, NOW_MS - 2 * HOUR_MS, NOW_MS),
    ({"since": "90s"}, NOW_MS - 90_000, NOW_MS),
    ({"since": "30m"}, NOW_MS - 1_800_000, NOW_MS),
    ({"since": "007d"}, NOW_MS - 7 * 24 * HOUR_MS, NOW_MS),
    ({"since": "3h", "until": "1h"}, NOW_MS - 3 * HOUR_MS, NOW_MS - HOUR_MS),
    ({"since": "2026-11-22"}, NOW_MS - (6 * 3600 + 19 * 60 + 31) * 1000, NOW_MS),
    ({"since": "2026-11-22T06:00:00Z"}, NOW_MS - (19 * 60 + 31) * 1000, NOW_MS),
    ({"since": "2026-11-22T08:00:00+02:00"}, NOW_MS - (19 * 60 + 31) * 1000, NOW_MS),
    ({"since": "2026-11-22t08:00:00+0200"}, NOW_MS - (19 * 60 + 31) * 1000, NOW_MS),
    ({"since": "2026-11-22T06:00"}, NOW_MS - (19 * 60 + 31) * 1000, NOW_MS),
    ({"since": "2026-11-22 06:00:00.5"}, NOW_MS - (19 * 60 + 31) * 1000 + 500, NOW_MS),
    ({"since": "1970-01-01"}, 0, NOW_MS),
    ({"since": "1h", "until": "2027-01-01"}, NOW_MS - HOUR_MS, NOW_MS),
    ({"since": "1h", "until": "9999-12-31T23:59:59Z"}, NOW_MS - HOUR_MS, NOW_MS),
]


@pytest.mark.parametrize(("body", "since_ms", "until_ms"), GOOD)
async def test_moments_are_understood(api, backend, body, since_ms, until_ms):
    await posted(api, RESYNC, body)
    assert backend.runs.known["J1"].bounds == Bounds(since_ms=since_ms, until_ms=until_ms)


@pytest.mark.parametrize(
    ("body", "named", "way_out"),
    [
        ({"since": ""}, "`since`", "2h"),
        ({"since": "yesterday"}, "`since`", "2h"),
        ({"since": "2 h"}, "`since`", "2h"),
        ({"since": "2H"}, "`since`", "2h"),
        ({"since": "-2h"}, "`since`", "2h"),
        ({"since": "1.5h"}, "`since`", "2h"),
        ({"since": "2w"}, "`since`", "2h"),
        ({"since": "٢h"}, "`since`", "2h"),
        ({"since": "2h\n"}, "`since`", "2h"),
        ({"since": 7200}, "`since`", "2h"),
        ({"since": 1795328371000}, "`since`", "2h"),
        ({"since": True}, "`since`", "2h"),
        ({"since": ["2h"]}, "`since`", "2h"),
        ({"since": "9" * 30 + "d"}, "`since`", "1970-01-01"),
        ({"since": "9" * 5000 + "d"}, "`since`", "2h"),
        ({"since": "30000d"}, "`since`", "1970-01-01"),
        ({"since": "0001-01-01"}, "`since`", "1970-01-01"),
        ({"since": "1969-12-31T23:59:59Z"}, "`since`", "1970-01-01"),
        ({"since": "2026-02-30"}, "`since`", "no moment"),
        ({"since": "2026-11-22T24:00:00Z"}, "`since`", "no moment"),
        ({"since": "2026-11-22T06:00:00+99:00"}, "`since`", "no moment"),
        ({"since": "20261122"}, "`since`", "2h"),
        ({"since": "2026-W47-7"}, "`since`", "2h"),
        ({"since": "2026-11-22T06:00:00Z[Europe/Berlin]"}, "`since`", "2h"),
        ({"since": "2026-11-22T06:19:32Z"}, "`since`", "future"),
        ({"since": "9999-12-31T23:59:59-14:00"}, "`since`", "future"),
        ({"since": "0s"}, "`until`", "earlier `since`"),
        ({"since": "1h", "until": "2h"}, "`until`", "earlier `since`"),
        ({"since": "1h", "until": "1h"}, "`until`", "earlier `since`"),
        ({"until": "3h"}, "`until`", "earlier `since`"),
        ({"until": "soon"}, "`until`", "2h"),
        ({"until": 5}, "`until`", "2h"),
        ({"chats": []}, "`chats`", "without it, all"),
        ({"chats": ANA}, "`chats`", "list"),
        ({"chats": [ANA, 5]}, "`chats`", "list"),
        ({"chats": ["+15550002222"]}, "`chats`", "@s.whatsapp.net"),
        ({"chats": ["a b@s.whatsapp.net"]}, "`chats`", "list"),
        ({"chats": [ANA] * 1001}, "`chats`", "1000"),
        ({"chats": {"0": ANA}}, "`chats`", "list"),
        ({"chatJids": [ANA]}, "`chatJids`", "chats"),
        ({"dryrun": True}, "`dryrun`", "dryRun"),
        ({"dryRun": "yes"}, "`dryRun`", "true or false"),
        ({"dryRun": 1}, "`dryRun`", "true or false"),
        ({"jobId": ""}, "`jobId`", "64"),
        ({"jobId": "a/b"}, "`jobId`", "64"),
        ({"jobId": "x" * 65}, "`jobId`", "64"),
        ({"jobId": 5}, "`jobId`", "64"),
    ],
)
async def test_what_means_nothing_is_refused_by_its_name_with_a_way_out(api, backend, body, named, way_out):
    message = await refused(await api.post(RESYNC, json=body), 400, "bad_request")
    assert named in message
    assert way_out in message
    assert backend.runs.known == {}


@pytest.mark.parametrize("path", STARTS)
@pytest.mark.parametrize("body", [b"no json", b"[]", b'"2h"', b"null", b'{"since": NaN}', b'{"since": "\\ud800"}'])
async def test_a_body_that_is_no_json_object_is_refused(api, path, body):
    await refused(await api.post(path, data=body), 400, "bad_request")


async def test_chats_have_one_spelling_and_are_named_once(api, backend):
    chats = ["15550002222:12@c.us", ANA, "120363000000000001@g.us", "88000000002222@lid", "STATUS@broadcast"]
    await posted(api, RESYNC, {"chats": [one.lower() for one in chats]})
    assert backend.runs.known["J1"].bounds.chats == (
        ANA,
        "120363000000000001@g.us",
        "88000000002222@lid",
        "status@broadcast",
    )


# -- Jobs ------------------------------------------------------------------------------------------------------------


async def test_a_job_tells_everything_about_itself(api, backend):
    backend.runs.put(
        kind=Kind.RESYNC,
        trigger=Trigger.MANUAL,
        bounds=Bounds(since_ms=NOW_MS - HOUR_MS, until_ms=ENDLESS_MS, chats=(ANA,)),
        state=JobState.FAILED,
        work=Work(threads=9, requests=8, unanswered=7, fetched=6, stored=5, duplicates=4, gaps_closed=3, errors=2),
        results=(
            ThreadResult(thread=f"{SHOP}__{ANA}", status="ok", fetched=6),
            ThreadResult(thread="t", status="error", error="why"),
        ),
        error_code="phone_unreachable",
        error_message="it is off",
        started_at_ms=NOW_MS + 1000,
        beat_at_ms=NOW_MS + 2000,
        ended_at_ms=NOW_MS + 3500,
    )
    assert await json_of(api, f"{JOBS}/J1") == {
        "success": True,
        "job": {
            "id": "J1",
            "accountId": SHOP,
            "kind": "resync",
            "trigger": "manual",
            "state": "failed",
            "dryRun": False,
            "since": "2026-11-22T05:19:31.000Z",
            "until": None,
            "chats": [ANA],
            "progress": {
                "threads": 9,
                "requests": 8,
                "unanswered": 7,
                "fetched": 6,
                "stored": 5,
                "duplicates": 4,
                "gapsClosed": 3,
                "errors": 2,
            },
            "results": [
                {"threadId": f"{SHOP}__{ANA}", "status": "ok", "fetched": 6},
                {"threadId": "t", "status": "error", "fetched": 0, "error": "why"},
            ],
            "plan": None,
            "errorCode": "phone_unreachable",
            "errorMessage": "it is off",
            "createdAt": "2026-11-22T06:19:31.000Z",
            "startedAt": "2026-11-22T06:19:32.000Z",
            "beatAt": "2026-11-22T06:19:33.000Z",
            "endedAt": "2026-11-22T06:19:34.500Z",
            "durationMs": 2500,
        },
    }


async def test_jobs_come_newest_first_in_pages_and_only_of_this_account(api, backend):
    for number in range(5):
        backend.runs.put(f"J{number}", created_at_ms=NOW_MS + number)
    backend.runs.put("other", account=OTHER)
    seen, before = [], {}
    while True:
        page = await json_of(api, JOBS, limit="2", **before)
        assert page["count"] == len(page["jobs"])
        seen += [job["id"] for job in page["jobs"]]
        if page["before"] is None:
            break
        before = {"before": page["before"]}
    assert seen == ["J4", "J3", "J2", "J1", "J0"]


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "501"}, {"limit": "x"}, {"before": ""}, {"before": "x"}, {"before": "5"}]
)
async def test_a_page_that_is_none_is_refused(api, query):
    await refused(await api.get(JOBS, params=query), 400, "bad_request")


@pytest.mark.parametrize("job", ["nothing", "%00", "%FF", "..%2F", "a" * 5000, "%ED%A0%80"])
async def test_a_job_that_is_not_there_is_a_404(api, job):
    for path in (f"GET {JOBS}/{job}", f"POST {JOBS}/{job}/cancel"):
        status, answer = await raw(api, f"{path} HTTP/1.1\nContent-Length: 0\n\n")
        assert (status, answer["error"]) == (404, "job_not_found")


async def test_a_job_of_another_account_is_not_shown_and_not_cancelled(api, backend):
    backend.runs.put(account=OTHER, state=JobState.RUNNING)
    await refused(await api.get(f"{JOBS}/J1"), 403, "wrong_account")
    await refused(await api.post(f"{JOBS}/J1/cancel"), 403, "wrong_account")
    assert backend.runs.known["J1"].state is JobState.RUNNING


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.RUNNING, JobState.CANCELLED])
async def test_a_job_is_cancelled_also_twice(api, backend, state):
    backend.runs.put(state=state)
    for _ in range(2):
        assert (await posted(api, f"{JOBS}/J1/cancel"))["job"]["state"] == "cancelled"


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED])
async def test_a_job_that_has_ended_cannot_be_cancelled(api, backend, state):
    before = backend.runs.put(state=state)
    answer = await api.post(f"{JOBS}/J1/cancel")
    await refused(answer, 409, "already_ended")
    assert (await answer.json())["currentStatus"] == state
    assert backend.runs.known["J1"] == before


# -- The status of backfills -------------------------------------------------------------------------------------------

NEVER = {"lastBackfillAt": None, "lastBackfillStatus": None, "lastBackfillError": None, "lastBackfillStats": None}


async def status(api):
    answer = await json_of(api, f"{ADMIN}/status")
    assert (answer.pop("success"), answer.pop("accountId")) == (True, SHOP)
    return answer


async def test_an_account_that_was_never_backfilled_says_so(api, backend):
    backend.runs.put("sync", kind=Kind.RECENT_SYNC)
    backend.runs.put("dry", dry_run=True)
    backend.runs.put("other", account=OTHER)
    assert await status(api) == {**NEVER, "jobId": None}


async def test_the_status_is_of_the_last_backfill_and_of_the_last_success_while_another_runs(api, backend):
    done = backend.runs.put(
        work=Work(threads=2, fetched=30, stored=20, errors=1), started_at_ms=NOW_MS, ended_at_ms=NOW_MS + 1500
    )
    told = {
        "lastBackfillAt": "2026-11-22T06:19:32.500Z",
        "lastBackfillStatus": "success",
        "lastBackfillError": None,
        "lastBackfillStats": {"threads": 2, "messages": 30, "errors": 1, "durationMs": 1500},
        "jobId": "J1",
    }
    assert await status(api) == told
    backend.runs.put("J2", created_at_ms=NOW_MS + 1, state=JobState.RUNNING)
    assert await status(api) == {**told, "lastBackfillStatus": "running", "jobId": "J2"}
    failed = {"state": JobState.FAILED, "error_code": "phone_unreachable", "error_message": "no answer"}
    backend.runs.known["J2"] = replace(done, id="J2", created_at_ms=NOW_MS + 1, **failed)
    now = await status(api)
    assert (now["lastBackfillStatus"], now["lastBackfillError"]) == ("error", "no answer")
    backend.runs.put("J3", created_at_ms=NOW_MS + 2, state=JobState.CANCELLED, ended_at_ms=NOW_MS)
    now = await status(api)
    assert (now["lastBackfillStatus"], now["lastBackfillError"]) == ("error", "cancelled")


# -- Admins ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("admin_token", ["let-me-in"])
class TestWithAToken:
    @pytest.mark.parametrize(
        "given", ["Bearer let-me-in", "bearer let-me-in", "Bearer  let-me-in ", "  Bearer let-me-in"]
    )
    async def test_the_token_opens_the_routes_of_admins(self, api, given):
        headers = {"Authorization": given}
        assert (await api.post(ADMIN, headers=headers)).status == 200
        assert (await api.get(f"{ADMIN}/status", headers=headers)).status == 200

    @pytest.mark.parametrize(
        "given", [None, "", "Bearer", "Bearer ", "let-me-in", "Basic let-me-in", "Bearerlet-me-in"]
    )
    async def test_no_token_is_a_401(self, api, backend, given):
        answer = await api.post(ADMIN, headers={} if given is None else {"Authorization": given})
        assert "ADMIN_TOKEN" in await refused(answer, 401, "missing_auth_token")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert backend.runs.known == {}

    @pytest.mark.parametrize(
        "given", ["let-me-i", "let-me-in2", "LET-ME-IN", "let-me-in let-me-in", "lét-me-in", "None"]
    )
    async def test_another_token_is_a_403(self, api, backend, given):
        await refused(await api.post(ADMIN, headers={"Authorization": f"Bearer {given}"}), 403, "forbidden")
        assert backend.runs.known == {}

    async def test_two_tokens_are_none(self, api):
        headers = "Authorization: Bearer let-me-in\nAuthorization: Bearer let-me-in\nContent-Length: 0\n\n"
        status, _ = await raw(api, f"POST {ADMIN} HTTP/1.1\n{headers}")
        assert status in (400, 401)

    @pytest.mark.parametrize(
        "path", ["/api/admin/nothing", "/api/%61dmin/backfill/x", "/api/admin/backfill/x/y/z", "/nowhere", BACKFILL]
    )
    async def test_nothing_is_told_without_it_not_even_what_there_is(self, api, path):
        assert (await raw(api, f"GET {path} HTTP/1.1"))[0] == 401

    async def test_how_the_daemon_is_is_told_without_it(self, api):
        assert (await api.get("/ready")).status == 200

    async def test_a_page_from_elsewhere_is_refused_also_with_it(self, api):
        headers = {"Authorization": "Bearer let-me-in", "Origin": "https://evil.example"}
        await refused(await api.post(ADMIN, headers=headers), 403, "forbidden_origin")
