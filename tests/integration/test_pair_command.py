"""`pair` against the real daemon and the fake WhatsApp: what the terminal shows is scanned."""

import asyncio
import json
import os

import segno
from terminals import read_to_the_end, started
from whole import ANA, PHONE, RealDaemon, run, until

from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

DARK = {"█": (False, False), "▀": (False, True), "▄": (True, False), " ": (True, True)}
"""What each character shows: the upper and the lower module, filled is light."""
OTHER = "15550009999"


def address(daemon: RealDaemon) -> dict[str, str]:
    """The settings of a command that asks this daemon."""
    return daemon.environment | {"PORT": daemon.url.rpartition(":")[2]}


async def picture(process) -> list[str]:
    """The lines of the next code that is drawn."""
    lines: list[str] = []
    while True:
        raw = await process.stdout.readline()
        assert raw, (await process.stderr.read()).decode()
        line = raw.decode().rstrip("\n")
        if line and set(line) <= DARK.keys():
            lines.append(line)
        elif lines:
            return lines


def modules(lines: list[str]) -> list[list[bool]]:
    """The picture as dark and light modules, without its quiet zone of two."""
    rows = [[DARK[character][half] for character in line] for line in lines for half in (0, 1)]
    return [row[2:-2] for row in rows[2 : 2 + len(rows[0]) - 4]]


def encoded(code: str) -> list[list[bool]]:
    """The modules of this code."""
    return [[bool(module) for module in row] for row in segno.make(code, error="l", micro=False).matrix]


async def test_what_the_terminal_draws_is_the_code_and_pairs_the_phone(daemon: RealDaemon, server: FakeWhatsApp):
    await daemon.start()
    async with started(address(daemon), "pair", PHONE, "--name", "Corner shop") as process:
        shown = await picture(process)
        (account,) = (await daemon.get("/api/whatsapp/accounts"))["accounts"]
        code = await daemon.qr(account["id"])
        assert modules(shown) == encoded(code)
        assert modules(shown) != encoded(code + "x")
        await server.scan(code, phone=PHONE.lstrip("+"))
        out, err = await process.communicate()
    assert process.returncode == 0, err
    assert out.decode().splitlines()[-1] == f"Corner shop ({PHONE}) is connected: {account['id']}"
    code, out, err = await run(address(daemon), "accounts")
    assert (code, "Corner shop" in out, "connected" in out, PHONE in out) == (0, True, True, True), err
    code, out, _ = await run(address(daemon), "pair", "--account", account["id"])
    assert (code, "is connected" in out) == (0, True)


async def test_scripts_scan_from_json_and_another_number_is_told_apart(daemon: RealDaemon, server: FakeWhatsApp):
    await daemon.start()
    async with started(address(daemon), "pair", PHONE, "--json") as process:
        states = []
        while not states or states[-1]["qr"] is None:
            states.append(json.loads(await process.stdout.readline()))
        await server.scan(states[-1]["qr"], phone=OTHER)
        out, err = await process.communicate()
        states += [json.loads(line) for line in out.splitlines()]
    assert process.returncode == 6
    assert "another number" in err.decode()
    assert states[0]["status"] in {"connecting", "qr_ready"}
    assert (states[-1]["status"], states[-1]["qr"]) == ("needs_qr", None)


async def test_a_code_that_nobody_scans_is_given_up_and_declared_once(daemon: RealDaemon):
    await daemon.start()
    for _ in range(2):
        code, out, err = await run(address(daemon), "pair", "--timeout", "1", "--json", PHONE)
        assert (code, "within 1 s" in err) == (5, True)
        assert next(json.loads(line)["status"] for line in out.splitlines()) in {"connecting", "qr_ready"}
    assert len((await daemon.get("/api/whatsapp/accounts"))["accounts"]) == 1


async def test_accounts_are_declared_without_pairing_and_wrong_numbers_are_refused(daemon: RealDaemon):
    await daemon.start()
    code, out, _ = await run(address(daemon), "accounts", "--json", "add", "--phone", PHONE, "--name", "Shop", "--json")
    assert (code, json.loads(out)["phone"], json.loads(out)["name"]) == (0, PHONE, "Shop")
    code, out, _ = await run(address(daemon), "accounts", "add", "--phone", "12", "--name", "Shop")
    assert (code, out) == (2, "")
    for arguments in ([], [PHONE, "--account", "x"], ["12"]):
        code, out, err = await run(address(daemon), "pair", *arguments)
        assert (code, out) == (2, ""), err


async def test_with_history_it_stays_until_the_phone_has_sent_all_of_it(daemon: RealDaemon, server: FakeWhatsApp):
    await daemon.start()
    master, terminal = os.openpty()
    async with started(address(daemon), "pair", PHONE, "--json", "--history", stderr=terminal) as process:
        os.close(terminal)
        states = []
        while not states or states[-1]["qr"] is None:
            states.append(json.loads(await process.stdout.readline()))
        await server.scan(states[-1]["qr"], phone=PHONE.lstrip("+"))
        await daemon.connected(states[0]["accountId"])
        message = [{"chat": ANA, "messages": [{"id": "H1", "time": 1795328371, "text": "hi"}]}]
        for percent in (40, 100):
            chunks = [{"sync_type": "RECENT", "progress": percent, "conversations": message}]
            await server.op("history", account=PHONE.lstrip("+"), chunks=chunks)
            await until(lambda percent=percent: has_come(daemon, states[0]["accountId"], percent))
        shown = await asyncio.to_thread(read_to_the_end, master)
        await process.communicate()
    assert process.returncode == 0
    assert "recent history" in shown
    assert "100%" in shown or "40%" in shown


async def has_come(daemon: RealDaemon, account: str, percent: int) -> bool:
    """Whether so much of its history has come."""
    announced = (await daemon.get(f"/api/whatsapp/gaps/{account}"))["announced"]
    return percent in [one["percent"] for one in announced["progress"]]
