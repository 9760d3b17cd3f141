"""The Python driver of the fake WhatsApp server. The server itself is tested next to it, with stock Baileys."""

import os
from pathlib import Path

import pytest

from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp, FakeWhatsAppError

NODE_DIR = Path(__file__).parents[2] / "whatsapp_backend" / "node"


async def test_ops_are_carried_out_and_refusals_are_errors() -> None:
    async with FakeWhatsApp.started(NODE_DIR) as server:
        assert server.url.startswith("ws://127.0.0.1:")
        ana = await server.op("person", phone="15550002222", name="Ana")
        assert ana["lid"] == "88000000002222@lid"
        with pytest.raises(FakeWhatsAppError, match="has no linked device"):
            await server.op("message", account="15550001111", chat="15550002222", text="hi")


async def test_an_id_that_an_op_takes_is_not_the_id_of_the_request() -> None:
    async with FakeWhatsApp.started(NODE_DIR) as server:
        group = await server.op("group", id="120363000000000001@g.us", members=["15550002222"])
        assert group["id"] == "120363000000000001@g.us"


async def test_waiting_for_what_never_comes_says_what_was_waited_for() -> None:
    async with FakeWhatsApp.started(NODE_DIR) as server:
        with pytest.raises(TimeoutError, match=r"no receipt .*M1"):
            await server.wait("receipt", id="M1", timeout_s=0.05)


async def test_a_failing_test_keeps_its_own_error_and_leaves_no_process() -> None:
    pids: list[int] = []

    async def failing() -> None:
        async with FakeWhatsApp.started(NODE_DIR) as server:
            pids.append(server.pid)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


async def test_a_server_that_died_is_noticed_by_who_waits() -> None:
    async with FakeWhatsApp.started(NODE_DIR) as server:
        os.kill(server.pid, 9)
        with pytest.raises(FakeWhatsAppError, match="gone"):
            await server.wait("receipt")
        with pytest.raises(FakeWhatsAppError, match="gone"):
            await server.op("state")
