"""Nudges: each by its time, never two of one at once, and none ends because one failed."""

import asyncio

from whatsapp_backend.nudges import nudging


async def never():
    raise AssertionError("not within this test")


async def test_a_tick_comes_again_and_again_whatever_became_of_the_last_one():
    came, enough = [], asyncio.Event()

    async def tick():
        came.append("tick")
        if len(came) == 3:
            enough.set()
        raise RuntimeError("broken")

    async with nudging(prune=never, collect=never, beat=never, ticks={"tick": (tick, 0.01)}), asyncio.timeout(10):
        await enough.wait()


async def test_one_that_hangs_is_not_begun_twice_and_holds_no_other_up():
    begun, others, enough = [], [], asyncio.Event()

    async def hang():
        begun.append("hang")
        await asyncio.Event().wait()

    async def other():
        others.append("other")
        if begun and len(others) > 5:
            enough.set()

    ticks = {"hang": (hang, 0.01), "other": (other, 0.01)}
    async with nudging(prune=never, collect=never, beat=never, ticks=ticks), asyncio.timeout(10):
        await enough.wait()
    assert begun == ["hang"]
