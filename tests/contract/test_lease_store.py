"""The ports LeaseStore and RunLocks: one suite for the fake and for Firestore."""

import asyncio
import uuid

import pytest
from owner import FixedOwner

from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.leases import FirestoreLeases
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.leases import Instance, RunLock, Sighting, Term
from whatsapp_backend.domain.writes import Result, Write
from whatsapp_backend.errors import DocumentsUnavailable, LeaseLost, OurBug
from whatsapp_backend.flows.account_documents import AccountDocuments
from whatsapp_backend.testing.memory_documents import MemoryDocuments
from whatsapp_backend.testing.memory_leases import LeaseFault, MemoryLeases

A, B = "account_a", "account_b"
TTL_S = 0.4
WELL_S = 30.0
"""A life that no heartbeat outlasts, and one that none reaches here."""


@pytest.fixture(params=["memory", "firestore"])
def documents(request):
    return MemoryDocuments() if request.param == "memory" else FirestoreDocuments(request.getfixturevalue("firestore"))


@pytest.fixture
def store(request, documents):
    if isinstance(documents, MemoryDocuments):
        return MemoryLeases(documents=documents)
    return FirestoreLeases(request.getfixturevalue("firestore"))


def instance(name, home=""):
    return Instance(id=f"{name}.{uuid.uuid4().hex[:6]}", nonce=uuid.uuid4().hex, home=home)


async def beating(store, name, home=""):
    made = instance(name, home)
    assert await store.beat(made, register=True)
    return made


async def owning(store, name, *accounts, home=""):
    made = await beating(store, name, home)
    taken = await store.take(made, accounts, ttl_s=WELL_S)
    assert {sighting.term.holder for sighting in taken.values()} == {made.id}
    return made, [taken[account].term for account in accounts]


async def grown_old(store, holder):
    """Wait, by the server's clock, until the heartbeat is older than TTL_S."""
    while (await store.look([holder.id]))[holder.id].age_s <= TTL_S:
        await SystemClock().sleep(0.05)


# -- Heartbeats ----------------------------------------------------------------------------------------------------


async def test_a_heartbeat_is_made_and_renewed_and_its_age_is_the_servers(store):
    """The age counts from the last renewal; it tells nothing of any client's clock."""
    one = await beating(store, "one")
    await grown_old(store, one)
    assert await store.beat(one, register=False)
    assert 0 <= (await store.look([one.id]))[one.id].age_s < TTL_S


async def test_a_heartbeat_that_is_not_there_is_not_renewed(store):
    """Whoever was ended learns of it, and does not come to life again by a renewal."""
    one = instance("one")
    assert not await store.beat(one, register=False)
    assert await store.look([one.id]) == {}
    await store.beat(one, register=True)
    await store.leave(one)
    assert not await store.beat(one, register=False)


async def test_making_a_heartbeat_twice_is_as_once(store):
    """The outcome of the first time may be unknown."""
    one = await beating(store, "one")
    assert await store.beat(one, register=True)
    assert await store.beat(one, register=False)


async def test_leaving_twice_is_as_once(store):
    """The outcome of the first time may be unknown."""
    one = await beating(store, "one")
    await store.leave(one)
    await store.leave(one)
    assert await store.look([one.id]) == {}


# -- Terms ---------------------------------------------------------------------------------------------------------


async def test_the_first_one_takes_and_the_second_is_told_who(store):
    """What is owned by the living is not taken."""
    one, (term,) = await owning(store, "one", A)
    assert term == Term(account=A, holder=one.id, token=1, nonce=one.nonce)
    two = await beating(store, "two")
    era = (await store.look([one.id]))[one.id].era
    assert await store.take(two, [A], ttl_s=WELL_S) == {A: Sighting(term=term, era=era)}


async def test_taking_again_begins_no_new_term(store):
    """After an unknown outcome asking again tells, by the nonce, that it is one's own."""
    one, (term,) = await owning(store, "one", A)
    assert (await store.take(one, [A], ttl_s=WELL_S))[A].term == term


async def test_the_same_name_with_another_nonce_is_somebody_else(store):
    """Two lives that were given one id by mistake do not both own."""
    one, (term,) = await owning(store, "one", A)
    twin = Instance(id=one.id, nonce="another")
    assert (await store.take(twin, [A], ttl_s=WELL_S))[A].term == term


async def test_a_dead_instances_accounts_are_taken_with_a_higher_token_and_its_heartbeat_ends(store):
    """The sleeper that wakes finds no heartbeat to renew."""
    one, (term,) = await owning(store, "one", A)
    await grown_old(store, one)
    two = await beating(store, "two")
    taken = (await store.take(two, [A], ttl_s=TTL_S))[A].term
    assert (taken.holder, taken.token) == (two.id, term.token + 1)
    assert not await store.beat(one, register=False)


async def test_who_renews_in_time_is_not_taken_from(store):
    """A heartbeat just renewed keeps all terms, however old they are."""
    one, (term,) = await owning(store, "one", A)
    await grown_old(store, one)
    await store.beat(one, register=False)
    two = await beating(store, "two")
    assert (await store.take(two, [A], ttl_s=WELL_S))[A].term == term


async def test_who_left_is_taken_from_at_once(store):
    """A clean stop is one write, for any number of accounts."""
    one, _ = await owning(store, "one", A, B)
    await store.leave(one)
    two = await beating(store, "two")
    taken = await store.take(two, [A, B], ttl_s=WELL_S)
    assert {sighting.term.holder for sighting in taken.values()} == {two.id}


async def test_an_earlier_life_of_the_same_home_is_dead(store):
    """A restart after a crash waits for no lease: the locked state directory tells that the other one is gone."""
    one, _ = await owning(store, "one", A, home="here")
    again = await beating(store, "one", home="here")
    assert (await store.take(again, [A], ttl_s=WELL_S))[A].term.holder == again.id
    assert not await store.beat(one, register=False)
    elsewhere = await beating(store, "one", home="there")
    assert (await store.take(elsewhere, [A], ttl_s=WELL_S))[A].term.holder == again.id


async def test_some_are_free_and_some_are_not(store):
    """One call answers for each account by itself."""
    one, _ = await owning(store, "one", A)
    two = await beating(store, "two")
    taken = await store.take(two, [A, B], ttl_s=WELL_S)
    assert (taken[A].term.holder, taken[B].term.holder) == (one.id, two.id)


async def test_what_was_given_up_is_free_and_begins_an_era_of_the_heartbeat(store):
    """Others look at heartbeats only: another era tells them to look at the terms again."""
    one, (a, b) = await owning(store, "one", A, B)
    before = (await store.look([one.id]))[one.id].era
    await store.give(one, [a])
    era = (await store.look([one.id]))[one.id].era
    assert era != before
    two = await beating(store, "two")
    taken = await store.take(two, [A, B], ttl_s=WELL_S)
    assert (taken[A].term.holder, taken[A].term.token) == (two.id, a.token + 1)
    assert taken[B] == Sighting(term=b, era=era)


async def test_a_heartbeat_made_anew_is_another_era(store):
    """Who was taken from comes back under its name: that it beats does not say that it owns what it owned."""
    one = await beating(store, "one")
    before = (await store.look([one.id]))[one.id].era
    await store.beat(one, register=False)
    assert (await store.look([one.id]))[one.id].era == before
    await store.leave(one)
    await SystemClock().sleep(0.002)
    await store.beat(one, register=True)
    assert (await store.look([one.id]))[one.id].era != before


async def test_an_old_term_is_not_given_up_in_place_of_a_new_one(store):
    """Who lost an account cannot free it."""
    one, (term,) = await owning(store, "one", A)
    await store.leave(one)
    two, (newer,) = await owning(store, "two", A)
    await store.give(one, [term])
    assert (await store.take(two, [A], ttl_s=WELL_S))[A].term == newer


async def test_of_many_who_want_it_at_once_one_gets_it(store):
    """Every one of them is told the same."""
    crowd = [await beating(store, f"one {number}") for number in range(3)]
    answers = await asyncio.gather(*(store.take(one, [A], ttl_s=WELL_S) for one in crowd), return_exceptions=True)
    told = {answer[A].term for answer in answers if isinstance(answer, dict)}
    assert len(told) == 1, answers
    assert (await store.take(crowd[0], [A], ttl_s=WELL_S))[A].term in told


# -- Fenced writes -------------------------------------------------------------------------------------------------


async def test_a_fenced_write_lands_while_the_term_is_in_force(store, documents):
    """All of its writes land, masks and server times as ever."""
    _, (term,) = await owning(store, "one", A)
    await documents.write([Write(path="accounts/a", fields={"kept": 1, "n": 1})])
    writes = [
        Write(path="accounts/a", fields={"n": 2}, mask=("n",), server_times=("updatedAt",)),
        Write(path="jobs/j", fields={"state": "done"}),
    ]
    assert [outcome.result for outcome in await store.write(term, writes)] == [Result.LANDED] * 2
    found = await documents.read(["accounts/a", "jobs/j"])
    assert found["accounts/a"].fields.keys() == {"kept", "n", "updatedAt"}
    assert (found["accounts/a"].fields["n"], found["jobs/j"].fields) == (2, {"state": "done"})


async def test_a_replaced_holder_cannot_write(store, documents):
    """The sleeper that wakes changes nothing, whatever its own clock tells it."""
    one, (term,) = await owning(store, "one", A)
    await store.leave(one)
    _, (newer,) = await owning(store, "two", A)
    with pytest.raises(LeaseLost):
        await store.write(term, [Write(path="accounts/a", fields={"by": "one"})])
    assert await documents.read(["accounts/a"]) == {}
    await store.write(newer, [Write(path="accounts/a", fields={"by": "two"})])


async def test_who_gave_up_cannot_write(store):
    """Also while nobody else owns it."""
    one, (term,) = await owning(store, "one", A)
    await store.give(one, [term])
    with pytest.raises(LeaseLost):
        await store.write(term, [Write(path="accounts/a", fields={})])


async def test_one_impossible_write_keeps_all_of_them_out(store, documents):
    """All or none."""
    _, (term,) = await owning(store, "one", A)
    writes = [Write(path="accounts/a", fields={}), Write(path="accounts/b", fields={"x": object()})]
    assert [outcome.result for outcome in await store.write(term, writes)] == [Result.INVALID] * 2
    assert await documents.read(["accounts/a"]) == {}


async def test_a_fenced_write_has_no_other_condition(store):
    """Two conditions could fail for two reasons; nobody could tell them apart."""
    _, (term,) = await owning(store, "one", A)
    with pytest.raises(OurBug):
        await store.write(term, [Write(path="accounts/a", fields={}, must_not_exist=True)])


async def test_fenced_writes_do_not_wait_for_the_heartbeat(store):
    """They read the quiet document only."""
    one, (term,) = await owning(store, "one", A)

    async def renew():
        for _ in range(20):
            assert await store.beat(one, register=False)

    async def work():
        for number in range(20):
            (outcome,) = await store.write(term, [Write(path="accounts/a", fields={"n": number})])
            assert outcome.result is Result.LANDED

    async with asyncio.timeout(10):
        await asyncio.gather(renew(), work())


async def test_a_cancelled_write_holds_no_lock(store):
    """Cancelled anywhere on its way, it leaves nothing that a change of the owner must wait for."""
    one, (term,) = await owning(store, "one", A)
    loop = asyncio.get_running_loop()
    for waited_ms in range(25):
        writing = loop.create_task(store.write(term, [Write(path="accounts/a", fields={"n": waited_ms})]))
        await asyncio.wait([writing], timeout=waited_ms / 1000)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    async with asyncio.timeout(1.5):  # a lock left behind takes the emulator two seconds
        await store.give(one, [term])


# -- Locks of runs -------------------------------------------------------------------------------------------------


async def test_one_run_at_a_time(store):
    """The second is told which run is there, and of what kind."""
    one, (term,) = await owning(store, "one", A)
    lock = await store.lock(term, kind="backfill", run="r1", life_s=30)
    assert (lock.owner, lock.kind, lock.run, lock.token) == (one.id, "backfill", "r1", term.token)
    assert lock.expires_at_ms - lock.started_at_ms == 30_000
    assert await store.lock(term, kind="recent_sync", run="r2", life_s=30) == lock


async def test_locking_again_is_as_once(store):
    """After an unknown outcome asking again tells that it is one's own; it began when it began."""
    _, (term,) = await owning(store, "one", A)
    lock = await store.lock(term, kind="backfill", run="r1", life_s=30)
    again = await store.lock(term, kind="backfill", run="r1", life_s=30)
    assert (again.run, again.started_at_ms) == ("r1", lock.started_at_ms)
    assert again.expires_at_ms >= lock.expires_at_ms


async def test_a_renewed_lock_lives_longer(store):
    """From the renewal on, by the server's clock."""
    _, (term,) = await owning(store, "one", A)
    lock = await store.lock(term, kind="backfill", run="r1", life_s=1)
    renewed = await store.renew(term, lock, life_s=30)
    assert renewed.expires_at_ms >= lock.expires_at_ms + 28_000
    assert (await store.lock(term, kind="backfill", run="r2", life_s=1)).run == "r1"


async def test_an_expired_lock_is_a_crash_and_the_next_run_runs(store):
    """And the run that was late can neither renew nor release what is another's by now."""
    _, (term,) = await owning(store, "one", A)
    lock = await store.lock(term, kind="backfill", run="r1", life_s=0)
    await SystemClock().sleep(0.01)
    newer = await store.lock(term, kind="backfill", run="r2", life_s=30)
    assert newer.run == "r2"
    with pytest.raises(LeaseLost):
        await store.renew(term, lock, life_s=30)
    await store.unlock(lock)
    assert await store.lock(term, kind="backfill", run="r3", life_s=30) == newer


async def test_a_released_lock_is_free(store):
    """Releasing twice is as once."""
    _, (term,) = await owning(store, "one", A)
    lock = await store.lock(term, kind="backfill", run="r1", life_s=30)
    await store.unlock(lock)
    await store.unlock(lock)
    assert (await store.lock(term, kind="backfill", run="r2", life_s=30)).run == "r2"


async def test_a_replaced_owner_can_neither_lock_nor_renew_and_its_lock_holds_nobody_up(store):
    """A takeover does not wait a quarter of an hour for the dead one's run."""
    one, (term,) = await owning(store, "one", A)
    lock = await store.lock(term, kind="backfill", run="r1", life_s=900)
    await store.leave(one)
    _, (newer,) = await owning(store, "two", A)
    assert (await store.lock(newer, kind="backfill", run="r2", life_s=30)).run == "r2"
    with pytest.raises(LeaseLost):
        await store.renew(term, lock, life_s=900)
    with pytest.raises(LeaseLost):
        await store.lock(term, kind="backfill", run="r3", life_s=900)


# -- Without an answer ---------------------------------------------------------------------------------------------


@pytest.fixture
async def silent(request, documents, unused_tcp_port):
    """A store that cannot be reached."""
    if isinstance(documents, MemoryDocuments):
        store = MemoryLeases()
        store.inject(LeaseFault.LOST)
        yield store
        return
    client = firestore_client("demo-nowhere", emulator_host=f"127.0.0.1:{unused_tcp_port}")
    yield FirestoreLeases(client, timeout_s=2)
    await close(client)


async def test_without_an_answer_every_call_says_so_in_its_way(silent):
    """One kind of error for all, whatever it was; and writes say that they may or may not have landed."""
    one = instance("one")
    term = Term(account=A, holder=one.id, token=1, nonce=one.nonce)
    lock = RunLock(account=A, owner=one.id, kind="backfill", run="r", token=1, expires_at_ms=1, started_at_ms=0)
    for call in (
        silent.beat(one, register=True),
        silent.beat(one, register=False),
        silent.take(one, [A], ttl_s=15),
        silent.look([one.id]),
        silent.give(one, [term]),
        silent.leave(one),
        silent.lock(term, kind="backfill", run="r", life_s=30),
        silent.renew(term, lock, life_s=30),
        silent.unlock(lock),
    ):
        with pytest.raises(DocumentsUnavailable):
            await call
    (outcome,) = await silent.write(term, [Write(path="accounts/a", fields={})])
    assert outcome.result is Result.RETRY


# -- What it costs -------------------------------------------------------------------------------------------------


async def test_a_renewal_is_one_write_and_no_read(store):
    """Whatever the number of accounts."""
    one, _ = await owning(store, "one", A, B)
    before = (store.operations.reads, store.operations.writes, store.operations.rpcs)
    await store.beat(one, register=False)
    assert (store.operations.reads, store.operations.writes, store.operations.rpcs) == (
        before[0],
        before[1] + 1,
        before[2] + 1,
    )


# -- Account documents ---------------------------------------------------------------------------------------------


async def test_what_a_replaced_owner_tells_of_an_account_does_not_land(store, documents):
    """It learns of it by the write; what its successor wrote stays."""
    _, (old,) = await owning(store, "one", A, home="here")
    _, (new,) = await owning(store, "one again", A, home="here")
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        told = {}
        for term in (new, old):
            owner = FixedOwner()
            told[term] = AccountDocuments(
                leases=store, documents=documents, owner=owner, clock=SystemClock(), worker={"instanceId": term.holder}
            )
            owner.own(A, term)
            owner.on_lost = lambda _, lost=owner: lost.is_anothers(A, new.holder)
            running = tasks.create_task(told[term].run())
            told[term].tell(A, {"lastBackfillStatus": f"of {term.token}"}, urgent=True)
            await told[term].drained()
            running.cancel()
        assert owner.disputed == [old]
    fields = (await documents.read([f"accounts/{A}"]))[f"accounts/{A}"].fields
    assert (fields["lastBackfillStatus"], fields["claimedBy"]) == ("of 2", "one again")
