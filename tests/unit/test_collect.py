"""Messages that are owed to us: when the phone is asked, how often, and when we give up."""

import orjson
import pytest
from world import ACCOUNT, ANA

from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.events import Owed
from whatsapp_backend.domain.mirror import Debt, Progress
from whatsapp_backend.errors import CommandFailed
from whatsapp_backend.flows.collect import Collector
from whatsapp_backend.rules.debts import GIVEN_UP_AFTER_MS, debt_of
from whatsapp_backend.testing.memory_store import MemoryStore
from whatsapp_backend.testing.scripted_bridge import Asked, ScriptedBridge

OPENED_AT_MS = 1795400000000
MINUTE_MS = 60_000
KEY = {"remoteJid": ANA, "fromMe": False, "id": "M1"}


class At(SystemClock):
    """A wall clock that stands where it is put."""

    def __init__(self) -> None:
        self.now_ms = OPENED_AT_MS

    def wall_ms(self) -> int:
        """The moment it was put at."""
        return self.now_ms


class Deaf:
    """What a bridge calls."""

    def on_bridge(self, *, up: bool) -> None:
        """Nothing is done about it."""


class Office:
    """A collector with its store, clock and bridge."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.clock = At()
        self.bridge = ScriptedBridge()
        self.bridge.come_up(Deaf())
        self.status = "connected"
        self.forgiven: list[str] = []
        self.collector = Collector(store, self.bridge, self.clock, views=self._views, forgive=self._forgive)

    async def _forgive(self, debt: Debt) -> None:
        self.forgiven.append(debt.path)

    def _views(self) -> list[AccountView]:
        return [
            AccountView(
                account=ACCOUNT,
                phone="+15550009999",
                name="Shop",
                created_at_ms=1,
                status=self.status,
                caught_up=self.status == "connected",
            )
        ]

    async def owe(self, *ids: str) -> None:
        """So many debts are opened."""
        debts = tuple(
            debt_of(
                Owed(
                    order=1,
                    account=ACCOUNT,
                    client_jid=ANA,
                    message_id=one,
                    reason="unavailable",
                    at_ms=OPENED_AT_MS,
                    key={**KEY, "id": one},
                ),
                f"threads/t/messages/{one}",
            )
            for one in ids
        )
        await self.store.advance(Progress(consumer="documents", debts=debts))

    async def after(self, minutes: int) -> list[Asked]:
        """What was asked for in a round at this time after the beginning."""
        self.clock.now_ms = OPENED_AT_MS + minutes * MINUTE_MS
        before = len(self.bridge.asked)
        await self.collector.collect()
        return self.bridge.asked[before:]


@pytest.fixture
async def office():
    """A collector over an empty store."""
    async with MemoryStore.opened() as store:
        yield Office(store)


async def test_a_debt_is_asked_for_with_its_key_after_growing_pauses(office: Office) -> None:
    """Two minutes, ten, an hour, six, a day: a phone that is off is not pestered."""
    await office.owe("M1")
    asked_at = [minute for minute in range(3 * 24 * 60) if await office.after(minute)]
    assert asked_at == [2, 12, 72, 432, 1872, 3312]
    assert [(one.command, one.account, one.args["key"]) for one in office.bridge.asked[:1]] == [
        ("request-resend", ACCOUNT, KEY)
    ]


async def test_a_debt_is_given_up_after_fourteen_days_and_says_so(office: Office) -> None:
    """The phone sends nothing older again; also when nobody is connected."""
    await office.owe("M1")
    office.status = "disconnected"
    assert not await office.after(GIVEN_UP_AFTER_MS // MINUTE_MS - 1)
    assert (await office.store.stats()).open_debts == 1
    assert not await office.after(GIVEN_UP_AFTER_MS // MINUTE_MS)
    stats = await office.store.stats()
    assert (stats.open_debts, stats.closed_debts) == (0, {"expired": 1})
    assert office.forgiven == ["threads/t/messages/M1"]


async def test_nobody_is_asked_while_the_account_is_away(office: Office) -> None:
    """It stays due."""
    await office.owe("M1")
    office.status = "reconnecting"
    assert not await office.after(5)
    office.status = "connected"
    assert len(await office.after(6)) == 1


async def test_a_round_asks_for_ten_at_most(office: Office) -> None:
    """The rest has its turn in the next."""
    await office.owe(*(f"M{number}" for number in range(25)))
    assert [len(await office.after(minute)) for minute in (2, 3, 4, 5)] == [10, 10, 5, 0]


async def test_a_bridge_that_refuses_costs_nothing_but_time(office: Office) -> None:
    """What could not be asked for stays due."""
    await office.owe("M1", "M2")

    def refuse(_: Asked) -> dict[str, object]:
        raise CommandFailed("not-open", "no open connection")

    office.bridge.scripts["request-resend"] = refuse
    await office.after(2)
    del office.bridge.scripts["request-resend"]
    assert len(await office.after(3)) == 2


async def test_a_debt_that_was_paid_meanwhile_stays_paid(office: Office) -> None:
    """The answer may come before we have noted that we asked."""
    await office.owe("M1")
    path = "threads/t/messages/M1"
    await office.store.advance(Progress(consumer="documents", paid=((path, "arrived", OPENED_AT_MS),)))
    late = Debt(path=path, account=ACCOUNT, reason="x", key=orjson.dumps(KEY), opened_at_ms=OPENED_AT_MS, asked=1)
    await office.store.put_debts([late])
    assert (await office.store.stats()).closed_debts == {"arrived": 1}
