"""One run of filling: in which direction, how far, and what it says of itself."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from phone import ACCOUNT, ANA, BOB, LIMITS, STEP_S, TIMEOUT_S, Phone, a_phone, job, path, spacings

from whatsapp_backend.domain.coverage import GapState, LedgerChange, Reason
from whatsapp_backend.domain.jobs import Kind, Work
from whatsapp_backend.domain.mirror import Alias, Progress
from whatsapp_backend.errors import CommandFailed, CommandTimedOut
from whatsapp_backend.flows.fill import Filled

RECENT = replace(LIMITS, thread=20, lookback_ms=6 * 3600_000)
HOURS_S = 3600


async def outage(phone: Phone, jid: str = ANA) -> None:
    """Of 42 messages 36 to 38 were missed, and those before 31 are deep history."""
    phone.archive(jid, 42)
    await phone.hold(jid, (31, 35), (39, 42))


async def test_a_gap_is_filled_from_above_until_its_lower_bound_is_met():
    async with a_phone() as phone:
        await outage(phone)
        filled = await phone.fill(job(Kind.RECENT_SYNC), RECENT)
        assert phone.anchors == ["M39"]
        assert [gap.below for gap in await phone.gaps()] == [None], "deep history is the backfill's"
        assert filled.trouble is None
        assert filled.work == Work(threads=1, requests=1, fetched=20, stored=15, duplicates=5, gaps_closed=1)
        (result,) = filled.results
        assert (result.thread, result.status, result.fetched) == (f"{ACCOUNT}__{ANA}", "ok", 20)


async def test_no_request_begins_at_or_below_the_bound_whatever_the_page():
    async with a_phone() as phone:
        phone.archive(ANA, 40)
        await phone.hold(ANA, (1, 5), (38, 40))
        filled = await phone.fill(job(Kind.RECENT_SYNC), replace(RECENT, page=7, thread=100))
        assert phone.anchors == ["M38", "M31", "M24", "M17", "M10"]
        assert filled.results[0].status == "ok"


async def test_what_has_been_proven_meanwhile_is_not_asked_for():
    async with a_phone() as phone:
        await outage(phone)
        phone._settle = lambda threads: phone.prove(ANA, 35, 39)
        filled = await phone.fill(job(Kind.RECENT_SYNC), RECENT)
        assert (phone.asked, filled.work, filled.trouble) == ([], Work(), None)


async def test_a_thread_that_takes_the_place_of_a_proven_one_is_worked_out_anew_too():
    async with a_phone() as phone:
        chats = {path(jid): jid for jid in (ANA, BOB)}
        for jid in chats.values():
            await outage(phone, jid)

        async def settle(threads):
            for thread in threads:
                await phone.prove(chats[thread], 35, 39)

        phone._settle = settle
        filled = await phone.fill(job(Kind.RECENT_SYNC), replace(RECENT, threads=1))
        assert (phone.asked, filled.work, filled.trouble) == ([], Work(), None)


async def test_a_run_with_nothing_to_do_is_a_success_that_costs_nothing():
    async with a_phone() as phone:
        filled = await phone.fill()
        assert (filled.work, filled.results, filled.trouble, filled.plan) == (Work(), (), None, None)
        assert (phone.settled, phone.noted) == ([], [])
        plan = (await phone.fill(job(dry_run=True))).plan
        assert (plan.threads, plan.requests, plan.writes, plan.cost_usd) == (0, 0, 0, 0)


async def test_recent_sync_leaves_older_gaps_and_deep_history_to_the_backfill():
    async with a_phone() as phone:
        phone.archive(ANA, 12, until_s=7 * HOURS_S)
        await phone.hold(ANA, (1, 5), (9, 12))
        phone.archive(BOB, 12)
        await phone.hold(BOB, (5, 12))
        await phone.fill(job(Kind.RECENT_SYNC), RECENT)
        assert phone.asked == []
        await phone.fill(job(Kind.BACKFILL), LIMITS)
        assert [(args["chat"], args["anchor"]["id"]) for args in phone.asked] == [(ANA, "M9"), (BOB, "M5")]


async def test_deep_history_comes_after_the_gaps_of_all_threads_and_the_newest_gap_first():
    async with a_phone() as phone:
        phone.archive(ANA, 60)
        await phone.hold(ANA, (21, 25), (29, 33), (50, 60))
        phone.archive(BOB, 60, until_s=5)
        await phone.hold(BOB, (21, 40), (45, 60))
        await phone.fill(limits=replace(LIMITS, page=20, thread=30))
        assert [(args["chat"] == ANA, args["anchor"]["id"], args["count"]) for args in phone.asked] == [
            (True, "M50", 20),
            (True, "M29", 10),
            (False, "M45", 20),
            (False, "M21", 10),
        ]


async def test_deep_history_is_not_dug_below_the_limit():
    async with a_phone() as phone:
        points = phone.archive(ANA, 60)
        await phone.hold(ANA, (60, 60))
        filled = await phone.fill(limits=replace(LIMITS, page=10, oldest_ms=points[29].ms))
        assert phone.anchors == ["M60", "M50", "M40"]
        assert filled.results[0].status == "ok"


async def test_deep_history_over_several_runs_and_lives_never_asks_for_a_page_twice():
    async with a_phone() as phone:
        phone.archive(ANA, 1000)
        await phone.hold(ANA, (1000, 1000))
        for _ in range(20):
            filled = await phone.fill(limits=replace(LIMITS, page=50))
            phone.new_asker()
            if not await phone.gaps():
                break
            assert (filled.work.fetched, filled.results[0].status) == (100, "partial")
        assert len(phone.anchors) == len(set(phone.anchors)) == 20
        assert phone.anchors[-1] == "M50"
        phone.asked.clear()
        await phone.fill()
        assert phone.asked == []


async def test_a_silent_phone_is_no_success_and_the_gap_waits():
    async with a_phone() as phone:
        await outage(phone)
        phone.off = True
        filled = await phone.fill(job(Kind.RECENT_SYNC), RECENT)
        assert phone.anchors == ["M39", "M40"]
        assert [args["count"] for args in phone.asked] == [20, 20], "as much as a run may ask for"
        assert (filled.trouble, filled.work.unanswered) == ("phone_unreachable", 2)
        assert filled.results[0].status == "no-answer"
        (gap, _) = await phone.gaps()
        assert (gap.state, gap.rounds) == (GapState.OPEN, 1)
        phone.off = False
        assert (await phone.fill(job(Kind.RECENT_SYNC), RECENT)).work.requests == 0
        await phone.clock.advance(601)
        assert (await phone.fill(job(Kind.RECENT_SYNC), RECENT)).work.gaps_closed == 1


async def test_a_late_answer_closes_the_gap_all_the_same():
    async with a_phone() as phone:
        await outage(phone)
        phone.off = True
        await phone.fill(job(Kind.RECENT_SYNC), RECENT)
        await phone.clock.advance(3 * 24 * HOURS_S)
        await phone.answer(phone.late[0])
        assert [gap.below for gap in await phone.gaps()] == [None]


async def test_a_dead_anchor_is_walked_around():
    async with a_phone() as phone:
        phone.archive(ANA, 80)
        await phone.hold(ANA, (21, 25), (30, 80))
        phone.dead = {"M30"}
        filled = await phone.fill(limits=replace(LIMITS, page=3))
        assert phone.anchors[:2] == ["M30", "M31"]
        assert phone.asked[1]["count"] == 50, "a page from there must reach over the dead one"
        assert (filled.work.unanswered, filled.trouble) == (1, None), "the phone did answer"


async def test_ten_requests_without_an_answer_are_a_pause_that_outlives_a_restart():
    async with a_phone() as phone:
        for n in range(8):
            jid = f"1555000{n:04}@s.whatsapp.net"
            phone.archive(jid, 12)
            await phone.hold(jid, (5, 12))
        phone.off = True
        filled = await phone.fill()
        assert len(phone.asked) == 10
        assert filled.trouble == "phone_unreachable"
        assert "in a row" in filled.message
        phone.new_asker()
        phone.off = False
        again = await phone.fill()
        assert (len(phone.asked), again.trouble, again.work.requests) == (10, "phone_unreachable", 0)
        await phone.clock.advance(2 * HOURS_S)
        assert (await phone.fill()).trouble is None


async def test_requests_are_spaced():
    async with a_phone() as phone:
        phone.archive(ANA, 60)
        await phone.hold(ANA, (60, 60))
        moments = []
        hear = phone._hear
        phone.bridge.scripts["fetch-history"] = lambda command: moments.append(phone.clock.wall_ms()) or hear(command)
        await phone.fill(limits=replace(LIMITS, page=20))
        assert spacings(moments) == [3000, 3000]


async def test_a_run_takes_so_many_threads_and_so_many_messages_of_each():
    async with a_phone() as phone:
        for n in range(5):
            jid = f"1555000{n:04}@s.whatsapp.net"
            phone.archive(jid, 300, until_s=n * STEP_S)
            await phone.hold(jid, (300, 300))
        filled = await phone.fill(limits=replace(LIMITS, threads=2, page=50))
        assert filled.work.threads == 2
        assert filled.work.fetched == 2 * 100
        assert [one.status for one in filled.results] == ["partial", "partial"]
        assert phone.noted[-1] == (filled.work, filled.results)
        assert [work.requests for work, _ in phone.noted] == [1, 2, 3, 4]


async def test_a_gap_the_phone_has_nothing_for_is_reported_and_left():
    async with a_phone() as phone:
        points = phone.archive(ANA, 12)
        await phone.hold(ANA, (5, 8), (9, 12))
        phone.archives[ANA] = points[8:]
        filled = await phone.fill(job(Kind.RECENT_SYNC), RECENT)
        assert (len(phone.asked), filled.trouble) == (1, None), "the phone said that there is nothing older"
        assert filled.results[0].status == "ok"


@pytest.mark.parametrize("chats", [(), (f" {ANA.replace('s.whatsapp.net', 'c.us')} ",), (ANA, BOB)])
async def test_a_resync_asks_again_for_what_was_given_up(chats):
    async with a_phone() as phone:
        await outage(phone)
        (gap, _) = await phone.gaps()
        given_up = replace(gap, state=GapState.UNREACHABLE)
        await phone.store.record(LedgerChange(gaps=(given_up,)))
        assert (await phone.fill(job(Kind.RECENT_SYNC), RECENT)).work.requests == 0
        filled = await phone.fill(job(Kind.RESYNC, since_ms=gap.start_ms, chats=chats))
        assert phone.anchors == ["M39"]
        assert (filled.work.gaps_closed, filled.trouble) == (1, None)


async def test_a_resync_keeps_to_its_bounds_and_chats():
    async with a_phone() as phone:
        points = phone.archive(ANA, 60)
        await phone.hold(ANA, (1, 2), (9, 12), (50, 60))
        phone.archive(BOB, 60)
        await phone.hold(BOB, (1, 5), (50, 60))
        since = job(Kind.RESYNC, since_ms=points[40].ms, chats=(ANA,))
        await phone.fill(since, replace(LIMITS, page=10))
        assert phone.anchors == ["M50"], "the rest is older"
        phone.asked.clear()
        until = job(Kind.RESYNC, until_ms=points[5].ms, chats=(ANA,))
        await phone.fill(until, replace(LIMITS, page=10))
        assert phone.anchors == ["M9"]


async def test_a_chat_named_by_its_lid_is_found_under_its_number():
    async with a_phone() as phone:
        await outage(phone)
        lid = "88000000000007@lid"
        alias = Alias(account=ACCOUNT, lid=lid, pn=ANA, evidence="message", at_ms=1)
        await phone.store.advance(Progress(consumer="documents", cursor=0, aliases=(alias,)))
        filled = await phone.fill(job(Kind.RESYNC, chats=("88000000000007:3@LID",), since_ms=1))
        assert filled.work.threads == 1


async def test_what_is_owed_is_not_asked_for():
    async with a_phone() as phone:
        await outage(phone)
        coverage = await phone.coverage(ANA)
        owed = tuple(replace(gap, reason=Reason.DEBT) for gap in coverage.gaps)
        await phone.store.record(LedgerChange(coverages=(replace(coverage, gaps=owed),)))
        for kind in Kind:
            assert (await phone.fill(job(kind))).work == Work()
        assert phone.asked == []


async def test_a_dry_run_asks_for_nothing_and_says_what_it_would_cost():
    async with a_phone() as phone:
        phone.archive(ANA, 60)
        await phone.hold(ANA, (1, 5), (20, 25), (50, 60))
        phone.archive(BOB, 60)
        await phone.hold(BOB, (60, 60))
        filled = await phone.fill(job(dry_run=True))
        assert (phone.asked, filled.work, filled.trouble) == ([], Work(), None)
        plan = filled.plan
        assert (plan.threads, plan.gaps, plan.requests, plan.writes, plan.most_writes) == (2, 4, 4, 84, 2 * (100 + 5))
        assert plan.cost_usd == pytest.approx(84 * 0.18 / 100_000)


async def test_a_run_without_a_limit_promises_only_what_is_certain():
    async with a_phone() as phone:
        phone.archive(ANA, 60)
        await phone.hold(ANA, (1, 5), (20, 25), (50, 60))
        filled = await phone.fill(job(Kind.RESYNC, dry_run=True), replace(LIMITS, threads=1_000_000, thread=None))
        plan = filled.plan
        assert (plan.gaps, plan.requests, plan.writes, plan.most_writes) == (3, 3, 63, None)
        filled = await phone.fill(job(Kind.RESYNC), replace(LIMITS, threads=1_000_000, thread=None))
        assert [gap.below for gap in await phone.gaps()] == []


@pytest.mark.parametrize(
    ("error", "trouble", "asked"),
    [
        (CommandFailed("not-open", "closed"), "not_connected", 1),
        (CommandFailed("not-started", "closed"), "not_connected", 1),
        (CommandTimedOut(), "backfill_error", 1),
        (CommandFailed("refused", "Boom 500"), "backfill_error", 2),
        (CommandFailed("timeout", "no answer in time"), "backfill_error", 2),
    ],
)
async def test_what_is_not_the_phones_silence_is_called_by_its_name(error, trouble, asked):
    async with a_phone() as phone:
        for jid in (ANA, BOB):
            await outage(phone, jid)

        def fail(command):
            phone.asked.append(command.args)
            raise error

        phone.bridge.scripts["fetch-history"] = fail
        filled = await phone.fill(job(Kind.RECENT_SYNC), RECENT)
        assert (filled.trouble, filled.message) == (trouble, str(error))
        assert (len(phone.asked), filled.work.errors) == (asked, 0 if asked == 1 else 2)
        known = await phone.store.account_ledger(ACCOUNT)
        assert known.asking.unanswered == 0
        assert [gap.tried for gap in await phone.gaps()] == [0, 0]


async def test_a_bridge_that_is_gone_is_no_connection():
    async with a_phone() as phone:
        await outage(phone)
        phone.bridge.crash()
        assert (await phone.fill()).trouble == "not_connected"


async def test_a_store_that_is_unwell_ends_the_run_and_says_so():
    async with a_phone() as phone:
        await outage(phone)
        phone.store.unwell = "disk full"
        filled = await phone.fill()
        assert (filled.trouble, filled.message) == ("backfill_error", "disk full")
        assert phone.asked == [], "what cannot be kept is not sent"


@contextmanager
def cut(phone: Phone, at: int) -> Iterator["asyncio.Task[Filled]"]:
    """Cancel the run at the nth call of a port, before or after it took effect; then there is another life."""
    calls = 0

    async def tick() -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            running.cancel()
            await asyncio.sleep(0)

    def ticking(call):
        async def ticked(*args, **more):
            if args == (0,):  # how the clock lets others act
                return await call(*args)
            await tick()
            result = await call(*args, **more)
            await tick()
            return result

        return ticked

    ports = [
        *((phone.store, name) for name in ("coverages", "account_ledger", "anchors", "open_gaps", "record")),
        (phone.bridge, "do"),
        (phone.clock, "sleep"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        for port, name in ports:
            patch.setattr(port, name, ticking(getattr(port, name)))
        running = phone.start(limits=replace(LIMITS, page=5, thread=15))
        yield running


@pytest.mark.parametrize("pause_s", [0, TIMEOUT_S + 1])
@pytest.mark.parametrize("at", range(1, 100, 3))
async def test_a_run_that_is_cancelled_anywhere_leaves_a_ledger_to_go_on_with(at, pause_s):
    async with a_phone() as phone:
        phone.archive(ANA, 30)
        await phone.hold(ANA, (1, 5), (25, 30))
        with cut(phone, at) as running:
            await phone.clock.advance(60)
        assert running.done()
        assert phone.asker._in_flight == {}
        phone.new_asker()
        await phone.clock.advance(pause_s)
        filled = await phone.fill(limits=replace(LIMITS, page=5))
        assert filled.trouble is None
        assert await phone.gaps() == []
        assert len(phone.anchors) == len(set(phone.anchors)), "a page was asked for twice"


async def test_what_cannot_be_downloaded_is_an_error_of_its_thread_and_no_silence():
    async with a_phone() as phone:
        for jid in (ANA, BOB):
            await outage(phone, jid)
        gaps = await phone.gaps()
        phone.spoiled = True
        filled = await phone.fill(job(Kind.RECENT_SYNC), RECENT)
        assert (filled.trouble, len(phone.asked)) == ("backfill_error", 2), "each thread once"
        assert "could not be downloaded" in filled.message
        assert [(one.status, one.fetched) for one in filled.results] == [("error", 0), ("error", 0)]
        assert (filled.work.requests, filled.work.unanswered, filled.work.errors) == (2, 0, 2)
        after = (await phone.gaps())[0]
        assert after == replace(gaps[0], next_at_ms=after.next_at_ms)
        phone.spoiled = False
        assert (await phone.fill(job(Kind.RECENT_SYNC), RECENT)).work == Work(), "it waits a while"
        await phone.clock.advance(600)
        filled = await phone.fill(job(Kind.RECENT_SYNC), RECENT)
        assert (filled.trouble, filled.work.gaps_closed) == (None, 2)


async def test_a_run_that_rests_for_minutes_between_two_requests_says_that_it_lives():
    async with a_phone() as phone:
        phone.archive(ANA, 60)
        await phone.hold(ANA, (1, 5), (50, 60))
        filler = phone.filler()
        filler._spacing_ms = 600_000
        beats = []

        async def note(work, results):
            beats.append(phone.clock.wall_ms())

        running = phone._tasks.create_task(filler.fill(job(Kind.RECENT_SYNC), replace(RECENT, thread=40), note))
        while not running.done():
            await phone.clock.advance(1)
        assert len(phone.asked) == 2
        assert max(spacings(beats)) <= 61_000
