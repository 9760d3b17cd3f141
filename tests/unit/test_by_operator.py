"""An operator ends a connection, begins it anew, and calls an account something else."""

import asyncio

import pytest
from linked import ACCOUNT, connected, linked, paired

from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.testing.memory_store import MemoryStore

HOUR_S = 3600.0


async def test_who_is_disconnected_by_his_operator_stays_so_over_restarts_and_goes_on_with_his_credentials() -> None:
    async with connected() as made:
        stops = len(made.asked("stop"))
        await made.connector.disconnect(ACCOUNT)
        assert len(made.asked("stop")) == stops + 1, "the bridge was told"
        assert made.view.status == "disconnected"
        assert "operator" in str(made.view.last_error)
        assert (await made.declared()).stopped == "by-operator"
        await made.clock.advance(HOUR_S)
        assert made.starts == 1
    async with linked(made.store) as again:
        await again.boot()
        await again.clock.advance(HOUR_S)
        assert (again.starts, again.view.status) == (0, "disconnected")
        await again.connector.reconnect(ACCOUNT)
        await again.clock.settle()
        assert [args["creds"] for args in again.asked("start")] == ['{"me":"old"}']
        assert (await again.declared()).stopped is None
        await again.open()
        assert (again.view.status, again.view.last_error) == ("connected", None)


async def test_losing_and_getting_the_account_back_does_not_connect_who_was_disconnected() -> None:
    async with connected() as made:
        await made.connector.disconnect(ACCOUNT)
        term = made.owner.term(ACCOUNT)
        made.connector.on_lost(term)
        made.connector.on_owned(term)
        await made.clock.advance(HOUR_S)
        assert (made.starts, made.view.status) == (1, "disconnected")


async def test_a_disconnect_that_cannot_be_remembered_changes_nothing() -> None:
    async with connected() as made:
        made.store.unwell = "disk full"
        with pytest.raises(StoreUnwell):
            await made.connector.disconnect(ACCOUNT)
        assert made.view.status == "connected"
        made.store.unwell = None
        await made.close(428)
        await made.clock.advance(60)
        assert made.starts == 2


async def test_to_disconnect_who_was_unlinked_does_not_hide_that_he_must_pair_anew() -> None:
    async with connected() as made:
        await made.close(401)
        await made.connector.disconnect(ACCOUNT)
        assert made.view.status == "logged_out"
        await made.connector.reconnect(ACCOUNT)
        await made.clock.advance(1)
        assert made.asked("start")[-1]["creds"] is None


async def test_a_disconnect_ends_an_account_that_waits_for_its_next_try() -> None:
    async with connected() as made:
        await made.close(428)
        await made.connector.disconnect(ACCOUNT)
        await made.clock.advance(HOUR_S)
        assert (made.starts, made.view.status, made.view.next_retry_at_ms) == (1, "disconnected", None)


async def test_a_reconnect_closes_a_connection_and_opens_another() -> None:
    async with connected() as made:
        await made.connector.reconnect(ACCOUNT)
        assert made.view.status == "connecting"
        await made.clock.advance(1)
        assert made.starts == 2
        await made.open()
        assert made.view.status == "connected"


async def test_a_reconnect_waits_no_longer() -> None:
    async with connected() as made:
        await made.close(440, "replaced")
        await made.clock.advance(1)
        assert made.starts == 1
        await made.connector.reconnect(ACCOUNT)
        await made.clock.advance(1)
        assert made.starts == 2


async def test_two_reconnects_at_once_make_one_connection() -> None:
    async with connected() as made:
        made.bridge.gates["stop"] = asyncio.Event()
        both = [asyncio.ensure_future(made.connector.reconnect(ACCOUNT)) for _ in range(2)]
        await made.clock.settle()
        made.bridge.gates.pop("stop").set()
        await asyncio.gather(*both)
        await made.clock.advance(2)
        assert made.starts == 2


async def test_a_reconnect_connects_nobody_whom_we_do_not_own() -> None:
    store = MemoryStore()
    await paired(store)
    async with linked(store, willing=False) as made:
        await made.boot()
        await made.connector.reconnect(ACCOUNT)
        await made.clock.advance(5)
        assert made.starts == 0


async def test_a_new_name_is_shown_and_kept_or_neither() -> None:
    async with connected() as made:
        await made.connector.rename(ACCOUNT, "Front desk")
        assert made.view.name == made.changes[-1].name == "Front desk"
        assert (await made.declared()).name == "Front desk"
        made.store.unwell = "disk full"
        with pytest.raises(StoreUnwell):
            await made.connector.rename(ACCOUNT, "Nobody")
        assert made.view.name == "Front desk"
        assert made.view.status == "connected"
