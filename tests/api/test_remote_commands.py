"""The commands that ask a running daemon, as processes of their own against a real HTTP server of the API."""

import asyncio
import json
import signal
from dataclasses import replace

import pytest
from aiohttp import web
from backend import NOW_MS, OTHER, SHOP, THREAD
from terminals import started
from whole import run
from yarl import URL

from whatsapp_backend.cli.client import Daemon, address
from whatsapp_backend.cli.follow import follow
from whatsapp_backend.domain.coverage import Coverage, Gap, LedgerChange, Point, Reason
from whatsapp_backend.domain.jobs import JobState, Kind, Trigger, Work
from whatsapp_backend.errors import (
    Busy,
    DaemonRefused,
    DaemonSilent,
    DocumentsUnavailable,
    HistoryHeldBack,
    StoreUnwell,
)
from whatsapp_backend.settings import load
from whatsapp_backend.testing.fake_clock import FakeClock

ANA = "15550002222@s.whatsapp.net"
DONE = {"state": JobState.DONE, "ended_at_ms": NOW_MS}


def lines(out):
    return [json.loads(line) for line in out.splitlines()]


# -- Runs ------------------------------------------------------------------------------------------------------------


async def test_a_resync_waits_until_it_has_ended_and_shows_what_came(alone, backend, command):
    work = Work(threads=2, requests=3, fetched=90, stored=70, duplicates=20, gaps_closed=1)
    backend.runs.coming = [{}, {"state": JobState.RUNNING}, {"work": Work(fetched=50)}, {**DONE, "work": work}]
    code, out, err = await command(
        "resync", "--since", "3h", "--until", "1h", "--chat", "+1 555 000 2222", "--chat", ANA
    )
    assert (code, err) == (0, "")
    assert [text for text in ("done", "90", "70", "20") if text not in out] == []
    job = backend.runs.known["J1"]
    assert (job.kind, job.trigger, job.bounds.chats) == (Kind.RESYNC, Trigger.MANUAL, (ANA,))
    assert (job.bounds.since_ms, job.bounds.until_ms) == (NOW_MS - 3 * 3_600_000, NOW_MS - 3_600_000)


async def test_scripts_get_one_json_object_for_each_run(backend, command):
    backend.runs.coming = [DONE, DONE]
    code, out, err = await command("backfill", "--all", "--json")
    assert (code, err) == (0, "")
    assert [(job["accountId"], job["kind"], job["state"]) for job in lines(out)] == [
        (SHOP, "backfill", "done"),
        (OTHER, "backfill", "done"),
    ]


async def test_a_run_that_fails_is_a_failure_with_its_reason(alone, backend, command):
    why = {"state": JobState.FAILED, "error_code": "phone_unreachable", "error_message": "[b]no\x1b[2J answer"}
    backend.runs.coming = [{}, why]
    code, out, _ = await command("backfill")
    assert code == 1
    assert "[b]no?[2J answer" in out


async def test_nobody_waits_who_does_not_want_to(alone, backend, command):
    code, out, _ = await command("resync", "--no-wait", "--json")
    assert (code, lines(out)[0]["state"]) == (0, "pending")
    assert backend.runs.known["J1"].bounds.since_ms == NOW_MS - 2 * 3_600_000


@pytest.mark.parametrize("arguments", [["backfill"], ["resync", "--since", "1d"]])
async def test_a_dry_run_shows_its_plan(alone, backend, command, arguments):
    code, out, _ = await command(*arguments, "--dry-run")
    assert (code, backend.runs.known["J1"].dry_run) == (0, True)
    said = (
        "4 gaps of 3 threads",
        "at least: 4",
        "writes of these, at most: 200, $0.0002",
        "in all, at most: 1000, $0.0018",
    )
    assert [text for text in said if text not in out] == []
    code, out, _ = await command("jobs")
    assert (code, "dry run" in out) == (0, True)


async def test_the_plan_of_a_run_without_limits_does_not_make_up_how_much_there_is(alone, backend, command):
    backend.runs.plan = replace(backend.runs.plan, most_writes=None)
    code, out, _ = await command("resync", "--dry-run", "--json")
    assert (code, lines(out)[0]["plan"]["mostWrites"], lines(out)[0]["plan"]["mostCostUsd"]) == (0, None, None)
    _, out, _ = await command("resync", "--dry-run")
    assert "the phone knows" in " ".join(out.replace("│", " ").split())


async def test_while_another_run_works_the_exit_code_is_3(alone, backend, command):
    backend.runs.trouble = Busy("instance-2", "J7")
    code, out, err = await command("backfill")
    assert (code, out) == (3, "")
    assert "instance-2" in err
    code, out, err = await command("resync", "--json")
    assert (code, err) == (3, "")
    (told,) = lines(out)
    assert (told["accountId"], told["error"], told["jobId"]) == (SHOP, "busy", "J7")


async def test_while_history_is_held_back_it_says_what_to_do(alone, backend, command):
    backend.runs.trouble = HistoryHeldBack()
    code, _, err = await command("resync")
    assert (code, "WHATSAPP_HISTORY_SYNC_DRY_RUN" in err, "dry run" in err) == (1, True, True)


async def test_without_a_connection_the_exit_code_is_4_and_other_accounts_are_dealt_with(backend, command):
    backend.desk.change(SHOP, status="logged_out")
    backend.runs.coming = [DONE]
    code, out, err = await command("backfill", "--all")
    assert code == 4
    assert "logged_out" in err
    assert OTHER in out


async def test_what_may_pass_is_75(alone, backend, command):
    backend.runs.trouble = DocumentsUnavailable()
    assert (await command("backfill"))[0] == 75


async def test_wrong_words_are_2_and_start_nothing(backend, command):
    named = ["--account", SHOP]
    for arguments, hint in (
        (["resync", *named, "--since", "yesterday"], "2h"),
        (["resync", *named, "--since", "1h", "--until", "2h"], "until"),
        (["resync", *named, "--chat", "Ana"], "+1555"),
        (["resync"], "--all"),
        (["backfill", "--all", *named], "contradict"),
        (["backfill", "--account", "account_test_0"], "no such account"),
        (["backfill", "--phone", "+15550007777"], "no such account"),
        (["backfill", "--phone", "12"], "+1555"),
        (["gaps", "--chat", ANA], "--account"),
        (["gaps", "--reset"], "--chat"),
        (["gaps", "--limit", "501"], "500"),
        (["jobs", "--url", "127.0.0.1:8080"], "http://127.0.0.1:8080"),
        (["jobs", "--url", "http://shop.example:8080"], "https"),
    ):
        code, out, err = await command(*arguments)
        assert (code, out) == (2, ""), arguments
        assert hint in err, arguments
    assert backend.runs.known == {}


async def test_an_account_is_named_by_its_id_or_its_number(backend, command):
    backend.runs.coming = [DONE] * 2
    code, out, _ = await command("backfill", "--phone", "+1 (555) 000-1111", "--account", SHOP, "--json")
    assert (code, [job["accountId"] for job in lines(out)]) == (0, [SHOP])


async def test_an_interrupted_command_says_that_the_run_goes_on(alone, backend, environment):
    asked = backend.runs.job
    followed = asyncio.Event()
    seen = 0

    async def job(job_id):
        nonlocal seen
        seen += 1
        if seen > 2:
            followed.set()
        return await asked(job_id)

    backend.runs.job = job
    async with started(environment, "backfill") as process:
        await followed.wait()
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert process.returncode == 130
    assert "J1" in err.decode()
    assert "jobs --cancel" in err.decode()
    assert backend.runs.known["J1"].state is JobState.PENDING


# -- Jobs and gaps ---------------------------------------------------------------------------------------------------


async def test_where_nothing_ran_the_list_of_jobs_says_so(backend, command):
    assert await command("jobs") == (0, "nothing ran yet\n", "")
    assert await command("jobs", "--json") == (0, "", "")


async def test_jobs_are_listed_newest_first_over_all_accounts(backend, command):
    for number, account in enumerate((SHOP, OTHER, SHOP)):
        backend.runs.put(f"J{number}", account=account, created_at_ms=NOW_MS + number)
    code, out, _ = await command("jobs", "--json")
    assert (code, [job["id"] for job in lines(out)]) == (0, ["J2", "J1", "J0"])
    code, out, _ = await command("jobs", "--limit", "1")
    assert (code, "J2" in out, "J1" in out) == (0, True, False)


async def test_a_job_is_cancelled_wherever_it_is(backend, command):
    backend.runs.put("J1", account=OTHER, state=JobState.RUNNING)
    code, out, _ = await command("jobs", "--cancel", "J1")
    assert (code, "cancelled" in out) == (0, True)
    assert backend.runs.known["J1"].state is JobState.CANCELLED
    backend.runs.put("J2", state=JobState.FAILED)
    for job in ("J2", "J/3", "J4"):
        code, out, err = await command("jobs", "--cancel", job)
        assert (code, out) == (1, "")
        assert "job" in err


async def keep_a_gap(backend, *, above_ms=NOW_MS):
    gap = Gap(
        account=SHOP,
        thread=f"threads/{THREAD}",
        number=1,
        start_ms=NOW_MS - 60_000,
        end_ms=above_ms,
        below=Point(NOW_MS - 61_000, "M1"),
        above=Point(above_ms, "M2"),
        reason=Reason.CRASHED,
        opened_at_ms=NOW_MS,
    )
    coverage = Coverage(account=SHOP, thread=f"threads/{THREAD}", jid=ANA, gaps_ever=1, gaps=(gap,))
    await backend.store.record(LedgerChange(coverages=(coverage,)))


async def test_gaps_are_shown_of_all_accounts_or_of_one_chat(backend, command):
    await keep_a_gap(backend)
    code, out, _ = await command("gaps")
    assert code == 0
    shown = (f"{SHOP}: 1 open", f"{OTHER}: no gaps", "crashed", ANA, "2026-11-22 06:18", "2026-11-22 06:19")
    assert [text for text in shown if text not in out] == []
    code, out, _ = await command("gaps", "--json", "--phone", "+15550001111")
    assert (code, [answer["count"] for answer in lines(out)]) == (0, [1])
    for chat in (ANA, "+15550002222", "15550002222:3@c.us"):
        code, out, _ = await command("gaps", "--account", SHOP, "--chat", chat, "--json")
        assert (code, lines(out)[0]["threadId"]) == (0, THREAD)
    code, out, _ = await command("gaps", "--account", SHOP, "--chat", ANA)
    assert (code, "crashed" in out, "nothing" in out) == (0, True, True)
    code, out, err = await command("gaps", "--account", SHOP, "--chat", "15550007777@s.whatsapp.net")
    assert (code, out) == (1, "")
    assert "no such thread" in err


async def test_a_chat_is_distrusted(alone, backend, command):
    await keep_a_gap(backend)
    code, _, err = await command("gaps", "--chat", ANA, "--reset")
    assert (code, "proven anew" in err) == (0, True)
    assert backend.distrusted == [f"threads/{THREAD}"]


# -- The daemon --------------------------------------------------------------------------------------------------------


async def test_without_a_daemon_the_exit_code_is_69(environment, unused_tcp_port):
    for arguments in (["backfill"], ["resync", "--json"], ["gaps"], ["jobs"]):
        code, out, err = await run(environment | {"PORT": str(unused_tcp_port)}, *arguments)
        assert (code, out) == (69, "")
        assert f"http://127.0.0.1:{unused_tcp_port}" in err
        assert "serve" in err


async def test_the_url_wins_over_the_settings(api, alone, environment, unused_tcp_port):
    url = f"http://localhost:{api.port}/"
    assert (await run(environment | {"PORT": str(unused_tcp_port)}, "jobs", "--json", "--url", url))[0] == 0


@pytest.mark.parametrize("text", ["<html>hi</html>", "[]", ""])
async def test_a_server_that_is_none_of_ours_is_no_daemon(aiohttp_server, text):
    async def anything(_request):
        return web.Response(text=text)

    app = web.Application()
    app.router.add_get("/{path:.*}", anything)
    server = await aiohttp_server(app)
    async with Daemon.at(URL.build(scheme="http", host="127.0.0.1", port=server.port), admin_token=None) as daemon:
        with pytest.raises(DaemonSilent, match="no whatsapp-backend"):
            await daemon.get("accounts")


@pytest.mark.parametrize(("token", "sent"), [("hush", "Bearer hush"), (None, None)])
async def test_the_admin_token_is_sent_and_names_are_encoded(aiohttp_server, token, sent):
    seen = []

    async def anything(request):
        seen.append((request.raw_path, request.headers.get("Authorization")))
        return web.json_response({"success": True})

    app = web.Application()
    app.router.add_get("/{path:.*}", anything)
    server = await aiohttp_server(app)
    async with Daemon.at(URL.build(scheme="http", host="127.0.0.1", port=server.port), admin_token=token) as daemon:
        await daemon.get("gaps", "a/b", "x%20y__é@lid?", limit=5)
    assert seen == [("/api/whatsapp/gaps/a%2Fb/x%2520y__%C3%A9%40lid%3F?limit=5", sent)]


@pytest.mark.parametrize(
    ("settings", "url", "found"),
    [
        ({}, None, "http://127.0.0.1:8080"),
        ({"PORT": "9000", "BIND_HOST": "::1"}, None, "http://[::1]:9000"),
        ({"PORT": "0"}, "http://localhost:81", "http://localhost:81"),
        ({}, "https://shop.example/", "https://shop.example"),
    ],
)
def test_where_the_daemon_is(settings, url, found):
    assert str(address(load({"HOME": "/home/operator", **settings}), url)) == found


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"PORT": "0"}, None),
        ({}, ""),
        ({}, "localhost"),
        ({}, "ftp://localhost"),
        ({}, "http://"),
        ({}, "http://localhost/api"),
        ({}, "http://localhost?x=1"),
        ({}, "http://10.0.0.1:8080"),
        ({}, "http://localhost.shop.example"),
        ({}, "http://[::1"),
        ({}, "http://localhost:port"),
    ],
)
def test_where_it_cannot_be(settings, url):
    with pytest.raises(ValueError):
        address(load({"HOME": "/home/operator", **settings}), url)


class Restarted:
    """A daemon that answers with these, in turn."""

    def __init__(self, *answers):
        self._answers = list(answers)

    async def get(self, *_path):
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {"job": answer}


def a_job(state):
    return {
        "id": "J1",
        "accountId": SHOP,
        "kind": "resync",
        "state": state,
        "progress": {"fetched": 0, "stored": 0, "duplicates": 0, "gapsClosed": 0},
    }


async def followed(*answers):
    """What comes of following a job through an hour."""
    clock = FakeClock()
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(follow(Restarted(*answers), [a_job("pending")], clock))
        await clock.advance(3600)
        assert following.done()
    return following.result()


async def test_a_daemon_that_is_started_again_is_waited_for():
    unwell = DaemonRefused(503, {"message": str(StoreUnwell())})
    (job,) = await followed(a_job("running"), *[DaemonSilent()] * 10, *[unwell] * 10, a_job("running"), a_job("done"))
    assert job["state"] == "done"


@pytest.mark.parametrize("error", [DaemonSilent(), DaemonRefused(404, {"error": "job_not_found"})])
async def test_a_daemon_that_stays_away_or_forgot_is_not(error, capsys):
    with pytest.raises(ExceptionGroup) as failed:
        await followed(a_job("running"), error)
    assert failed.value.exceptions == (error,)
    assert "J1" in capsys.readouterr().err
