"""Asking the phone for older messages: who is answered, with what, and when nobody is."""

import asyncio
from typing import Any

import pytest
from linked import ACCOUNT, Linked, connected, entry

from whatsapp_backend.errors import BridgeGone, CommandFailed, CommandTimedOut
from whatsapp_backend.flows.fetch import Page

CHAT = "15550002222@s.whatsapp.net"
OTHER = "account_demo_other"


def end(request: str | None = "R1", **more: Any) -> dict[str, Any]:
    """The end of a history that answers a request."""
    payload = {"notice": "enc:n", "syncType": 6, "session": request, "records": 1, "messages": 50, "result": "complete"}
    return entry(f"enc:{request}#end", kind="history-end", origin="ondemand", payload={**payload, **more})


def fetch(made: Linked, tasks: asyncio.TaskGroup, account: str = ACCOUNT) -> "asyncio.Task[Page]":
    """Ask, with a minute of patience."""
    return tasks.create_task(
        made.fetcher.fetch(account, chat=CHAT, anchor={"id": "M1", "fromMe": False}, time=5, count=50, timeout_s=60)
    )


async def test_a_page_is_what_the_phone_answered() -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        made.bridge.scripts["fetch-history"] = lambda _: {"request": "R1"}
        asking = fetch(made, tasks)
        await made.clock.settle()
        assert not asking.done()
        assert made.asked("fetch-history") == [
            {"chat": CHAT, "anchor": {"id": "M1", "fromMe": False}, "time": 5, "count": 50}
        ]
        made.bridge.commit(ACCOUNT, end(chats=[{"id": "x"}, {"id": CHAT, "end": 2}]))
        assert await asking == Page(request="R1", messages=50, result="complete", end=2)


async def test_an_answer_that_is_journaled_before_the_request_has_its_name_is_recognised() -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        made.bridge.scripts["fetch-history"] = lambda _: {"request": "R1"}
        gate = made.bridge.gates["fetch-history"] = asyncio.Event()
        asking = fetch(made, tasks)
        await made.clock.settle()
        await made.bridge.commit(ACCOUNT, end())
        assert not asking.done()
        gate.set()
        assert (await asking).messages == 50


async def test_an_empty_answer_and_a_failed_download_are_answers() -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        made.bridge.scripts["fetch-history"] = lambda _: {"request": "R1"}
        for answer in (end(messages=0, records=0), end(messages=0, result="failed", problem="404", notice="enc:2")):
            asking = fetch(made, tasks)
            await made.clock.settle()
            made.bridge.commit(ACCOUNT, {**answer, "source": str(answer["payload"])})
            page = await asking
            assert (page.messages, page.end) == (0, None)
            assert page.result == answer["payload"]["result"]


async def test_a_phone_that_is_off_is_no_answer_and_the_next_one_can_be_asked() -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        requests = iter(["R1", "R2"])
        made.bridge.scripts["fetch-history"] = lambda _: {"request": next(requests)}

        async def ask() -> None:
            with pytest.raises(CommandTimedOut, match="may be off"):
                await made.fetcher.fetch(ACCOUNT, chat=CHAT, anchor={"id": "M1"}, time=5, count=50, timeout_s=60)

        asking = tasks.create_task(ask())
        await made.clock.advance(59)
        assert not asking.done()
        await made.clock.advance(2)
        assert asking.done()
        second = fetch(made, tasks)
        await made.clock.settle()
        await made.bridge.commit(ACCOUNT, end("R1"))
        await made.clock.settle()
        assert not second.done(), "the late answer to the first is none to the second"
        await made.bridge.commit(ACCOUNT, end("R2"))
        assert (await second).request == "R2"


async def test_histories_that_nobody_or_somebody_else_asked_for_are_no_answers() -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        made.bridge.scripts["fetch-history"] = lambda _: {"request": "R1"}
        asking = fetch(made, tasks)
        await made.clock.settle()
        await made.bridge.commit(ACCOUNT, end("R0"), end(None), entry("enc:m"))
        made.fetcher.on_journaled(OTHER, ())
        await made.clock.settle()
        assert not asking.done()
        await made.bridge.commit(ACCOUNT, end("R1"))
        await asking


async def test_one_account_asks_one_thing_at_a_time_and_does_not_wait_for_others() -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        made.bridge.scripts["fetch-history"] = lambda asked: {"request": f"R{len(made.asked('fetch-history'))}"}
        first, second = fetch(made, tasks), fetch(made, tasks)
        await made.clock.settle()
        assert len(made.asked("fetch-history")) == 1
        other = fetch(made, tasks, OTHER)
        await made.clock.settle()
        assert len(made.asked("fetch-history")) == 2
        await made.bridge.commit(ACCOUNT, end("R1"))
        await first
        await made.clock.settle()
        assert len(made.asked("fetch-history")) == 3
        await made.bridge.commit(ACCOUNT, end("R3"))
        assert (await second).request == "R3"
        other.cancel()


@pytest.mark.parametrize("error", [CommandFailed("not-open", "closed"), BridgeGone(), CommandTimedOut()])
async def test_what_cannot_be_asked_is_said_and_leaves_nothing_behind(error: Exception) -> None:
    def fail(_: object) -> dict[str, object]:
        raise error

    async with connected() as made, asyncio.TaskGroup() as tasks:
        made.bridge.scripts["fetch-history"] = fail
        for _ in range(2):
            with pytest.raises(type(error)):
                await made.fetcher.fetch(ACCOUNT, chat=CHAT, anchor={"id": "M1"}, time=5, count=50, timeout_s=60)
        made.bridge.scripts["fetch-history"] = lambda _: {"request": "R1"}
        asking = fetch(made, tasks)
        await made.clock.settle()
        await made.bridge.commit(ACCOUNT, end())
        await asking
        assert made.fetcher._asked == {}


async def test_a_caller_who_gives_up_leaves_the_next_one_his_turn() -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        made.bridge.scripts["fetch-history"] = lambda _: {"request": "R1"}
        first = fetch(made, tasks)
        await made.clock.settle()
        first.cancel()
        second = fetch(made, tasks)
        await made.clock.settle()
        await made.bridge.commit(ACCOUNT, end())
        assert (await second).request == "R1"


@pytest.mark.parametrize("payload", [{"session": "R1", "messages": "x", "chats": 7}, {"session": "R1"}, {"session": 1}])
async def test_odd_ends_of_histories_harm_nobody(payload: Any) -> None:
    async with connected() as made, asyncio.TaskGroup() as tasks:
        made.bridge.scripts["fetch-history"] = lambda _: {"request": "R1"}
        asking = fetch(made, tasks)
        await made.clock.settle()
        await made.bridge.commit(ACCOUNT, entry("enc:n#end", kind="history-end", payload=payload))
        await made.clock.settle()
        if asking.done():
            assert asking.result().messages == 0
        asking.cancel()
        assert made.view.status == "connected"
