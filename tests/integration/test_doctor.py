"""`doctor`: every check finds what it is for, on the real thing."""

import asyncio
import json
import os
import socket
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import grpc
import pytest
from aiohttp import web
from google.cloud.firestore_v1 import types as messages
from whole import RealDaemon, run

from whatsapp_backend import __version__
from whatsapp_backend.adapters.bridge.process import Launch
from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.firestore.index_probe import missing_indexes
from whatsapp_backend.adapters.node_runtime import look_for_node
from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.cli.doctor import bridge, database, machine
from whatsapp_backend.cli.doctor.findings import Verdict, bounded, ok
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.errors import DocumentsUnavailable
from whatsapp_backend.settings import load

CHECKS = (
    *("settings", "node", "bridge", "credentials", "firestore", "indexes"),
    *("rules", "clock", "disk", "permissions", "store", "port", "daemon"),
)
OK, WARN, FAIL = Verdict.OK, Verdict.WARN, Verdict.FAIL
KEY = "-----BEGIN PRIVATE KEY-----"


@pytest.fixture
def settings(tmp_path):
    """Settings of a daemon whose state lies here."""

    def settings(**more):
        given = {
            "HOME": str(tmp_path),
            "STATE_DIR": str(tmp_path / "state"),
            "CACHE_DIRECTORY": str(tmp_path / "cache"),
        }
        return load(given | {name: str(value) for name, value in more.items()})

    return settings


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


# -- Node and the bridge -----------------------------------------------------------------------------------------------


async def test_node_and_the_bridge_of_this_checkout_are_well(settings):
    assert (await bridge.node(settings())).verdict is OK
    assert (await bridge.bridge(settings())).verdict is OK


async def test_without_node_both_say_so(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = await bridge.node(settings())
    assert (found.verdict, "nodejs" in found.do) == (FAIL, True)
    assert (await bridge.bridge(settings())).verdict is FAIL


@pytest.mark.parametrize(("tools", "verdict"), [(("node", "npm"), WARN), (("node",), FAIL)])
async def test_without_modules_npm_is_needed(settings, monkeypatch, tmp_path, tools, verdict):
    source, path = tmp_path / "node", tmp_path / "bin"
    for folder in (source, path):
        folder.mkdir()
    for tool in tools:
        program = path / tool
        program.write_text("#!/bin/sh\necho v22.1.0\n")
        program.chmod(0o755)
    monkeypatch.setitem(look_for_node.__kwdefaults__, "source", source)
    monkeypatch.setenv("PATH", str(path))
    assert (await bridge.node(settings())).verdict is verdict
    assert (await bridge.bridge(settings())).verdict is WARN


@pytest.mark.parametrize("program", [("sleep", "60"), ("false",), ("/nowhere/node",)])
async def test_a_bridge_that_does_not_answer_is_found_and_gone_afterwards(program, tmp_path):
    found = await bridge.answers(Launch(argv=program, folder=tmp_path, environment=dict(os.environ)), up_s=0.7)
    assert (found.verdict, "hello" in found.found) == (FAIL, True)


# -- Firestore ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "verdict", "said"),
    [(0o600, FAIL, "no usable key"), (0o644, FAIL, "everybody"), (0o640, WARN, "group")],
)
async def test_the_key_is_looked_at_and_never_shown(settings, tmp_path, mode, verdict, said):
    key = tmp_path / "key.json"
    key.write_text(json.dumps({"type": "service_account", "project_id": "demo-a", "private_key": KEY}))
    key.chmod(mode)
    found = await database.credentials(settings(GOOGLE_APPLICATION_CREDENTIALS=key))
    assert (found.verdict, said in found.found) == (verdict, True), found
    assert KEY not in f"{found.found}{found.do}"


async def test_a_key_that_is_gone_is_found(settings, tmp_path):
    key = tmp_path / "key.json"
    key.write_text("{}")
    asked = settings(GOOGLE_APPLICATION_CREDENTIALS=key)
    key.unlink()
    assert (await database.credentials(asked)).verdict is FAIL


async def test_firestore_answers_or_not(settings, firestore_emulator, firestore_project, unused_tcp_port):
    local = {"FIRESTORE_LOCAL": "true", "FIREBASE_PROJECT_ID": firestore_project}
    found = await database.firestore(settings(**local, FIRESTORE_EMULATOR_HOST=firestore_emulator.address))
    assert (found.verdict, firestore_project in found.found) == (OK, True)
    gone = settings(**local, FIRESTORE_EMULATOR_HOST=f"127.0.0.1:{unused_tcp_port}")
    found = await bounded("firestore", lambda: database.firestore(gone))
    assert (found.verdict, firestore_project in found.found) == (FAIL, True)


async def test_indexes_cannot_be_told_from_an_emulator(settings, firestore_emulator):
    local = settings(FIRESTORE_LOCAL="true", FIRESTORE_EMULATOR_HOST=firestore_emulator.address)
    assert (await database.indexes(local)).verdict is WARN


class Indexless(grpc.GenericRpcHandler):
    """A Firestore that has no index that ends with this field."""

    def __init__(self, field, code=grpc.StatusCode.FAILED_PRECONDITION):
        self.field = field
        self.code = code
        self.asked = 0

    def service(self, call):
        return grpc.unary_stream_rpc_method_handler(self.run_query)

    async def run_query(self, raw, context):
        self.asked += 1
        query = messages.RunQueryRequest.pb().FromString(raw).structured_query
        if query.order_by[-1].field.field_path == self.field:
            await context.abort(self.code, "The query requires an index. You can create it here: https://…")
        yield messages.RunQueryResponse.pb()().SerializeToString()


@pytest.fixture
async def indexless():
    """What a Firestore that lacks these indexes makes of ours."""

    async def indexless(*how):
        handler = Indexless(*how)
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((handler,))
        number = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        client = firestore_client("demo-a", emulator_host=f"127.0.0.1:{number}")
        try:
            return await missing_indexes(client, database.index_file(), timeout_s=5), handler
        finally:
            await close(client)
            await server.stop(None)

    return indexless


async def test_every_index_that_is_missing_is_named(indexless):
    file = database.index_file()
    missing, handler = await indexless("lastMessageAt")
    assert missing == ["threads: accountId, lastMessageAt", "threads: accountId, assignedTo, lastMessageAt"]
    assert handler.asked == len(file["indexes"]) + 1
    missing, _ = await indexless("tsClient")
    assert missing == ["messages: accountId, direction, tsClient", "messages: tsClient"]
    assert (await indexless("other"))[0] == []


async def test_a_firestore_that_refuses_for_another_reason_is_no_missing_index(indexless):
    with pytest.raises(DocumentsUnavailable):
        await indexless("tsClient", grpc.StatusCode.PERMISSION_DENIED)


@pytest.fixture
async def answering(aiohttp_server):
    """A server that answers everything so."""

    async def answering(status=200, **headers):
        async def answer(_request):
            return web.json_response({}, status=status, headers=headers)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        return str((await aiohttp_server(app)).make_url("/")).rstrip("/")

    return answering


@pytest.mark.parametrize(("status", "verdict"), [(403, OK), (200, FAIL), (404, FAIL), (500, WARN)])
async def test_rules_that_let_strangers_read_are_found(settings, answering, status, verdict):
    found = await database.rules(settings(FIREBASE_PROJECT_ID="demo-a"), url=await answering(status))
    assert found.verdict is verdict


async def test_rules_of_an_emulator(settings, firestore_emulator, firestore_project):
    local = settings(
        FIRESTORE_LOCAL="true",
        FIRESTORE_EMULATOR_HOST=firestore_emulator.address,
        FIREBASE_PROJECT_ID=firestore_project,
    )
    assert (await database.rules(local)).verdict is WARN


@pytest.mark.parametrize(("off_s", "verdict"), [(0, OK), (-20, WARN), (20, WARN), (-3600, FAIL), (90, FAIL)])
async def test_a_clock_that_is_wrong_is_found(settings, answering, off_s, verdict):
    now = datetime.fromtimestamp(SystemClock().wall_ms() / 1000, UTC)
    date = format_datetime(now + timedelta(seconds=off_s), usegmt=True)
    found = await database.clock(settings(), url=await answering(Date=date))
    assert found.verdict is verdict
    assert ("behind" in found.found) == (off_s > 0)


async def test_without_an_answer_the_clock_is_not_compared(settings, unused_tcp_port, answering):
    assert (await database.clock(settings(), url=f"http://127.0.0.1:{unused_tcp_port}")).verdict is WARN
    assert (await database.clock(settings(), url=await answering(Date="yesterday"))).verdict is WARN


# -- The machine -------------------------------------------------------------------------------------------------------


async def test_a_disk_with_room_is_well_and_one_that_cannot_be_written_to_is_not(settings):
    assert (await machine.disk(settings())).verdict in (OK, WARN)
    found = await machine.disk(settings(STATE_DIR="/proc/self/whatsapp"))
    assert (found.verdict, "written" in found.found) == (FAIL, True)


@pytest.mark.parametrize(
    ("blocks", "inodes", "verdict"),
    [(10**7, 10**6, OK), (10**5, 10**6, WARN), (10**3, 10**6, FAIL), (10**7, 10**3, WARN), (10**7, 9, FAIL)],
)
async def test_a_disk_that_is_nearly_full_is_found(settings, monkeypatch, blocks, inodes, verdict):
    told = os.statvfs_result((4096, 4096, 10**9, blocks, blocks, 10**9, inodes, inodes, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: told)
    assert (await machine.disk(settings())).verdict is verdict


async def test_a_state_directory_that_others_can_open_is_found(settings, state):
    file = state / "whatsapp.sqlite3"
    file.write_bytes(b"")
    file.chmod(0o600)
    assert (await machine.permissions(settings())).verdict is OK
    file.chmod(0o644)
    assert (await machine.permissions(settings())).verdict is WARN
    state.chmod(0o750)
    found = await machine.permissions(settings())
    assert (found.verdict, f"chmod 700 {state}" in found.do) == (FAIL, True)
    assert stat.S_IMODE(state.stat().st_mode) == 0o750, "a check changes nothing"
    assert (await machine.permissions(settings(STATE_DIR=state / "new"))).verdict is OK


async def test_a_store_that_is_not_there_yet_is_not_called_sound(settings, state):
    assert (await machine.store(settings())).found == "there is none yet"
    assert list(state.iterdir()) == []


async def test_a_damaged_store_is_found(settings, state):
    async with SqliteStore.opened(state):
        found = await machine.store(settings())
        assert (found.verdict, str(os.getpid()) in found.found) == (OK, True)
    path = state / "whatsapp.sqlite3"
    assert (await machine.store(settings())).verdict is OK
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO tally VALUES ('filler', 1)")
        connection.commit()
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 6] = b"\xff" * (4096 * 5)
    path.write_bytes(content)
    assert (await machine.store(settings())).verdict is FAIL
    path.write_bytes(b"no database")
    assert (await machine.store(settings())).verdict is FAIL


async def test_a_port_is_free_or_it_is_told_who_has_it(settings, unused_tcp_port):
    asked = settings(PORT=unused_tcp_port)
    assert (await machine.port(asked)).verdict is OK
    with socket.create_server(("127.0.0.1", unused_tcp_port)):
        found = await bounded("port", lambda: machine.port(asked), patience_s=8)
    assert (found.verdict, f"process {os.getpid()}" in found.found) == (FAIL, True), found


async def test_a_daemon_of_another_version_or_none_is_found(settings, aiohttp_server):
    health = {"service": "whatsapp-backend", "version": "0.0.1", "ok": True, "mode": "active", "instanceId": "a"}

    async def answer(_request):
        return web.json_response(health)

    app = web.Application()
    app.router.add_get("/health", answer)
    server = await aiohttp_server(app)
    asked = settings(PORT=server.port)
    assert (await machine.port(asked)).verdict is OK
    found = await machine.daemon(asked, None)
    assert (found.verdict, "0.0.1" in found.found) == (WARN, True)
    health["version"] = __version__
    assert (await machine.daemon(asked, None)).verdict is OK
    health |= {"ok": False, "reason": "the bridge is not running"}
    found = await machine.daemon(asked, None)
    assert (found.verdict, "bridge" in found.found) == (FAIL, True)
    health["service"] = "other"
    assert (await machine.daemon(asked, None)).verdict is WARN
    assert (await machine.port(asked)).verdict is FAIL


# -- All of them -------------------------------------------------------------------------------------------------------


async def test_a_check_that_hangs_or_breaks_keeps_nobody_from_an_answer():
    async def hangs():
        await asyncio.Event().wait()

    async def breaks():
        raise RuntimeError("oh")

    async def well():
        return ok("well", "yes")

    found = [await bounded("x", check, patience_s=0.05) for check in (hangs, breaks, well)]
    assert [one.verdict for one in found] == [FAIL, FAIL, OK]


async def test_all_checks_are_made_with_a_daemon_and_no_secret_is_shown(daemon: RealDaemon):
    daemon.environment |= {"ADMIN_TOKEN": "hush-hush-hush"}
    await daemon.start()
    asked = daemon.environment | {"PORT": daemon.url.rpartition(":")[2]}
    code, out, err = await run(asked, "doctor", "--json")
    found = {one["check"]: one for one in map(json.loads, out.splitlines())}
    assert tuple(found) == CHECKS
    assert (code, [one for one in found.values() if one["verdict"] == "fail"]) == (0, []), err
    assert {name for name, one in found.items() if one["verdict"] == "warn"} <= {"indexes", "rules", "clock", "disk"}
    code, shown, _ = await run(asked | {"COLUMNS": "200"}, "doctor")
    assert (code, [name for name in CHECKS if name not in shown]) == (0, [])
    assert "hush" not in out + err + shown


async def test_what_fails_is_1_and_all_the_others_are_made(tmp_path: Path, unused_tcp_port):
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    asked = environment | {"PORT": str(unused_tcp_port), "FIRESTORE_LOCAL": "true"}
    code, out, _ = await run(asked, "doctor", "--json")
    found = {one["check"]: one for one in map(json.loads, out.splitlines())}
    assert (code, tuple(found), found["node"]["verdict"]) == (1, CHECKS, "fail")
    code, out, _ = await run(environment | {"PORT": "many"}, "doctor", "--json")
    (one,) = map(json.loads, out.splitlines())
    assert (code, one["check"], one["verdict"], "PORT" in one["found"]) == (1, "settings", "fail", True)
