"""`accounts`, `status`, `pause` and `replay`, and how a run is followed: processes against the API of these tests."""

import asyncio
import io
import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from backend import NOW_MS, OTHER, SHOP
from rich.console import Console
from terminals import read_to_the_end, started
from test_remote_commands import keep_a_gap, lines
from typer.testing import CliRunner
from whole import run

from whatsapp_backend.cli.accounts import account_table
from whatsapp_backend.cli.commands import app
from whatsapp_backend.cli.exits import MEANINGS, Exit, gravest
from whatsapp_backend.domain.jobs import JobState, Work
from whatsapp_backend.domain.mirror import Progress
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.flows.replay import Replayed

ROOT = Path(__file__).parents[2]
HOUR_MS = 3_600_000


# -- Accounts ----------------------------------------------------------------------------------------------------------


async def test_accounts_are_shown_with_what_is_wrong(backend, command):
    backend.desk.change(SHOP, name="[b]Shop\x1b[2J", status="logged_out", last_error="unlinked by the phone")
    code, out, err = await command("accounts")
    assert (code, err) == (0, "")
    for text in ("[b]Shop?[2J", "+15550001111", "logged_out", "unlinked by the phone", SHOP, OTHER, "connected"):
        assert text in out
    code, out, _ = await command("accounts", "--json")
    assert (code, [one["id"] for one in lines(out)]) == (0, [SHOP, OTHER])


@pytest.mark.parametrize(("told", "shown"), [({}, False), ({"hearing": None}, False), ({"hearing": "deaf"}, True)])
def test_whether_an_account_is_heard_is_shown_where_the_daemon_tells_it(told, shown):
    names = ("id", "name", "phone", "status", "lastError")
    table = account_table([{**dict.fromkeys(names, "x"), "caughtUp": True, **told}])
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table)
    assert ("deaf" in console.export_text()) is shown


async def test_an_account_is_paused_and_runs_again(backend, command):
    code, out, _ = await command("pause", "--phone", "+15550001111", "--for", "2h")
    assert (code, "2026-11-22 08:19 UTC" in out) == (0, True)
    assert await backend.store.pauses() == {SHOP: NOW_MS + 2 * HOUR_MS}
    code, out, _ = await command("accounts")
    assert "paused until 2026-11-22 08:19" in out
    code, out, _ = await command("unpause", "--all", "--json")
    assert (code, [one["pausedUntil"] for one in lines(out)]) == (0, [None, None])
    for arguments in (["pause"], ["pause", "--all", "--for", "forever"], ["unpause", "--account", "x"]):
        code, out, _ = await command(*arguments)
        assert (code, out) == (2, "")


# -- Status ------------------------------------------------------------------------------------------------------------


async def test_status_is_one_screen_of_all_there_is(backend, command):
    await keep_a_gap(backend)
    backend.runs.put("J1", state=JobState.RUNNING, started_at_ms=NOW_MS, work=Work(fetched=41, gaps_closed=2))
    code, out, err = await command("status")
    assert (code, err) == (0, "")
    for text in ("healthy", "documents 2 behind", "1 parked", "Shop", "1 open", "backfill of", "41 fetched", "2 gaps"):
        assert text in out, text
    code, out, _ = await command("status", "--json")
    (one,) = lines(out)
    assert (code, one["ok"], one["reason"]) == (0, True, None)
    assert [(account["id"], account["gaps"]) for account in one["accounts"]] == [(SHOP, {"open": 1}), (OTHER, {})]
    assert [job["id"] for job in one["jobs"]] == ["J1"]


async def test_without_an_account_status_says_how_to_declare_one(backend, command):
    backend.desk.known.clear()
    code, out, _ = await command("status")
    assert (code, "whatsapp-backend pair" in out, "history that came" in out) == (0, True, False)


async def test_what_is_degraded_is_1_with_its_reason(backend, command):
    backend.desk.change(OTHER, status="logged_out")
    code, out, _ = await command("status")
    assert (code, "degraded" in out, "1 of 2 accounts" in out) == (1, True, True)
    backend.ward.now = replace(backend.ward.now, trouble="the bridge is not running")
    code, out, _ = await command("status", "--json")
    assert (code, lines(out)[0]["reason"]) == (1, "the bridge is not running")


async def test_watch_draws_again_until_it_is_interrupted_and_outlives_a_bad_moment(backend, environment):
    async with started(environment, "status", "--watch", "--json") as process:
        first = json.loads(await process.stdout.readline())
        ward, backend.ward.now = backend.ward.now, replace(backend.ward.now, trouble="Firestore is out")
        while json.loads(await process.stdout.readline())["reason"] != "Firestore is out":
            pass
        backend.ward.now = ward
        while not json.loads(await process.stdout.readline())["ok"]:
            pass
        process.send_signal(signal.SIGINT)
        await process.communicate()
    assert (first["ok"], process.returncode) == (True, 130)


# -- Replay ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def parked(backend):
    rows = ((3, 0, SHOP, "odd"), (5, 1, OTHER, "too large"), (5, 2, OTHER, "odd"))
    await backend.store.advance(Progress(consumer="documents", parked=rows))


async def test_what_is_parked_is_listed(parked, backend, command):
    code, out, _ = await command("replay", "--list", "--json")
    assert (code, [(one["seq"], one["part"]) for one in lines(out)]) == (0, [(3, 0), (5, 1), (5, 2)])
    code, out, _ = await command("replay", "--list", "--account", OTHER)
    assert (code, "too large" in out, SHOP in out) == (0, True, False)
    assert backend.asked_to_replay == []


async def test_replay_goes_through_all_pages_of_every_account(parked, backend, command):
    pages = {0: Replayed(landed=1, next=4), 4: Replayed(landed=0, parked=1)}

    async def replay(account=None, *, seq=None, after=0):
        backend.asked_to_replay.append((account, after))
        return pages[after]

    backend.replay = replay
    code, out, err = await command("replay", "--json")
    assert (code, err) == (0, "")
    assert lines(out) == [{"accountId": account, "landed": 1, "parked": 1} for account in (SHOP, OTHER)]
    assert backend.asked_to_replay == [(SHOP, 0), (SHOP, 4), (OTHER, 0), (OTHER, 4)]
    code, out, _ = await command("replay", "--account", SHOP)
    assert (code, "1 landed, 1 stay parked" in out) == (0, True)


async def test_with_nothing_parked_nothing_is_tried(backend, command):
    code, out, _ = await command("replay")
    assert (code, out, backend.asked_to_replay) == (0, "nothing is parked\n", [])


async def test_a_replay_that_the_store_refuses_is_75(parked, backend, command):
    async def replay(account=None, *, seq=None, after=0):
        raise StoreUnwell("the disk is full")

    backend.replay = replay
    code, _, err = await command("replay")
    assert (code, "the disk is full" in err) == (75, True)


# -- Progress ----------------------------------------------------------------------------------------------------------


async def test_in_a_terminal_a_run_has_a_bar_with_rate_and_time_left(alone, backend, environment):
    await keep_a_gap(backend)
    going = {"state": JobState.RUNNING, "work": Work(fetched=900)}
    closed = {"state": JobState.RUNNING, "work": Work(fetched=900, gaps_closed=1)}
    backend.runs.coming = [{}, *[going] * 3, *[closed] * 3, {"state": JobState.DONE, "ended_at_ms": NOW_MS}]
    master, terminal = os.openpty()
    async with started(environment | {"TERM": "xterm"}, "backfill", "--json", stderr=terminal) as process:
        os.close(terminal)
        shown = await asyncio.to_thread(read_to_the_end, master)
        out, _ = await process.communicate()
    assert (process.returncode, [job["state"] for job in lines(out.decode())]) == (0, ["done"])
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    for form in (r"0/1 gaps", r"1/1 gaps", r"[0-9.]+ messages/s", r"0:00:0[0-9]"):
        assert re.search(form, plain), form


# -- Exit codes --------------------------------------------------------------------------------------------------------


def test_the_exit_codes_are_documented_and_in_the_help():
    page = (ROOT / "docs" / "operations.md").read_text()
    rows = dict(re.findall(r"^\| ([0-9]+) \| (.+) \|$", page, re.MULTILINE))
    assert {int(code): meaning for code, meaning in rows.items()} == {
        int(code): text for code, text in MEANINGS.items()
    }
    shown = " ".join(CliRunner().invoke(app, ["--help"], env={"COLUMNS": "300"}).output.split())
    for code, meaning in MEANINGS.items():
        assert f"{int(code)}: {meaning}" in shown
    assert set(MEANINGS) == set(Exit)


def test_of_several_codes_the_gravest_counts():
    assert gravest([]) is Exit.DONE
    assert gravest([Exit.DONE, Exit.BUSY, Exit.NOT_CONNECTED]) is Exit.BUSY
    assert gravest([Exit.NOT_CONNECTED, Exit.LATER, Exit.FAILED]) is Exit.FAILED


ASKING = (["accounts"], ["status"], ["gaps"], ["jobs"], ["backfill"], ["resync"], ["pause"], ["unpause"], ["replay"])


@pytest.mark.parametrize("arguments", [*ASKING, ["pair", "+15550001111"], ["status", "--watch"]], ids=" ".join)
async def test_without_a_daemon_every_command_is_69_and_silent_on_stdout(environment, unused_tcp_port, arguments):
    code, out, err = await run(environment | {"PORT": str(unused_tcp_port)}, *arguments, "--json")
    assert (code, out, "serve" in err) == (69, "", True)


async def test_wrong_settings_are_78(environment):
    for arguments in ASKING:
        code, out, err = await run(environment | {"PORT": "many"}, *arguments)
        assert (code, out, "PORT" in err) == (78, "", True)
