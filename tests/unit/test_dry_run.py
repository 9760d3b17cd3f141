"""A dry run: no history becomes documents; what it would do is told, and without a dry run it lands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from legacy import publish_until
from structlog.testing import capture_logs
from world import ACCOUNT, ANA, AT, BOB, RECEIVED_AT_MS, World, a_world, payload, publishing

from whatsapp_backend.domain.events import Origin
from whatsapp_backend.domain.holding import HistoryPlan, Touched
from whatsapp_backend.rules.holding import shown

LID = "88000000009999@lid"


@pytest.fixture
async def dry() -> AsyncIterator[World]:
    """A publisher with the dry run on."""
    async with a_world() as made:
        yield again(made, dry_run=True)


def again(world: World, *, dry_run: bool = False) -> World:
    """The next life over the same store and documents."""
    return World(world.store, world.documents, dry_run=dry_run)


async def history(world: World, *messages: Any, notice: str = "n1", origin: str = "history", **more: Any) -> None:
    """A history of one record, and its end."""
    record = {"notice": notice, "syncType": 6 if origin == "ondemand" else 3, "messages": messages, **more}
    await world.journal(record, kind="history", origin=origin, source=f"{notice}#0")
    end = {"notice": notice, "syncType": 3, "records": 1, "messages": len(messages), "result": "complete", "chats": []}
    await world.journal(end, kind="history-end", origin=origin, source=f"{notice}#end")


@pytest.mark.parametrize("origin", ["history", "ondemand"])
async def test_history_is_held_back_and_live_messages_land(dry: World, origin: str) -> None:
    """Whoever asked for it; nothing is written for its messages, chats and contacts."""
    contacts = [{"id": BOB, "name": "Bob of the shop"}]
    chats = [{"id": BOB, "name": "Bob"}]
    await history(dry, payload("H1", chat=BOB), payload("H2"), origin=origin, chats=chats, contacts=contacts)
    await dry.journal(payload("L1"))
    await dry.publish()
    assert sorted(dry.documents.documents) == [
        f"contacts/{ACCOUNT}__{ANA}",
        f"threads/{ACCOUNT}__{ANA}",
        f"threads/{ACCOUNT}__{ANA}/messages/L1",
    ]
    assert await dry.store.cursor("documents") == await dry.store.end()
    assert {seen.origin for window in dry.windows for seen in window.seen} == {Origin.LIVE}
    assert [entry.new.kind for window in dry.windows for entry in window.entries] == ["message"]
    assert await dry.store.parked() == []


async def test_the_plan_counts_what_is_new_and_what_is_known_and_says_what_it_costs(dry: World) -> None:
    """A message told twice is one; one that is known as it is costs nothing, nor does its thread."""
    await dry.journal(payload("L1", chat=BOB))
    await dry.publish()
    told = [payload("L1", chat=BOB), payload("H1"), payload("H1"), payload("H2", at=AT - 5)]
    with capture_logs() as lines:
        await history(dry, *told, contacts=[{"id": LID, "notify": "Nobody"}, {"id": "15550003333@s.whatsapp.net"}])
        await history(dry, payload("H2", at=AT - 5), payload("H3"), notice="n2")
        await dry.publish()
    plan = await dry.store.history_plan(ACCOUNT)
    assert plan == HistoryPlan(
        entries=4,
        new={Touched.MESSAGE: 3, Touched.THREAD: 1, Touched.CONTACT: 2},
        known={Touched.MESSAGE: 1, Touched.THREAD: 1, Touched.CONTACT: 1},
        writes=6,
    )
    ended = [line for line in lines if line["event"].startswith("[history] dry run")]
    assert ended[-1]["messages"] == {"new": 3, "known": 1}
    assert ended[-1] | shown(plan) == ended[-1]
    assert shown(HistoryPlan(writes=1_000_000))["costUsd"] == 1.8
    assert await dry.store.history_plan("account_demo_0b") == HistoryPlan()


async def test_what_was_held_back_lands_without_a_dry_run_and_is_told_as_history(dry: World) -> None:
    """As if there had been none: the same documents, the same word of the history's end."""
    await history(dry, payload("H1", chat=BOB), payload("H2"), chats=[{"id": BOB, "name": "Bob of the shop"}])
    await dry.journal(payload("L1", at=AT + 5))
    await dry.publish()
    next_life = again(dry)
    await next_life.publish(wholly=True)
    assert next_life.bodies().keys() == {"H1", "H2", "L1"}
    assert next_life.message("H1", chat=BOB)["syncSource"] == "history_sync"
    assert next_life.thread(BOB)["displayName"] == "Bob of the shop"
    assert next_life.thread()["lastMessageId"] == "L1"
    assert [entry.new.kind for window in next_life.windows for entry in window.entries] == ["history", "history-end"]
    assert await next_life.store.history_plan(ACCOUNT) == HistoryPlan()
    assert await next_life.store.held_back(limit=1, max_bytes=1) == []
    writes = next_life.documents.operations.writes
    await again(next_life).publish(wholly=True)
    assert next_life.documents.operations.writes == writes


async def test_what_is_held_back_outlives_pruning_restarts_and_another_dry_run(dry: World) -> None:
    """It is not in the documents, however old it gets."""
    await history(dry, payload("H1"))
    await dry.publish()
    await dry.store.prune(landed_before_ms=RECEIVED_AT_MS * 2, state_before_ms=RECEIVED_AT_MS * 2)
    same = again(dry, dry_run=True)
    await history(same, payload("H2"), notice="n2")
    await same.publish(wholly=True)
    assert same.bodies() == {}
    assert (await same.store.history_plan(ACCOUNT)).new[Touched.MESSAGE] == 2
    await again(same).publish(wholly=True)
    assert same.bodies().keys() == {"H1", "H2"}
    await same.store.prune(landed_before_ms=RECEIVED_AT_MS * 2, state_before_ms=0)
    assert await same.store.read(after=0, limit=9, max_bytes=1 << 20) == []


async def test_landing_what_was_held_back_goes_on_where_a_crash_ended_it(dry: World) -> None:
    """Nothing is lost and nothing is doubled; live messages come in between."""
    for number in range(6):  # more than one window holds
        filler = [payload(f"H{number}-{n}", text="x" * 2000, at=AT - n) for n in range(150)]
        await history(dry, *filler, notice=f"n{number}")
    await dry.publish()
    crashed = again(dry)
    await publish_until(crashed, lambda: crashed.windows)
    left = (await crashed.store.history_plan(ACCOUNT)).entries
    assert 0 < left < 12
    last = again(crashed)
    await last.journal(payload("L1", at=AT + 5))
    async with publishing(last.publisher, timeout_s=30):
        await last.publisher.drained()
        assert "L1" in last.bodies()
        await last.publisher.settled()
    assert len(last.bodies()) == 6 * 150 + 1
    assert (await last.store.history_plan(ACCOUNT)).entries == 0


async def test_a_crash_before_the_cursor_moved_holds_back_the_same_again(dry: World) -> None:
    """It is counted once."""
    await history(dry, payload("H1"))
    await dry.publish()
    dry.store._cursors.clear()
    await again(dry, dry_run=True).publish()
    plan = await dry.store.history_plan(ACCOUNT)
    assert (plan.entries, plan.new[Touched.MESSAGE], plan.writes) == (2, 1, 3)
