"""`whatsapp-backend serve` as a process: how it refuses, how it tells, how it stops."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from whole import NODE_DIR, PHONE, RealDaemon, run, until

from whatsapp_backend import __version__
from whatsapp_backend.app import Daemon
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.database import Documents
from whatsapp_backend.settings import load
from whatsapp_backend.testing.memory_documents import MemoryDocuments
from whatsapp_backend.testing.memory_leases import MemoryLeases

STOPS_WITHIN_S = 10.0
NOWHERE = "127.0.0.1:1"
"""Nobody listens there: connections are refused."""


@pytest.fixture
def environment(tmp_path):
    """A machine where nothing of ours is set but where it may write."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(NODE_DIR.parent.parent),
        "STATE_DIR": str(tmp_path / "state"),
        "CACHE_DIRECTORY": str(tmp_path / "cache"),
        "PORT": "0",
    }


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def descendants(pid):
    """All processes that came from this one."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children] + [deeper for child in children for deeper in descendants(child)]


async def stops(daemon, number=signal.SIGTERM):
    """Ask it to stop: it exits with 0 within ten seconds and leaves no process."""
    processes = descendants(daemon.pid)
    clock = SystemClock()
    asked_s = clock.monotonic_s()
    os.kill(daemon.pid, number)
    code = await daemon.gone()
    took_s = clock.monotonic_s() - asked_s
    left = [pid for pid in processes if is_there(pid)]
    assert (code, left) == (0, []), "\n".join(daemon.lines[-30:])
    assert took_s < STOPS_WITHIN_S, "\n".join(daemon.lines[-30:])
    assert not [line for line in daemon.lines if "Traceback" in line]


# -- How it refuses ----------------------------------------------------------------------------------------------------


async def test_bad_settings_are_all_named_at_once_and_nothing_is_started(environment, tmp_path):
    code, _, err = await run(environment | {"PORT": "eighty", "BIND_HOST": "0.0.0.0", "MIRROR_DAYS": "-1"}, "serve")
    assert code == 78
    assert all(name in err for name in ("PORT", "BIND_HOST", "MIRROR_DAYS", "nowhere to write"))
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


async def test_without_credentials_and_without_being_told_to_stay_local_it_refuses(environment, tmp_path):
    code, _, err = await run(environment, "serve")
    assert code == 78
    assert "FIREBASE_SERVICE_ACCOUNT_PATH" in err
    assert "--local-firestore" in err
    assert list(tmp_path.iterdir()) == []


async def test_an_emulator_it_was_not_told_of_is_refused(environment, tmp_path):
    code, _, err = await run(environment | {"FIRESTORE_EMULATOR_HOST": NOWHERE}, "serve")
    assert (code, "FIRESTORE_LOCAL=true" in err) == (78, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["FIREBASE_SERVICE_ACCOUNT_PATH", "FIREBASE_SERVICE_ACCOUNT_JSON"])
async def test_credentials_that_are_none_are_refused(environment, tmp_path, name):
    text = '{"project_id": "demo-inbox", "private_key": "hush"}'
    (tmp_path / "key.json").write_text(text)
    value = str(tmp_path / "key.json") if name.endswith("PATH") else text
    code, _, err = await run(environment | {name: value}, "serve")
    assert code == 78
    assert "no usable key of a service account" in err
    assert "hush" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["key.json"]


async def test_a_port_that_is_taken_is_named(environment):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        local = {"FIRESTORE_LOCAL": "1", "FIRESTORE_EMULATOR_HOST": NOWHERE}
        code, _, err = await run(environment | local | {"PORT": str(port)}, "serve")
    assert code == 1
    assert f"127.0.0.1:{port}" in err
    assert "Set PORT" in err
    assert "Traceback" not in err


async def test_the_version_is_told(environment):
    assert await run(environment, "--version") == (0, f"whatsapp-backend {__version__}\n", "")


@pytest.fixture
async def lonely(tmp_path):
    """A daemon without WhatsApp and without Firestore, not started yet."""
    made = RealDaemon(state_dir=tmp_path / "state", server_url="ws://127.0.0.1:1", emulator=NOWHERE, project="demo-x")
    yield made
    await made.close()


@pytest.mark.parametrize("emulator", [NOWHERE, ""])
async def test_a_state_directory_of_another_daemon_is_refused_by_its_pid(lonely, emulator):
    """Also before an emulator of our own is started on that daemon's documents."""
    await lonely.start()
    code, _, err = await run(lonely.environment | {"FIRESTORE_EMULATOR_HOST": emulator}, "serve")
    assert code == 1
    assert f"in use by process {lonely.pid}" in err
    assert "--standby" in err
    assert "Traceback" not in err
    assert not (lonely.state_dir / "firestore").exists()
    await stops(lonely)


async def test_a_standby_waits_for_the_state_directory_and_goes_on_in_its_process_and_on_its_port(lonely):
    """Until then it does not open the file, and nothing but how it is can be asked."""
    await lonely.start()
    standby = RealDaemon(
        state_dir=lonely.state_dir, server_url="ws://127.0.0.1:1", emulator=NOWHERE, project="demo-x", STANDBY="true"
    )
    try:
        await standby.start()

        def has_the_file():
            opened = [file.readlink().name for file in Path(f"/proc/{standby.pid}/fd").iterdir() if file.is_symlink()]
            return "whatsapp.sqlite3" in opened

        ready = await standby.get("/ready")
        assert (ready["mode"], ready["ready"]) == ("passive", False)
        assert f"process {lonely.pid} has the state directory" in ready["reason"]
        assert (await standby.get("/api/whatsapp/accounts"))["error"] == "instance_passive"
        assert not has_the_file()
        lonely.kill()
        await lonely.gone()

        async def went_on():
            try:
                return "standing by" not in (await standby.get("/ready"))["reason"]
            except aiohttp.ClientConnectorError:  # one lets go of the port before the other has it
                return False

        await until(went_on)
        assert has_the_file()
        assert (await standby.get("/api/whatsapp/accounts"))["success"] is True
        await stops(standby)
    finally:
        await standby.close()


async def test_a_standby_stops_when_asked_and_needs_a_port_of_its_own(lonely):
    await lonely.start()
    port = lonely.url.rpartition(":")[2]
    code, _, err = await run(lonely.environment | {"PORT": port}, "serve", "--standby")
    assert code == 1
    assert "cannot share one" in err
    standby = RealDaemon(
        state_dir=lonely.state_dir, server_url="ws://127.0.0.1:1", emulator=NOWHERE, project="demo-x", STANDBY="true"
    )
    try:
        await standby.start()
        await stops(standby)
        assert (await lonely.get("/health"))["service"] == "whatsapp-backend"
    finally:
        await standby.close()


# -- How it stops ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_in_good_order(lonely, number):
    await lonely.start()
    await stops(lonely, number)


async def test_asked_to_stop_again_and_again_it_still_stops_in_good_order(lonely):
    await lonely.start()
    for _ in range(3):
        os.kill(lonely.pid, signal.SIGINT)
    await stops(lonely)


async def test_it_stops_although_the_bridge_hangs(lonely):
    await lonely.start()
    bridge = await until(lambda: bridge_of(lonely))
    os.kill(bridge, signal.SIGSTOP)
    await stops(lonely)
    assert not is_there(bridge)


async def bridge_of(daemon):
    ready = await daemon.get("/ready")
    return None if "bridge" in ready.get("reason", "") else daemon.bridge_pid()


async def test_it_stops_while_it_still_starts(environment, tmp_path):
    """`node --version` hangs; npm might, too, for minutes."""
    node = tmp_path / "bin" / "node"
    node.parent.mkdir()
    node.write_text("#!/bin/sh\nexec sleep 300\n")
    node.chmod(0o700)
    local = {"FIRESTORE_LOCAL": "1", "FIRESTORE_EMULATOR_HOST": NOWHERE, "PATH": f"{node.parent}:{environment['PATH']}"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "whatsapp_backend", "serve"),
        env=environment | local,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def children():
        return descendants(process.pid)

    try:
        (sleeping,) = await until(children)
        process.terminate()
        async with asyncio.timeout(STOPS_WITHIN_S):
            assert await process.wait() == 0
        assert not is_there(sleeping)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("firestore", ["refuses", "hangs"])
async def test_it_stops_although_a_backlog_cannot_land_and_loses_none_of_it(server, tmp_path, own_emulator, firestore):
    """With the bridge hanging as well: the worst case that we know of."""
    project = own_emulator.project
    daemon = RealDaemon(
        state_dir=tmp_path / "state", server_url=server.url, emulator=own_emulator.address, project=project
    )
    try:
        await daemon.start()
        account = await daemon.add_account()
        await server.scan(await daemon.qr(account), phone=PHONE.lstrip("+"))
        await daemon.connected(account)
        await daemon.caught_up(account)
        await daemon.landed()
        await (own_emulator.stop() if firestore == "refuses" else asyncio.to_thread(own_emulator.freeze))
        before = (await daemon.get("/health/consumers"))["journalEnd"]
        for number in range(30):
            await server.op("message", account=PHONE.lstrip("+"), chat="15550002222", id=f"M{number}", text="hello")

        async def journaled():
            consumers = await daemon.get("/health/consumers")
            return consumers["journalEnd"] >= before + 30 and consumers["consumers"][0]["lag"]

        await until(journaled)
        bridge = daemon.bridge_pid()
        os.kill(bridge, signal.SIGSTOP)
        await stops(daemon)
        assert not is_there(bridge)
        await (own_emulator.start() if firestore == "refuses" else asyncio.to_thread(own_emulator.thaw))
        await daemon.start()
        thread = f"{account}__15550002222@s.whatsapp.net"

        async def all_there():
            answer = await daemon.get(f"/api/whatsapp/messages/{account}/{thread}?limit=500")
            ids = [message["id"] for message in answer.get("messages", [])]
            return sorted(ids) == sorted(f"M{number}" for number in range(30))

        await until(all_there)
        await stops(daemon)
    finally:
        await daemon.close()


# -- How it tells ------------------------------------------------------------------------------------------------------


class HangingDocuments(MemoryDocuments):
    """Firestore, as it is when nothing comes back: no answer, no error."""

    def __init__(self):
        super().__init__()
        self.answers = asyncio.Event()

    async def write(self, writes):
        await self.answers.wait()
        return await super().write(writes)

    async def read(self, paths):
        await self.answers.wait()
        return await super().read(paths)


class AheadClock(SystemClock):
    """The real clock, set ahead."""

    ahead_s = 0.0

    def monotonic_s(self):
        return super().monotonic_s() + self.ahead_s


@asynccontextmanager
async def running(environment, documents, clock):
    """The daemon in this process, and a client of its API."""
    stop, url = asyncio.Event(), asyncio.get_running_loop().create_future()
    environment = environment | {"FIRESTORE_LOCAL": "1", "WHATSAPP_WEB_URL": "ws://127.0.0.1:1"}
    behind = Documents(store=documents, queries=documents, leases=MemoryLeases(documents=documents))
    daemon = Daemon(load(environment, for_serving=True), behind, clock=clock)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(daemon.run(stop, lambda port: url.set_result(f"http://127.0.0.1:{port}")))
        async with aiohttp.ClientSession(await url, timeout=aiohttp.ClientTimeout(total=1.0)) as api:
            yield api
        stop.set()


async def test_health_answers_within_a_second_also_when_firestore_hangs_and_says_so(environment):
    documents, clock = HangingDocuments(), AheadClock()
    async with running(environment, documents, clock) as api:

        async def get(path):
            async with api.get(path) as answer:
                assert answer.status == 200
                return await answer.json()

        async def reason():
            return (await get("/ready")).get("reason")

        async def says(text):
            return text in (await reason() or "all is well")

        await until(lambda: says("Firestore has not answered yet"))
        assert (await get("/diag"))["firestoreConnected"] is False
        assert (await get("/health"))["firestore"] == {"status": "disconnected"}
        await get("/health/consumers")

        documents.answers.set()
        await until(lambda: says("all is well"))
        assert (await get("/ready"))["ready"] is True
        assert (await get("/health"))["firestore"] == {"status": "connected"}

        documents.answers.clear()
        async with api.post("/api/whatsapp/add-account", json={"phone": PHONE, "name": "Shop"}) as answer:
            assert answer.status == 200
        clock.ahead_s = 60.0
        await until(lambda: says("Firestore has not answered for"))
        assert (await get("/ready"))["ready"] is False
        documents.answers.set()
