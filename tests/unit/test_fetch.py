"""Asking the phone for older messages: who is answered, with what, and when nobody is."""

import asyncio
import re
from typing import Any

import pytest
from linked import ACCOUNT, Linked, connected, entry

from whatsapp_backend.errors import BridgeGone, CommandFailed, CommandTimedOut
from whatsapp_backend.flows.fetch import Page

CHAT = "15550002222@s.whatsapp.net"
OTHER = "account_demo_other"


def request(made: Linked, number: int = -1) -> str:
    """The id of what was asked for."""
    return str(made.asked("fetch-history")[number]["id"])


def end(request: str | None, **more: Any) -> dict[str, Any]:
    """The end of a history that answers a request."""
    payload = {"notice": "enc:n", "syncType": 6, "session": request, "records": 1, "messages": 50, "result": "complete"}
    return entry(f"enc:{request}#end", kind="history-end", origin="ondemand", payload={**payload, **more})


def fetch(made: Linked, tasks: asyncio.TaskGroup, account: str = ACCOUNT) -> "asyncio.Task[Page]":
    """Ask, with a minute of patience."""
    return tasks.create_task(
        made.asker.fetch(account, chat=CHAT, anchor={"id": "M1", "fromMe": False}, time=5, count=50)
    )


async def test_a_page_is_what_the_phone_answered() -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        asking = fetch(made, tasks)
        await made.clock.settle()
        assert not asking.done()
        assert re.fullmatch("3EB0[0-9A-F]{17}4", request(made))
        assert made.asked("fetch-history") == [
            {"chat": CHAT, "anchor": {"id": "M1", "fromMe": False}, "time": 5, "count": 50, "id": request(made)}
        ]
        made.bridge.commit(ACCOUNT, end(request(made), chats=[{"id": "x"}, {"id": CHAT, "end": 2}]))
        assert await asking == Page(request=request(made), messages=50, result="complete", end=2)


async def test_an_answer_that_is_journaled_before_the_bridge_says_done_is_recognised() -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        gate = made.bridge.gates["fetch-history"] = asyncio.Event()
        asking = fetch(made, tasks)
        await made.clock.settle()
        await made.bridge.commit(ACCOUNT, end(request(made)))
        assert not asking.done()
        gate.set()
        assert (await asking).messages == 50


async def test_an_empty_answer_and_a_failed_download_are_answers() -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        for more in ({}, {"result": "failed", "problem": "404"}):
            asking = fetch(made, tasks)
            await made.clock.settle()
            answer = end(request(made), messages=0, records=0, **more)
            made.bridge.commit(ACCOUNT, answer)
            page = await asking
            assert (page.messages, page.end) == (0, None)
            assert page.result == answer["payload"]["result"]


async def test_a_phone_that_is_off_is_no_answer_and_the_next_one_can_be_asked() -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:

        async def ask() -> None:
            with pytest.raises(CommandTimedOut, match="may be off"):
                await made.asker.fetch(ACCOUNT, chat=CHAT, anchor={"id": "M1"}, time=5, count=50)

        asking = tasks.create_task(ask())
        await made.clock.advance(59)
        assert not asking.done()
        await made.clock.advance(2)
        assert asking.done()
        second = fetch(made, tasks)
        await made.clock.settle()
        await made.bridge.commit(ACCOUNT, end(request(made, 0)))
        await made.clock.settle()
        assert not second.done(), "the late answer to the first is none to the second"
        await made.bridge.commit(ACCOUNT, end(request(made, 1)))
        assert (await second).request == request(made, 1)


async def test_histories_that_nobody_or_somebody_else_asked_for_are_no_answers() -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        asking = fetch(made, tasks)
        await made.clock.settle()
        await made.bridge.commit(ACCOUNT, end("R0"), end(None), entry("enc:m"))
        made.asker.on_journaled(OTHER, ())
        await made.clock.settle()
        assert not asking.done()
        await made.bridge.commit(ACCOUNT, end(request(made)))
        await asking


async def test_one_account_asks_one_thing_at_a_time_and_does_not_wait_for_others() -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        first, second = fetch(made, tasks), fetch(made, tasks)
        await made.clock.settle()
        assert len(made.asked("fetch-history")) == 1
        other = fetch(made, tasks, OTHER)
        await made.clock.settle()
        assert len(made.asked("fetch-history")) == 2
        await made.bridge.commit(ACCOUNT, end(request(made, 0)))
        await first
        await made.clock.settle()
        assert len(made.asked("fetch-history")) == 3
        await made.bridge.commit(ACCOUNT, end(request(made, 2)))
        assert (await second).request == request(made, 2)
        other.cancel()
    assert not made.asker._turns, "accounts are forgotten when nobody asks"


@pytest.mark.parametrize("error", [CommandFailed("not-open", "closed"), BridgeGone(), CommandTimedOut()])
async def test_what_cannot_be_asked_is_said_and_leaves_nothing_behind(error: Exception) -> None:
    def fail(_: object) -> dict[str, object]:
        raise error

    async with connected() as made, asyncio.TaskGroup() as tasks:
        made.bridge.scripts["fetch-history"] = fail
        for _ in range(2):
            with pytest.raises(type(error)):
                await made.asker.fetch(ACCOUNT, chat=CHAT, anchor={"id": "M1"}, time=5, count=50)
        del made.bridge.scripts["fetch-history"]
        asking = fetch(made, tasks)
        await made.clock.settle()
        await made.bridge.commit(ACCOUNT, end(request(made)))
        await asking
        assert made.asker._in_flight == {}


async def test_a_caller_who_gives_up_leaves_the_next_one_his_turn() -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        first = fetch(made, tasks)
        await made.clock.settle()
        first.cancel()
        second = fetch(made, tasks)
        await made.clock.settle()
        await made.bridge.commit(ACCOUNT, end(request(made)))
        assert (await second).request == request(made, 1)


@pytest.mark.parametrize("payload", [{"messages": "x", "chats": 7}, {}, {"session": 1}])
async def test_odd_ends_of_histories_harm_nobody(payload: Any) -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        asking = fetch(made, tasks)
        await made.clock.settle()
        odd = {"session": request(made), **payload}
        await made.bridge.commit(ACCOUNT, entry("enc:n#end", kind="history-end", payload=odd))
        await made.clock.settle()
        if asking.done():
            assert asking.result().messages == 0
        asking.cancel()
        assert made.view.status == "connected"
