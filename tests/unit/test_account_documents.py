"""What an account's document tells: its status at once, diagnostics now and then, and never a secret."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
from linked import ACCOUNT, PHONE

from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.events import PARTS, Content, MessageSeen, Origin, Status
from whatsapp_backend.domain.journal import Entry, NewEntry
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.domain.writes import Outcome, Write
from whatsapp_backend.flows.account_documents import AccountDocuments
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.publish import Published
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_documents import Fault, MemoryDocuments

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
    """Account documents over documents in memory."""

    def __init__(self, memory: MemoryDocuments) -> None:
        self.clock = FakeClock()
        self.memory = memory
        self.documents = AccountDocuments(Lander(memory, self.clock), self.clock, worker={"service": "x"})

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
async def running(memory: MemoryDocuments | None = None) -> AsyncIterator[World]:
    """Its loop runs."""
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        world = World(memory or MemoryDocuments())
        loop = tasks.create_task(world.documents.run())
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
        world.memory.inject(Fault.INVALID, paths=[PATH])
        await world.change(status="connected")
        world.documents.on_change(replace(VIEW, account="account_other", status="connected"))
        await world.clock.settle()
        assert "accounts/account_other" in world.memory.documents
