"""What is counted as it happens: how long landing takes, and what comes of requests."""

import asyncio
from collections import Counter

import pytest
from phone import ACCOUNT, ANA, TIMEOUT_S, a_phone
from test_asking import ask, outage, request

from whatsapp_backend.domain.coverage import Outcome
from whatsapp_backend.domain.journal import Entry, NewEntry
from whatsapp_backend.errors import BridgeGone, CommandTimedOut
from whatsapp_backend.flows.meters import HISTORY, LIVE, Meters, cumulated


def entry(origin: str, received_at_ms: int) -> Entry:
    new = NewEntry(kind="message", source="enc:1", origin=origin, received_at_ms=received_at_ms, payload=b"{}")
    return Entry(seq=1, account=ACCOUNT, new=new)


def test_landing_is_timed_apart_for_live_and_history():
    meters = Meters()
    meters.on_landed([entry("live", 9_900), entry("offline", 9_000), entry("ondemand", 0), entry("x", 99_000)], 10_000)
    live, history = meters.landing[LIVE], meters.landing[HISTORY]
    assert (sum(live.counts), live.sum_s) == (2, pytest.approx(1.1))
    assert (sum(history.counts), history.sum_s) == (2, 10)
    assert dict(cumulated(live.counts))["0.1"] == 1
    assert cumulated(live.counts)[-1] == ("+Inf", 2)
    assert dict(cumulated(history.counts))["0.05"] == 1, "what a clock that was set back makes negative took no time"


async def test_what_comes_of_a_request_for_a_gap_is_told():
    async with a_phone() as phone:
        told: Counter[tuple[str, Outcome]] = Counter()
        phone.new_asker(on_outcome=lambda account, outcome: told.update([(account, outcome)]))
        wanted = await outage(phone)
        phone.off = True
        asking = ask(phone, wanted)
        await phone.clock.advance(TIMEOUT_S + 1)
        await asking
        phone.off = False
        await ask(phone, await request(phone, ANA))
        assert told == {(ACCOUNT, Outcome.NO_ANSWER): 1, (ACCOUNT, Outcome.PAGE): 1}


async def test_what_comes_of_a_persons_request_is_told():
    async with a_phone() as phone:
        told: list[Outcome] = []
        asker = phone.new_asker(on_outcome=lambda _, outcome: told.append(outcome))
        what = {"chat": ANA, "anchor": {"id": "M1", "fromMe": False}, "time": 5, "count": 50}
        phone.off = True
        asking = asyncio.ensure_future(asker.fetch(ACCOUNT, **what))
        await phone.clock.advance(TIMEOUT_S + 1)
        with pytest.raises(CommandTimedOut):
            await asking

        def gone(_):
            raise BridgeGone

        phone.bridge.scripts["fetch-history"] = gone
        with pytest.raises(BridgeGone):
            await asker.fetch(ACCOUNT, **what)
        assert told == [Outcome.NO_ANSWER, Outcome.FAILED]
