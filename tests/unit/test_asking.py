"""A request for a gap: kept before it is sent, silent or answered, sooner or later, by this life or another."""

import asyncio
import re
from dataclasses import replace

import orjson
import pytest
from phone import ACCOUNT, ANA, BOB, TIMEOUT_S, Phone, a_phone, path

from whatsapp_backend.domain.coverage import Answer, Coverage, GapState, LedgerChange, Outcome
from whatsapp_backend.domain.jobs import Kind
from whatsapp_backend.domain.journal import NewEntry
from whatsapp_backend.domain.mirror import Moved, Progress
from whatsapp_backend.errors import BridgeGone, CommandFailed, CommandTimedOut
from whatsapp_backend.rules.requests import Request

DAY_S = 24 * 3600


async def outage(phone: Phone, jid: str = ANA) -> Request:
    """Of 42 messages 36 to 38 were missed: what to ask for."""
    phone.archive(jid, 42)
    await phone.hold(jid, (31, 35), (39, 42))
    return await request(phone, jid)


async def request(phone: Phone, jid: str = ANA) -> Request:
    """What to ask for the newest gap."""
    gap = (await phone.gaps(jid))[0]
    anchors = await phone.store.anchors(path(jid), gap.above)
    return Request(gap=gap, anchor=anchors[gap.tried], chat=jid, count=20)


def ask(phone: Phone, wanted: Request) -> "asyncio.Task[Answer | None]":
    """Ask, in a task of its own."""
    return phone._tasks.create_task(phone.asker.ask(wanted, Kind.BACKFILL))


async def asked(phone: Phone):
    """The requests that are kept."""
    return (await phone.store.account_ledger(ACCOUNT)).asked


async def test_a_request_is_on_disk_before_it_is_sent():
    async with a_phone() as phone:
        wanted = await outage(phone)
        kept = []

        def hear(command):
            kept.extend(phone.store._requests.values())
            return phone._hear(command)

        phone.bridge.scripts["fetch-history"] = hear
        answer = await ask(phone, wanted)
        (one,) = kept
        assert re.fullmatch("3EB0[0-9A-F]{17}2", one.id)
        assert (one.gap, one.anchor, one.count) == (wanted.gap, wanted.anchor.at, 20)
        (args,) = phone.asked
        assert args == {
            "id": one.id,
            "chat": ANA,
            "anchor": {"id": "M39", "fromMe": False},
            "time": wanted.anchor.at.second,
            "count": 20,
        }
        assert (answer.request, answer.outcome, answer.fetched, answer.stored) == (one.id, Outcome.PAGE, 20, 15)
        assert await asked(phone) == ()


async def test_a_page_that_cannot_be_published_yet_is_no_silence():
    async with a_phone() as phone:
        wanted = await outage(phone)
        phone.published.clear()
        asking = ask(phone, wanted)
        await phone.clock.advance(DAY_S)
        assert not asking.done()
        assert (await phone.gaps())[0] == wanted.gap
        phone.published.set()
        assert (await asking).outcome is Outcome.PAGE


def sign(phone: Phone, kind: str) -> NewEntry:
    """Something of the answer to the last request is journaled."""
    payload = orjson.dumps({"session": phone.asked[-1]["id"], "messages": 20, "result": "complete"})
    return NewEntry(kind=kind, source="enc:n", origin="ondemand", received_at_ms=1, payload=payload)


async def test_an_answer_that_takes_long_to_download_is_no_silence():
    async with a_phone() as phone:
        wanted = await outage(phone)
        phone.off = True
        asking = ask(phone, wanted)
        await phone.clock.advance(TIMEOUT_S - 1)
        phone.asker.on_journaled(ACCOUNT, (sign(phone, "history-notice"),))
        await phone.clock.advance(200)
        assert not asking.done()
        await phone.answer(phone.late[0])
        assert (await asking).outcome is Outcome.PAGE


async def test_an_answer_that_cannot_be_downloaded_is_an_error_and_no_silence():
    async with a_phone() as phone:
        wanted = await outage(phone)
        phone.off = True
        running = phone.start()
        await phone.clock.advance(1)
        phone.asker.on_journaled(ACCOUNT, (sign(phone, "history-notice"),))
        await phone.clock.advance(301)
        assert running.result().trouble == "backfill_error"
        assert (await phone.store.account_ledger(ACCOUNT)).asking.unanswered == 0
        assert (await phone.gaps())[0] == wanted.gap


async def test_a_download_that_failed_for_good_is_the_outcome_as_the_publisher_tells_it():
    async with a_phone() as phone:
        wanted = await outage(phone)
        phone.off = True
        asking = ask(phone, wanted)
        await phone.clock.settle()
        (one,) = await asked(phone)
        phone.asker.on_answered(
            Answer(account=ACCOUNT, request=one.id, outcome=Outcome.FAILED, fetched=0, stored=0, end=None)
        )
        assert (await asking).outcome is Outcome.FAILED
        assert (await phone.store.account_ledger(ACCOUNT)).asking.unanswered == 0
        assert (await phone.gaps())[0] == wanted.gap


async def test_silence_is_noted_with_the_gap_and_a_late_answer_is_still_known():
    async with a_phone() as phone:
        wanted = await outage(phone)
        phone.off = True
        asking = ask(phone, wanted)
        await phone.clock.advance(TIMEOUT_S - 1)
        assert not asking.done()
        await phone.clock.advance(2)
        assert (await asking).outcome is Outcome.NO_ANSWER
        known = await phone.store.account_ledger(ACCOUNT)
        assert (known.asking.unanswered, known.asked[0].gap) == (1, wanted.gap)
        assert (await phone.gaps())[0] == replace(wanted.gap, tried=1)
        phone.off = False
        second = ask(phone, await request(phone))
        await phone.answer(phone.late[0])
        await second
        known = await phone.store.account_ledger(ACCOUNT)
        assert (known.asking.unanswered, known.asked) == (0, ())
        assert [gap.below for gap in await phone.gaps()] == [None]


async def test_after_a_silence_the_phone_is_asked_in_a_new_session_once():
    """A crash may have left a session that it cannot read; every new one costs it a key."""
    async with a_phone() as phone:
        await outage(phone)
        phone.off = True
        for _ in range(3):
            asking = ask(phone, await request(phone))
            await phone.clock.advance(TIMEOUT_S + 1)
            await asking
        assert [args.get("fresh") for args in phone.asked] == [None, True, None]


async def test_without_an_answer_a_setting_lets_it_ask_once_more_in_milliseconds():
    async with a_phone() as phone:
        wanted = await outage(phone)
        phone.new_asker(retry_in_ms=True)
        assert (await ask(phone, wanted)).outcome is Outcome.PAGE
        assert len(phone.asked) == 1, "only when nothing came"
        phone.off = True
        asking = ask(phone, await outage(phone, BOB))
        await phone.clock.advance(2 * TIMEOUT_S + 1)
        assert (await asking).outcome is Outcome.NO_ANSWER
        assert [args.get("unit") for args in phone.asked] == [None, None, "ms"]
        assert len({args["id"] for args in phone.asked}) == 3
        assert (await phone.gaps(BOB))[0].tried == 1, "both were one try"
        assert (await phone.store.account_ledger(ACCOUNT)).asking.unanswered == 2


async def test_a_pause_keeps_the_retry_in_milliseconds_back():
    async with a_phone() as phone:
        wanted = await outage(phone)
        known = await phone.store.account_ledger(ACCOUNT)
        await phone.store.record(LedgerChange(askings=(replace(known.asking, unanswered=9),)))
        phone.new_asker(retry_in_ms=True)
        phone.off = True
        asking = ask(phone, wanted)
        await phone.clock.advance(TIMEOUT_S + 1)
        assert (await asking).outcome is Outcome.NO_ANSWER
        assert len(phone.asked) == 1
        assert (await phone.gaps())[0].tried == 1


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (CommandFailed("not-started", "x"), False),
        (CommandFailed("bad-arguments", "x"), False),
        (CommandFailed("refused", "x"), False),
        (CommandFailed("not-open", "x"), True),
        (CommandFailed("timeout", "x"), True),
        (CommandTimedOut(), True),
        (BridgeGone(), True),
    ],
)
async def test_what_could_not_be_asked_is_no_silence_and_is_kept_only_if_it_may_have_been_sent(error, kept):
    def fail(_):
        raise error

    async with a_phone() as phone:
        wanted = await outage(phone)
        phone.bridge.scripts["fetch-history"] = fail
        with pytest.raises(type(error)):
            await phone.asker.ask(wanted, Kind.BACKFILL)
        known = await phone.store.account_ledger(ACCOUNT)
        assert (known.asking.unanswered, len(known.asked)) == (0, int(kept))
        assert (await phone.gaps())[0] == wanted.gap


async def test_a_connection_that_went_away_meanwhile_is_no_silence_of_the_phone():
    async with a_phone() as phone:
        wanted = await outage(phone)
        phone.off = True

        async def told() -> None:
            with pytest.raises(CommandFailed, match="not-open"):
                await phone.asker.ask(wanted, Kind.BACKFILL)

        asking = phone._tasks.create_task(told())
        await phone.clock.settle()
        phone.connected = False
        await phone.clock.advance(TIMEOUT_S + 1)
        assert asking.done()
        assert len(await asked(phone)) == 1, "it may be answered yet"
        assert (await phone.gaps())[0] == wanted.gap


async def test_requests_that_nobody_will_answer_any_more_are_forgotten():
    async with a_phone() as phone:
        phone.off = True
        for jid in (ANA, BOB):
            asking = ask(phone, await outage(phone, jid))
            await phone.clock.advance(TIMEOUT_S + 1)
            await asking
            assert [one.gap.thread for one in await asked(phone)] == [path(jid)]
            await phone.clock.advance(14 * DAY_S)


async def test_another_life_waits_for_what_the_last_one_has_just_asked():
    async with a_phone() as phone:
        wanted = await outage(phone)
        phone.off = True
        asking = ask(phone, wanted)
        await phone.clock.advance(20)
        asking.cancel()
        phone.new_asker()
        asking = ask(phone, wanted)
        await phone.clock.advance(20)
        assert (len(phone.asked), asking.done()) == (1, False)
        await phone.answer(phone.late[0])
        assert (await asking).outcome is Outcome.PAGE
        assert len(phone.asked) == 1


async def test_an_answer_that_is_published_just_before_another_life_waits_for_it_is_no_silence():
    async with a_phone() as phone:
        wanted = await outage(phone)
        phone.off = True
        asking = ask(phone, wanted)
        await phone.clock.advance(20)
        asking.cancel()
        phone.new_asker()
        look = phone.store.account_ledger

        async def seen_too_early(account):
            known = await look(account)
            phone.store.account_ledger = look
            await phone.answer(phone.late[0])
            return known

        phone.store.account_ledger = seen_too_early
        assert await ask(phone, wanted) is None
        assert (await look(ACCOUNT)).asking.unanswered == 0


async def test_another_life_waits_no_longer_than_the_last_one_would_have():
    async with a_phone() as phone:
        wanted = await outage(phone)
        phone.off = True
        asking = ask(phone, wanted)
        await phone.clock.advance(20)
        asking.cancel()
        phone.new_asker()
        asking = ask(phone, wanted)
        await phone.clock.advance(TIMEOUT_S - 20 + 1)
        assert (await asking).outcome is Outcome.NO_ANSWER
        assert (await phone.gaps())[0].tried == 1


async def test_a_gap_that_changed_while_others_had_their_turn_is_not_asked_for():
    async with a_phone() as phone:
        wanted = await outage(phone)
        changed = replace(wanted.gap, state=GapState.UNREACHABLE)
        await phone.store.record(LedgerChange(gaps=(changed,)))
        assert await phone.asker.ask(wanted, Kind.BACKFILL) is None
        assert (phone.asked, await asked(phone)) == ([], ())


async def test_a_thread_that_becomes_another_one_leaves_nobody_waiting():
    async with a_phone() as phone:
        wanted = await outage(phone)
        phone.published.clear()
        asking = ask(phone, wanted)
        await phone.clock.settle()
        await phone.store.record(LedgerChange(coverages=(Coverage(account=ACCOUNT, thread=path(BOB), jid=BOB),)))
        moved = Moved(path=path(ANA), to=path(BOB))
        await phone.store.advance(Progress(consumer="documents", cursor=0, moved=(moved,)))
        await phone.clock.advance(61)
        answer = await asking
        assert (answer.outcome, answer.fetched, answer.stored) == (Outcome.PAGE, 20, 0)


async def test_somebody_who_fetches_and_a_run_take_turns():
    async with a_phone() as phone:
        wanted = await outage(phone)
        phone.off = True
        asking = ask(phone, wanted)
        await phone.clock.settle()
        anchor = {"id": "M31", "fromMe": False}
        fetching = phone._tasks.create_task(phone.asker.fetch(ACCOUNT, chat=ANA, anchor=anchor, time=5, count=10))
        await phone.clock.settle()
        assert phone.anchors == ["M39"]
        phone.off = False
        await phone.clock.advance(TIMEOUT_S + 1)
        assert (await asking).outcome is Outcome.NO_ANSWER
        assert (await fetching).messages == 10
        assert phone.anchors == ["M39", "M31"]
        assert len(await asked(phone)) == 1, "only requests for gaps are kept"
