"""Real Baileys, the fake server and the real daemon: what was missed is found, asked for, and proven to be here.

Messages 1 to 5 were handed over, 6 to 8 only the phone has. Who looks for them is the daemon by itself, every second.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.cloud.firestore import AsyncClient
from missing import Missing, now_s, proves, row
from whole import ANA, RealDaemon, until

from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

SHORT = {
    "RECENT_SYNC_INTERVAL_MS": "1000",
    "WHATSAPP_HISTORY_SPACING_MS": "0",
    "WHATSAPP_HISTORY_TIMEOUT_MS": "5000",
    "WHATSAPP_AUTO_BACKFILL_ENABLED": "false",
    "AUTO_REPAIR_THREADS_ENABLED": "false",
}
IMPATIENT = {"WHATSAPP_HISTORY_TIMEOUT_MS": "1000"}
BY_HAND = {"RECENT_SYNC_ENABLED": "false"}
STEP_S = 60
HELD, MISSED, LATER = range(1, 6), range(6, 9), range(9, 11)


class Shop(Missing):
    """One chat with one customer, whose message n is n minutes after the first."""

    start_s = 0

    def rows(self, numbers: Any) -> list[dict[str, Any]]:
        """Messages of these numbers; what is below 1 is older than anything that we were handed."""
        return [row(f"M{n}", self.start_s + n * STEP_S) for n in numbers]

    async def has_ten_of_which_we_know_five(self, **how: Any) -> None:
        """So it begins. The phone has older ones, too."""
        self.start_s = now_s() - 15 * STEP_S
        await self.store(self.rows(range(-40, 1)))
        await self.history(self.rows(HELD), **how)

    async def misses_three(self, **how: Any) -> None:
        """They are lost at the server. Numbers 9 and 10 come live, before the server says that this was all."""
        await self.cut()
        for one in self.rows(MISSED):
            await self.send(one["id"], time=one["time"], **how)
        await self.lose(*(one["id"] for one in self.rows(MISSED)))
        async with self.reconnecting():
            for one in self.rows(LATER):
                await self.send(one["id"], time=one["time"], **how)
            await self.lands({one["id"] for one in self.rows(LATER)})

    @asynccontextmanager
    async def reconnecting(self) -> AsyncIterator[None]:
        """While it is connected and has not caught up."""
        since = self.server.mark()
        clear, fault = self.server.op("faults-clear"), self.server.op("fault", stage="marker", action="withhold")
        await asyncio.gather(clear, fault)
        await self.server.wait("fault", stage="marker", since=since, timeout_s=30)
        yield
        await self.server.op("marker", account=self.phone)
        await self.daemon.caught_up(self.account)

    async def all_ten(self) -> None:
        """All of them are here."""
        await self.lands({f"M{n}" for n in range(1, 11)})

    def at_s(self, number: int) -> int:
        """When a message was sent."""
        return self.start_s + number * STEP_S


@pytest.fixture
async def shop(request: Any, server: FakeWhatsApp, daemon: RealDaemon, firestore: AsyncClient) -> Shop:
    """With the settings that the test names."""
    daemon.environment |= {**SHORT, **getattr(request, "param", {})}
    await daemon.start()
    made = Shop(server, daemon, firestore)
    await made.pair()
    return made


async def test_after_one_recent_sync_what_was_missed_is_there_and_the_gap_is_closed_by_overlap(shop: Shop) -> None:
    await shop.has_ten_of_which_we_know_five()
    await shop.misses_three()
    job = await shop.run_ended("recent-sync")
    await shop.all_ten()
    assert (job["state"], job["progress"]["requests"], job["progress"]["gapsClosed"]) == ("done", 1, 1)
    assert shop.anchors() == ["M10"]
    known = await shop.known()
    assert [gap["reason"] for gap in known["gaps"]] == ["before"]
    assert proves(known, shop.at_s(5), shop.at_s(10)) == {"overlap"}
    lost = (await shop.daemon.get(f"/api/whatsapp/gaps/{shop.account}"))["announced"]["lostOffline"][0]
    assert (lost["announced"], lost["received"], lost["lost"]) == (3, 0, 3)
    assert (await shop.says_at_its_end())["lastRecentSyncResult"]["ok"] is True


async def test_what_came_live_is_proven_by_its_connection_and_only_what_was_missed_is_asked_for(shop: Shop) -> None:
    """Our clock is not WhatsApp's, so a connection proves nothing before it has lived for a while."""
    shop.start_s = now_s() - STEP_S
    await shop.store(shop.rows(range(-40, 1)))
    await shop.send("M1")

    async def proven_until_s() -> int | None:
        claimed = (await shop.known()).get("claimed", [])
        return next((one["untilMs"] // 1000 for one in claimed if one["proof"] == "live"), None)

    await shop.lands({"M1"})
    until_s = await until(proven_until_s)
    for number in range(2, 6):
        await shop.send(f"M{number}", time=until_s - 6 + number)
    await shop.lands({f"M{n}" for n in HELD})
    await shop.cut()
    for number in MISSED:  # from when it would be proven by what waited for us, if all of that had come
        await shop.send(f"M{number}", time=until_s)
    await shop.lose("M6", "M7", "M8")
    async with shop.reconnecting():
        later_s = now_s()
        for number in LATER:
            await shop.send(f"M{number}", time=later_s + number)  # not in one second: it would be asked for by itself
        await shop.lands({"M9", "M10"})
    job = await shop.run_ended("recent-sync")
    await shop.all_ten()
    assert (job["state"], job["progress"]["requests"], job["progress"]["gapsClosed"]) == ("done", 1, 1)
    assert shop.anchors() == ["M10"]
    known = await shop.known()
    assert [gap["reason"] for gap in known["gaps"]] == ["before"]
    assert known["withdrawn"] == 0
    times = await shop.archive()
    covered = known["covered"][-1]
    assert covered["fromMs"] <= (times["M1"] + 1) * 1000 and covered["untilMs"] == times["M10"] * 1000


@pytest.mark.parametrize("shop", [{"RECENT_SYNC_MAX_MESSAGES_PER_THREAD": "2"}], indirect=True)
async def test_page_by_page_no_request_goes_below_what_is_here(shop: Shop) -> None:
    await shop.has_ten_of_which_we_know_five()
    await shop.misses_three()
    await shop.all_ten()
    known = await shop.no_gap()
    assert shop.anchors() == ["M10", "M8", "M6"]
    covered = known["covered"][-1]
    assert covered["fromMs"] == (shop.at_s(1) + 1) * 1000, "there may be more in the second of the oldest one"
    assert covered["untilMs"] == shop.at_s(10) * 1000, "and in that of the newest"
    assert not (await shop.bodies()).keys() & {f"M{n}" for n in range(-40, 1)}, "deep history is the backfill's"


@pytest.mark.parametrize("shop", [{**IMPATIENT}], indirect=True)
async def test_while_the_phone_is_off_the_gap_stays_open_and_no_run_is_a_success(shop: Shop) -> None:
    """With a newer message there is another chance, and by then the phone is back."""
    await shop.has_ten_of_which_we_know_five()
    await shop.phone_is(online=False)
    await shop.misses_three()
    job = await shop.run_ended("recent-sync")
    assert (job["state"], job["errorCode"]) == ("failed", "phone_unreachable")
    assert (job["progress"]["unanswered"], job["progress"]["gapsClosed"]) == (job["progress"]["requests"], 0)
    (gap,) = await shop.gaps()
    assert (gap["state"], gap["below"]["id"], gap["above"]["id"]) == ("open", "M5", "M10")
    backfill = await shop.run("backfill")
    assert (backfill["state"], backfill["errorCode"]) == ("failed", "phone_unreachable")
    told = await shop.says_at_its_end()
    assert told["lastRecentSyncResult"]["ok"] is False
    assert "did not answer" in told["lastRecentSyncResult"]["errorMessage"]
    assert (told["lastBackfillStatus"], told["lastBackfillError"]) == ("error", backfill["errorMessage"])
    await shop.daemon.start()
    await shop.daemon.caught_up(shop.account)
    assert await shop.gaps()
    await shop.phone_is(online=True)
    await shop.send("M11", time=shop.at_s(11))
    await shop.all_ten()
    await shop.no_gap()
    assert set(shop.anchors()) <= {"M10", "M11", "M1", "M2"}, "the last two are those of the backfill's deep history"


@pytest.mark.parametrize("shop", [{**IMPATIENT, **BY_HAND}], indirect=True)
async def test_by_hand_a_gap_is_closed_as_soon_as_the_phone_is_back(shop: Shop) -> None:
    await shop.has_ten_of_which_we_know_five()
    await shop.phone_is(online=False)
    await shop.misses_three()
    assert (await shop.run("resync", since="1h"))["errorCode"] == "phone_unreachable"
    await shop.phone_is(online=True)
    assert (await shop.run("resync", since="1h"))["state"] == "done"
    await shop.all_ten()
    assert not await shop.gaps()


@pytest.mark.parametrize("shop", [{**IMPATIENT, "RECENT_SYNC_MAX_MESSAGES_PER_THREAD": "50"}], indirect=True)
async def test_a_dead_anchor_is_walked_around(shop: Shop) -> None:
    """The phone does not know message 9, the first one after the gap: it was deleted there."""
    await shop.has_ten_of_which_we_know_five()
    await shop.store(shop.rows([*MISSED, 10]))
    await shop.history(shop.rows(LATER), store=False)
    await shop.all_ten()
    assert shop.anchors() == ["M9", "M10"]
    (silence,) = shop.server.seen("on-demand-silence")
    assert silence["why"] == "anchor"
    job = await shop.run_ended("recent-sync")
    assert not await shop.gaps()
    assert (job["state"], job["progress"]["unanswered"]) == ("done", 1)


@pytest.mark.parametrize("form", ["lid", "pn"])
@pytest.mark.parametrize("how", ["inline", "blob"])
async def test_an_answer_under_the_other_identity_is_matched(shop: Shop, form: str, how: str) -> None:
    await shop.phone_is(form=form, **{"as": how})
    await shop.has_ten_of_which_we_know_five()
    await shop.misses_three(addressing="pn" if form == "lid" else "lid")
    job = await shop.run_ended("recent-sync")
    await shop.all_ten()
    assert (job["state"], job["progress"]["unanswered"]) == ("done", 0)
    (asked,), (answer,) = shop.requests(), shop.server.seen("on-demand-answer")
    assert (answer["request"], answer["chat"].endswith("@lid")) == (asked["request"], form == "lid")
    assert asked["chat"] != answer["chat"]
    assert not await shop.gaps()
    assert set(await shop.threads()) == {shop.thread_id(ANA)}


async def test_a_thread_of_somebody_whose_number_is_not_known_is_filled_too(shop: Shop) -> None:
    await shop.server.op("person", phone=ANA, lid_known=False)
    await shop.phone_is(alias=False)
    await shop.has_ten_of_which_we_know_five(form="lid", alias=False)
    await shop.misses_three(addressing="lid", alt=False)
    await shop.all_ten()
    jid = shop.requests()[0]["chat"]
    assert jid.endswith("@lid") and shop.anchors() == ["M10"]
    await shop.no_gap(jid)
    assert set(await shop.threads()) == {shop.thread_id(jid)}


async def test_messages_of_one_second_are_told_apart(shop: Shop) -> None:
    """Eight messages within one second, of which the middle four are missing."""
    second = now_s() - 600
    before, after = [row("B", second - 60)], [row("Z", second + 60)]
    same = [row(name, second) for name in ("Y", "A", "X", "C", "W", "D", "V", "E")]  # no order that sorting could find
    await shop.history([*before, *same[:2]])
    await shop.store(same[2:6])
    await shop.history([*same[6:], *after])
    await shop.lands({one["id"] for one in same})
    await shop.no_gap()
    assert not {"B", "Y", "A"} & set(shop.anchors())


@pytest.mark.parametrize(
    "shop", [{**IMPATIENT, **BY_HAND, "WHATSAPP_HISTORY_RETRY_IN_MILLISECONDS": "true"}], indirect=True
)
async def test_a_phone_that_wants_milliseconds_gets_them(shop: Shop) -> None:
    await shop.phone_is(unit="ms")
    await shop.has_ten_of_which_we_know_five()
    await shop.misses_three()
    assert (await shop.run("resync", since="1h"))["state"] == "done"
    await shop.all_ten()
    asked = [(one["anchor"], one["time"]) for one in shop.requests()]
    assert asked[:2] == [("M10", shop.at_s(10)), ("M10", shop.at_s(10) * 1000)]
