"""What a lost answer, another writer, a batch or a flood must not do to threads, debts and what is unread."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from test_projection import debt, own, react, receipt
from world import ACCOUNT, ANA, AT, BOB, GROUP, Quick, World, a_world, payload

from whatsapp_backend.domain.amendments import Amendments, Mark
from whatsapp_backend.domain.writes import Outcome, Write
from whatsapp_backend.rules import amendments
from whatsapp_backend.testing.memory_documents import Fault

LID = "88000000003333@lid"
PN = "15550003333@s.whatsapp.net"
THREAD = f"threads/{ACCOUNT}__{ANA}"


def owed(id: str, at: int = AT + 60, **key: Any) -> dict[str, Any]:
    """A message that could not be read, sent later than the first one."""
    return debt(id, **key) | {"messageTimestamp": at}


async def debts_of(world: World) -> tuple[int, dict[str, int]]:
    """How many are open, and why others are closed."""
    stats = await world.store.stats()
    return stats.open_debts, dict(stats.closed_debts)


async def test_a_debt_is_paid_though_the_answer_to_the_write_was_lost(world: World) -> None:
    """The document holds the message already when we look again."""
    await world.journal(owed("P1"), kind="debt")
    await world.publish()
    world.documents.inject(Fault.AMBIGUOUS, paths={f"{THREAD}/messages/P1"}, times=1)
    await world.journal(payload("P1"), origin="resend")
    await world.publish()
    assert world.message("P1")["body"] == "hi"
    assert await debts_of(world) == (0, {"arrived": 1})


@pytest.mark.parametrize("others", [0, 1])
async def test_a_placeholder_goes_though_the_answer_to_the_write_was_lost(world: World, others: int) -> None:
    """With its unread and its debt; a thread of which nothing is left is shown to nobody."""
    for number in range(others):
        await world.journal(payload(f"M{number}"))
    await world.journal(owed("P1"), kind="debt")
    await world.publish()
    world.documents.inject(Fault.AMBIGUOUS, paths={f"{THREAD}/messages/P1"}, times=1)
    await world.journal(react("👍", id="P1"), origin="resend")
    await world.publish()
    assert (world.thread().get("lastMessagePreview"), world.thread()["unreadCount"]) == (
        "hi" if others else None,
        others,
    )
    assert ("lastMessageAt" in world.thread()) is bool(others)
    assert await debts_of(world) == (0, {"arrived": 1})


async def test_a_placeholder_that_is_not_the_newest_goes_out_of_the_count(world: World) -> None:
    """In the document, too."""
    await world.journal(owed("P1"), kind="debt")
    await world.journal(payload("M2", at=AT + 90))
    await world.publish()
    assert world.thread()["unreadCount"] == 2
    await world.journal(react("👍", id="P1"), origin="resend")
    await world.publish()
    assert world.thread()["unreadCount"] == 1


@pytest.mark.parametrize("order", [1, -1])
async def test_several_placeholders_of_a_thread_go_in_one_window(world: World, order: int) -> None:
    """Resends come in batches."""
    await world.journal(payload("M0"))
    for number in (1, 2):
        await world.journal(owed(f"P{number}", AT + 60 + number), kind="debt")
    await world.publish()
    for number in (1, 2)[::order]:
        await world.journal(react("👍", id=f"P{number}"), origin="resend")
    await world.publish()
    assert (world.thread()["lastMessagePreview"], world.thread()["unreadCount"]) == ("hi", 1)


async def test_what_was_taken_back_stays_so_beside_another_writer(world: World) -> None:
    """The app archived the thread meanwhile."""
    await world.journal(payload("M0"))
    await world.journal(owed("P1"), kind="debt")
    await world.publish()
    there = world.documents.documents[THREAD]
    changed = replace(there, fields={**there.fields, "archived": True}, updated_at_ns=there.updated_at_ns + 1000)
    world.documents.documents[THREAD] = changed
    await world.journal(react("👍", id="P1"), origin="resend")
    await world.publish()
    assert (world.thread()["lastMessageId"], world.thread()["archived"]) == ("M0", True)


def changed_by_another(world: World, **fields: Any) -> None:
    """Somebody else writes the thread's document."""
    there = world.documents.documents[THREAD]
    changed = replace(there, fields={**there.fields, **fields}, updated_at_ns=there.updated_at_ns + 1000)
    world.documents.documents[THREAD] = changed


async def test_a_thread_that_once_went_back_does_not_drop_what_another_writer_knows_later(world: World) -> None:
    """Only what we had taken back and what still stood there is dropped, once."""
    await world.journal(payload("M0"))
    await world.journal(owed("P1"), kind="debt")
    await world.publish()
    assert "anew" not in world.thread()["clocks"]
    await world.journal(react("👍", id="P1"), origin="resend")
    await world.publish()
    assert (world.thread()["lastMessageId"], world.thread()["clocks"]["anew"]) == ("M0", 1)
    for number in (1, 2):
        newest = {"lastMessageId": f"X{number}", "lastMessageAtMs": (AT + 900 * number) * 1000}
        changed_by_another(world, **newest, lastMessagePreview="of another instance")
        await world.journal(payload(f"M{number}", at=AT + 300 + number))
        await world.publish()
        assert (world.thread()["lastMessageId"], world.thread()["clocks"]["anew"]) == (f"X{number}", 1)


async def test_a_daemon_that_forgot_everything_takes_back_what_stands_in_the_document(world: World) -> None:
    """Whatever its count says of what an earlier state directory took back."""
    await world.journal(payload("M0"))
    await world.journal(owed("P1"), kind="debt")
    await world.publish()
    await world.journal(react("👍", id="P1"), origin="resend")
    await world.publish()
    await world.journal(owed("P2", AT + 90), kind="debt")
    await world.publish()
    assert (world.thread()["lastMessageId"], world.thread()["clocks"]["anew"]) == ("P2", 1)
    async with a_world(world.documents) as forgetful:
        await forgetful.journal(payload("M0"))
        await forgetful.journal(owed("P2", AT + 90), kind="debt")
        await forgetful.journal(react("👍", id="P2"), origin="resend")
        for entry in await forgetful.store.read(after=0, limit=9, max_bytes=1 << 20):
            await forgetful.publisher.land_entries([entry])
        changed_by_another(world, archived=True)
        await forgetful.publish(wholly=True)
        assert (forgetful.thread()["lastMessageId"], forgetful.thread()["archived"]) == ("M0", True)


async def test_an_odd_document_of_somebody_else_does_not_stop_the_queue(world: World) -> None:
    """It is looked at when a thread's newest message is gone."""
    await world.journal(payload("M0"))
    await world.journal(owed("P1"), kind="debt")
    await world.publish()
    there = world.documents.documents[f"{THREAD}/messages/M0"]
    odd = {**there.fields, "waMessageId": "X", "messageType": "call", "details": {"call": {"outcome": []}}}
    world.documents.documents[f"{THREAD}/messages/X"] = replace(there, path=f"{THREAD}/messages/X", fields=odd)
    await world.journal(react("👍", id="P1"), origin="resend")
    await world.journal(payload("M3", at=AT + 99))
    await world.publish()
    assert world.thread()["lastMessageId"] == "M3"


async def test_a_debt_is_paid_when_it_meets_its_message_by_uniting(world: World) -> None:
    """It was opened under the LID, and the message came under the number."""
    await world.journal(owed("P1", chat=LID), kind="debt")
    await world.journal(payload("P1", chat=PN), origin="resend")
    await world.publish()
    await world.mapped(LID, PN)
    await world.publish(wholly=True)
    assert await debts_of(world) == (0, {"arrived": 1})


async def test_a_message_from_the_future_is_read_one_day(world: World) -> None:
    """Its own time would never come."""
    await world.journal(payload("M1", at=4_102_444_800))
    await world.publish()
    assert world.thread()["unreadCount"] == 1
    in_three_months = 1_795_500_000 + 90 * 86_400
    await world.journal(receipt("read-self", "M1", at=in_three_months), kind="receipt")
    await world.publish()
    assert world.thread()["unreadCount"] == 0


@pytest.mark.parametrize("order", [1, -1])
def test_who_stands_under_both_names_is_one_person_in_any_order(order: int) -> None:
    """The later of his reactions counts."""
    marks = {PN: Mark(at_ms=2, lid=None, of=None, text="late"), LID: Mark(at_ms=1, lid=None, of=None, text="early")}
    found = amendments.identified(Amendments(reactions=dict(list(marks.items())[::order])), {LID: PN}.get)
    assert found is not None
    assert {by: mark.text for by, mark in found.reactions.items()} == {PN: "late"}


async def test_those_who_had_a_message_cost_no_rows_of_their_own(world: World) -> None:
    """A group has a thousand of them."""
    await world.journal(own(chat=GROUP))
    for number in range(100):
        told = receipt("delivery", "M1", chat=GROUP, participant=f"880000{number:06}@lid")
        await world.journal(told, kind="receipt")
    await world.publish(wholly=True)
    assert len(world.message(chat=GROUP)["receipts"]) == 100
    assert await world.store.nameless(ACCOUNT, "880000000001@lid", 9) == []


async def test_a_new_message_does_not_wait_until_all_late_receipts_are_written(world: World) -> None:
    """They are written a bounded number at a time."""
    ids = [f"M{number}" for number in range(1000)]
    for id_ in ids:
        await world.journal(own(id_, chat=GROUP))
    await world.publish()
    for number in range(2):
        told = receipt("delivery", *ids, chat=GROUP, participant=f"1555000{number:04}@s.whatsapp.net")
        await world.journal(told, kind="receipt")
        await world.publish()
    written: list[tuple[int, bool]] = []
    plainly = world.documents.write

    async def watched(writes: Sequence[Write]) -> list[Outcome]:
        written.append((len(writes), any(write.path.endswith("/NEW") for write in writes)))
        if len(written) == 1:
            await world.journal(payload("NEW", chat=BOB))
            world.publisher.nudge()
        return await plainly(writes)

    world.documents.write = watched
    await world.publish(wholly=True)
    assert [new for _, new in written].index(True) == 1
    assert sum(size for size, _ in written) >= 1000


class Hurried(Quick):
    """A clock by which each wait takes a second, and is over at once."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic_s(self) -> float:
        """As if one had waited."""
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        """It is later, and others run."""
        self.now_s += 1.0
        await asyncio.sleep(0)


async def test_traffic_that_never_ends_does_not_keep_identities_from_being_united() -> None:
    """Each window finds another message waiting."""
    async with a_world() as world:
        world.publisher._clock = Hurried()
        await world.journal(payload("L1", chat=LID))
        await world.mapped(LID, PN)
        await world.journal(payload("L0", chat=LID), origin="offline")
        read, left = world.store.read, 60
        united_during: list[bool] = []

        async def never_empty(**how: Any) -> Any:
            nonlocal left
            left -= 1
            if left > 0:
                await world.journal(payload(f"X{left}", chat=BOB))
            united_during.append(await world.store.ununited(1) == [])
            return await read(**how)

        world.store.read = never_empty
        await world.publish()
        assert any(united_during[2:50])
