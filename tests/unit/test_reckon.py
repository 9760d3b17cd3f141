"""What windows mean for the ledger, and what the documents show of it."""

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest
from world import ACCOUNT, ANA, BOB, GROUP, RECEIVED_AT_MS, World, payload, publishing

from whatsapp_backend.domain.coverage import (
    BEGINNING,
    Answer,
    Asked,
    Asking,
    Coverage,
    Ending,
    Epoch,
    Gap,
    LedgerChange,
    Outcome,
    Point,
    Proof,
    Reason,
)
from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.errors import StoreUnwell

NOW_S = RECEIVED_AT_MS // 1000
THREAD = f"threads/{ACCOUNT}__{ANA}"
LID = "88000000001111@lid"


def epoch(number: int, opened_s: int, heard_s: int, *, waited: int | None = 0, came: int | None = None) -> Epoch:
    """A connection that caught up at once; `waited` is None for one that did not."""
    return Epoch(
        account=ACCOUNT,
        number=number,
        opened_at_ms=opened_s * 1000,
        heard_at_ms=heard_s * 1000,
        caught_up_at_ms=None if waited is None else opened_s * 1000,
        announced=waited,
        received=waited if came is None else came,
    )


async def at(world: World, second: int, content: Any, **more: Any) -> None:
    """Commit an entry that came at this second."""
    world._sources += 1
    fields = {"kind": "message", "source": f"enc:{world._sources}", "origin": "live", "problem": None, **more}
    new = NewEntry(received_at_ms=second * 1000, payload=orjson.dumps(content), **fields)
    await world.store.commit(Commit(account=ACCOUNT, id=str(world._sources), entries=(new,)))


async def comes(world: World, id: str, second: int, **more: Any) -> None:
    """A message comes as it is sent."""
    key = {name: more.pop(name) for name in ("chat", "fromMe", "participant") if name in more}
    await at(world, second, payload(id, at=second, **key), **more)


async def history(
    world: World, rows: list[dict[str, Any]], *, end: int | None = None, chat: str = ANA, **told: Any
) -> None:
    """A history of these rows, newest first, in records of two, and its end."""
    world._sources += 1
    notice = f"enc:notice-{world._sources}"
    origin = "ondemand" if "session" in told else "history"
    head = {"notice": notice, "syncType": 6 if "session" in told else 3, **told}
    for number in range(0, len(rows), 2):
        record = head | {"messages": rows[number : number + 2]}
        await at(world, NOW_S, record, kind="history", origin=origin, source=f"{notice}#{number}:00")
    chats = [{"id": chat} | ({"end": end} if end is not None else {})]
    ended = head | {"records": 9, "messages": len(rows), "result": "complete", "chats": chats}
    await at(world, NOW_S, ended, kind="history-end", origin=origin, source=f"{notice}#end")


async def epochs(world: World, *rows: Epoch) -> None:
    """The connections so far."""
    await world.store.record(LedgerChange(epochs=rows))


async def coverage(world: World, thread: str = THREAD) -> Coverage:
    """What is stored of a thread."""
    return (await world.store.coverages([thread]))[thread]


async def gaps(world: World, thread: str = THREAD) -> list[Gap]:
    """The gaps of a thread that have a message below them."""
    return [gap for gap in (await coverage(world, thread)).gaps if gap.below is not None]


def second_of(number: int) -> int:
    """When the messages of `broken` were sent."""
    return NOW_S - 700 + 10 * number if number < 6 else NOW_S - 500 + 20 * number


class Killed(Exception):
    """The process is gone."""


def is_unknown(known: Coverage, second: int) -> bool:
    """Whether this second lies in a gap."""
    return any(gap.start_ms <= second * 1000 < gap.end_ms for gap in known.gaps)


async def broken(world: World) -> Gap:
    """Messages 1 to 5 are here, 6 to 8 never came, 9 and 10 did."""
    first = epoch(1, NOW_S - 1000, NOW_S - 500)
    await epochs(world, first)
    for number in range(1, 6):
        await comes(world, f"M{number}", second_of(number))
    await world.publish()
    await epochs(world, first, epoch(2, NOW_S - 300, NOW_S, waited=5, came=2))
    for number in (9, 10):
        await comes(world, f"M{number}", second_of(number), origin="offline")
    await world.publish()
    (gap,) = await gaps(world)
    return gap


async def test_what_was_missed_while_away_is_a_gap_between_the_messages_around_it(world: World) -> None:
    """Its bound is the last message before it. Both that came before catching up may have others around them, so the
    later one is its anchor; the document says that there is a gap."""
    gap = await broken(world)
    assert gap.below == Point(second_of(5) * 1000, "M5")
    assert gap.above.id == "M10"
    assert gap.reason is Reason.MISMATCH
    assert world.thread()["coverage"]["openGaps"] == 2


async def test_a_page_that_meets_the_message_below_closes_the_gap_and_is_told(world: World) -> None:
    """By overlap; what came twice is told apart from what was new."""
    answers: list[Answer] = []
    world.publisher._on_answered = answers.append
    gap = await broken(world)
    asked = Asked(account=ACCOUNT, id="R1", gap=gap, anchor=gap.above, count=50, asked_at_ms=RECEIVED_AT_MS)
    await world.store.record(LedgerChange(asked=(asked,)))
    rows = [payload(f"M{n}", at=second_of(n)) for n in (8, 7, 6, 5, 4)]
    await history(world, rows, session="R1")
    await world.publish()
    assert await gaps(world) == []
    assert answers == [Answer(account=ACCOUNT, request="R1", outcome=Outcome.PAGE, fetched=5, stored=3, end=None)]
    ledger = await world.store.account_ledger(ACCOUNT)
    assert (ledger.asked, ledger.asking.unanswered) == ((), 0)
    assert Proof.OVERLAP in {one.proof for one in (await coverage(world)).intervals}
    assert world.thread()["coverage"]["openGaps"] == 1
    assert "lastBackfillAt" in world.thread()


async def test_an_answer_under_the_other_identity_counts_for_the_thread_that_was_asked_for(world: World) -> None:
    """The request's id says what it is about; its messages land under the number, which is known."""
    await world.mapped(LID, ANA)
    gap = await broken(world)
    asked = Asked(account=ACCOUNT, id="R1", gap=gap, anchor=gap.above, count=50, asked_at_ms=RECEIVED_AT_MS)
    await world.store.record(LedgerChange(asked=(asked,)))
    rows = [payload(f"M{n}", at=second_of(n), chat=LID) for n in (8, 7, 6, 5)]
    await history(world, rows, session="R1", chat=LID)
    await world.publish()
    assert await gaps(world) == []
    assert set(world.bodies()) == {f"M{n}" for n in range(1, 11)}


async def test_a_page_that_nobody_waits_for_proves_only_itself(world: World) -> None:
    """A request that was forgotten, or a person's."""
    await broken(world)
    rows = [payload(f"M{n}", at=second_of(n)) for n in (8, 7, 6)]
    await history(world, rows, session="nobody's")
    await world.publish()
    assert [(gap.below.id, gap.above.id) for gap in await gaps(world) if gap.below] == [("M5", "M6"), ("M8", "M10")]


async def test_a_download_that_failed_for_good_says_nothing_of_the_phone(world: World) -> None:
    """The gap stays as it is, and is asked for again after a while; the phone has answered."""
    answers: list[Answer] = []
    world.publisher._on_answered = answers.append
    await world.store.record(LedgerChange(askings=(Asking(account=ACCOUNT, unanswered=9),)))
    gap = await broken(world)
    asked = Asked(account=ACCOUNT, id="R1", gap=gap, anchor=gap.above, count=50, asked_at_ms=RECEIVED_AT_MS)
    await world.store.record(LedgerChange(asked=(asked,)))
    ended = {
        "notice": "n",
        "syncType": 6,
        "session": "R1",
        "records": 0,
        "messages": 0,
        "result": "failed",
        "chats": [{"id": ANA, "end": 1}],
    }
    await at(world, NOW_S, ended, kind="history-end", origin="ondemand", source="n#end")
    await world.publish()
    (left,) = await gaps(world)
    assert left == replace(gap, next_at_ms=left.next_at_ms)
    assert left.next_at_ms > gap.opened_at_ms
    assert (await world.store.account_ledger(ACCOUNT)).asking.unanswered == 0
    assert [(one.outcome, one.end) for one in answers] == [(Outcome.FAILED, None)]


async def test_everything_that_waited_and_came_closes_the_gap_at_once(world: World) -> None:
    """Opened by the first that came, closed when the connection turned out to have got all of it."""
    first = epoch(1, NOW_S - 1000, NOW_S - 500)
    await epochs(world, first)
    await comes(world, "M1", NOW_S - 700)
    await world.publish()
    await epochs(world, first, epoch(2, NOW_S - 100, NOW_S - 100, waited=None))
    await comes(world, "M2", NOW_S - 300, origin="offline")
    await world.publish()
    assert len(await gaps(world)) == 1
    await epochs(world, first, epoch(2, NOW_S - 100, NOW_S - 50, waited=1))
    world.publisher.settle_since(ACCOUNT, first.heard_at_ms)
    await world.publish(wholly=True)
    assert await gaps(world) == []
    assert world.thread()["coverage"]["openGaps"] == 1
    assert world.thread()["coverage"]["proof"] == "live"


async def test_live_messages_do_not_touch_what_is_proven(world: World) -> None:
    """After the first one of a connection the thread's coverage is not even read."""
    await epochs(world, epoch(1, NOW_S - 1000, NOW_S))
    await comes(world, "M1", NOW_S - 500)
    await world.publish()
    before = await coverage(world)
    world.store.coverages = None  # type: ignore[assignment,method-assign]
    await comes(world, "M2", NOW_S - 400)
    await world.publish()
    del world.store.coverages  # type: ignore[method-assign]
    assert await coverage(world) == before
    held = (await world.store.around(THREAD, [(0, 1 << 53)]))[0].inside
    assert [one.at.id for one in held] == ["M1", "M2"]
    shown = world.thread()["coverage"]
    assert shown["contiguousToMs"] == world.thread()["lastMessageAtMs"] == (NOW_S - 400) * 1000


async def test_a_history_goes_on_where_a_record_was_cut(world: World) -> None:
    """One stretch, whatever the records; the phone's word that there is no more proves what lies below."""
    rows = [payload(f"H{n}", at=NOW_S - 100_000 - 60 * n) for n in range(5)]
    await history(world, rows, end=1)
    await world.publish()
    known = await coverage(world)
    assert known.gaps == ()
    assert {one.proof for one in known.intervals} == {Proof.HISTORY, Proof.PHONE_COMPLETE}
    assert min(one.start for one in known.intervals) == BEGINNING


async def test_chunks_are_counted_as_they_were_numbered(world: World) -> None:
    """So that one that never came is known."""
    for order in (1, 3):
        await history(world, [payload(f"H{order}")], chunkOrder=order, progress=order * 20)
    await world.publish()
    chunks = (await world.store.account_ledger(ACCOUNT)).chunks
    assert [(chunk.order, chunk.progress, chunk.failed) for chunk in chunks] == [(1, 20, False), (3, 60, False)]


async def test_a_message_that_is_owed_splits_its_stretch_until_it_comes_or_is_given_up(world: World) -> None:
    """Its placeholder is no message."""
    await epochs(world, epoch(1, NOW_S - 1000, NOW_S))
    await comes(world, "M1", NOW_S - 500)
    for name, second in (("D1", NOW_S - 400), ("D2", NOW_S - 350)):
        key = {"remoteJid": ANA, "fromMe": False, "id": name}
        debt = {"key": key, "messageTimestamp": second, "reason": "undecryptable"}
        await at(world, NOW_S - 300, debt, kind="debt", source=f"debt:{name}")
    await comes(world, "M2", NOW_S - 200)
    await world.publish()
    assert [gap.reason for gap in await gaps(world)] == [Reason.DEBT, Reason.DEBT]
    await comes(world, "D1", NOW_S - 400, origin="resend")
    await world.publish()
    assert [one.id for one in (await coverage(world)).owed] == ["D2"]
    (left,) = await world.store.debts_due(ACCOUNT, 1 << 60, 9)
    async with publishing(world.publisher):
        await world.publisher.forgive(left)
    assert await gaps(world) == []


async def test_a_message_that_turns_up_where_all_was_proven_withdraws_the_proof(world: World) -> None:
    """It is counted, and the stretch is asked for."""
    await epochs(world, epoch(1, NOW_S - 1000, NOW_S - 10))
    await comes(world, "M1", NOW_S - 900)
    await comes(world, "M2", NOW_S - 100)
    await world.publish()
    await history(world, [payload("LATE", at=NOW_S - 500)])
    await world.publish()
    known = await coverage(world)
    assert known.withdrawn == 1
    assert any(gap.start_ms <= (NOW_S - 500) * 1000 < gap.end_ms for gap in known.gaps)


async def test_a_message_that_comes_late_on_its_own_connection_is_no_surprise(world: World) -> None:
    """Its sender's phone was slow."""
    await epochs(world, epoch(1, NOW_S - 1000, NOW_S - 10))
    await comes(world, "M1", NOW_S - 100)
    await world.publish()
    await at(world, NOW_S - 50, payload("SLOW", at=NOW_S - 500))
    await world.publish()
    assert (await coverage(world)).withdrawn == 0


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (payload(chat="status@broadcast", participant=ANA), {}),
        (payload(chat="120363000000000009@newsletter"), {}),
        (payload(at=NOW_S + 10 * 365 * 86_400), {}),
        (payload() | {"message": None, "messageStubType": 27, "messageStubParameters": ["{}"]}, {"origin": "derived"}),
    ],
)
async def test_what_no_phone_can_be_asked_for_is_left_out(world: World, content: Any, more: Any) -> None:
    """Statuses, channels, times that cannot be believed, and what the engine derives."""
    await at(world, NOW_S, content, **more)
    await world.publish()
    assert world.store._coverages == {} or all(not held for held in world.store._held.values())


async def test_two_threads_that_are_one_have_one_account_of_what_is_known(world: World) -> None:
    """Messages of both are held under the number, and the gaps are those of both together."""
    await comes(world, "L1", NOW_S - 900, chat=LID)
    await comes(world, "N1", NOW_S - 500)
    await world.publish()
    await world.mapped(LID, ANA)
    await world.publish(wholly=True)
    held = (await world.store.around(THREAD, [(0, 1 << 53)]))[0].inside
    assert [(one.at.id, one.chat) for one in held] == [("L1", LID), ("N1", None)]
    assert list(world.store._coverages) == [THREAD]
    assert [(gap.below, gap.above.id) for gap in (await coverage(world)).gaps] == [(None, "N1")]


async def test_an_operator_can_distrust_a_thread(world: World) -> None:
    """All of it is unknown, and asked for again."""
    await epochs(world, epoch(1, NOW_S - 1000, NOW_S - 10))
    await comes(world, "M1", NOW_S - 900)
    await comes(world, "M2", NOW_S - 100)
    await world.publish()
    async with publishing(world.publisher):
        await world.publisher.distrust(THREAD)
    known = await coverage(world)
    assert [(gap.below, gap.above.id, gap.reason) for gap in known.gaps] == [(None, "M2", Reason.RESET)]
    assert [doubt.reason for doubt in known.doubts] == [Reason.RESET]


async def test_groups_have_coverage_too(world: World) -> None:
    """Asked for like any other conversation."""
    await comes(world, "G1", NOW_S - 100, chat=GROUP, participant=ANA)
    await world.publish()
    (gap,) = (await coverage(world, f"threads/{ACCOUNT}__{GROUP}")).gaps
    assert gap.above.id == "G1"


async def test_a_live_message_of_long_before_proves_nothing_of_what_came_after_it(world: World) -> None:
    """It was sent again, say. Others of its time need not be here."""
    first = epoch(1, NOW_S - 1000, NOW_S - 500)
    await epochs(world, first, epoch(2, NOW_S - 300, NOW_S, waited=5, came=2))
    await comes(world, "M1", NOW_S - 700)
    await at(world, NOW_S - 100, payload("OLD", at=NOW_S - 450))
    await comes(world, "M2", NOW_S - 100)
    await world.publish()
    assert is_unknown(await coverage(world), NOW_S - 400)


async def test_a_live_message_from_the_future_proves_nothing_of_it(world: World) -> None:
    """We may not be connected when that comes."""
    first = epoch(1, NOW_S - 4000, NOW_S - 3500)
    await epochs(world, first)
    await at(world, NOW_S - 3900, payload("AHEAD", at=NOW_S - 200))
    await world.publish()
    await epochs(world, first, epoch(2, NOW_S - 300, NOW_S, waited=5, came=2))
    await comes(world, "M2", NOW_S - 100)
    await world.publish()
    assert is_unknown(await coverage(world), NOW_S - 1000)


@pytest.mark.parametrize("ending", [Ending.CLOSED, None])
async def test_what_comes_on_a_connection_that_is_not_noted_proves_nothing(world: World, ending: Any) -> None:
    """The disk would not take its row: it is not the one before."""
    first = replace(epoch(1, NOW_S - 1000, NOW_S - 500), ending=ending, closed_at_ms=ending and (NOW_S - 495) * 1000)
    await epochs(world, first)
    await comes(world, "M1", NOW_S - 700)
    await comes(world, "M2", NOW_S - 100)
    await world.publish()
    assert is_unknown(await coverage(world), NOW_S - 300)


async def test_a_change_while_its_thread_is_being_settled_is_not_lost(world: World) -> None:
    """Nor is anybody told so before it is made."""
    await epochs(world, epoch(1, NOW_S - 1000, NOW_S - 10))
    await comes(world, "M1", NOW_S - 900)
    await comes(world, "M2", NOW_S - 100)
    await world.publish()
    publisher, around, asked = world.publisher, world.store.around, []

    async def meanwhile(thread: str, ranges: Any) -> Any:
        if not asked:
            asked.append(asyncio.ensure_future(publisher.distrust(THREAD)))
            await asyncio.sleep(0)
        return await around(thread, ranges)

    world.store.around = meanwhile  # type: ignore[method-assign]
    async with publishing(publisher):
        await publisher.settle([THREAD])
        await asked[0]
    assert [doubt.reason for doubt in (await coverage(world)).doubts] == [Reason.RESET]


async def test_what_is_to_be_settled_outlives_a_disk_that_says_no(world: World) -> None:
    """It is looked for again."""
    first = epoch(1, NOW_S - 1000, NOW_S - 500)
    await epochs(world, first)
    await comes(world, "M1", NOW_S - 700)
    await world.publish()
    await epochs(world, first, epoch(2, NOW_S - 100, NOW_S - 100, waited=None))
    await comes(world, "M2", NOW_S - 300, origin="offline")
    await world.publish()
    await epochs(world, first, epoch(2, NOW_S - 100, NOW_S - 50, waited=1))
    open_gaps, failed = world.store.open_gaps, []

    async def once(*args: Any, **more: Any) -> Any:
        if not failed:
            failed.append(True)
            raise StoreUnwell("the disk says no")
        return await open_gaps(*args, **more)

    world.store.open_gaps = once  # type: ignore[method-assign]
    world.publisher.settle_since(ACCOUNT, first.heard_at_ms)
    await world.publish(wholly=True)
    assert await gaps(world) == []
    assert failed


async def test_a_crash_while_two_threads_become_one_hides_no_gap(world: World) -> None:
    """They are worked out by the next life, though nothing comes."""
    await comes(world, "L1", NOW_S - 900, chat=LID)
    await world.publish()
    await world.mapped(LID, ANA)
    advance = world.store.advance

    async def dies(progress: Any) -> None:
        await advance(progress)
        if progress.moved and progress.moved[0].path.count("/") == 1:
            raise Killed

    world.store.advance = dies  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await world.publish(wholly=True)
    world.store.advance = advance  # type: ignore[method-assign]
    again = World(world.store, world.documents)
    await again.publish(wholly=True)
    assert [(gap.below, gap.above.id) for gap in (await coverage(again)).gaps] == [(None, "L1")]


async def test_a_crash_after_landing_hides_no_surprise(world: World) -> None:
    """That its document is there already does not mean that it was here before."""
    await epochs(world, epoch(1, NOW_S - 1000, NOW_S - 10))
    await comes(world, "M1", NOW_S - 900)
    await comes(world, "M2", NOW_S - 100)
    await world.publish()
    await history(world, [payload("LATE", at=NOW_S - 500)])
    advance = world.store.advance

    async def dies(_: Any) -> None:
        raise Killed

    world.store.advance = dies  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await world.publish()
    world.store.advance = advance  # type: ignore[method-assign]
    again = World(world.store, world.documents)
    await again.publish()
    assert (await coverage(again)).withdrawn == 1


async def test_what_comes_live_and_is_told_by_a_history_at_once_is_no_surprise(world: World) -> None:
    """Both landed together when Firestore was away for a while."""
    await epochs(world, epoch(1, NOW_S - 1000, NOW_S - 10))
    await comes(world, "M1", NOW_S - 500)
    await comes(world, "M2", NOW_S - 400)
    await history(world, [payload("M2", at=NOW_S - 400), payload("M1", at=NOW_S - 500)])
    await world.publish()
    assert (await coverage(world)).withdrawn == 0


async def test_what_a_page_tells_of_another_conversation_does_not_count(world: World) -> None:
    """An old message of it would seem to have met what is below the gap."""
    gap = await broken(world)
    asked = Asked(account=ACCOUNT, id="R1", gap=gap, anchor=gap.above, count=50, asked_at_ms=RECEIVED_AT_MS)
    await world.store.record(LedgerChange(asked=(asked,)))
    rows = [payload("M8", at=second_of(8)), payload("B1", at=second_of(2), chat=BOB)]
    await history(world, rows, session="R1")
    await world.publish()
    assert [(gap.below, gap.above.id) for gap in await gaps(world)] == [(gap.below, "M8")]


async def test_a_message_from_the_future_in_a_history_proves_nothing(world: World) -> None:
    """A phone with a wrong clock sent it: what comes until then is not here."""
    rows = [payload("F", at=NOW_S + 10 * 365 * 86_400), payload("H2", at=NOW_S - 5000), payload("H1", at=NOW_S - 6000)]
    await history(world, rows)
    await world.publish()
    assert max(one.end.second for one in (await coverage(world)).intervals) <= NOW_S


async def test_the_word_on_another_conversation_in_an_answer_does_not_count(world: World) -> None:
    """That nothing older is left there says nothing of the one that was asked for."""
    gap = await broken(world)
    asked = Asked(account=ACCOUNT, id="R1", gap=gap, anchor=gap.above, count=50, asked_at_ms=RECEIVED_AT_MS)
    await world.store.record(LedgerChange(asked=(asked,)))
    await history(world, [payload("M8", at=second_of(8))], session="R1", chat=BOB, end=1)
    await world.publish()
    assert [(left.below, left.above.id) for left in await gaps(world)] == [(gap.below, "M8")]


async def test_asking_goes_on_only_with_what_is_held(world: World) -> None:
    """What is told beside messages is not kept to ask with: the gap would be due for ever, and never asked."""
    await epochs(world, epoch(1, NOW_S - 1000, NOW_S))
    await comes(world, "G1", NOW_S - 100, chat=GROUP, participant=ANA)
    await world.publish()
    thread = f"threads/{ACCOUNT}__{GROUP}"
    (gap,) = (await coverage(world, thread)).gaps
    asked = Asked(account=ACCOUNT, id="R1", gap=gap, anchor=gap.above, count=50, asked_at_ms=RECEIVED_AT_MS)
    await world.store.record(LedgerChange(asked=(asked,)))
    told = payload("TOLD", at=NOW_S - 100, chat=GROUP, participant=ANA)
    keys = {"protocolMessage": {"type": "EPHEMERAL_SETTING"}}
    await history(world, [told | {"message": keys}], session="R1", chat=GROUP)
    await world.publish()
    (left,) = (await coverage(world, thread)).gaps
    assert await world.store.anchors(thread, left.above)
