"""Runs: who runs when, and that every run says what came of it."""

import asyncio
from dataclasses import replace

import pytest
from running import BACKFILL, DAY_MS, HOUR_MS, MINUTE_MS, RECENT_SYNC, TICK_S, running
from structlog.testing import capture_logs

from whatsapp_backend.domain.coverage import Asking, LedgerChange
from whatsapp_backend.domain.jobs import Bounds, Job, JobState, Kind, Plan, ThreadResult, Trigger, Work
from whatsapp_backend.errors import (
    AccountUnknown,
    Busy,
    DocumentsUnavailable,
    HistoryHeldBack,
    NotConnected,
    StoreUnwell,
)
from whatsapp_backend.flows.fill import Filled
from whatsapp_backend.testing.memory_leases import LeaseFault

MANY = tuple(f"a{number}" for number in range(6))


def states(jobs):
    return [job.state for job in jobs]


async def hang(job, note):
    await asyncio.Event().wait()


def failing(trouble="phone_unreachable"):
    async def fail(job, note):
        return Filled(work=Work(threads=1, errors=1), trouble=trouble, message="nobody there")

    return fail


async def begin(place, account="a", *, kind=Kind.BACKFILL, trigger=Trigger.MANUAL, **more):
    return await place.runs.start(account, kind=kind, trigger=trigger, **more)


class TestByThemselves:
    async def test_an_idle_account_costs_nothing_for_a_whole_day(self):
        """No lock, no job, no request, no document read or written; also when it reconnects now and then."""
        async with running(("a", "b")) as place:
            for _ in range(24):
                place.runs.on_connected("a")
                await place.go_on(3600)
            assert (place.fill.began, place.told, await place.jobs(), place.leases.calls) == ([], [], [], [])
            documents = place.leases.documents.operations
            assert (documents.reads, documents.writes) == (0, 0)

    async def test_a_gap_is_filled_by_the_next_tick_under_the_lock_and_then_nothing_is_due(self):
        async with running() as place:
            await place.owe()
            await place.runs.recent_sync_tick()
            await place.clock.settle()
            (job,) = await place.jobs()
            assert (job.kind, job.trigger, job.state) == (Kind.RECENT_SYNC, Trigger.PERIODIC, JobState.RUNNING)
            assert place.leases.table.locks["a"].run == job.id
            await place.go_on(3600)
            (job,) = await place.jobs()
            assert (job.state, job.work.fetched, job.work.gaps_closed) == (JobState.DONE, 7, 1)
            assert job.ended_at_ms - job.started_at_ms == 20_000
            assert place.leases.calls == ["lock", "unlock"]
            assert place.ended == [job]

    async def test_recent_sync_is_for_recent_gaps_and_no_deep_history(self):
        async with running(recent_sync=RECENT_SYNC, backfill=replace(BACKFILL, enabled=False)) as place:
            await place.owe(ago_ms=7 * HOUR_MS)
            await place.owe(ago_ms=MINUTE_MS, number=2, below=None)
            await place.go_on(3600)
            assert place.fill.began == []
            await place.owe(ago_ms=5 * HOUR_MS, number=3)
            await place.go_on(120)
            assert place.fill.limits == [RECENT_SYNC.limits]

    async def test_backfill_digs_as_deep_as_it_may(self):
        policy = replace(BACKFILL, dig_ms=30 * DAY_MS)
        async with running(backfill=policy) as place:
            await place.owe(ago_ms=31 * DAY_MS, below=None)
            await place.go_on(3600)
            assert place.fill.began == []
            await place.owe(ago_ms=29 * DAY_MS, below=None)
            await place.go_on(TICK_S)
            (limits,) = place.fill.limits
            began_ms = place.fill.began[0].started_at_ms
            assert began_ms - 30 * DAY_MS - 1000 <= limits.oldest_ms <= began_ms - 30 * DAY_MS

    async def test_gaps_that_wait_are_not_due(self):
        async with running() as place:
            await place.owe(next_at_ms=place.clock.wall_ms() + 2 * HOUR_MS)
            await place.go_on(3600)
            assert place.fill.began == []

    async def test_the_success_cooldown_holds_and_ends_and_outlives_a_restart(self):
        async with running() as first:
            await first.owe()
            await first.runs.backfill_tick()
            await first.clock.advance(30)
        async with running(before=first) as place:
            await place.runs.resume()
            await place.owe(number=2)
            await place.go_on(HOUR_MS / 1000 - 100, recent_sync=False)
            assert place.fill.began == []
            await place.go_on(TICK_S, recent_sync=False)
            assert len(place.fill.began) == 1

    async def test_a_failure_is_tried_again_after_the_backoff_also_over_a_restart(self):
        async with running() as first:
            await first.owe()
            first.fill.scripts["a"] = failing()
            await first.runs.backfill_tick()
            await first.clock.advance(1)
            await first.runs.backfill_tick()
            await first.clock.settle()
            assert len(first.fill.began) == 1
        async with running(before=first) as place:
            await place.runs.backfill_tick()
            await place.clock.advance(590)
            await place.runs.backfill_tick()
            await place.clock.settle()
            assert place.fill.began == []
            await place.clock.advance(10)
            await place.runs.backfill_tick()
            await place.clock.settle()
            assert len(place.fill.began) == 1

    async def test_failing_accounts_do_not_starve_the_others(self):
        """Four that always fail and two that are due, four a tick: the two have run after two ticks."""
        async with running(MANY) as place:
            for account in MANY:
                await place.owe(account)
                if account < "a4":
                    place.fill.scripts[account] = failing()
            await place.runs.backfill_tick()
            await place.clock.advance(1)
            assert place.fill.accounts == ["a0", "a1", "a2", "a3"]
            await place.clock.advance(TICK_S)
            await place.runs.backfill_tick()
            await place.clock.advance(60)
            assert place.fill.accounts[4:6] == ["a4", "a5"]
            done = {job.account for job in await place.jobs() if job.state is JobState.DONE}
            assert done == {"a4", "a5"}

    async def test_no_more_than_the_limit_at_a_time_and_the_next_ones_follow(self):
        async with running(MANY) as place:
            most = []
            place.fill.watch = lambda: most.append(len(place.fill.active))
            for account in MANY:
                await place.owe(account)
            await place.runs.backfill_tick()
            await place.clock.settle()
            assert place.fill.accounts == ["a0", "a1"]
            await place.clock.advance(60)
            assert (place.fill.accounts, max(most)) == (list(MANY[:4]), 2)

    async def test_overlapping_ticks_begin_nothing_twice(self):
        async with running(MANY) as place:
            for account in MANY:
                await place.owe(account)
            async with asyncio.TaskGroup() as ticks:
                for _ in range(3):
                    ticks.create_task(place.runs.backfill_tick())
            await place.runs.backfill_tick()
            await place.clock.advance(200)
            assert sorted(place.fill.accounts) == list(MANY)

    async def test_those_in_flight_take_no_place_of_the_next_tick(self):
        pace = replace(BACKFILL.pace, per_tick=2)
        async with running(MANY, backfill=replace(BACKFILL, slots=1, pace=pace)) as place:
            for account in MANY:
                await place.owe(account)
            for _ in range(3):
                await place.runs.backfill_tick()
                await place.clock.settle()
            await place.clock.advance(200)
            assert place.fill.accounts == list(MANY)

    async def test_who_waited_for_a_slot_looks_again_before_it_runs(self):
        """Its gap may have been filled, or its account lost, meanwhile."""
        async with running(MANY) as place:
            for account in MANY[:4]:
                await place.owe(account)
            await place.runs.backfill_tick()
            await place.clock.settle()
            place.status["a2"] = "reconnecting"
            del place.terms["a3"]
            await place.clock.advance(100)
            assert place.fill.accounts == ["a0", "a1"]

    async def test_one_run_an_account_whatever_its_kind(self):
        async with running() as place:
            await place.owe()
            await place.runs.recent_sync_tick()
            await place.runs.backfill_tick()
            await place.clock.advance(5)
            assert len(place.fill.began) == 1
            assert place.leases.calls == ["lock"]

    async def test_a_backfill_waits_for_the_recent_sync_that_began_at_the_same_moment(self):
        """Their ticks fall together for ever: it must not always be too late."""

        async def nothing(job, note):
            await place.clock.sleep(20)
            return Filled(work=Work())

        async with running() as place:
            place.fill.scripts["a"] = nothing
            await place.owe()
            for _ in range(2):
                await place.runs.recent_sync_tick()
                await place.clock.settle()
                await place.runs.backfill_tick()
            await place.clock.advance(100)
            assert [job.kind for job in place.fill.began] == [Kind.RECENT_SYNC, Kind.BACKFILL]

    async def test_quiet_hours_hold_back_what_runs_by_itself_and_nothing_else(self):
        async with running() as place:
            await place.owe()
            place.is_quiet = True
            place.runs.on_connected("a")
            await place.go_on(3600)
            assert place.fill.began == []
            await begin(place)
            await place.clock.settle()
            assert len(place.fill.began) == 1

    async def test_a_phone_that_is_left_alone_is_left_alone(self):
        async with running() as place:
            await place.owe()
            asking = Asking(account="a", paused_until_ms=place.clock.wall_ms() + HOUR_MS)
            await place.store.record(LedgerChange(askings=(asking,)))
            await place.go_on(3500)
            assert place.fill.began == []
            await place.go_on(240)
            assert len(place.fill.began) == 1

    @pytest.mark.parametrize("reason", ["not connected", "not caught up", "not ours", "stopped"])
    async def test_nothing_begins_for_an_account_that_is(self, reason):
        async with running() as place:
            await place.owe()
            if reason == "not connected":
                place.status["a"] = "reconnecting"
            place.caught_up = reason != "not caught up"
            place.owned = reason != "not ours"
            if reason == "stopped":
                await place.runs.stop()
            place.runs.on_connected("a")
            await place.go_on(3600)
            assert (place.fill.began, place.leases.calls) == ([], [])

    async def test_switched_off_there_are_no_ticks_and_no_run_on_connect_but_those_by_hand(self):
        off = {"recent_sync": replace(RECENT_SYNC, enabled=False), "backfill": replace(BACKFILL, enabled=False)}
        async with running(**off) as place:
            await place.owe()
            place.runs.on_connected("a")
            await place.go_on(3600)
            assert place.fill.began == []
            await begin(place)
            await place.clock.settle()
            assert len(place.fill.began) == 1

    async def test_a_lock_of_an_older_system_is_waited_for(self):
        async with running() as place:
            await place.owe()
            lock = await place.leases.lock(place.terms["a"], kind="backfill", run="old", life_s=600)
            place.leases.table.locks["a"] = replace(lock, token=None, owner="old-system")
            await place.runs.backfill_tick()
            await place.clock.settle()
            assert (place.fill.began, await place.jobs()) == ([], [])
            await place.clock.advance(601)
            await place.runs.backfill_tick()
            await place.clock.settle()
            assert len(place.fill.began) == 1

    async def test_without_the_database_nothing_begins_and_the_next_tick_tries_again(self):
        async with running() as place:
            await place.owe()
            place.leases.inject(LeaseFault.LOST, "lock", times=1)
            await place.go_on(240)
            assert len(place.fill.began) == 1

    async def test_a_tick_survives_a_store_that_is_unwell(self):
        async with running() as place:
            await place.owe()
            ask = place.store.open_gaps

            async def unwell(*_args, **_more):
                raise StoreUnwell

            place.store.open_gaps = unwell
            await place.runs.backfill_tick()
            place.store.open_gaps = ask
            await place.runs.backfill_tick()
            place.store.open_gaps = unwell
            await place.clock.settle()
            place.store.open_gaps = ask
            assert place.fill.began == []
            await place.runs.backfill_tick()
            await place.clock.settle()
            assert len(place.fill.began) == 1


class TestOnConnect:
    async def test_it_begins_after_10_to_40_seconds(self):
        async with running(MANY) as place:
            for account in MANY:
                await place.owe(account)
                place.runs.on_connected(account)
            await place.clock.advance(9.9)
            assert place.fill.began == []
            await place.clock.advance(30.2 + 3 * 20)
            assert sorted(place.fill.accounts) == list(MANY)
            assert {job.trigger for job in place.fill.began} == {Trigger.CONNECT}

    async def test_five_reconnects_in_a_row_cause_one_run(self):
        async with running() as place:
            await place.owe()
            place.fill.scripts["a"] = failing()
            for _ in range(5):
                place.runs.on_connected("a")
                await place.clock.advance(45)
            assert len(place.fill.began) == 1

    async def test_reconnects_while_it_runs_are_absorbed(self):
        async with running() as place:
            await place.owe()
            place.fill.seconds = 500
            for _ in range(5):
                place.runs.on_connected("a")
                await place.clock.advance(50)
            await place.clock.advance(1000)
            assert len(place.fill.began) == 1

    async def test_only_if_it_still_is_connected(self):
        async with running() as place:
            await place.owe()
            place.runs.on_connected("a")
            place.status["a"] = "reconnecting"
            await place.clock.advance(41)
            assert place.fill.began == []

    async def test_it_waits_until_what_waited_for_us_has_come(self):
        async with running() as place:
            await place.owe()
            place.caught_up = False
            place.runs.on_connected("a")
            await place.clock.advance(300)
            assert place.fill.began == []
            place.caught_up = True
            await place.clock.advance(41)
            assert len(place.fill.began) == 1

    async def test_the_cooldown_counts_unless_the_absence_has_opened_a_gap(self):
        async with running() as place:
            await place.owe()
            await place.owe(number=2, ago_ms=2 * HOUR_MS)

            async def half(job, note):
                return Filled(work=Work())

            place.fill.scripts["a"] = half
            await place.runs.backfill_tick()
            await place.clock.advance(11 * 60)
            place.runs.on_connected("a")
            await place.clock.advance(41)
            assert len(place.fill.began) == 1
            await place.owe(number=3, opened_ago_ms=5)
            place.runs.on_connected("a")
            await place.clock.advance(41)
            assert len(place.fill.began) == 2


class TestByHand:
    async def test_it_runs_whatever_holds_back_others(self):
        """No cooldown, no backoff, and also where nothing is due: somebody asked for it."""
        async with running() as place:
            for _ in range(3):
                job = await begin(place)
                assert (job.state, job.trigger) == (JobState.PENDING, Trigger.MANUAL)
                await place.clock.advance(30)
                assert (await place.store.job(job.id)).state is JobState.DONE
            assert len(place.fill.began) == 3

    async def test_whoever_asks_while_one_runs_is_told_who(self):
        async with running() as place:
            job = await begin(place)
            for kind in Kind:
                with pytest.raises(Busy) as told:
                    await begin(place, kind=kind)
                assert (told.value.holder, told.value.job) == ("one.1", job.id)
            assert len(await place.jobs()) == 1

    async def test_also_while_another_instance_or_system_works_on_it(self):
        async with running() as place:
            lock = await place.leases.lock(place.terms["a"], kind="backfill", run="old", life_s=600)
            place.leases.table.locks["a"] = replace(lock, token=None, owner="old-system")
            with pytest.raises(Busy) as told:
                await begin(place)
            assert (told.value.holder, told.value.job) == ("old-system", "old")
            await place.clock.advance(601)
            await begin(place)

    async def test_they_wait_for_a_slot_and_can_be_cancelled_there(self):
        async with running(MANY) as place:
            jobs = [await begin(place, account) for account in MANY[:4]]
            await place.clock.settle()
            assert place.fill.accounts == ["a0", "a1"]
            cancelled = await place.runs.cancel(jobs[2].id)
            assert (cancelled.state, cancelled.started_at_ms) == (JobState.CANCELLED, None)
            await place.clock.advance(50)
            assert place.fill.accounts == ["a0", "a1", "a3"]
            assert place.leases.table.locks == {}
            assert "a2" not in [account for account, _ in place.told]

    async def test_an_account_must_be_known_connected_and_ours(self):
        async with running() as place:
            with pytest.raises(AccountUnknown):
                await begin(place, "nobody")
            place.owned = False
            with pytest.raises(NotConnected):
                await begin(place)
            place.owned, place.status["a"] = True, "needs_qr"
            with pytest.raises(NotConnected, match="needs_qr"):
                await begin(place)
            assert await place.jobs() == []

    @pytest.mark.parametrize("fault", list(LeaseFault))
    async def test_what_could_not_be_locked_or_kept_leaves_nothing_behind(self, fault):
        async with running() as place:
            place.leases.inject(fault, "lock", times=1)
            with pytest.raises(DocumentsUnavailable):
                await begin(place)
            await place.clock.advance(901)  # a lock that nobody knows of ends by itself
            place.store.unwell = "disk full"
            with pytest.raises(StoreUnwell):
                await begin(place)
            place.store.unwell = None
            assert (await place.jobs(), place.leases.table.locks) == ([], {})
            await begin(place)

    async def test_a_known_id_is_given_back_and_never_run_twice(self):
        async with running() as place:
            first = await begin(place, job_id="mine")
            assert (await begin(place, job_id="mine")).id == first.id == "mine"
            await place.clock.advance(30)
            again = await begin(place, job_id="mine")
            assert again.state is JobState.DONE
            assert len(place.fill.began) == 1

    async def test_two_at_once_with_one_id_are_one(self):
        async with running() as place:
            place.leases.there_s = 1
            async with asyncio.TaskGroup() as callers:
                both = [callers.create_task(begin(place, job_id="mine")) for _ in range(2)]
                await place.clock.advance(5)
            assert [task.result().id for task in both] == ["mine", "mine"]
            await place.clock.advance(60)
            assert len(place.fill.began) == 1

    async def test_a_dry_run_comes_back_with_its_plan_and_holds_nobody_up(self):
        plan = Plan(threads=1, gaps=2, requests=3, writes=4, cost_usd=0.1)

        async def planned(job, note):
            await note(Work(), ())
            return Filled(work=Work(), plan=plan)

        async with running() as place:
            await begin(place)
            place.status["a"] = "disconnected"
            place.fill.scripts["a"] = planned
            job = await begin(place, dry_run=True, job_id="plan")
            assert (job.state, job.plan) == (JobState.DONE, plan)
            assert await place.store.job("plan") == job
            assert place.leases.calls == ["lock"]

    @pytest.mark.parametrize("kind", [Kind.BACKFILL, Kind.RESYNC])
    async def test_while_history_is_held_back_nothing_is_asked_for_that_could_never_land(self, kind):
        async with running(holds_back=True) as place:
            with pytest.raises(HistoryHeldBack, match="WHATSAPP_HISTORY_SYNC_DRY_RUN"):
                await begin(place, kind=kind)
            assert (place.leases.calls, await place.jobs()) == ([], [])
            place.fill.seconds = 0
            assert (await begin(place, kind=kind, dry_run=True)).state is JobState.DONE

    async def test_a_resync_has_its_bounds_and_no_limit_but_the_page(self):
        async with running() as place:
            bounds = Bounds(since_ms=1, until_ms=2, chats=("15550001111@s.whatsapp.net",))
            await begin(place, kind=Kind.RESYNC, bounds=bounds)
            await place.clock.settle()
            (job,), (limits,) = place.fill.began, place.fill.limits
            assert (job.bounds, limits.page) == (bounds, 20)
            assert (limits.threads, limits.thread) == (1_000_000, None)


class TestEnds:
    async def test_trouble_is_a_failure_with_its_code(self):
        async with running() as place:
            await place.owe()
            place.fill.scripts["a"] = failing()
            await place.runs.backfill_tick()
            await place.clock.advance(1)
            (job,) = await place.jobs()
            assert (job.state, job.error_code, job.error_message) == (
                JobState.FAILED,
                "phone_unreachable",
                "nobody there",
            )
            assert job.work.errors == 1

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (StoreUnwell(), "store_unwell"),
            (DocumentsUnavailable(), "firestore_unavailable"),
            (KeyError("x"), "exception"),
            (RuntimeError(), "exception"),
        ],
    )
    async def test_whatever_breaks_the_job_says_so_and_the_account_is_free(self, error, code):
        async def broken(job, note):
            await note(Work(threads=3), (ThreadResult(thread="t", status="ok"),) * 12)
            raise error

        async with running() as place:
            place.fill.scripts["a"] = broken
            job = await begin(place)
            await place.clock.advance(1)
            job = await place.store.job(job.id)
            assert (job.state, job.error_code, job.work.threads, len(job.results)) == (JobState.FAILED, code, 3, 10)
            assert job.error_message
            assert place.leases.table.locks == {}
            await begin(place)

    async def test_a_lost_lock_ends_the_work(self):
        async with running() as place:
            place.fill.scripts["a"] = hang
            job = await begin(place)
            await place.clock.settle()
            place.leases.table.locks.clear()
            await place.clock.advance(301)
            job = await place.store.job(job.id)
            assert (job.state, job.error_code) == (JobState.FAILED, "lease_lost")
            assert place.fill.active == []

    async def test_a_lost_account_ends_it_at_once(self):
        async with running() as place:
            place.fill.scripts["a"] = hang
            job = await begin(place)
            await place.clock.settle()
            place.runs.on_lost("b")
            place.runs.on_lost("a")
            await place.clock.settle()
            assert (await place.store.job(job.id)).error_code == "lease_lost"
            assert place.fill.active == []

    async def test_a_running_one_is_cancelled_and_its_lock_released(self):
        async with running() as place:
            place.fill.scripts["a"] = hang
            job = await begin(place)
            await place.clock.settle()
            job = await place.runs.cancel(job.id)
            assert (job.state, job.error_code) == (JobState.CANCELLED, "cancelled")
            assert await place.store.job(job.id) == job
            assert (place.leases.table.locks, place.fill.active) == ({}, [])
            assert await place.runs.cancel(job.id) == job
            assert await place.runs.cancel("nobody") is None
            await begin(place)

    async def test_it_is_cancelled_also_before_its_task_has_begun(self):
        async with running() as place:
            job = await begin(place)
            cancelled = await place.runs.cancel(job.id)
            assert cancelled.state is JobState.CANCELLED
            assert (place.fill.began, place.leases.table.locks) == ([], {})
            await begin(place)

    async def test_one_that_falls_silent_is_ended(self):
        async with running() as place:
            place.fill.scripts["a"] = hang
            job = await begin(place)
            await place.go_on(600, backfill=False)
            assert place.fill.active
            await place.go_on(60, backfill=False)
            job = await place.store.job(job.id)
            assert (job.state, job.error_code) == (JobState.FAILED, "no_heartbeat")
            assert (place.leases.table.locks, place.fill.active) == ({}, [])

    async def test_one_that_waits_for_firestore_is_not_taken_for_hung_however_long_that_is_away(self):
        async with running() as place:
            back = asyncio.Event()

            async def wait(job, note):
                await back.wait()
                return Filled(work=Work(requests=1, fetched=20, stored=20))

            place.fill.scripts["a"] = wait
            job = await begin(place)
            place.held_up = True
            await place.go_on(3 * 3600, backfill=False)
            assert (await place.store.job(job.id)).state is JobState.RUNNING
            place.held_up = False
            await place.go_on(540, backfill=False)
            back.set()
            await place.clock.settle()
            job = await place.store.job(job.id)
            assert (job.state, job.work.stored) == (JobState.DONE, 20)

    async def test_one_that_hangs_after_firestore_came_back_is_ended(self):
        async with running() as place:
            place.fill.scripts["a"] = hang
            job = await begin(place)
            place.held_up = True
            await place.go_on(3600, backfill=False)
            place.held_up = False
            await place.go_on(660, backfill=False)
            assert (await place.store.job(job.id)).error_code == "no_heartbeat"

    async def test_one_that_says_that_it_lives_may_take_hours(self):
        async def slow(job, note):
            for threads in range(60):
                await place.clock.sleep(240)
                await note(Work(threads=threads), ())
            return Filled(work=Work())

        async with running() as place:
            place.fill.scripts["a"] = slow
            job = await begin(place)
            await place.go_on(3600)
            beat = await place.store.job(job.id)
            assert place.clock.wall_ms() - beat.beat_at_ms <= 240_000
            await place.go_on(4 * 3600)
            assert (await place.store.job(job.id)).state is JobState.DONE

    async def test_waiting_for_a_slot_is_no_silence(self):
        async def slow(job, note):
            for _ in range(30):
                await place.clock.sleep(60)
                await note(Work(), ())
            return Filled(work=Work())

        async with running(MANY) as place:
            place.fill.scripts[None] = slow
            jobs = [await begin(place, account) for account in MANY[:3]]
            await place.go_on(3660)
            assert [(await place.store.job(job.id)).state for job in jobs] == [JobState.DONE] * 3

    async def test_an_end_that_could_not_be_kept_is_kept_later(self):
        async with running() as place:
            place.fill.scripts["a"] = failing()
            job = await begin(place)
            await place.clock.settle()
            del place.fill.scripts["a"]
            job = await begin(place)
            await place.clock.advance(15)
            place.store.unwell = "disk full"
            await place.go_on(120, backfill=False)
            assert (await place.store.job(job.id)).state is JobState.RUNNING
            place.store.unwell = None
            await place.go_on(60, backfill=False)
            assert (await place.store.job(job.id)).state is not JobState.RUNNING


class TestOverLives:
    async def crashed(self, before, *jobs):
        """An earlier life that left these jobs, the first one under its lock."""
        for job in jobs:
            await before.store.put_job(job)
        await before.leases.lock(before.terms["a"], kind=jobs[0].kind, run=jobs[0].id, life_s=900)

    def job(self, place, id="j", **more):
        now_ms = place.clock.wall_ms()
        known = {"account": "a", "kind": Kind.BACKFILL, "trigger": Trigger.PERIODIC, "created_at_ms": now_ms}
        begun = {"state": JobState.RUNNING, "started_at_ms": now_ms, "beat_at_ms": now_ms}
        return Job(id=id, **{**known, **begun, **more})

    async def test_a_crash_blocks_nobody(self):
        """Its job is failed, its lock ends with its term, and the next tick after the backoff runs."""
        async with running() as first:
            await first.owe(ago_ms=8 * HOUR_MS)
            await self.crashed(first, self.job(first))
            await first.clock.advance(60)
        async with running(before=first) as place:
            await place.runs.resume()
            job = await place.store.job("j")
            assert (job.state, job.error_code) == (JobState.FAILED, "interrupted")
            assert job.ended_at_ms == job.started_at_ms
            assert place.fields()["lastAutoBackfillStatus"]["running"] is False
            await place.go_on(TICK_S + 60)
            assert states(await place.jobs()) == [JobState.FAILED, JobState.DONE]

    async def test_those_by_hand_do_not_go_on_while_history_is_held_back_and_say_why(self):
        async with running() as first:
            await self.crashed(first, self.job(first, trigger=Trigger.MANUAL))
        async with running(before=first, holds_back=True) as place:
            await place.runs.resume()
            await place.go_on(300)
            job = await place.store.job("j")
            assert (job.state, job.error_code, place.fill.began) == (JobState.FAILED, "history_dry_run", [])

    async def test_those_by_hand_go_on_under_their_id_once_their_account_is_connected(self):
        async with running() as first:
            waiting = self.job(first, "p", state=JobState.PENDING, trigger=Trigger.ADMIN, started_at_ms=None)
            await self.crashed(first, self.job(first, trigger=Trigger.MANUAL), waiting)
        async with running(before=first) as place:
            place.status["a"] = "connecting"
            await place.runs.resume()
            await place.go_on(300)
            assert place.fill.began == []
            place.status["a"] = "connected"
            place.runs.on_connected("a")
            await place.clock.settle()
            assert [job.id for job in place.fill.began] == ["j"]
            await place.go_on(180)
            assert [job.id for job in place.fill.began] == ["j", "p"]
            assert states(await place.jobs()) == [JobState.DONE] * 2

    async def test_one_that_goes_on_waits_for_whoever_has_the_account(self):
        async with running() as first:
            await first.store.put_job(self.job(first, trigger=Trigger.MANUAL))
        async with running(before=first) as place:
            lock = await place.leases.lock(place.terms["a"], kind="backfill", run="old", life_s=200)
            place.leases.table.locks["a"] = replace(lock, token=None, owner="old-system")
            await place.runs.resume()
            await place.go_on(180, recent_sync=False)
            assert place.fill.began == []
            await place.go_on(120, recent_sync=False)
            assert [job.id for job in place.fill.began] == ["j"]

    async def test_one_that_is_just_going_on_can_be_cancelled_also_where_that_fails(self):
        async with running() as first:
            await first.store.put_job(self.job(first, trigger=Trigger.MANUAL))
        async with running(before=first) as place:
            place.leases.there_s = 1
            place.leases.inject(LeaseFault.LOST, "lock")
            await place.runs.resume()
            await place.clock.settle()
            cancelled, _ = await asyncio.gather(place.runs.cancel("j"), place.clock.advance(2))
            assert cancelled.state is JobState.CANCELLED
            place.leases.heal()
            await place.go_on(180)
            assert place.fill.began == []

    async def test_one_whose_account_never_connects_again_is_given_up_after_a_day(self):
        async with running() as first:
            await first.store.put_job(self.job(first, trigger=Trigger.MANUAL))
        async with running(before=first) as place:
            place.status["a"] = "needs_qr"
            await place.runs.resume()
            await place.go_on(23 * 3600)
            assert (await place.store.job("j")).state is JobState.RUNNING
            await place.go_on(2 * 3600)
            job = await place.store.job("j")
            assert (job.state, job.error_code) == (JobState.FAILED, "not_connected")

    async def test_one_that_waits_to_go_on_can_be_cancelled(self):
        async with running() as first:
            await first.store.put_job(self.job(first, trigger=Trigger.MANUAL))
        async with running(before=first) as place:
            place.status["a"] = "connecting"
            await place.runs.resume()
            assert (await place.runs.cancel("j")).state is JobState.CANCELLED
            place.status["a"] = "connected"
            await place.go_on(180)
            assert place.fill.began == []

    @pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.PERIODIC])
    async def test_stopping_takes_a_second_and_leaves_those_by_hand_unfinished(self, trigger):
        async with running() as place:
            await place.owe()
            place.fill.scripts["a"] = hang
            if trigger is Trigger.PERIODIC:
                await place.runs.backfill_tick()
            else:
                await begin(place)
            await place.clock.settle()
            place.leases.there_s = 1000
            await asyncio.gather(place.runs.stop(), place.clock.advance(1.1))
            (job,) = await place.jobs()
            by_hand = trigger is Trigger.MANUAL
            assert job.state is (JobState.RUNNING if by_hand else JobState.FAILED)
            assert job.error_code == (None if by_hand else "interrupted")
            assert place.fields()["autoBackfillLeaseHolder"] is None
            assert place.fill.active == []

    async def test_stopped_and_started_again_a_run_by_hand_goes_on(self):
        async with running() as first:
            job = await begin(first)
            await first.clock.advance(5)
        async with running(before=first) as place:
            await place.runs.resume()
            await place.clock.advance(30)
            (ended,) = await place.jobs()
            assert (ended.id, ended.state) == (job.id, JobState.DONE)


class TestDocument:
    async def test_an_automatic_backfill_is_told_from_its_start_to_its_end(self):
        async with running() as place:
            await place.owe()
            await place.runs.backfill_tick()
            await place.clock.advance(1)
            fields = place.fields()
            assert fields["lastAutoBackfillStatus"]["running"] is True
            assert fields["autoBackfillLeaseHolder"] == "one.1"
            await place.clock.advance(30)
            fields = place.fields()
            assert fields["lastAutoBackfillStatus"]["ok"] is True
            assert (fields["lastBackfillStatus"], fields["autoBackfillLeaseHolder"]) == ("success", None)
            assert len(place.told) == 2

    async def test_what_nobody_sees_is_not_told(self):
        """A run that never began."""
        async with running(MANY) as place:
            place.fill.scripts[None] = hang
            for account in MANY[:3]:
                job = await begin(place, account)
            await place.clock.settle()
            await place.runs.cancel(job.id)
            assert [account for account, _ in place.told] == ["a0", "a1"]


class TestLogLines:
    """What operators grep for: realtime|recent-sync|auto-backfill, and [backfill-lock]."""

    async def lines(self, do):
        async with running() as place:
            with capture_logs() as logs:
                await do(place)
                await place.clock.advance(30)
        return logs

    async def test_an_automatic_backfill(self):
        async def do(place):
            await place.owe()
            await place.runs.backfill_tick()

        logs = await self.lines(do)
        assert [line["event"] for line in logs] == [
            "[auto-backfill] AutoBackfill tick:",
            "[backfill-lock] acquired",
            "[auto-backfill] Backfill start",
            "[backfill-lock] released",
            "[auto-backfill] Backfill end",
        ]
        assert logs[0]["eligibleAccounts"] == 1
        assert {"accountId": "a", "trigger": "periodic", "holder": "one.1"}.items() <= logs[2].items()
        assert {"accountId": "a", "threads": 1, "messages": 7, "durationMs": 20_000}.items() <= logs[4].items()

    @pytest.mark.parametrize(
        ("kind", "tag"),
        [(Kind.RECENT_SYNC, "[recent-sync] "), (Kind.BACKFILL, "[backfill] "), (Kind.RESYNC, "[resync] ")],
    )
    async def test_one_by_hand_that_fails(self, kind, tag):
        async def do(place):
            place.fill.scripts["a"] = failing()
            await begin(place, kind=kind)

        logs = await self.lines(do)
        assert logs[-1]["event"].startswith(tag)
        assert {"log_level": "warning", "errorCode": "phone_unreachable"}.items() <= logs[-1].items()

    async def test_a_busy_lock(self):
        async def do(place):
            await begin(place)
            lock = place.leases.table.locks["a"]
            await place.clock.advance(30)
            await place.owe()
            place.leases.table.locks["a"] = replace(lock, token=None, owner="old", expires_at_ms=1 << 50)
            await place.runs.recent_sync_tick()

        logs = await self.lines(do)
        assert {"event": "[backfill-lock] busy", "holder": "old"}.items() <= logs[-2].items()
        assert {"event": "[recent-sync] Recent-sync skipped", "reason": "lease"}.items() <= logs[-1].items()
