"""`/ready`, `/diag` and `/health` answer 200 within a second whatever is out, and say what: the real daemon with a real
Firestore that is stopped or hangs, a real bridge that hangs or never starts, a disk that is full, and all at once.

What the answers hold in the daemon's every state is in tests/api/test_health.py; a store that hangs, too. How outages
end is in test_outages.py and tests/crash/test_disk_full.py.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from machine import no_room
from whole import ANA, RealDaemon, until

from whatsapp_backend.adapters.local_firestore import LocalFirestore
from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

PATHS = ("/ready", "/diag", "/health")
PATIENCE = aiohttp.ClientTimeout(total=1.0)
SHORT = {"INSTANCE_LEASE_MS": "6000", "INSTANCE_HEARTBEAT_MS": "1500"}


@pytest.fixture
async def daemon(tmp_path: Path, server: FakeWhatsApp, own_emulator: LocalFirestore) -> AsyncIterator[RealDaemon]:
    """A daemon over a Firestore of its own, not started yet."""
    made = RealDaemon(
        state_dir=tmp_path / "state",
        server_url=server.url,
        emulator=own_emulator.address,
        project=own_emulator.project,
        **SHORT,
    )
    yield made
    await made.close()


async def answers(daemon: RealDaemon) -> dict[str, dict]:
    """All three, asked at once and in time."""
    async with aiohttp.ClientSession(timeout=PATIENCE) as session:

        async def ask(path: str) -> dict:
            async with session.get(daemon.url + path) as answer:
                assert answer.status == 200
                return await answer.json()

        return dict(zip(PATHS, await asyncio.gather(*map(ask, PATHS)), strict=True))


async def says(daemon: RealDaemon, text: str | None) -> None:
    """Ask until the reason is this, or that there is none; every single answer must come in time."""

    async def is_said() -> bool:
        found = await answers(daemon)
        ready, health = found["/ready"], found["/health"]
        return not ready.get("reason") if text is None else text in f"{ready.get('reason')} {health['reason']}"

    await until(is_said)


async def paired(daemon: RealDaemon, server: FakeWhatsApp) -> str:
    account = await daemon.add_account()
    await server.scan(await daemon.qr(account), phone="15550001111")
    await daemon.connected(account)
    await says(daemon, None)
    return account


@pytest.mark.parametrize("how", ["stopped", "frozen"])
async def test_while_firestore_is_out(
    daemon: RealDaemon, server: FakeWhatsApp, own_emulator: LocalFirestore, how: str
) -> None:
    await daemon.start()
    await paired(daemon, server)
    await (own_emulator.stop() if how == "stopped" else asyncio.to_thread(own_emulator.freeze))
    await says(daemon, "Firestore")
    found = await answers(daemon)
    assert found["/ready"]["ready"] is False
    assert found["/diag"]["firestoreConnected"] is False
    assert found["/health"]["firestore"] == {"status": "disconnected"}


async def test_while_the_bridge_hangs(daemon: RealDaemon, server: FakeWhatsApp) -> None:
    await daemon.start()
    await paired(daemon, server)
    bridge = daemon.bridge_pid()
    assert bridge is not None
    os.kill(bridge, signal.SIGSTOP)
    try:
        for _ in range(5):
            assert (await answers(daemon))["/health"]["accounts_total"] == 1
    finally:
        os.kill(bridge, signal.SIGCONT)


async def test_while_no_bridge_starts(daemon: RealDaemon, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mjs"
    broken.write_text("throw new Error('not today')", encoding="utf-8")
    daemon.environment["WHATSAPP_BRIDGE_PRELOAD"] = str(broken)
    await daemon.start()
    await says(daemon, "the bridge is not running")
    assert (await answers(daemon))["/ready"]["ready"] is False


async def test_while_the_disk_is_full(daemon: RealDaemon, server: FakeWhatsApp) -> None:
    """Nothing can be kept: the account says so, and so does its health."""
    await daemon.start()
    account = await paired(daemon, server)
    with no_room(daemon.pid):
        await server.op("message", account="15550001111", chat=ANA, id="D-1", text="x")

        async def is_told() -> bool:
            await answers(daemon)
            health = await daemon.get(f"/api/whatsapp/accounts/{account}/health")
            return not health["healthy"] and "disk" in str(health["reason"])

        await until(is_told)


async def test_while_all_of_it_is_out_at_once(
    daemon: RealDaemon, server: FakeWhatsApp, own_emulator: LocalFirestore
) -> None:
    await daemon.start()
    await paired(daemon, server)
    bridge = daemon.bridge_pid()
    assert bridge is not None
    os.kill(bridge, signal.SIGKILL)
    await asyncio.to_thread(own_emulator.freeze)
    with no_room(daemon.pid):
        await says(daemon, "Firestore")
        assert (await answers(daemon))["/ready"]["ready"] is False
