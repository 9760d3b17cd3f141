"""Leads on a real Firestore emulator and a real clock: takeover, handover, and a sleeper that wakes."""

import asyncio
import os
import random
import signal
import sys
import uuid
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.leases import FirestoreLeases
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.leases import Instance, Mode, Timings
from whatsapp_backend.domain.writes import Result, Write
from whatsapp_backend.errors import LeaseLost
from whatsapp_backend.flows.lead import Lead

ACCOUNTS = [f"account_{number}" for number in range(30)]
A = ACCOUNTS[0]
TIMINGS = Timings(ttl_s=6.0, renew_s=1.5, retry_s=0.5, margin_s=0.5, call_s=3.0)
SOONEST_AFTER_A_CRASH_S = TIMINGS.ttl_s - TIMINGS.renew_s - 0.5
CLOCK = SystemClock()


def lead_of(store):
    return Lead(
        store=store,
        clock=CLOCK,
        rng=random.Random(1),
        instance=Instance(id=uuid.uuid4().hex, nonce=uuid.uuid4().hex),
        timings=TIMINGS,
        on_owned=lambda _: None,
        on_lost=lambda _: None,
        on_mode=lambda _: None,
    )


async def until(true, limit_s=20.0):
    """Seconds until this is true."""
    start_s = CLOCK.monotonic_s()
    while not true():
        assert CLOCK.monotonic_s() < start_s + limit_s, "never"
        await CLOCK.sleep(0.02)
    return CLOCK.monotonic_s() - start_s


@asynccontextmanager
async def two_leads(client):
    """The first owns everything, the second waits for it."""
    stores = [FirestoreLeases(client), FirestoreLeases(client)]
    leads = [lead_of(store) for store in stores]
    async with asyncio.TaskGroup() as tasks:
        running = []
        for lead in leads:
            lead.want(ACCOUNTS)
            running.append(tasks.create_task(lead.run()))
            await until(lambda: leads[0].term(A) is not None)
        await until(lambda: leads[1].holder(A) == leads[0].instance.id)
        yield leads, stores, running
        for task in running:
            task.cancel()


async def test_who_leaves_is_followed_sooner_than_who_dies(firestore):
    """All thirty accounts go over with one write and one transaction. The two seconds that it may take are counted in
    tests/unit/test_lead.py, by a clock of its own; here a busy machine counts, too.
    """
    async with two_leads(firestore) as (leads, _, _):
        await leads[0].release()
        assert await until(lambda: all(leads[1].term(account) for account in ACCOUNTS)) < SOONEST_AFTER_A_CRASH_S
        assert leads[1].mode is Mode.ACTIVE


async def test_who_dies_is_followed_when_its_lease_has_ended(firestore):
    """Not before: it might only be slow."""
    async with two_leads(firestore) as (leads, _, running):
        died_s = CLOCK.monotonic_s()
        running[0].cancel()
        await until(lambda: leads[1].term(A) is not None)
        assert SOONEST_AFTER_A_CRASH_S < CLOCK.monotonic_s() - died_s < TIMINGS.ttl_s + 15
        assert leads[0].term(A) is None, "trust ends before the lease, also where nothing runs"


async def test_a_sleeper_that_wakes_changes_nothing(firestore):
    """Its last write was on its way all the time; the account's document stays the new owner's."""
    documents = FirestoreDocuments(firestore)
    async with two_leads(firestore) as (leads, stores, running):
        old = leads[0].term(A)
        running[0].cancel()
        await until(lambda: leads[1].term(A) is not None)
        mine = Write(path=f"accounts/{A}", fields={"by": "the new one"})
        (outcome,) = await stores[1].write(leads[1].term(A), [mine])
        assert outcome.result is Result.LANDED
        with pytest.raises(LeaseLost):
            await stores[0].write(old, [Write(path=f"accounts/{A}", fields={"by": "the sleeper"})])
        assert (await documents.read([mine.path]))[mine.path].fields == {"by": "the new one"}


async def test_a_process_that_was_put_to_sleep_wakes_as_nobody(firestore, firestore_project, firestore_emulator):
    """SIGSTOP, takeover, SIGCONT: it knows at once, its writes are refused, and it does not come back."""
    script = Path(__file__).with_name("lease_sleeper.py")
    timings = [str(number) for number in (TIMINGS.ttl_s, TIMINGS.renew_s, TIMINGS.retry_s)]
    arguments = [firestore_project, firestore_emulator.address, A, *timings]
    sleeper = await asyncio.create_subprocess_exec(
        sys.executable, script, *arguments, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        said = await heard(sleeper, "owned")
        sleeper.send_signal(signal.SIGSTOP)
        async with asyncio.TaskGroup() as tasks:
            lead = lead_of(store := FirestoreLeases(firestore))
            lead.want([A])
            running = tasks.create_task(lead.run())
            await until(lambda: lead.term(A) is not None)
            mine = Write(path=f"accounts/{A}", fields={"by": "the new one"})
            await store.write(lead.term(A), [mine])
            sleeper.send_signal(signal.SIGCONT)
            said += await heard(sleeper, "refused")
            async with asyncio.timeout(20):
                said += (await sleeper.stdout.read()).decode().split()
            assert (await FirestoreDocuments(firestore).read([mine.path]))[mine.path].fields == mine.fields
            assert lead.term(A) is not None
            running.cancel()
        assert said.count("owned") == 1
        assert said.count("lost") == 1
        assert said[-1] != "active"
    finally:
        if sleeper.returncode is None:
            os.killpg(sleeper.pid, signal.SIGKILL)
        await sleeper.wait()


async def heard(process, word):
    """Everything said until this word."""
    said = []
    async with asyncio.timeout(30):
        while word not in said:
            line = await process.stdout.readline()
            assert line, said
            said += [line.decode().split()[-1]]
    return said


async def test_standing_by_costs_one_read_a_look(firestore):
    """Whatever the number of accounts; and the owner reads nothing."""
    async with two_leads(firestore) as (_, stores, _):
        before = [(store.operations.reads, store.operations.rpcs) for store in stores]
        await until(lambda: stores[1].operations.rpcs >= before[1][1] + 6)
        assert stores[0].operations.reads == before[0][0]
        assert stores[1].operations.reads - before[1][0] <= stores[1].operations.rpcs - before[1][1]
