"""What a dry run found, asked by an operator."""

import asyncio

from backend import OTHER, SHOP, refused

from whatsapp_backend.domain.holding import Foreseen, Touched
from whatsapp_backend.domain.mirror import Progress

PLAN = "/api/whatsapp/history-plan/"


async def test_the_plan_of_what_is_held_back_is_shown(api, backend):
    messages = tuple(
        Foreseen(seq=7, path=f"threads/t/messages/{n}", what=Touched.MESSAGE, known=n > 1, written=n < 2)
        for n in range(3)
    )
    await backend.store.advance(Progress(consumer="documents", held_back=((7, SHOP),), foreseen=messages))
    async with api.get(PLAN + SHOP) as answer:
        body = await answer.json()
    assert (answer.status, body["success"], body["dryRun"]) == (200, True, True)
    assert body["plan"] == {
        "messages": {"new": 2, "known": 1},
        "threads": {"new": 0, "known": 0},
        "contacts": {"new": 0, "known": 0},
        "heldBack": 1,
        "writes": 2,
        "costUsd": 0.0,
    }


async def test_an_account_of_which_nothing_is_held_back_has_an_empty_plan(api):
    async with api.get(PLAN + OTHER) as answer:
        assert (await answer.json())["plan"]["heldBack"] == 0


async def test_an_unknown_account_has_no_plan(api):
    async with asyncio.timeout(10), api.get(PLAN + "account_x") as answer:
        await refused(answer, 404, "not_found")
