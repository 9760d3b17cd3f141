"""Real Baileys, the fake server and the emulator: a dry run of the history, and what becomes of it afterwards."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.cloud.firestore import AsyncClient
from whole import ANA, RealDaemon, Whole, until

from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

DRY_RUN = "WHATSAPP_HISTORY_SYNC_DRY_RUN"


@pytest.fixture
async def dry(
    tmp_path: Path, server: FakeWhatsApp, firestore_emulator: Any, firestore: AsyncClient, firestore_project: str
) -> AsyncIterator[Whole]:
    """Everything, paired, with the dry run on."""
    daemon = RealDaemon(
        state_dir=tmp_path / "state",
        server_url=server.url,
        emulator=firestore_emulator.address,
        project=firestore_project,
        **{DRY_RUN: "true"},
    )
    try:
        await daemon.start()
        made = Whole(server, daemon, firestore)
        await made.pair()
        yield made
    finally:
        await daemon.close()


async def test_a_history_is_planned_first_and_lands_after_a_start_without_the_dry_run(dry: Whole) -> None:
    """Nothing of it is in Firestore before; the phone is not asked again; killed in between, nothing is doubled."""
    history = {"conversations": 3, "messages": 450, "chunk_messages": 200, "prefix": "H", "as_": "blob"}
    await dry.server.op("history", account=dry.phone, **history)
    await dry.send("L1")
    await dry.lands({"L1"})

    async def planned() -> Any:
        plan = (await dry.daemon.get(f"/api/whatsapp/history-plan/{dry.account}"))["plan"]
        return plan if plan["messages"]["new"] == 450 else None

    plan = await until(planned)
    assert plan["threads"]["new"] + plan["threads"]["known"] == 3
    assert plan["writes"] >= 450
    await dry.daemon.landed()
    assert (await dry.bodies()).keys() == {"L1"}
    await until(dry.threads)  # it follows its message
    assert (await dry.threads()).keys() == {f"{dry.account}__{ANA}@s.whatsapp.net"}
    account = (await dry.firestore.document(f"accounts/{dry.account}").get()).to_dict() or {}
    assert not [name for name in account if "History" in name]
    told = [line for line in dry.daemon.lines if "[history] dry run" in line]
    assert told and not [line for line in dry.daemon.lines if "[history] sync ended" in line]

    dry.daemon.kill()
    await dry.daemon.gone()
    dry.daemon.environment[DRY_RUN] = "false"
    await dry.daemon.start()
    ids = {f"H-{chat}-{number}" for chat in range(3) for number in range(150)}
    assert (await dry.lands(ids)).keys() == ids | {"L1"}

    async def account_tells() -> bool:
        account = (await dry.firestore.document(f"accounts/{dry.account}").get()).to_dict() or {}
        return account.get("historySyncCount", 0) >= 450

    await until(account_tells)
    plan = (await dry.daemon.get(f"/api/whatsapp/history-plan/{dry.account}"))["plan"]
    assert plan["heldBack"] == 0
