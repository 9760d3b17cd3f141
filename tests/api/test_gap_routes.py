"""What is missing, and what is known by what proof, as the API tells it."""

import asyncio
from dataclasses import replace

import pytest
from backend import NOW_MS, OTHER, SHOP, THREAD, raw, refused

from whatsapp_backend.api import gaps
from whatsapp_backend.domain.coverage import (
    Asked,
    Asking,
    Chunk,
    Coverage,
    Doubt,
    Ending,
    Epoch,
    Gap,
    GapState,
    Held,
    Interval,
    LedgerChange,
    Point,
    Proof,
    Reason,
)
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.rules.coverage.epochs import MARGIN_MS, claims_of
from whatsapp_backend.rules.coverage.ledger import settled, to_look_at

GAPS = f"/api/whatsapp/gaps/{SHOP}"
OF_THREAD = f"{GAPS}/{THREAD}"
PATH = f"threads/{THREAD}"
JID = "15550002222@s.whatsapp.net"
BASE_MS = NOW_MS - 3_600_000
NOTHING = Coverage(account=SHOP, thread=PATH, jid=JID)


def at(second, message_id=None):
    return Point(BASE_MS + second * 1000, f"M{second}" if message_id is None else message_id)


def moment(second):
    return f"2026-11-22T05:{19 + (31 + second) // 60:02}:{(31 + second) % 60:02}.000Z"


def span(first, last):
    first_ms, last_ms = at(first).ms, at(last).ms
    return {"from": moment(first), "until": moment(last), "fromMs": first_ms, "untilMs": last_ms}


def epoch(number, first, last, *, announced=0, received=0, **more):
    """A connection that claims these seconds."""
    return Epoch(
        account=SHOP,
        number=number,
        opened_at_ms=at(first).ms - MARGIN_MS - 1000,
        caught_up_at_ms=at(first).ms - MARGIN_MS,
        heard_at_ms=at(last).ms + MARGIN_MS,
        announced=announced,
        received=received,
        **{"closed_at_ms": at(last).ms + MARGIN_MS, "ending": Ending.CLOSED} | more,
    )


def gap(number=1, *, thread=PATH, account=SHOP, above=90, **more):
    known = {"start_ms": at(50).ms, "end_ms": at(above).ms, "below": at(40), "above": at(above)}
    fields = {**known, "reason": Reason.DISCONNECTED, "opened_at_ms": at(95).ms, **more}
    return Gap(account=account, thread=thread, number=number, **fields)


async def keep(backend, **change):
    await backend.store.record(LedgerChange(**change))


async def json_of(api, path, **parameters):
    async with api.get(path, params=parameters) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def lived_through_an_outage(backend):
    """Live until 100, away, live again from 200: three messages of five were lost by the server."""
    epochs = (epoch(1, 0, 100), epoch(2, 200, 300, announced=5, received=2))
    held = [Held(thread=PATH, at=at(second), epoch=1) for second in (10, 60)]
    held += [Held(thread=PATH, at=at(second), epoch=2) for second in (210, 250)]
    await keep(backend, epochs=epochs, coverages=(NOTHING,), held=tuple(held))
    claims = claims_of(epochs)
    ranges = [(one.first * 1000, one.last * 1000) for one in to_look_at(NOTHING, claims)]
    around = await backend.store.around(PATH, ranges)
    await keep(backend, coverages=(settled(NOTHING, claims, around, NOW_MS),))


# -- Of an account ---------------------------------------------------------------------------------------------------


async def test_an_account_of_which_nothing_is_missing_says_so(api):
    assert await json_of(api, GAPS) == {
        "success": True,
        "accountId": SHOP,
        "counts": {"byState": {}, "byReason": {}},
        "gaps": [],
        "count": 0,
        "nextCursor": None,
        "announced": {"missingChunks": [], "progress": [], "lostOffline": []},
        "phone": {"unanswered": 0, "askedAt": None, "pausedUntil": None},
        "requests": [],
    }


async def test_a_gap_tells_its_bounds_its_reason_and_when_it_is_asked_for_again(api, backend):
    waits = gap(3, state=GapState.OPEN, tried=1, rounds=2, next_at_ms=NOW_MS + 600_000)
    await keep(backend, coverages=(replace(NOTHING, gaps=(waits,)),))
    answer = await json_of(api, GAPS)
    assert answer["gaps"] == [
        {
            "threadId": THREAD,
            "number": 3,
            "state": "open",
            "reason": "disconnected",
            **span(50, 90),
            "below": {"id": "M40", "at": moment(40), "ms": at(40).ms},
            "above": {"id": "M90", "at": moment(90), "ms": at(90).ms},
            "openedAt": moment(95),
            "tried": 1,
            "rounds": 2,
            "nextAt": "2026-11-22T06:29:31.000Z",
        }
    ]


async def test_gaps_are_counted_and_the_newest_come_first_those_of_deep_history_last(api, backend):
    deep = gap(1, start_ms=0, end_ms=at(5).ms, below=None, above=5, reason=Reason.BEFORE)
    four = (
        deep,
        gap(2, above=70),
        gap(3, above=80, state=GapState.UNREACHABLE),
        gap(4, above=90, state=GapState.FILLING, reason=Reason.CRASHED),
        gap(5, above=95, state=GapState.CLOSED, closed_at_ms=NOW_MS, closed_by="overlap"),
    )
    theirs = Coverage(account=OTHER, thread="threads/o", jid=JID, gaps=(gap(9, thread="threads/o", account=OTHER),))
    await keep(backend, coverages=(replace(NOTHING, gaps=four), theirs))
    answer = await json_of(api, GAPS)
    assert answer["counts"] == {
        "byState": {"open": 2, "unreachable": 1, "filling": 1, "closed": 1},
        "byReason": {"before": 1, "disconnected": 2, "crashed": 1},
    }
    assert [one["number"] for one in answer["gaps"]] == [4, 3, 2, 1]
    assert answer["gaps"][-1] | {"from": None, "fromMs": 0, "below": None} == answer["gaps"][-1]
    fewer = await json_of(api, GAPS, limit="2")
    assert ([one["number"] for one in fewer["gaps"]], fewer["count"]) == ([4, 3], 2)
    assert fewer["counts"] == answer["counts"]


async def test_what_was_announced_is_compared_with_what_came(api, backend):
    chunks = (
        Chunk(account=SHOP, sync_type=2, order=1, progress=40),
        Chunk(account=SHOP, sync_type=2, order=4, progress=60),
        Chunk(account=SHOP, sync_type=3, order=1, progress=100, failed=True),
    )
    short = epoch(2, 200, 300, announced=5, received=2)
    await keep(backend, chunks=chunks, epochs=(epoch(1, 0, 100, announced=3, received=3), short))
    assert (await json_of(api, GAPS))["announced"] == {
        "missingChunks": [{"syncType": 3, "orders": [1]}, {"syncType": None, "orders": [2, 3]}],
        "progress": [{"syncType": 2, "percent": 60}, {"syncType": 3, "percent": 100}],
        "lostOffline": [{"connection": 2, "openedAt": moment(189), "announced": 5, "received": 2, "lost": 3}],
    }


@pytest.mark.parametrize(
    ("paused_until_ms", "shown"),
    [
        (NOW_MS + 60_000, "2026-11-22T06:20:31.000Z"),
        (NOW_MS - 1, None),
        (NOW_MS + 30 * 24 * 3_600_000, None),
        (0, None),
    ],
)
async def test_a_phone_that_does_not_answer_is_told_of(api, backend, paused_until_ms, shown):
    """A pause that lies too far ahead is none: the clock was set back."""
    asking = Asking(account=SHOP, unanswered=4, asked_at_ms=at(7).ms, paused_until_ms=paused_until_ms)
    await keep(backend, askings=(asking,))
    assert (await json_of(api, GAPS))["phone"] == {"unanswered": 4, "askedAt": moment(7), "pausedUntil": shown}


async def test_requests_that_have_no_answer_yet_are_told_of(api, backend):
    asked = Asked(account=SHOP, id="R1", gap=gap(3), anchor=at(90), count=50, asked_at_ms=at(91).ms, older=12)
    await keep(backend, coverages=(NOTHING,), asked=(asked,))
    assert (await json_of(api, GAPS))["requests"] == [
        {
            "id": "R1",
            "threadId": THREAD,
            "gap": 3,
            "anchor": {"id": "M90", "at": moment(90), "ms": at(90).ms},
            "count": 50,
            "came": 12,
            "askedAt": moment(91),
        }
    ]


# -- Of a thread -----------------------------------------------------------------------------------------------------


async def test_after_an_outage_the_thread_tells_what_is_missing_and_what_its_connections_claim(api, backend):
    await lived_through_an_outage(backend)
    answer = await json_of(api, OF_THREAD)
    claimed = [span(200, 300), span(0, 100)]
    assert (answer["accountId"], answer["threadId"], answer["chat"]) == (SHOP, THREAD, JID)
    assert answer["contiguous"] == claimed[0]
    assert answer["covered"] == claimed
    assert answer["claimed"] == [{**one, "proof": "live"} for one in claimed]
    assert answer["proven"] == []
    between, deep = answer["gaps"]
    assert between | span(100, 200) | {"reason": "mismatch", "state": "open"} == between
    assert (between["below"]["id"], between["above"]["id"]) == ("M60", "M210")
    assert (deep["reason"], deep["from"], deep["until"]) == ("before", None, moment(0))
    assert (answer["gapsEver"], answer["withdrawn"], answer["doubts"], answer["owed"]) == (2, 0, [], [])


async def test_proofs_doubts_and_debts_are_shown_and_change_what_is_covered(api, backend):
    await keep(
        backend,
        epochs=(epoch(1, 0, 100),),
        coverages=(
            replace(
                NOTHING,
                intervals=(Interval(at(100, ""), at(150, "M150"), Proof.OVERLAP),),
                doubts=(Doubt(at(20).ms, at(30).ms, Reason.RESET),),
                owed=(at(120, "D1"),),
                withdrawn=2,
                gaps_ever=7,
            ),
        ),
    )
    answer = await json_of(api, OF_THREAD)
    assert answer["proven"] == [{**span(100, 150), "fromId": None, "untilId": "M150", "proof": "overlap"}]
    assert answer["doubts"] == [{**span(20, 30), "reason": "reset"}]
    assert answer["owed"] == [{"id": "D1", "at": moment(120), "ms": at(120).ms}]
    assert answer["claimed"] == [{**span(30, 100), "proof": "live"}, {**span(0, 20), "proof": "live"}]
    assert answer["covered"] == [span(121, 150), span(30, 120), span(0, 20)]
    assert answer["contiguous"] == span(121, 150)
    assert (answer["withdrawn"], answer["gapsEver"]) == (2, 7)
    newest = await json_of(api, OF_THREAD, limit="1")
    assert (newest["covered"], newest["claimed"]) == (answer["covered"][:1], answer["claimed"][:1])


async def test_live_messages_speak_for_the_margins_of_their_connection(api, backend):
    held = (Held(thread=PATH, at=at(105), epoch=1),)
    await keep(backend, epochs=(epoch(1, 0, 100),), coverages=(NOTHING,), held=held)
    assert (await json_of(api, OF_THREAD))["contiguous"] == span(0, 105)


async def test_moments_that_cannot_be_shown_do_no_harm(api, backend):
    """Senders choose the times of their messages."""
    crazy_ms = 1 << 52
    odd = gap(above=90, below=Point(5, ""), end_ms=crazy_ms, next_at_ms=crazy_ms)
    odd = replace(odd, above=Point(crazy_ms, 'M"<\x1b'))
    await keep(backend, coverages=(replace(NOTHING, gaps=(odd,)),))
    for path in (GAPS, OF_THREAD):
        shown = (await json_of(api, path))["gaps"][0]
        assert shown["above"] == {"id": 'M"<\x1b', "at": None, "ms": crazy_ms}
        assert (shown["until"], shown["nextAt"]) == (None, None)


async def test_a_thread_is_distrusted_by_its_operator(api, backend):
    await keep(backend, coverages=(NOTHING,))
    async with api.post(f"{OF_THREAD}/reset") as answer:
        assert (answer.status, (await answer.json())["threadId"]) == (200, THREAD)
    assert backend.distrusted == [PATH]


async def test_while_nothing_lands_it_is_distrusted_later(api, backend, monkeypatch):
    async def never(_thread):
        await asyncio.Event().wait()

    monkeypatch.setattr(backend, "distrust", never)
    monkeypatch.setattr(gaps, "_PATIENCE_S", 0.01)
    await keep(backend, coverages=(NOTHING,))
    async with api.post(f"{OF_THREAD}/reset") as answer:
        assert (answer.status, "/ready" in (await answer.json())["message"]) == (202, True)


@pytest.mark.parametrize("thread", ["thread", "%00", "%FF", "..", "..%2F", "a%2Fmessages%2Fb", "a" * 5000, "__x__"])
async def test_a_thread_that_is_not_there_is_a_404(api, backend, thread):
    for path in (f"GET {GAPS}/{thread}", f"POST {GAPS}/{thread}/reset"):
        status, answer = await raw(api, f"{path} HTTP/1.1\nContent-Length: 0\n\n")
        assert (status, answer["error"]) in [(404, "thread_not_found"), (404, "not_found"), (405, "method_not_allowed")]
    assert backend.distrusted == []


async def test_a_thread_of_another_account_is_not_shown_and_not_distrusted(api, backend):
    await keep(backend, coverages=(replace(NOTHING, account=OTHER),))
    await refused(await api.get(OF_THREAD), 403, "wrong_account")
    await refused(await api.post(f"{OF_THREAD}/reset"), 403, "wrong_account")
    assert backend.distrusted == []


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", ""])
async def test_a_limit_that_is_none_is_refused(api, backend, limit):
    await keep(backend, coverages=(NOTHING,))
    for path in (GAPS, OF_THREAD):
        await refused(await api.get(path, params={"limit": limit}), 400, "bad_request")


async def test_a_store_that_is_unwell_is_a_503(api, backend, monkeypatch):
    async def fails(*_, **__):
        raise StoreUnwell

    monkeypatch.setattr(backend.store, "account_ledger", fails)
    await refused(await api.get(GAPS), 503, "store_unwell")
