"""Daemons that share accounts: who connects, who writes, what it costs.

They are put together as the daemon does, in virtual time, and share the store of leases and documents. Each has a
bridge, keys and a journal of its own.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from linked import PHONE, SERVER, TIMEOUT_S, GatedBridge

from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.journal import Commit, DeclaredAccount
from whatsapp_backend.domain.leases import Instance, Mode, Term, Timings
from whatsapp_backend.flows.account_documents import AccountDocuments
from whatsapp_backend.flows.connect import Connector
from whatsapp_backend.flows.fetch import Asker
from whatsapp_backend.flows.ingest import Ingest
from whatsapp_backend.flows.lead import Lead
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.lease_table import LeaseTable
from whatsapp_backend.testing.memory_documents import MemoryDocuments
from whatsapp_backend.testing.memory_leases import LeaseFault, MemoryLeases
from whatsapp_backend.testing.memory_store import MemoryStore

A = "account_demo_a"
PATH = f"accounts/{A}"


class Town:
    """What all daemons share."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.tasks = tasks
        self.clock = FakeClock()
        self.table = LeaseTable()
        self.documents = MemoryDocuments(self.clock)
        self.daemons: list[Daemon] = []

    async def daemon(self, name: str, *accounts: str, home: str = "") -> "Daemon":
        """One that has these accounts' keys, given the time to settle."""
        store = MemoryStore()
        for number, account in enumerate(accounts):
            await store.commit(Commit(account=account, id="0", creds="{}"))
            await store.declare(
                DeclaredAccount(account=account, phone=PHONE, name="Shop", server=SERVER, created_at_ms=number)
            )
        made = Daemon(self, name, store, home)
        self.daemons.append(made)
        await made.boot()
        return made

    async def until(self, true: Any, limit_s: float = 60.0) -> float:
        """How long it takes. At every moment each account has one connection at most."""
        start_s = self.clock.monotonic_s()
        while not true():
            assert self.clock.monotonic_s() < start_s + limit_s, "never"
            await self.clock.advance(0.05)
            self.check()
        return self.clock.monotonic_s() - start_s

    def check(self) -> None:
        """No account is connected twice."""
        for account in {account for daemon in self.daemons for account in daemon.open}:
            assert sum(account in daemon.open for daemon in self.daemons) <= 1

    @property
    def fields(self) -> dict[str, Any]:
        """What the document of the one account says."""
        return dict(self.documents.documents[PATH].fields)


class Daemon:
    """Lead, connector, ingest and account documents over a scripted bridge whose sockets open at once."""

    def __init__(self, town: Town, name: str, store: MemoryStore, home: str) -> None:
        self.town = town
        self.leases = MemoryLeases(town.clock, documents=town.documents, table=town.table)
        self.leases.there_s = self.leases.back_s = 0.02
        self.bridge = Bridge(town.clock)
        self.lead = Lead(
            store=self.leases,
            clock=town.clock,
            rng=random.Random(name),
            instance=Instance(id=f"{name}.1", nonce=name, home=home),
            timings=Timings(),
            on_owned=self._on_owned,
            on_lost=self._on_lost,
            on_mode=lambda _: None,
        )
        self.documents = AccountDocuments(
            leases=self.leases,
            documents=town.documents,
            owner=self.lead,
            clock=town.clock,
            worker={"instanceId": name},
        )
        self.connector = Connector(
            accounts=store,
            keys=store,
            journal=store,
            gateway=self.bridge,
            clock=town.clock,
            rng=random.Random(name),
            tasks=town.tasks,
            owner=self.lead,
            server=SERVER,
            full_history=True,
            connect_timeout_s=TIMEOUT_S,
            on_change=self.documents.on_change,
        )
        self.ingest = Ingest(
            journal=store,
            keys=store,
            gateway=self.bridge,
            connector=self.connector,
            asker=Asker(self.bridge, store, town.clock, timeout_s=60, is_connected=lambda _: True),
            on_journaled=lambda: None,
            on_heard=lambda *_: None,
            tasks=town.tasks,
        )
        self.loops: list[asyncio.Task[None]] = []

    @property
    def open(self) -> set[str]:
        """The accounts that are connected from here."""
        return self.bridge.open

    @property
    def view(self) -> AccountView:
        """The one account."""
        view = self.connector.view(A)
        assert view
        return view

    def _on_owned(self, term: Term) -> None:
        self.connector.on_owned(term)
        self.documents.on_owned(term)

    def _on_lost(self, term: Term) -> None:
        self.connector.on_lost(term)

    async def boot(self) -> None:
        await self.connector.load()
        self.bridge.come_up(self.ingest)
        self.loops += [self.town.tasks.create_task(loop) for loop in (self.lead.run(), self.documents.run())]
        await self.town.clock.advance(2)

    def crash(self) -> None:
        """kill -9, and the bridge with it."""
        for loop in self.loops:
            loop.cancel()
        for link in self.connector._running.values():
            link.cancel()
        self.bridge.open.clear()

    async def stop(self) -> None:
        """As the daemon does it."""
        await self.connector.stop()
        await self.documents.drained()
        await self.lead.release()
        self.loops[1].cancel()


class Bridge(GatedBridge):
    """Opens what it is told to start. `open` is what WhatsApp sees."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.open: set[str] = set()

    async def do(self, command: str, *, account: str | None = None, timeout_s: float, **args: object) -> Any:
        answer = await super().do(command, account=account, timeout_s=timeout_s, **args)
        if account and command == "start":
            self.open.add(account)
            self.state(account, "open", me={"id": f"{PHONE.lstrip('+')}:3@s.whatsapp.net"})
        elif account:
            self.open.discard(account)
        return answer

    def halt(self, account: str, reason: str) -> None:
        super().halt(account, reason)
        self.open.discard(account)


@asynccontextmanager
async def town() -> AsyncIterator[Town]:
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        made = Town(tasks)
        yield made
        for daemon in made.daemons:
            daemon.crash()


async def test_one_connects_the_other_is_passive_and_says_whose_it_is() -> None:
    async with town() as made:
        one, two = await made.daemon("one", A), await made.daemon("two", A)
        assert (one.open, two.open) == ({A}, set())
        assert (made.fields["status"], made.fields["claimedBy"]) == ("connected", "one")
        standing = two.lead.standing()
        assert (standing.mode, standing.held_by) == (Mode.PASSIVE, "one")
        assert "instance one owns every account" in str(standing.reason)
        assert (two.view.status, two.view.passive_reason) == ("passive", "instance one owns this account")
        assert one.lead.standing().reason is None


async def test_after_a_crash_the_other_connects_within_twenty_seconds_and_writes_the_whole_status() -> None:
    async with town() as made:
        one, two = await made.daemon("one", A), await made.daemon("two", A)
        await made.clock.advance(30)
        one.crash()
        assert await made.until(lambda: two.open) < 20
        await made.clock.advance(1)
        assert (made.fields["status"], made.fields["claimedBy"]) == ("connected", "two")
        assert made.fields["worker"] == {"instanceId": "two"}


async def test_after_a_clean_stop_the_other_connects_within_two_seconds_and_not_before_the_goodbye() -> None:
    async with town() as made:
        one, two = await made.daemon("one", A), await made.daemon("two", A)
        one.bridge.gates["stop"] = asyncio.Event()
        stopping = made.tasks.create_task(one.stop())
        await made.clock.advance(5)
        assert two.open == set(), "its socket may still be open"
        one.bridge.gates["stop"].set()
        assert await made.until(lambda: two.open) <= 2.1
        assert stopping.done()
        await made.clock.advance(1)
        assert made.fields["status"] == "connected"


async def test_a_restart_in_the_same_home_connects_at_once() -> None:
    async with town() as made:
        one = await made.daemon("one", A, home="here")
        one.crash()
        assert (await made.daemon("one", A, home="here")).open == {A}


async def test_who_cannot_renew_closes_its_socket_before_another_may_own_and_writes_nothing_any_more() -> None:
    async with town() as made:
        one, two = await made.daemon("one", A), await made.daemon("two", A)
        one.leases.inject(LeaseFault.LOST)
        assert await made.until(lambda: not one.open) < 15
        assert (one.view.status, one.lead.standing().mode) == ("passive", Mode.PASSIVE)
        assert "lost" in str(one.view.passive_reason)
        await made.until(lambda: two.open)
        one.leases.heal()
        before = one.leases.calls.count("write")
        await made.clock.advance(120)
        assert one.view.passive_reason == "instance two owns this account"
        assert one.leases.calls.count("write") == before
        assert (one.open, made.fields["claimedBy"]) == (set(), "two")


async def test_a_lone_daemon_goes_on_by_itself_after_an_outage() -> None:
    async with town() as made:
        one = await made.daemon("one", A)
        one.leases.inject(LeaseFault.LOST)
        await made.until(lambda: not one.open)
        await made.clock.advance(3600)
        one.leases.heal()
        assert await made.until(lambda: one.open) < 5
        await made.clock.advance(1)
        assert made.fields["status"] == "connected"


async def test_an_outage_shorter_than_the_lease_is_not_noticed_by_whatsapp() -> None:
    async with town() as made:
        one = await made.daemon("one", A)
        one.leases.inject(LeaseFault.LOST)
        await made.clock.advance(8)
        one.leases.heal()
        await made.clock.advance(60)
        starts = [asked for asked in one.bridge.asked if asked.command == "start"]
        assert (len(starts), one.bridge.halted, one.open) == (1, [], {A})


async def test_what_whatsapp_says_against_a_term_is_asked_of_the_store() -> None:
    """A broken clock: it still believes, and another took the account long ago."""
    async with town() as made:
        one = await made.daemon("one", A)
        made.table.leave(one.lead.instance)
        two = await made.daemon("two")
        made.table.take(two.lead.instance, [A], ttl_s=15.0, now_s=0.0)
        one.bridge.open.clear()
        one.bridge.state(A, "closed", code=440, reason="replaced")
        await made.clock.advance(1)
        assert (one.lead.term(A), one.lead.holder(A)) == (None, "two.1")
        await made.clock.advance(300)
        assert one.open == set()


async def test_an_idle_lone_daemon_costs_one_heartbeat_whatever_the_number_of_accounts() -> None:
    async with town() as made:
        one = await made.daemon("one", *(f"account_{number}" for number in range(50)))
        await made.clock.advance(30)
        assert len(one.open) == 50
        documents, reads = made.documents.operations.writes, one.leases.operations.reads
        one.leases.calls.clear()
        await made.clock.advance(3600)
        assert set(one.leases.calls) == {"beat"}
        assert len(one.leases.calls) <= 721
        assert (made.documents.operations.writes, one.leases.operations.reads) == (documents, reads)
        assert made.documents.operations.reads == 0


async def test_they_come_crash_stop_and_lose_touch_and_two_are_never_connected() -> None:
    rng = random.Random(11)
    async with town() as made:
        members = [await made.daemon(f"daemon {number}", A) for number in range(3)]
        connected = 0
        for number in range(3, 12):
            victim = rng.randrange(3)
            match number % 3:
                case 0:
                    members[victim].crash()
                case 1:
                    made.tasks.create_task(members[victim].stop())
                case _:
                    members[victim].leases.inject(LeaseFault.LOST)
            for _ in range(50):
                await made.clock.advance(rng.uniform(0.2, 0.6))
                made.check()
                connected += any(daemon.open for daemon in made.daemons)
            members[victim].crash()
            members[victim] = await made.daemon(f"daemon {number}", A)
        assert connected > 150
