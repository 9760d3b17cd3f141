"""Connections as rows: what is noted of each, when, and what that costs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from world import ACCOUNT

from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.coverage import Ending, Epoch, LedgerChange
from whatsapp_backend.flows.epochs import Epochs
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_store import MemoryStore

DAY_S = 24 * 60 * 60


class Pinged:
    """A bridge that says when each account was heard."""

    def __init__(self) -> None:
        self.heard: dict[str, int] = {}

    async def do(self, command: str, **_: Any) -> dict[str, object]:
        """Answer a ping."""
        assert command == "ping"
        return {"heard": self.heard}


class Life:
    """An account whose connection opens, catches up and closes."""

    def __init__(self, store: MemoryStore, clock: FakeClock, tasks: asyncio.TaskGroup) -> None:
        self.store, self.clock, self.bridge = store, clock, Pinged()
        self.news: list[tuple[str, int]] = []
        self.epochs = Epochs(
            store,
            self.bridge,
            clock,
            tasks=tasks,
            on_news=lambda *news: self.news.append(news),  # type: ignore[arg-type]
        )
        self.view = AccountView(
            account=ACCOUNT, phone="+15550001111", name="Shop", created_at_ms=1, status="connecting"
        )

    async def becomes(self, **changes: Any) -> None:
        """The connection changes."""
        self.view = replace(self.view, **changes)
        self.epochs.on_change(self.view)
        await self.clock.settle()

    async def opens(self, *, waiting: int = 0) -> None:
        """It opens and catches up."""
        await self.becomes(status="connected", caught_up=False, offline_announced=None, offline_received=None)
        await self.becomes(offline_announced=waiting)
        await self.becomes(caught_up=True, offline_received=waiting)

    async def lives(self, seconds: float) -> None:
        """It is heard until then."""
        await self.clock.advance(seconds)
        self.bridge.heard[ACCOUNT] = self.clock.wall_ms()
        await self.epochs.beat()

    async def rows(self) -> tuple[Epoch, ...]:
        """What the ledger knows."""
        return (await self.store.account_ledger(ACCOUNT)).epochs


@asynccontextmanager
async def a_life(store: MemoryStore | None = None, clock: FakeClock | None = None) -> AsyncIterator[Life]:
    """One life of the daemon."""
    async with asyncio.TaskGroup() as tasks:
        life = Life(store or MemoryStore(), clock or FakeClock(), tasks)
        await life.epochs.load([ACCOUNT])
        yield life


async def test_a_connection_is_a_row_from_opening_to_its_end() -> None:
    """With what was announced and received, and until when it was heard."""
    async with a_life() as life:
        start_ms = life.clock.wall_ms()
        await life.opens(waiting=3)
        await life.lives(60)
        await life.clock.advance(30)
        await life.becomes(status="reconnecting", caught_up=False)
        (row,) = await life.rows()
        assert (row.number, row.opened_at_ms, row.caught_up_at_ms) == (1, start_ms, start_ms)
        assert (row.announced, row.received) == (3, 3)
        assert row.heard_at_ms == start_ms + 60_000
        assert (row.closed_at_ms, row.ending) == (start_ms + 90_000, Ending.CLOSED)


async def test_what_was_announced_and_came_before_the_connection_was_called_open_is_noted_too() -> None:
    """In that order the engine tells it, on every connection."""
    async with a_life() as life:
        for number, received in ((1, 3), (2, 0)):
            await life.becomes(status="connecting", caught_up=False, offline_announced=None, offline_received=None)
            await life.becomes(offline_announced=3)
            await life.becomes(caught_up=True, offline_received=received)
            await life.becomes(status="connected")
            row = (await life.rows())[-1]
            assert (row.number, row.announced, row.received) == (number, 3, received)
            assert row.caught_up_at_ms == life.clock.wall_ms()


async def test_a_deaf_connection_ends_as_deaf_with_what_is_known_to_have_come() -> None:
    """Whatever was heard on it after that; and it ends once."""
    async with a_life() as life:
        await life.opens()
        start_ms = life.clock.wall_ms()
        await life.lives(300)
        life.epochs.deaf(ACCOUNT, start_ms + 120_000)
        await life.becomes(status="reconnecting", caught_up=False)
        (row,) = await life.rows()
        assert (row.ending, row.heard_at_ms, row.closed_at_ms) == (
            Ending.DEAF,
            start_ms + 120_000,
            start_ms + 300_000,
        )
        life.epochs.deaf(ACCOUNT, start_ms)
        await life.clock.settle()
        assert await life.rows() == (row,)


async def test_who_listens_is_told_what_the_bridge_answers_to_a_heartbeat() -> None:
    """One question is enough for both."""
    async with a_life() as life:
        told: list[object] = []
        life.epochs.on_ping = told.append
        await life.opens()
        await life.lives(20)
        assert told == [{"heard": {ACCOUNT: life.clock.wall_ms()}}]


async def test_what_a_crash_left_open_ends_with_its_last_heartbeat() -> None:
    """The next life says so when it connects."""
    store, clock = MemoryStore(), FakeClock()
    async with a_life(store, clock) as life:
        await life.opens()
        await life.lives(60)
        heard_ms = clock.wall_ms()
    await clock.advance(600)
    async with a_life(store, clock) as life:
        await life.opens()
        first, second = await life.rows()
        assert (first.ending, first.heard_at_ms) == (Ending.CRASHED, heard_ms)
        assert (second.number, second.opened_at_ms) == (2, clock.wall_ms())


async def test_gaps_are_settled_when_it_caught_up_and_once_more_when_it_has_lived_for_a_while() -> None:
    """From the end of the connection before; what lies further back is as it was."""
    async with a_life() as life:
        await life.opens()
        await life.lives(600)
        ended_ms = life.clock.wall_ms()
        await life.becomes(status="reconnecting", caught_up=False)
        await life.clock.advance(600)
        life.news.clear()
        await life.opens()
        assert len(life.news) == 1
        await life.lives(10)
        assert len(life.news) == 1
        for _ in range(3):
            await life.lives(20)
        assert len(life.news) == 2
        assert all(account == ACCOUNT and 0 < ended_ms - since_ms <= 60_000 for account, since_ms in life.news)


async def test_a_disk_that_says_no_costs_nothing_but_time() -> None:
    """The row is written with the next change."""
    async with a_life() as life:
        life.store.unwell = "the disk is full"
        await life.opens()
        assert await life.rows() == ()
        life.store.unwell = None
        await life.lives(60)
        (row,) = await life.rows()
        assert row.caught_up_at_ms is not None


async def test_gaps_are_settled_from_rows_that_are_durable() -> None:
    """Who settles reads another connection's view of the file: too early he would find that nothing more is claimed."""
    async with a_life() as life:
        record, told = life.store.record, []

        async def slowly(change: LedgerChange) -> None:
            await asyncio.sleep(0)
            told.append(tuple(life.news))
            await record(change)

        life.store.record = slowly  # type: ignore[method-assign]
        await life.opens()
        assert (set(told), len(life.news)) == ({()}, 1)
        life.store.unwell = "the disk is full"
        await life.lives(60)
        assert len(life.news) == 1
        life.store.unwell = None
        await life.lives(20)
        assert len(life.news) == 2


async def test_rows_of_many_reconnects_are_folded_after_a_day() -> None:
    """A flapping connection does not grow the ledger for ever."""
    async with a_life() as life:
        for _ in range(200):
            await life.opens()
            await life.lives(DAY_S / 50)
            await life.becomes(status="reconnecting", caught_up=False)
            await life.clock.advance(5)
        assert len(await life.rows()) < 60


async def test_rows_of_connections_that_never_caught_up_are_dropped_after_a_day() -> None:
    """They claim nothing, and there may be one every few seconds."""
    async with a_life() as life:
        for _ in range(200):
            await life.becomes(status="connected", caught_up=False)
            await life.clock.advance(DAY_S / 50)
            await life.becomes(status="reconnecting")
        rows = await life.rows()
        assert len(rows) < 60
        assert rows[-1].number == 200


async def test_an_account_that_is_not_connected_is_not_noted() -> None:
    """Whatever else changes of it."""
    async with a_life() as life:
        await life.becomes(status="qr_ready")
        await life.becomes(status="pairing")
        await life.lives(60)
        assert await life.rows() == ()
        assert life.news == []
