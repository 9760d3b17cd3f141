"""Owning accounts: who is told what, when, and what it costs, with instances that share a store and a clock."""

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

from whatsapp_backend.domain.leases import Instance, Mode, Standing, Timings
from whatsapp_backend.domain.writes import Write
from whatsapp_backend.errors import LeaseLost
from whatsapp_backend.flows.lead import Lead
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.lease_table import LeaseTable
from whatsapp_backend.testing.memory_leases import LeaseFault, MemoryLeases

A, B = "account_a", "account_b"
TIMINGS = Timings()


class Member:
    """One instance: its lead, its own line to the store, and what it was told."""

    def __init__(self, world, name, home=""):
        self.clock = world.clock
        self.store = MemoryLeases(world.clock, table=world.table)
        self.store.there_s = self.store.back_s = 0.05
        self.told = []
        self.lead = Lead(
            store=self.store,
            clock=world.clock,
            rng=random.Random(name),
            instance=Instance(id=name, nonce=f"nonce of {name}", home=home),
            timings=TIMINGS,
            on_owned=lambda term: self.tell("owned", term.account),
            on_lost=lambda term: self.tell("lost", term.account),
            on_mode=lambda mode: self.tell("mode", mode.value),
        )
        self.task = world.tasks.create_task(self.lead.run())

    def tell(self, what, of):
        self.told.append((round(self.clock.monotonic_s(), 3), what, of))

    def what_was_told(self):
        return [told[1:] for told in self.told]

    def crash(self):
        self.task.cancel()


class Town:
    def __init__(self, tasks):
        self.tasks = tasks
        self.clock = FakeClock()
        self.table = LeaseTable()
        self.members = []

    async def member(self, name, *accounts, home=""):
        """An instance that wants these, given the time to get them."""
        member = Member(self, name, home)
        self.members.append(member)
        member.lead.want(accounts)
        await self.clock.advance(1)
        return member

    async def until_owned(self, member, account, limit_s=60):
        """How long it takes until this one owns it."""
        start_s = self.clock.monotonic_s()
        while member.lead.term(account) is None:
            assert self.clock.monotonic_s() < start_s + limit_s, "never"
            await self.clock.advance(0.05)
        return self.clock.monotonic_s() - start_s


@asynccontextmanager
async def town():
    async with asyncio.TaskGroup() as tasks:
        made = Town(tasks)
        yield made
        for member in made.members:
            member.task.cancel()


async def test_a_lone_instance_owns_what_it_wants_and_then_reads_nothing():
    """An hour costs one write every five seconds, and nothing else."""
    async with town() as made:
        one = await made.member("one", A, B)
        assert one.what_was_told() == [("owned", A), ("owned", B), ("mode", "active")]
        one.store.calls.clear()
        reads = one.store.operations.reads
        await made.clock.advance(3600)
        assert set(one.store.calls) == {"beat"}
        assert len(one.store.calls) <= 720
        assert one.store.operations.reads == reads
        assert one.lead.mode is Mode.ACTIVE


async def test_many_accounts_cost_one_heartbeat():
    """They are taken a hundred at a time, and renewed all at once."""
    async with town() as made:
        accounts = [f"account_{number}" for number in range(250)]
        one = await made.member("one", *accounts)
        assert all(one.lead.term(account) for account in accounts)
        assert one.store.calls.count("take") == 3
        one.store.calls.clear()
        await made.clock.advance(60)
        assert one.store.calls == ["beat"] * 12


async def test_an_instance_without_accounts_may_work():
    """Somebody must be able to declare the first account, and is not passive for a moment because of it."""
    async with town() as made:
        one = await made.member("one")
        assert one.lead.mode is Mode.ACTIVE
        assert one.store.calls == ["beat"]
        one.lead.want([A])
        await made.clock.advance(1)
        assert one.lead.term(A).token == 1
        assert one.what_was_told() == [("mode", "active"), ("owned", A)]


async def test_the_second_is_passive_and_knows_who_owns():
    """It looks at one heartbeat, however many accounts there are, and owns nothing."""
    async with town() as made:
        one = await made.member("one", A, B)
        two = await made.member("two", A, B)
        assert (two.lead.mode, two.lead.term(A), two.lead.holder(A)) == (Mode.PASSIVE, None, "one")
        assert one.lead.holder(A) == "one"
        await made.clock.advance(60)
        assert not {("owned", A), ("owned", B)} & set(two.what_was_told())
        assert two.store.calls.count("take") == 1
        assert 60 / 1.9 / 1.2 <= two.store.calls.count("look") <= 60 / 1.5


async def test_why_it_is_passive_is_told_with_whoever_has_everything():
    """As its operator calls that instance; there is no such one where several share."""
    async with town() as made:
        fresh = Member(made, "fresh.1")
        made.members.append(fresh)
        assert fresh.lead.standing() == Standing(mode=Mode.PASSIVE, reason="nothing is owned yet")
        await made.member("one.1", A)
        two = await made.member("two.1", A, B)
        three = await made.member("three.1", A)
        assert two.lead.standing() == Standing()
        assert three.lead.standing().held_by == "one"
        three.lead.want([A, B])
        await made.clock.advance(1)
        assert three.lead.standing() == Standing(
            mode=Mode.PASSIVE, reason="other instances own every account that is declared here"
        )
        two.store.inject(LeaseFault.LOST)
        await made.clock.advance(20)
        assert two.lead.standing() == Standing(mode=Mode.PASSIVE, reason="lost: injected")


async def test_it_is_told_once_it_is_known_where_it_stands_or_that_it_cannot_be_known():
    async with town() as made:
        one = Member(made, "one")
        two = Member(made, "two")
        made.members += [one, two]
        one.lead.want([A])
        two.store.there_s = 1000.0
        await made.clock.advance(0.15)
        assert not one.lead.decided.is_set(), "it beats, and has not taken anything yet"
        await made.clock.advance(0.1)
        assert one.lead.decided.is_set() and one.lead.term(A)
        await made.clock.advance(2.7)
        assert not two.lead.decided.is_set()
        await made.clock.advance(0.1)
        assert two.lead.decided.is_set()


@pytest.mark.parametrize("moment", range(12))
async def test_after_a_crash_another_owns_within_twenty_seconds(moment):
    """Wherever between two heartbeats the owner died."""
    async with town() as made:
        one = await made.member("one", A)
        two = await made.member("two", A)
        await made.clock.advance(30 + moment * 0.45)
        one.crash()
        assert 8 < await made.until_owned(two, A) < 20
        assert two.lead.mode is Mode.ACTIVE


@pytest.mark.parametrize("moment", range(12))
async def test_after_a_clean_stop_another_owns_within_two_seconds(moment):
    """Wherever between two looks the owner left; it has lost everything before it says so."""
    async with town() as made:
        one = await made.member("one", A)
        two = await made.member("two", A)
        await made.clock.advance(30 + moment * 0.17)
        leaving = made.tasks.create_task(one.lead.release())
        await made.clock.settle()
        assert one.what_was_told()[-2:] == [("lost", A), ("mode", "passive")]
        assert await made.until_owned(two, A) <= 2
        assert leaving.done() and one.task.done()


async def test_a_restart_in_the_same_home_waits_for_no_lease():
    """A crash costs its restart no more than a beat and a taking."""
    async with town() as made:
        one = await made.member("one", A, home="here")
        one.crash()
        again = await made.member("one again", A, home="here")
        assert again.lead.term(A).token == 2


@pytest.mark.parametrize("fault", LeaseFault)
async def test_failing_calls_change_nothing_until_the_lease_ends(fault):
    """Whatever fails until twelve seconds after the last renewal, nobody is told anything."""
    async with town() as made:
        one = await made.member("one", A)
        told, term = list(one.told), one.lead.term(A)
        one.store.inject(fault)
        await made.clock.advance(11)
        assert one.lead.problem is not None
        one.store.heal()
        await made.clock.advance(30)
        assert (one.told, one.lead.term(A), one.lead.problem) == (told, term, None)


async def test_trust_ends_fourteen_seconds_after_the_start_of_the_last_renewal():
    """Not after its answer; and it is told at that moment, also while a call hangs."""
    async with town() as made:
        one = await made.member("one", A)
        await made.clock.advance(3)  # the next renewal starts at 5 s
        one.store.back_s = 2.0
        await made.clock.advance(4)
        one.store.there_s = 1000.0
        await made.clock.advance(10.9)
        assert one.lead.term(A) is not None
        await made.clock.advance(0.2)
        assert one.lead.term(A) is None
        assert [told for told in one.told if told[1:] == ("lost", A)] == [(19.0, "lost", A)]
        assert one.lead.mode is Mode.PASSIVE


async def test_what_nobody_took_meanwhile_goes_on_under_its_old_term():
    """A long outage of the store alone ends no term."""
    async with town() as made:
        one = await made.member("one", A)
        term = one.lead.term(A)
        one.store.inject(LeaseFault.LOST)
        await made.clock.advance(60)
        assert one.lead.mode is Mode.PASSIVE
        one.store.heal()
        await made.clock.advance(3)
        assert one.lead.term(A) == term
        assert one.what_was_told()[-4:] == [("lost", A), ("mode", "passive"), ("owned", A), ("mode", "active")]


async def test_a_replaced_one_stays_passive_and_cannot_write():
    """Cut off, replaced and back: it sees whose the account is, and its old term opens nothing."""
    async with town() as made:
        one = await made.member("one", A)
        two = await made.member("two", A)
        old = one.lead.term(A)
        one.store.inject(LeaseFault.LOST)
        await made.until_owned(two, A)
        assert one.lead.term(A) is None
        one.store.heal()
        await made.clock.advance(30)
        assert (one.lead.mode, one.lead.holder(A)) == (Mode.PASSIVE, "two")
        assert one.what_was_told().count(("owned", A)) == 1
        writing = made.tasks.create_task(refused(one.store.write(old, [Write(path="accounts/a", fields={})])))
        await made.clock.advance(1)
        assert await writing
        assert two.lead.term(A).token == old.token + 1


async def refused(writing):
    try:
        await writing
    except LeaseLost:
        return True
    return False


async def test_a_taking_of_unknown_outcome_is_asked_again():
    """It took effect and nobody said so: the nonce tells, and no second term begins."""
    async with town() as made:
        one = Member(made, "one")
        made.members.append(one)
        one.store.inject(LeaseFault.AMBIGUOUS, "take", times=1)
        one.lead.want([A])
        await made.clock.advance(1)
        assert one.lead.term(A) is None
        await made.clock.advance(2)
        assert one.lead.term(A).token == 1
        assert one.store.calls.count("take") == 2


async def test_what_is_not_wanted_any_more_is_lost_and_another_takes_it_within_two_seconds():
    """The heartbeat goes on and keeps the rest."""
    async with town() as made:
        one = await made.member("one", A, B)
        two = await made.member("two", A, B)
        await made.clock.advance(10)
        one.lead.want([B])
        assert one.what_was_told()[-1] == ("lost", A)
        assert await made.until_owned(two, A) <= 2.3
        assert (one.lead.term(B).token, two.lead.term(A).token) == (1, 2)
        assert (one.lead.mode, two.lead.mode) == (Mode.ACTIVE, Mode.ACTIVE)


async def test_what_is_wanted_again_comes_back():
    """Given up and wanted again before anybody took it."""
    async with town() as made:
        one = await made.member("one", A)
        one.lead.want([])
        one.lead.want([A])
        await made.clock.advance(2)
        assert one.lead.term(A).token == 2
        assert [what for what in one.what_was_told() if what[0] != "mode"] == [("owned", A), ("lost", A), ("owned", A)]


async def test_a_term_that_a_write_disproved_is_lost_at_once_and_asked_for_again():
    """Clocks may be broken; the store is not. Where the term was in force after all, it goes on."""
    async with town() as made:
        one = await made.member("one", A)
        term = one.lead.term(A)
        one.lead.disproved(term)
        assert one.what_was_told()[-1] == ("lost", A)
        await made.clock.advance(1)
        assert one.lead.term(A) == term
        made.table.give(one.lead.instance, [term])
        two = await made.member("two", A)
        assert two.lead.term(A) is not None, "one still believes: nobody told it"
        one.lead.disproved(term)
        await made.clock.advance(1)
        assert (one.lead.term(A), one.lead.holder(A), one.lead.mode) == (None, "two", Mode.PASSIVE)


async def test_releasing_does_not_wait_for_a_call_that_hangs():
    """The call is cut off, and the store told at once."""
    async with town() as made:
        one = await made.member("one", A)
        await made.clock.advance(3.5)
        one.store.there_s = 1000.0
        await made.clock.advance(1)
        assert one.store.calls[-1] == "beat"
        one.store.heal()
        leaving = made.tasks.create_task(one.lead.release())
        await made.clock.settle()
        assert leaving.done()
        assert one.store.calls[-1] == "leave"


async def test_releasing_is_tried_until_it_is_heard():
    """Whoever stops it decides how long that may take."""
    async with town() as made:
        one = await made.member("one", A)
        one.store.inject(LeaseFault.LOST, "leave", times=2)
        leaving = made.tasks.create_task(one.lead.release())
        await made.clock.advance(2)
        assert not leaving.done()
        await made.clock.advance(2)
        assert leaving.done()


async def test_releasing_before_running_does_nothing():
    """May be stopped before it was started, and twice."""
    async with town() as made:
        one = Member(made, "one")
        made.members.append(one)
        await one.lead.release()
        await one.lead.release()
        await made.clock.settle()
        assert one.task.done()
        assert one.store.calls == []


async def test_three_of_them_never_own_one_account_together():
    """They come, crash and come back for ten minutes; at every moment at most one has the term."""
    rng = random.Random(7)
    async with town() as made:
        owners = 0
        members = [await made.member(f"one {number}", A) for number in range(3)]
        for number in range(3, 15):
            victim = rng.randrange(3)
            members[victim].crash()
            for _ in range(80):
                await made.clock.advance(rng.uniform(0.1, 0.6))
                owning = [member for member in members if member.lead.term(A) and not member.task.done()]
                owners += len(owning)
                assert len(owning) <= 1
            members[victim] = await made.member(f"one {number}", A)
        assert owners > 300
