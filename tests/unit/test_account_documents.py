"""What an account's document tells: its status at once, diagnostics now and then, and never a secret."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
from linked import ACCOUNT, PHONE
from owner import ME, FixedOwner

from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.events import PARTS, Content, MessageSeen, Origin, Status
from whatsapp_backend.domain.journal import Entry, NewEntry
from whatsapp_backend.domain.leases import Instance
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.domain.writes import Outcome, Write
from whatsapp_backend.flows.account_documents import AccountDocuments
from whatsapp_backend.flows.publish import Published
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.lease_table import LeaseTable
from whatsapp_backend.testing.memory_documents import Fault, MemoryDocuments
from whatsapp_backend.testing.memory_leases import LeaseFault, MemoryLeases

HOUR_S = 3600.0
PATH = f"accounts/{ACCOUNT}"
VIEW = AccountView(account=ACCOUNT, phone=PHONE, name="Shop", created_at_ms=1_795_328_371_000, status="connecting")


def seen(seq: int, *, origin: Origin = Origin.LIVE, part: int = 0, sent_at_ms: int = 1000) -> MessageSeen:
    """A message of a window."""
    return MessageSeen(
        order=seq * PARTS + part,
        account=ACCOUNT,
        client_jid="15550002222@s.whatsapp.net",
        message_id=f"M{seq}-{part}",
        sender=None,
        sender_name=None,
        sent_at_ms=sent_at_ms,
        origin=origin,
        sync_source="realtime",
        status=Status.NONE,
        failed=False,
        content=Content(kind="text"),
        key={},
    )


def entry(seq: int, kind: str, payload: Any, *, origin: str = "history") -> Entry:
    """An entry of a window."""
    new = NewEntry(kind=kind, source=f"s{seq}", origin=origin, received_at_ms=1, payload=orjson.dumps(payload))
    return Entry(seq=seq, account=ACCOUNT, new=new)


def history(first: int, count: int, *, total: int | None = None, result: str = "complete") -> Published:
    """A window with one record of so many messages, and its end."""
    return Published(
        seen=[seen(first, origin=Origin.HISTORY, part=part) for part in range(count)],
        entries=[
            entry(first, "history", {}),
            entry(first + 1, "history-end", {"messages": count if total is None else total, "result": result}),
        ],
    )


class World:
    """Account documents over documents and leases in memory."""

    def __init__(self, memory: MemoryDocuments, table: LeaseTable) -> None:
        self.clock = FakeClock()
        self.memory = memory
        self.leases = MemoryLeases(self.clock, documents=memory, table=table)
        self.owner = FixedOwner()
        self.documents = AccountDocuments(
            leases=self.leases, documents=memory, owner=self.owner, clock=self.clock, worker={"service": "x"}
        )
        self.owner.on_owned = self.documents.on_owned

    async def own(self, account: str = ACCOUNT, *, name: str = ME) -> None:
        """It is ours, also for the store."""
        taken = self.leases.table.take(Instance(id=name, nonce=name), [account], ttl_s=15.0, now_s=0.0)
        self.owner.own(account, taken[account].term)
        await self.clock.settle()

    @property
    def fields(self) -> dict[str, Any]:
        """The account's document."""
        return dict(self.memory.documents[PATH].fields)

    @property
    def writes(self) -> int:
        """How many so far."""
        return self.memory.operations.writes

    async def change(self, **changes: Any) -> None:
        """The connection changed."""
        self.documents.on_change(replace(VIEW, **changes))
        await self.clock.settle()

    async def publish(self, published: Published) -> None:
        """A window landed."""
        self.documents.on_published(published)
        await self.clock.settle()


@asynccontextmanager
async def running(
    memory: MemoryDocuments | None = None, *, table: LeaseTable | None = None, owned: bool = True
) -> AsyncIterator[World]:
    """Its loop runs."""
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        world = World(memory or MemoryDocuments(), table or LeaseTable())
        loop = tasks.create_task(world.documents.run())
        if owned:
            await world.own()
        yield world
        loop.cancel()


async def test_a_status_is_written_at_once_however_recent_the_last_write() -> None:
    async with running() as world:
        for status in ("connecting", "qr_ready", "pairing", "connected", "reconnecting"):
            await world.change(status=status)
            assert world.fields["status"] == status
        assert world.writes == 5


async def test_what_its_document_does_not_show_costs_no_write() -> None:
    async with running() as world:
        await world.change(status="connected")
        await world.change(status="connected", caught_up=True, offline_received=7)
        await world.clock.advance(60)
        assert world.writes == 1


async def test_diagnostics_are_written_at_most_every_fifteen_seconds() -> None:
    async with running() as world:
        await world.change(status="connected")
        for n in range(140):
            await world.publish(Published(seen=[seen(n, sent_at_ms=n)], entries=[]))
            await world.clock.advance(0.1)
        assert world.writes == 1
        await world.clock.advance(1.5)
        assert world.writes == 2
        assert world.fields["lastRealtimeMessageAt"] == at_ms(139)
        await world.clock.advance(HOUR_S)
        assert world.writes == 2


async def test_first_diagnostics_are_not_held_back() -> None:
    async with running() as world:
        await world.publish(Published(seen=[seen(1)], entries=[]))
        assert world.writes == 1
        assert world.documents.realtime[ACCOUNT]["lastRealtimeMessageAt"] == at_ms(1000)


async def test_a_status_takes_waiting_diagnostics_along() -> None:
    async with running() as world:
        await world.change(status="connected")
        await world.publish(Published(seen=[seen(1)], entries=[]))
        await world.change(status="reconnecting")
        assert world.writes == 2
        assert world.fields["lastRealtimeMessageAt"] == at_ms(1000)


async def test_history_is_no_live_ingestion() -> None:
    async with running() as world:
        await world.publish(Published(seen=[seen(1, origin=Origin.HISTORY)], entries=[]))
        assert world.memory.documents == {}
        assert world.documents.realtime == {}


async def test_no_document_ever_holds_a_pairing_secret() -> None:
    async with running() as world:
        await world.change(status="qr_ready", qr="2@secret,of,pairing")
        assert world.fields["status"] == "qr_ready"
        assert world.fields["requiresQR"] is True
        assert "secret" not in str(world.memory.documents)


async def test_the_document_holds_what_the_runbook_names() -> None:
    async with running() as world:
        await world.change(
            status="connected",
            wa_jid="15550001111@s.whatsapp.net",
            last_connected_at_ms=5,
            last_disconnected_at_ms=4,
            last_disconnect_code=428,
            last_disconnect_reason="closed",
            retry_count=2,
            next_retry_at_ms=6,
        )
        fields = world.fields
        assert (fields["accountId"], fields["name"], fields["phone"]) == (ACCOUNT, "Shop", PHONE)
        assert fields["phoneE164"] == PHONE
        assert fields["createdAt"] == "2026-11-22T06:19:31Z"
        assert (fields["lastConnectedAt"], fields["lastDisconnectedAt"]) == (at_ms(5), at_ms(4))
        assert (fields["lastDisconnectCode"], fields["lastDisconnectReason"]) == (428, "closed")
        assert (fields["retryCount"], fields["nextRetryAt"]) == (2, at_ms(6))
        assert fields["worker"] == {"service": "x"}
        assert "updatedAt" in fields


async def test_what_a_new_life_does_not_know_yet_it_leaves_as_it_was() -> None:
    async with running() as world:
        await world.change(status="connected", wa_jid="15550001111@s.whatsapp.net", last_connected_at_ms=5)
    async with running(world.memory) as again:
        await again.change(status="connecting", last_error="now")
        assert (again.fields["waJid"], again.fields["lastConnectedAt"]) == ("15550001111@s.whatsapp.net", at_ms(5))
        await again.change(status="connecting")
        assert again.fields["lastError"] is None


async def test_a_history_tells_how_it_ended_and_the_count_goes_on_over_histories_and_restarts() -> None:
    async with running() as world:
        await world.publish(history(1, 30))
        assert world.fields["historySyncCount"] == 30
        assert world.fields["lastHistorySyncResult"] == {
            "saved": 30,
            "skipped": 0,
            "errors": 0,
            "total": 30,
            "dryRun": False,
        }
        await world.publish(history(3, 10, total=12))
        await world.publish(history(5, 5, result="failed"))
        await world.change(status="connected")
        assert world.fields["historySyncCount"] == 45
        assert world.fields["lastHistorySyncResult"]["errors"] == 1
        assert "lastHistorySyncAt" in world.fields
    assert world.memory.operations.reads == 1
    async with running(world.memory) as again:
        await again.publish(history(7, 2))
        assert again.fields["historySyncCount"] == 47


async def test_two_histories_in_one_window_are_each_told_for_themselves() -> None:
    async with running() as world:
        one, two = history(1, 30), history(3, 4, total=9)
        await world.publish(Published(seen=[*one.seen, *two.seen], entries=[*one.entries, *two.entries]))
        assert world.fields["historySyncCount"] == 34
        assert world.fields["lastHistorySyncResult"]["saved"] == 4
        assert world.fields["lastHistorySyncResult"]["skipped"] == 5


async def test_a_history_over_several_windows_is_told_once_and_refused_messages_are_not_saved() -> None:
    async with running() as world:
        whole = history(1, 10)
        await world.publish(
            Published(seen=whole.seen, entries=whole.entries[:1], refused=frozenset({whole.seen[0].order}))
        )
        assert world.memory.documents == {}
        await world.publish(Published(seen=[], entries=whole.entries[1:]))
        assert world.fields["lastHistorySyncResult"]["saved"] == 9
        assert world.fields["lastHistorySyncResult"]["skipped"] == 1


async def test_a_page_somebody_asked_for_is_no_history_sync() -> None:
    async with running() as world:
        end = entry(2, "history-end", {"messages": 50, "result": "complete", "session": "R1"}, origin="ondemand")
        await world.publish(Published(seen=[], entries=[end]))
        assert world.memory.documents == {}


async def test_odd_ends_of_histories_harm_nobody() -> None:
    async with running() as world:
        odd = [entry(n, "history-end", payload) for n, payload in enumerate(([], "x", {"messages": "many"}, None))]
        await world.publish(Published(seen=[], entries=odd))
        await world.change(status="connected")
        assert world.fields["status"] == "connected"


async def test_what_waits_is_written_before_the_end_and_never_beside_another_version() -> None:
    class Held(MemoryDocuments):
        gate: asyncio.Event
        statuses: list[Any]

        async def write(self, writes: Sequence[Write]) -> list[Outcome]:
            self.statuses += [write.fields["status"] for write in writes]
            await self.gate.wait()
            return await super().write(writes)

    memory = Held()
    memory.gate, memory.statuses = asyncio.Event(), []
    async with running(memory) as world, asyncio.TaskGroup() as tasks:
        await world.change(status="connected")
        world.documents.on_change(replace(VIEW, status="disconnected"))
        tasks.create_task(world.documents.drained())
        await world.clock.settle()
        assert memory.statuses == ["connected"], "the older version could land last"
        memory.gate.set()
        await world.clock.settle()
        assert memory.statuses == ["connected", "disconnected"]
        assert world.fields["status"] == "disconnected"


async def test_a_document_that_is_refused_holds_up_no_other() -> None:
    async with running() as world:
        await world.own("account_other")
        world.memory.inject(Fault.INVALID, paths=[PATH])
        await world.change(status="connected")
        await world.change(account="account_other", status="connected")
        assert PATH not in world.memory.documents
        assert "accounts/account_other" in world.memory.documents


# -- Ownership ---------------------------------------------------------------------------------------------------------


async def test_of_an_account_that_is_not_owned_nothing_is_written_and_its_new_owner_writes_the_whole_status() -> None:
    async with running(owned=False) as world:
        await world.change(status="connecting")
        await world.change(status="disconnected", last_error="why")
        await world.clock.advance(60)
        assert world.leases.calls == []
        await world.own()
        assert (world.fields["status"], world.fields["lastError"], world.fields["name"]) == (
            "disconnected",
            "why",
            "Shop",
        )
        assert world.leases.calls == ["write"]


async def test_who_claimed_it_is_written_once_a_term() -> None:
    async with running(owned=False) as world:
        await world.change(status="connected")
        await world.own()
        claimed = world.fields["claimedAt"]
        assert world.fields["claimedBy"] == "me"
        await world.clock.advance(60)
        await world.change(status="reconnecting")
        assert world.fields["claimedAt"] == claimed
        world.owner.lose(ACCOUNT, to="you.2")
        await world.own(name="me.1 again")
        assert world.fields["claimedAt"] > claimed


async def test_a_replaced_owner_lands_nothing_says_so_and_forgets_what_it_wanted_to_write() -> None:
    async with running() as world:
        await world.change(status="connected")
        world.leases.table.give(Instance(id=ME, nonce=ME), [world.leases.table.terms[ACCOUNT]])
        world.leases.table.take(Instance(id="you", nonce="you"), [ACCOUNT], ttl_s=15.0, now_s=0.0)
        world.owner.on_owned = lambda _: None
        await world.change(status="reconnecting")
        assert world.fields["status"] == "connected"
        assert len(world.owner.disputed) == 1
        await world.clock.advance(60)
        assert world.leases.calls.count("write") == 2, "it is not tried again"


async def test_what_is_told_while_another_owns_the_account_is_never_written() -> None:
    async with running() as world:
        await world.change(status="connected")
        world.owner.lose(ACCOUNT, to="you.2")
        world.documents.tell(ACCOUNT, {"old": True})
        await world.publish(Published(seen=[seen(1)], entries=[]))
        await world.own(name="me.1 again")
        await world.clock.advance(60)
        assert not {"old", "lastRealtimeMessageAt"} & world.fields.keys()


async def test_what_is_told_while_nobody_knows_whose_it_is_waits_and_the_old_term_goes_on() -> None:
    """As in an outage of Firestore that is longer than the lease."""
    async with running() as world:
        await world.change(status="connected")
        term = world.owner.term(ACCOUNT)
        world.owner.lose(ACCOUNT)
        await world.publish(Published(seen=[seen(1)], entries=[]))
        await world.clock.advance(60)
        assert world.writes == 1
        world.owner.own(ACCOUNT, term)
        await world.clock.settle()
        assert world.fields["lastRealtimeMessageAt"] == at_ms(1000)


async def test_what_did_not_land_is_written_again_under_what_is_newer() -> None:
    async with running() as world:
        await world.change(status="connected")
        world.leases.inject(LeaseFault.LOST, "write")
        await world.change(status="reconnecting", last_error="first")
        assert "lost" in str(world.documents.problem)
        await world.publish(history(1, 30))
        await world.clock.advance(60)
        await world.publish(history(3, 12))
        await world.clock.advance(60)
        await world.change(status="connected")
        world.leases.heal()
        assert world.fields["status"] == "connected" and "historySyncCount" not in world.fields
        await world.clock.advance(31)
        assert (world.fields["status"], world.fields["lastError"]) == ("connected", None)
        assert world.fields["historySyncCount"] == 42
        assert world.documents.problem is None


async def test_a_write_of_unknown_outcome_counts_no_history_twice() -> None:
    async with running() as world:
        world.leases.inject(LeaseFault.AMBIGUOUS, "write", times=1)
        await world.publish(history(1, 30))
        await world.clock.advance(5)
        await world.publish(history(3, 12))
        await world.clock.advance(60)
        assert world.fields["historySyncCount"] == 42


async def test_others_may_add_fields_at_once_or_in_time() -> None:
    async with running() as world:
        await world.change(status="connected")
        world.documents.tell(ACCOUNT, {"lastBackfillStatus": "running", "lastBackfillError": None})
        await world.clock.advance(5)
        assert "lastBackfillStatus" not in world.fields
        world.documents.tell(ACCOUNT, {"autoBackfillLeaseHolder": "me"}, urgent=True)
        await world.clock.settle()
        assert world.fields["autoBackfillLeaseHolder"] == "me"
        assert (world.fields["lastBackfillStatus"], world.fields["lastBackfillError"]) == ("running", None)


async def test_two_hundred_documents_are_written_several_at_a_time_and_none_beside_itself() -> None:
    accounts = [f"account_{number}" for number in range(200)]
    async with running() as world:
        world.leases.there_s = world.leases.back_s = 0.05
        together: list[int] = []
        flying: set[str] = set()
        write = world.leases.write

        async def watched(term: Any, writes: Sequence[Write]) -> list[Outcome]:
            assert term.account not in flying
            flying.add(term.account)
            together.append(len(flying))
            outcomes = await write(term, writes)
            flying.remove(term.account)
            return outcomes

        world.leases.write = watched  # type: ignore[method-assign]
        for status in ("connecting", "connected"):
            for account in accounts:
                world.documents.on_change(replace(VIEW, account=account, status=status))
                if status == "connecting":
                    await world.own(account)
        await world.clock.advance(3)
        assert max(together) == 16
        assert {world.memory.documents[f"accounts/{account}"].fields["status"] for account in accounts} == {"connected"}
        before = len(together)
        await world.clock.advance(HOUR_S)
        assert len(together) == before, "idle accounts are not written"
