"""Firestore goes and comes back; a backlog survives a restart; two thousand messages go through the whole chain.

Who cannot reach Firestore cannot own an account: within the lease everything is received as ever, after it the sockets
are closed and WhatsApp keeps what comes (docs/decisions/0008-outages.md).
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from whole import ANA, BOB, RealDaemon, Whole, until

from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.local_firestore import LocalFirestore
from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

LONG = {"INSTANCE_LEASE_MS": "120000"}
"""Within which a slow machine plays a whole test."""
SHORT = {"INSTANCE_LEASE_MS": "6000", "INSTANCE_HEARTBEAT_MS": "1500"}


@pytest.fixture
async def alone(
    request: pytest.FixtureRequest, tmp_path: Path, server: FakeWhatsApp, own_emulator: LocalFirestore
) -> AsyncIterator[tuple[Whole, LocalFirestore]]:
    """Everything over an emulator that may be stopped; the parameter is the lease."""
    daemon = RealDaemon(
        state_dir=tmp_path / "state",
        server_url=server.url,
        emulator=own_emulator.address,
        project=own_emulator.project,
        **request.param,
    )
    firestore = firestore_client(own_emulator.project, emulator_host=own_emulator.address)
    try:
        await daemon.start()
        whole = Whole(server, daemon, firestore)
        await whole.pair()
        yield whole, own_emulator
    finally:
        await daemon.close()
        await close(firestore)


@pytest.mark.parametrize("alone", [LONG], indirect=True)
async def test_firestore_stopped_while_150_messages_arrive_then_started_150_of_150(
    alone: tuple[Whole, LocalFirestore],
) -> None:
    """They are receipted meanwhile, because the journal has them; `/ready` tells the truth."""
    whole, emulator = alone
    await emulator.stop()
    await whole.server.op("messages", account=whole.phone, chats=[ANA, BOB], count=150, prefix="F")
    await whole.nothing_queued()

    async def ready() -> bool:
        return bool((await whole.daemon.get("/ready"))["ready"])

    async def not_ready() -> bool:
        return not await ready()

    await until(not_ready)
    await emulator.start()
    ids = {f"F-{n}" for n in range(150)}
    assert (await whole.lands(ids)).keys() == ids
    await whole.daemon.landed()
    await until(ready)  # the account documents may still wait, up to half a minute, for their next try


@pytest.mark.parametrize("alone", [LONG], indirect=True)
async def test_a_restart_in_the_middle_of_a_backlog_of_300_lands_300_of_300(
    alone: tuple[Whole, LocalFirestore],
) -> None:
    """Killed, not stopped, while Firestore is away: half of them are in the journal, and WhatsApp keeps the other half
    for a daemon that cannot own the account yet.
    """
    whole, emulator = alone
    await emulator.stop()
    await whole.server.op("messages", account=whole.phone, chats=[ANA, BOB], count=150, prefix="X")
    await whole.nothing_queued()
    whole.daemon.kill()
    await whole.daemon.gone()
    await whole.daemon.start()
    await whole.server.op("messages", account=whole.phone, chats=[ANA, BOB], count=150, prefix="Y")
    assert await whole.daemon.status(whole.account) == "passive"
    assert await whole.queued() == 150
    await emulator.start()
    ids = {f"{prefix}-{n}" for prefix in "XY" for n in range(150)}
    assert (await whole.lands(ids)).keys() == ids
    await whole.daemon.landed()
    assert (await whole.bodies()).keys() == ids


@pytest.mark.parametrize("alone", [SHORT], indirect=True)
async def test_an_outage_longer_than_the_lease_closes_the_socket_and_loses_nothing(
    alone: tuple[Whole, LocalFirestore],
) -> None:
    """The daemon says that it is passive, refuses what it could not answer for, and goes on by itself."""
    whole, emulator = alone
    mark = whole.server.mark()
    await emulator.stop()
    await whole.server.wait("closed", account=whole.phone, since=mark, timeout_s=30)
    ready = await whole.daemon.get("/ready")
    assert (ready["ready"], ready["mode"]) == (False, "passive")
    refused = await whole.daemon.post(f"/api/whatsapp/regenerate-qr/{whole.account}", {})
    assert refused["error"] == "instance_passive"
    await whole.server.op("messages", account=whole.phone, chats=[ANA, BOB], count=20, prefix="Z")
    assert await whole.queued() == 20
    await emulator.start()
    ids = {f"Z-{n}" for n in range(20)}
    assert (await whole.lands(ids)).keys() == ids
    assert (await whole.daemon.get("/ready"))["mode"] == "active"


async def test_two_thousand_encrypted_messages_through_the_whole_chain_are_two_thousand_documents(whole: Whole) -> None:
    """From five people, live."""
    people = [f"1555100{n:04}" for n in range(5)]
    await whole.server.op("messages", account=whole.phone, chats=people, count=2000, prefix="T")
    ids = {f"T-{n}" for n in range(2000)}
    assert (await whole.lands(ids)).keys() == ids
    await whole.nothing_queued()


async def test_a_redelivered_message_causes_no_firestore_operation(whole: Whole) -> None:
    """The same stanza again, and again after a restart: no document changes, not even its update time."""
    await whole.send("again")
    await whole.lands({"again"})
    await whole.daemon.landed()

    async def update_times() -> dict[str, object]:
        collections = (whole.firestore.collection_group("messages"), whole.firestore.collection("threads"))
        return {
            document.reference.path: document.update_time
            for collection in collections
            async for document in collection.stream()
        }

    async def thread_is_there() -> bool:
        return len(await update_times()) == 2

    await until(thread_is_there)
    before = await update_times()
    mark = whole.server.mark()
    await whole.server.op("duplicate", account=whole.phone, id="again", queued=True)
    await whole.server.wait("receipt", id="again", since=mark)
    await whole.send("other", chat=BOB)
    await whole.lands({"other"})
    after = await update_times()
    assert {path: time for path, time in after.items() if path in before} == before
