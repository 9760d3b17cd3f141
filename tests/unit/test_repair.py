"""Repair: threads' last activity follows the newest message that shows, whoever wrote what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from legacy import CREATED, first, iso, put, second, sent_by_the_app, third
from structlog.testing import capture_logs
from world import ACCOUNT, ANA, AT, BOB, World, a_world, payload, publish
from written_down import moment

from whatsapp_backend.domain.jobs import Job, Kind, Trigger, Work
from whatsapp_backend.domain.leases import Term
from whatsapp_backend.domain.mirror import Gathered
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.domain.repairs import Correction
from whatsapp_backend.domain.states import ThreadState
from whatsapp_backend.domain.writes import Document, Write
from whatsapp_backend.flows.repair import Repair
from whatsapp_backend.rules import gathering, threads
from whatsapp_backend.rules.generations import MESSAGE_FIELDS
from whatsapp_backend.rules.repairing import LOOKED_AT, correction
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_documents import Fault

NOW = AT + 90_000
"""When an earlier system stamped a chat, later than every message."""
TERM = Term(account=ACCOUNT, holder="one", token=1, nonce="n")
RIGHT = {
    "lastMessageAt": moment(AT),
    "lastMessageAtMs": AT * 1000,
    "lastMessagePreview": "hi",
    "lastMessageText": "hi",
    "lastMessageDirection": "inbound",
}


def ended(fetched: int = 1) -> Job:
    """A run that got so many messages from the phone."""
    return Job(
        id="j",
        account=ACCOUNT,
        kind=Kind.BACKFILL,
        trigger=Trigger.PERIODIC,
        created_at_ms=NOW * 1000,
        work=Work(fetched=fetched, requests=1),
    )


class Mender:
    """A repair beside a world's publisher. `owned`: the account is ours; `told`: what its document gets."""

    def __init__(self, world: World, *, clock: FakeClock | None = None, threads: int = 200, on: bool = True) -> None:
        self.world = world
        self.clock = clock or FakeClock(wall_ms=NOW * 1000)
        self.owned = True
        self.told: list[Mapping[str, Any]] = []
        self.corrections: list[Correction] = []
        self.repair = Repair(
            repairs=world.store,
            mirror=world.store,
            documents=world.documents,
            queries=world.documents,
            correct=self._correct,
            may_work=lambda _: TERM if self.owned else None,
            tell=lambda _, fields: self.told.append(fields),
            clock=self.clock,
            enabled=on,
            threads=threads,
            cooldown_s=3600,
        )

    def _correct(self, corrections: Iterable[Correction]) -> None:
        found = list(corrections)
        self.corrections += found
        self.world.publisher.correct(found)

    async def run(self) -> dict[str, int]:
        """One repair, as after a run, and what follows from it; its result without how long it took."""
        await self.clock.advance(3600)
        self.repair.on_ended(ended())
        await self.repair.tick()
        await publish(self.world.publisher)
        result = dict(self.told[-1]["lastAutoRepairResult"])
        del result["durationMs"]
        return result

    @property
    def operations(self) -> tuple[int, int]:
        """Reads and writes so far."""
        return self.world.documents.operations.reads, self.world.documents.operations.writes


@pytest.fixture
def mender(world: World) -> Mender:
    """A repair in an empty world."""
    return Mender(world)


async def change(world: World, *, jid: str = ANA, **fields: Any) -> None:
    """Somebody writes into a thread; `...` deletes a field."""
    there = {name: value for name, value in fields.items() if value is not ...}
    await world.documents.write([Write(path=f"threads/{ACCOUNT}__{jid}", fields=there, mask=tuple(fields))])


def result(updated: int, scanned: int = 1, errors: int = 0) -> dict[str, int]:
    return {"updatedThreads": updated, "scanned": scanned, "errors": errors}


def activity(world: World, jid: str = ANA) -> dict[str, Any]:
    return {name: world.thread(jid).get(name) for name in RIGHT}


WRONG: list[dict[str, Any]] = [
    {"lastMessageAt": ..., "lastMessageAtMs": ...},
    {"lastMessageAt": ...},
    {"lastMessageAtMs": ...},
    {"lastMessageAt": None, "lastMessageAtMs": None},
    {"lastMessageAtMs": 0},
    {"lastMessageAt": 0, "lastMessageAtMs": 0},
    {"lastMessageAt": moment(AT - 500), "lastMessageAtMs": (AT - 500) * 1000},
    {"lastMessageAt": moment(NOW), "lastMessageAtMs": NOW * 1000},
    {"lastMessageAt": moment(NOW)},
    {"lastMessageAtMs": NOW * 1000},
    {"lastMessageAt": iso(AT)},
    {"lastMessageAtMs": str(AT * 1000)},
    {"lastMessageAtMs": float("nan")},
    {"lastMessageAtMs": True},
    {"lastMessagePreview": "other", "lastMessageText": "other"},
    {"lastMessageDirection": ...},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
@pytest.mark.parametrize("gathered", [False, True], ids=["theirs", "ours"])
async def test_what_is_wrong_becomes_right_once_and_the_rest_of_the_document_stays(
    mender: Mender, gathered: bool, wrong: dict[str, Any]
) -> None:
    """Missing, zero, of another type, stale and too new; in a document of ours and in one that only others wrote."""
    world = mender.world
    if gathered:
        await world.journal(payload())
        await world.publish()
    else:
        await put(world.documents, third(), of=RIGHT)
    await change(world, ownerUid="staff-1", archived=True, **wrong)
    name = world.thread()["displayName"]
    assert await mender.run() == result(1)
    assert activity(world) == RIGHT
    assert (world.thread()["ownerUid"], world.thread()["archived"], world.thread()["displayName"]) == (
        "staff-1",
        True,
        name,
    )
    writes = mender.operations[1]
    assert await mender.run() == result(0)
    assert mender.operations[1] == writes
    await world.journal(payload("N", at=AT + 5, text="news"))
    await world.publish()
    assert (world.thread()["lastMessageAtMs"], world.thread()["lastMessagePreview"]) == ((AT + 5) * 1000, "news")


@pytest.mark.parametrize("gathered", [False, True], ids=["theirs", "ours"])
async def test_a_thread_that_is_right_costs_two_reads_and_no_write(mender: Mender, gathered: bool) -> None:
    """Itself and its newest message."""
    if gathered:
        for number in range(5):
            await mender.world.journal(payload(f"M{number}", at=AT - number))
        await mender.world.publish()
    else:
        await put(mender.world.documents, third(), third("M0", tsClient=moment(AT - 5)), of=RIGHT)
    reads, writes = mender.operations
    assert await mender.run() == result(0)
    assert mender.operations == (reads + 2, writes)


@pytest.mark.parametrize("generation", [first, second, third])
async def test_documents_of_every_generation_follow_their_newest_message(mender: Mender, generation: Any) -> None:
    """By its own time; where the time is text the last one of it."""
    times = [AT, AT + 60, AT - 60]
    as_stored = iso if generation is first else moment
    messages = [
        generation(f"M{n}", body=f"text {n}", tsClient=as_stored(at), createdAt=CREATED - timedelta(days=n))
        for n, at in enumerate(times)
    ]
    await put(mender.world.documents, *messages, of={"lastMessageAt": moment(NOW), "lastMessageAtMs": NOW * 1000})
    assert await mender.run() == result(1)
    assert activity(mender.world)["lastMessageAtMs"] == (AT + 60) * 1000
    assert activity(mender.world)["lastMessageText"] == "text 1"


@pytest.mark.parametrize("newest", ["text", "moment"])
@pytest.mark.parametrize("texts", [1, 30])
async def test_a_time_as_text_does_not_hide_a_newer_one_behind_it(mender: Mender, newest: str, texts: int) -> None:
    """Firestore sorts text before times; the app's own messages have text."""
    early, late = (AT, AT + 600) if newest == "moment" else (AT + 600, AT)
    sent = [sent_by_the_app(f"A{n}", client=f"c{n}", tsClient=iso(early - n)) for n in range(texts)]
    await put(mender.world.documents, *sent, third("M1", tsClient=moment(late)))
    await mender.run()
    assert mender.world.thread()["lastMessageAtMs"] == (AT + 600) * 1000
    assert mender.world.thread()["lastMessageDirection"] == ("inbound" if newest == "moment" else "outbound")


@pytest.mark.parametrize("gathered", [False, True], ids=["theirs", "ours"])
async def test_text_in_numbers_does_not_hide_what_we_gathered(mender: Mender, gathered: bool) -> None:
    """Also not when what lies on top does not show."""
    world = mender.world
    stubs = [(f"S{n}", {"status": "read", "tsClient": iso(AT + n), "messageType": "nothing"}) for n in range(25)]
    await put(world.documents, *stubs, third(tsClient=moment(AT)))
    if gathered:
        await world.journal(payload())
        await world.publish()
    await change(world, lastMessageAt=moment(NOW), lastMessageAtMs=NOW * 1000)
    assert await mender.run() == result(1)
    assert activity(world)["lastMessageAtMs"] == AT * 1000


@pytest.mark.parametrize(
    ("fields", "said_ms"),
    [
        ({}, None),
        ({"lastMessageTimestamp": AT}, AT * 1000),
        ({"lastMessageTimestamp": AT * 1000}, AT * 1000),
        ({"lastMessageTimestamp": float(AT)}, AT * 1000),
        ({"lastMessageTimestamp": 0}, None),
        ({"lastMessageTimestamp": "yesterday"}, None),
    ],
)
async def test_a_chat_without_messages_never_gets_now(
    mender: Mender, fields: dict[str, Any], said_ms: int | None
) -> None:
    """What the phone said of its last message counts; else it has no activity, and the inbox does not show it."""
    await put(mender.world.documents, of={"lastMessageAt": moment(NOW), "lastMessageAtMs": NOW * 1000, **fields})
    assert await mender.run() == result(1)
    thread = mender.world.thread()
    if said_ms is None:
        assert not {"lastMessageAt", "lastMessageAtMs", "lastMessagePreview"} & thread.keys()
    else:
        assert (thread["lastMessageAt"], thread["lastMessageAtMs"]) == (at_ms(said_ms), said_ms)
    assert thread["displayName"] == "Ana of the shop"
    assert await mender.run() == result(0)


async def test_messages_without_a_time_of_their_own_count_by_when_they_were_written(mender: Mender) -> None:
    """The second word on it."""
    late = third("M1", body="late", createdAt=CREATED + timedelta(days=1))
    timeless = [(own_id, {**fields, "tsClient": ...}) for own_id, fields in (third("M0"), late, third("M2"))]
    without = [(own_id, {k: v for k, v in fields.items() if v is not ...}) for own_id, fields in timeless]
    await put(mender.world.documents, *without, of={"lastMessageAtMs": 0})
    assert await mender.run() == result(1)
    assert mender.world.thread()["lastMessageAt"] == CREATED + timedelta(days=1)
    assert mender.world.thread()["lastMessagePreview"] == "late"


async def test_a_thread_whose_messages_tell_no_time_is_left_as_it_is(mender: Mender) -> None:
    """It is not without messages."""
    await put(mender.world.documents, ("X", {"body": "?"}), of={"lastMessageAtMs": NOW * 1000})
    before = mender.world.thread()
    assert await mender.run() == result(0)
    assert mender.world.thread() == before


@pytest.mark.parametrize("fields", [{"redirectTo": f"{ACCOUNT}__{BOB}"}, {"canonicalThreadId": f"{ACCOUNT}__{BOB}"}])
async def test_a_thread_that_leads_elsewhere_is_left_alone(mender: Mender, fields: dict[str, Any]) -> None:
    """Nobody reads it."""
    await put(mender.world.documents, third(), of={"lastMessageAtMs": NOW * 1000, **fields})
    reads, writes = mender.operations
    assert await mender.run() == result(0)
    assert mender.operations == (reads + 1, writes)


async def test_a_newer_message_of_others_moves_a_thread_of_which_we_gathered_an_older_one(mender: Mender) -> None:
    """Our merge state says so afterwards."""
    world = mender.world
    await put(world.documents, third("M9", tsClient=moment(AT + 600), body="theirs"))
    await world.journal(payload("M1"))
    await world.publish()
    assert world.thread()["lastMessageId"] == "M1"
    assert await mender.run() == result(1)
    assert (world.thread()["lastMessageId"], world.thread()["lastMessagePreview"]) == ("M9", "theirs")
    await world.journal(payload("M2", at=AT + 5))
    await world.publish()
    assert world.thread()["lastMessageId"] == "M9"
    assert await mender.run() == result(0)


async def test_what_another_writer_put_into_our_merge_state_is_taken_back(mender: Mender) -> None:
    """His time stood in a document of ours and was merged, before repair came."""
    world = mender.world
    await world.journal(payload())
    await world.publish()
    await change(world, lastMessageAt=moment(NOW), lastMessageAtMs=NOW * 1000)
    await world.journal(payload("M2", at=AT + 5, text="newest"))
    await world.publish()
    assert world.thread()["lastMessageAtMs"] == NOW * 1000
    assert await mender.run() == result(1)
    assert (world.thread()["lastMessageAtMs"], world.thread()["lastMessagePreview"]) == ((AT + 5) * 1000, "newest")
    assert await mender.run() == result(0)


async def test_a_message_from_the_future_does_not_turn_its_thread_back(mender: Mender) -> None:
    """More of them than are looked through; the newest real one is behind them."""
    for number in range(25):
        await mender.world.journal(payload(f"F{number}", at=253402300799 - number, text="forever"))
    await mender.world.publish()
    late = mender.world.thread()["lastMessageAtMs"] // 1000 + 5
    await mender.world.journal(payload("N", at=late, text="real"))
    await mender.world.publish()
    assert await mender.run() == result(0)
    assert mender.world.thread()["lastMessagePreview"] == "real"


async def test_a_message_that_is_gone_is_no_threads_newest(mender: Mender) -> None:
    """An operator deleted it."""
    world = mender.world
    await world.journal(payload("M1", text="kept"))
    await world.journal(payload("M2", at=AT + 5))
    await world.publish()
    del world.documents.documents[f"threads/{ACCOUNT}__{ANA}/messages/M2"]
    assert await mender.run() == result(1)
    assert (world.thread()["lastMessageId"], world.thread()["lastMessagePreview"]) == ("M1", "kept")


async def test_a_document_that_changes_while_it_is_looked_at_is_left_for_the_next_time(mender: Mender) -> None:
    """Who wrote last knows more."""
    world = mender.world
    await put(world.documents, third(), of={"lastMessageAtMs": 0})
    asked = world.documents.messages

    async def meanwhile(thread: str, *, limit: int) -> Any:
        await change(world, lastMessageAtMs=AT * 1000 + 7, lastMessageAt=at_ms(AT * 1000 + 7))
        return await asked(thread, limit=limit)

    world.documents.messages = meanwhile  # type: ignore[method-assign]
    assert await mender.run() == result(0)
    assert world.thread()["lastMessageAtMs"] == AT * 1000 + 7


async def test_a_row_that_changed_since_it_was_looked_at_is_not_turned_back(mender: Mender) -> None:
    """The publisher has learned more."""
    world = mender.world
    await world.journal(payload())
    await world.publish()
    await change(world, lastMessageAtMs=0)
    await mender.clock.advance(3600)
    mender.repair.on_ended(ended())
    await mender.repair.tick()
    assert len(mender.corrections) == 1
    later = World(world.store, world.documents)
    await later.journal(payload("M2", at=AT + 5, text="newest"), source="enc:later")
    await later.publish()
    later.publisher.correct(mender.corrections)
    await later.publish()
    assert later.thread()["lastMessagePreview"] == "newest"


async def test_a_rotation_goes_on_where_it_stopped_also_after_a_restart(world: World) -> None:
    """All threads have their turn, none twice before all had it."""
    jids = [f"1555000{n:04}@s.whatsapp.net" for n in range(7)]
    for jid in jids:
        await put(world.documents, third("M1", chat=jid), jid=jid, of=RIGHT)
    clock = FakeClock(wall_ms=NOW * 1000)
    repaired: list[list[str]] = []
    for _ in range(4):
        for jid in jids:
            await change(world, jid=jid, lastMessageAtMs=0)
        assert await Mender(world, clock=clock, threads=3).run() == result(3, scanned=3)
        repaired.append([jid for jid in jids if world.thread(jid)["lastMessageAtMs"]])
    assert repaired[0] + repaired[1] == jids[:6]
    assert repaired[2] == [jids[0], jids[1], jids[6]]
    assert repaired[3] == jids[2:5]


async def test_more_threads_than_a_page_holds_are_looked_through_once(world: World) -> None:
    """And the next round begins anew."""
    for number in range(120):
        await put(world.documents, jid=f"1555{number:07}@s.whatsapp.net")
    mender = Mender(world, threads=120)
    assert (await mender.run())["scanned"] == 120
    assert (await mender.run())["scanned"] == 120
    assert (await Mender(world, clock=mender.clock, threads=500).run())["scanned"] == 120


async def test_an_account_is_not_repaired_again_before_its_cooldown_is_over_also_after_a_restart(
    mender: Mender,
) -> None:
    """The moment of the last one is on disk. What is not due waits, and costs nothing."""
    await put(mender.world.documents, third(), of={"lastMessageAtMs": 0})
    await mender.run()
    again = Mender(mender.world, clock=mender.clock)
    reads = again.operations[0]
    again.repair.on_ended(ended())
    await again.repair.tick()
    await again.clock.advance(3599)
    await again.repair.tick()
    assert (again.told, again.operations[0]) == ([], reads)
    await again.clock.advance(1)
    await again.repair.tick()
    assert len(again.told) == 1


async def test_an_account_is_repaired_after_something_landed_and_not_after_runs_that_got_nothing(
    mender: Mender,
) -> None:
    """An idle account costs nothing."""
    world = mender.world
    await put(world.documents, third(chat=BOB), jid=BOB, of={"lastMessageAtMs": 0})
    reads = mender.operations[0]
    for _ in range(48):
        await mender.clock.advance(1800)
        mender.repair.on_ended(ended(fetched=0))
        await mender.repair.tick()
    assert (mender.told, mender.operations[0]) == ([], reads)
    await world.journal(payload())
    await world.publish()
    for window in world.windows:
        mender.repair.on_published(window)
    await mender.repair.tick()
    assert [told["lastAutoRepairResult"]["updatedThreads"] for told in mender.told] == [1]
    reads = mender.operations[0]
    for _ in range(48):
        await mender.clock.advance(1800)
        await mender.repair.tick()
    assert (len(mender.told), mender.operations[0]) == (1, reads)


@pytest.mark.parametrize("why", ["not ours", "switched off"])
async def test_nothing_is_looked_at_where_we_may_not_work(world: World, why: str) -> None:
    """By nobody's wish."""
    await put(world.documents, third(), of={"lastMessageAtMs": 0})
    mender = Mender(world, on=why != "switched off")
    mender.owned = why != "not ours"
    operations = mender.operations
    mender.repair.on_ended(ended())
    await mender.repair.tick()
    assert (mender.operations, mender.told) == (operations, [])


async def test_a_run_ends_at_once_when_the_account_is_lost(world: World) -> None:
    """It writes nothing more; whoever owns the account next looks into the same threads."""
    jids = [f"1555{number:07}@s.whatsapp.net" for number in range(10)]
    for jid in jids:
        await put(world.documents, third(chat=jid), jid=jid, of={"lastMessageAtMs": 0})
    mender = Mender(world)
    asked, left = world.documents.messages, iter(range(3))

    async def losing(thread: str, *, limit: int) -> Any:
        mender.owned = next(left, None) is not None
        return await asked(thread, limit=limit)

    world.documents.messages = losing  # type: ignore[method-assign]
    assert await mender.run() == result(0, scanned=4)
    assert {world.thread(jid)["lastMessageAtMs"] for jid in jids} == {0}
    world.documents.messages = asked  # type: ignore[method-assign]
    mender.owned = True
    assert await mender.run() == result(10, scanned=10)


async def test_a_run_says_when_it_began_what_it_did_and_that_firestore_broke_it_off(mender: Mender) -> None:
    """Lines that operators know, and fields of the account's document."""
    await put(mender.world.documents, third(), of={"lastMessageAtMs": 0})
    with capture_logs() as lines:
        await mender.run()
    (begun,) = [line for line in lines if line["event"] == "[repair] start"]
    (over,) = [line for line in lines if line["event"] == "[repair] end"]
    assert begun["accountId"] == ACCOUNT
    told = {"updatedThreads": 1, "scanned": 1, "errors": 0, "durationMs": 0}
    assert {name: over[name] for name in ("accountId", *told)} == {"accountId": ACCOUNT, **told}
    assert mender.told == [{"lastAutoRepairAt": at_ms(mender.clock.wall_ms()), "lastAutoRepairResult": told}]
    mender.world.documents.inject(Fault.UNAVAILABLE)
    await mender.clock.advance(3600)
    mender.repair.on_ended(ended())
    await mender.repair.tick()
    mender.world.documents.heal()
    assert mender.told[-1]["lastAutoRepairResult"] == told | {"updatedThreads": 0, "scanned": 0, "errors": 1}


async def test_a_write_that_firestore_does_not_take_is_counted(mender: Mender) -> None:
    """It is tried again in the next round."""
    path = f"threads/{ACCOUNT}__{ANA}"
    await put(mender.world.documents, third(), of={"lastMessageAtMs": 0})
    mender.world.documents.inject(Fault.INVALID, paths={path})
    assert await mender.run() == result(0, errors=1)
    mender.world.documents.heal()
    assert await mender.run() == result(1)


RUBBISH: list[Any] = [None, True, -1, 2**62, 1.5, float("inf"), "", "x", b"\x00", [], {}, [{}], {"a": []}, moment(0)]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=str)
@pytest.mark.parametrize("gathered", [False, True], ids=["theirs", "ours"])
async def test_rubbish_in_a_thread_and_its_messages_is_no_trouble(mender: Mender, gathered: bool, rubbish: Any) -> None:
    """Whoever wrote it: other threads have their turn, and it is right afterwards, as far as a message tells."""
    world = mender.world
    if gathered:
        await world.journal(payload())
        await world.publish()
    else:
        await put(world.documents, third(), of=RIGHT)
    spared = ("accountId", "clientJid", "clocks", "redirectTo", "canonicalThreadId", "migratedTo")
    await change(world, **{name: rubbish for name in LOOKED_AT if name not in spared})
    await put(world.documents, ("X", dict.fromkeys(MESSAGE_FIELDS, rubbish)), third("M9", tsClient=rubbish), jid=BOB)
    done = await mender.run()
    assert (done["scanned"], done["errors"]) == (2, 0)
    assert activity(world) == RIGHT
    await mender.run()
    assert await mender.run() == result(0, scanned=2)


# -- Schema guard --------------------------------------------------------------------------------------------------


async def guarded(mender: Mender) -> list[Mapping[str, Any]]:
    """What the schema guard says during a run."""
    with capture_logs() as lines:
        await mender.run()
    return [line for line in lines if line["event"].startswith("[schema-guard]")]


@pytest.mark.parametrize("gathered", [False, True], ids=["theirs", "ours"])
async def test_a_thread_with_messages_that_lacks_its_activity_is_warned_of(mender: Mender, gathered: bool) -> None:
    """And one without messages is not."""
    world = mender.world
    await put(world.documents, jid=BOB, of={"lastMessageAt": None, "lastMessageAtMs": None})
    if gathered:
        await world.journal(payload())
        await world.publish()
    else:
        await put(world.documents, third())
    await change(world, lastMessageAt=..., lastMessageAtMs=0)
    (warned,) = await guarded(mender)
    assert (warned["accountId"], warned["log_level"]) == (ACCOUNT, "warning")
    assert warned["lacking"] == ["lastMessageAt", "lastMessageAtMs"]
    assert await guarded(mender) == []


async def test_many_warnings_are_one_line_that_counts_the_others_later(mender: Mender) -> None:
    """A database full of them fills no log."""
    for number in range(20):
        jid = f"1555{number:07}@s.whatsapp.net"
        await put(mender.world.documents, third(chat=jid), jid=jid, of={"lastMessageAtMs": 0})
    (warned,) = await guarded(mender)
    assert warned["threads"] == 1
    await put(mender.world.documents, third(), of={"lastMessageAtMs": 0})
    (warned,) = await guarded(mender)
    assert warned["threads"] == 20


async def test_the_publisher_warns_of_a_thread_that_lost_its_activity_to_another_writer() -> None:
    """Without a read more than it takes to merge with him."""
    async with a_world() as world:
        await world.journal(payload())
        await world.publish()
        await change(world, lastMessageAt=..., lastMessageAtMs=...)
        reads = world.documents.operations.reads
        with capture_logs() as lines:
            await world.journal(payload("M2", at=AT + 5))
            await world.publish()
        (warned,) = [line for line in lines if line["event"].startswith("[schema-guard]")]
        assert warned["lacking"] == ["lastMessageAt", "lastMessageAtMs"]
        assert world.documents.operations.reads == reads + 1
        assert world.thread()["lastMessageAtMs"] == (AT + 5) * 1000


@pytest.mark.parametrize(("ours", "theirs"), [(0, 0), (1, 1), (1, 0), (0, 2)])
def test_a_corrected_thread_is_never_given_back_what_stood_there_by_a_conflict(ours: int, theirs: int) -> None:
    """Whatever the document says of how often it was taken back, by a life that this one knows nothing of."""
    state = ThreadState(account=ACCOUNT, client_jid=ANA, last_at_ms=AT * 1000, last_id="M0", last_order=1, anew=ours)
    path = f"threads/{ACCOUNT}__{ANA}"
    row = Gathered(path=path, account=ACCOUNT, state=threads.dumped(state), updated_at_ns=5, dirty=False)
    ahead = {"lastMessageId": "M9", "lastMessageAtMs": (AT + 99) * 1000}
    stands = {**threads.fields_of(state), **ahead}
    stands["clocks"] = {**stands["clocks"], "anew": theirs}
    document = Document(path=path, fields=stands, updated_at_ns=7)
    found = correction(row, document, None)
    assert found is not None
    merged = gathering.beside(found.after, document)
    assert isinstance(merged, ThreadState)
    assert merged.last_id == "M0"
