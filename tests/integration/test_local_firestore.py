"""The local emulator: started, kept, stopped, and gone when we are."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from firestore_fixtures import need_emulator

from whatsapp_backend.adapters import local_firestore
from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.local_firestore import LocalFirestore
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.writes import Result, Write
from whatsapp_backend.errors import EmulatorFailed, EmulatorMissing

CLOCK = SystemClock()


@pytest.fixture
async def documents(own_emulator, firestore_project):
    client = firestore_client(firestore_project, emulator_host=own_emulator.address)
    yield FirestoreDocuments(client)
    await close(client)


async def landed(documents, *ids):
    """Land these, trying again as the flows do."""
    writes = [Write(path=f"a/{id_}", fields={"n": 1}) for id_ in ids]
    async with asyncio.timeout(30):
        while {outcome.result for outcome in await documents.write(writes)} != {Result.LANDED}:
            await CLOCK.sleep(0.05)


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def test_after_an_outage_the_same_client_finds_all_data_on_the_same_port(own_emulator, documents):
    await landed(documents, "before")
    first = (await documents.read(["a/before"]))["a/before"]
    port, pid = own_emulator.port, own_emulator.pid
    await own_emulator.stop()
    assert own_emulator.pid is None
    assert not runs(pid)
    (outcome,) = await documents.write([Write(path="a/during", fields={})])
    assert outcome.result is Result.RETRY
    await own_emulator.start()
    assert own_emulator.port == port
    await landed(documents, "after")
    read = await documents.read(["a/before", "a/during", "a/after"])
    assert read.keys() == {"a/before", "a/after"}
    assert read["a/before"].fields == first.fields


async def test_data_is_kept_from_one_run_to_the_next(tmp_path, firestore_project):
    need_emulator()
    for number in range(2):
        async with LocalFirestore.started(tmp_path / "data", project=firestore_project, heap="512m") as emulator:
            client = firestore_client(firestore_project, emulator_host=emulator.address)
            documents = FirestoreDocuments(client)
            assert len(await documents.read(["a/0", "a/1"])) == number
            await landed(documents, number)
            await close(client)
    assert [export.name for export in (tmp_path / "data").glob("export*")] == ["export-000002"]


async def test_a_crash_in_an_export_costs_no_older_one(own_emulator, documents, tmp_path, monkeypatch):
    await landed(documents, "kept")
    await own_emulator.stop()
    await own_emulator.start()
    monkeypatch.setattr("whatsapp_backend.adapters.local_firestore._sync", lambda folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await own_emulator.stop()
    assert own_emulator.pid is None
    assert (tmp_path / "firestore" / "exporting").exists()
    monkeypatch.undo()
    await own_emulator.start()
    assert (await documents.read(["a/kept"])).keys() == {"a/kept"}


async def test_an_emulator_that_hangs_means_retry_until_it_goes_on(own_emulator, documents, firestore_project):
    await landed(documents, "x")
    own_emulator.freeze()
    client = firestore_client(firestore_project, emulator_host=own_emulator.address)
    (outcome,) = await FirestoreDocuments(client, timeout_s=0.3).write([Write(path="a/y", fields={})])
    await close(client)
    assert outcome.result is Result.RETRY
    own_emulator.thaw()
    await landed(documents, "y")


async def test_a_killed_emulator_leaves_what_was_kept_before(own_emulator, documents):
    await own_emulator.stop()
    await own_emulator.start()
    await landed(documents, "lost")
    own_emulator.kill()
    assert own_emulator.pid is None
    await own_emulator.start()
    await landed(documents, "next")
    assert (await documents.read(["a/lost", "a/next"])).keys() == {"a/next"}


async def test_a_frozen_emulator_can_be_stopped(own_emulator):
    pid = own_emulator.pid
    own_emulator.freeze()
    await own_emulator.stop(keep=False)
    assert not runs(pid)
    await own_emulator.stop()


async def test_reset_forgets_everything(own_emulator, documents):
    await landed(documents, "x")
    await own_emulator.reset()
    assert await documents.read(["a/x"]) == {}


async def test_rules_that_cannot_be_read_fail_with_what_the_emulator_said(tmp_path):
    need_emulator()
    with pytest.raises(EmulatorFailed, match=r"absent\.rules"):
        async with LocalFirestore.started(rules=tmp_path / "absent.rules"):
            pytest.fail("it started without its rules")


async def test_a_port_lost_to_somebody_else_is_chosen_anew(monkeypatch):
    need_emulator()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        free = local_firestore._free_port()
        ports = iter([taken, free])
        monkeypatch.setattr(local_firestore, "_free_port", lambda: next(ports))
        async with LocalFirestore.started(heap="256m") as emulator:
            assert emulator.port == free


async def test_without_a_jar_nothing_is_started(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRESTORE_EMULATOR_JAR", str(tmp_path / "absent.jar"))
    with pytest.raises(EmulatorMissing):
        await LocalFirestore().start()


def test_project_ids_with_capitals_are_refused():
    with pytest.raises(ValueError, match="capitals"):
        LocalFirestore(project="demo-X")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills children with their parent")
async def test_the_emulator_dies_with_us_however_we_die(tmp_path):
    need_emulator()
    code = (
        "import asyncio, pathlib, sys\n"
        "from whatsapp_backend.adapters.local_firestore import LocalFirestore\n"
        "async def main():\n"
        "    emulator = LocalFirestore(heap='256m', data_dir=pathlib.Path(sys.argv[1]))\n"
        "    await emulator.start()\n"
        "    print(emulator.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(tmp_path), stdout=subprocess.PIPE)
    async with asyncio.timeout(60):
        pid = int(await child.stdout.readline())
    assert runs(pid)
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()
    async with asyncio.timeout(10):
        while runs(pid):
            await CLOCK.sleep(0.02)
