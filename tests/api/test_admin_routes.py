"""The routes of what is parked, and of pauses."""

import pytest
from backend import NOW_MS, OTHER, SHOP, refused

from whatsapp_backend.api.parked import ParkedRoutes
from whatsapp_backend.api.pauses import PauseRoutes
from whatsapp_backend.api.routes import Access
from whatsapp_backend.api.values import iso_ms
from whatsapp_backend.domain.mirror import Progress
from whatsapp_backend.flows.replay import Replayed

HOUR_MS = 3_600_000


@pytest.fixture
async def parked(backend):
    rows = ((3, 0, SHOP, "odd"), (5, 1, OTHER, "too large"), (5, 2, OTHER, "odd"))
    await backend.store.advance(Progress(consumer="documents", parked=rows))


async def test_what_is_parked_is_listed_page_by_page(parked, api):
    seen, cursor = [], None
    while cursor != "end":
        query = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        answer = await (await api.get("/api/admin/parked", params=query)).json()
        seen += answer["parked"]
        cursor = answer["nextCursor"] or "end"
    assert [(one["accountId"], one["seq"], one["part"], one["reason"]) for one in seen] == [
        (SHOP, 3, 0, "odd"),
        (OTHER, 5, 1, "too large"),
        (OTHER, 5, 2, "odd"),
    ]
    assert {one["consumer"] for one in seen} == {"documents"}
    answer = await (await api.get("/api/admin/parked", params={"account": OTHER})).json()
    assert (answer["count"], answer["nextCursor"]) == (2, None)


@pytest.mark.parametrize("query", ["cursor=", "cursor=1", "cursor=1.1.DOCUMENTS", "cursor=1.1.x%27;", "limit=0"])
async def test_odd_pages_are_400(api, query):
    await refused(await api.get(f"/api/admin/parked?{query}"), 400, "bad_request")


async def test_an_account_that_is_not_known_is_404(api):
    await refused(await api.get("/api/admin/parked?account=nobody"), 404, "account_not_found")
    await refused(await api.post("/api/admin/replay", json={"account": "nobody"}), 404, "account_not_found")
    for route in ("pause", "unpause"):
        await refused(await api.post(f"/api/whatsapp/{route}/nobody"), 404, "account_not_found")


async def test_replay_answers_counts_and_where_to_go_on(api, backend):
    answer = await (await api.post("/api/admin/replay")).json()
    assert answer == {"success": True, "landed": 3, "parked": 1, "nextCursor": None}
    backend.replayed = Replayed(landed=1, next=42)
    answer = await (await api.post("/api/admin/replay", json={"account": SHOP, "cursor": "7"})).json()
    assert answer["nextCursor"] == "42"
    await api.post("/api/admin/replay", json={"seq": 5})
    assert backend.asked_to_replay == [(None, None, 0), (SHOP, None, 7), (None, 5, 0)]


@pytest.mark.parametrize(
    "body",
    [
        {"seq": 0},
        {"seq": True},
        {"seq": "1"},
        {"seq": 1.5},
        {"seq": 1 << 60},
        {"cursor": 1},
        {"cursor": "x"},
        {"all": 1},
    ],
)
async def test_odd_replays_are_400_and_replay_nothing(api, backend, body):
    await refused(await api.post("/api/admin/replay", json=body), 400, "bad_request")
    assert backend.asked_to_replay == []


@pytest.mark.parametrize(
    ("body", "span_ms"), [(None, HOUR_MS), ({"for": "1m"}, 60_000), ({"for": "30d"}, 720 * HOUR_MS)]
)
async def test_a_pause_is_shown_until_it_is_over(api, backend, body, span_ms):
    until = iso_ms(NOW_MS + span_ms)
    answer = await (await api.post(f"/api/whatsapp/pause/{SHOP}", json=body)).json()
    assert answer == {"success": True, "accountId": SHOP, "pausedUntil": until}

    async def shown():
        accounts = (await (await api.get("/api/whatsapp/accounts")).json())["accounts"]
        jobs = [await (await api.get(f"/api/whatsapp/jobs/{account}")).json() for account in (SHOP, OTHER)]
        return [one["pausedUntil"] for one in (*accounts, *jobs)]

    assert await shown() == [until, None, until, None]
    answer = await (await api.post(f"/api/whatsapp/unpause/{SHOP}")).json()
    assert answer["pausedUntil"] is None
    assert await shown() == [None] * 4


@pytest.mark.parametrize(
    "body", [{"for": "59s"}, {"for": "31d"}, {"for": ""}, {"for": 60}, {"for": "2026-01-31"}, {"span": "1h"}]
)
async def test_odd_spans_are_400_and_pause_nothing(api, backend, body):
    await refused(await api.post(f"/api/whatsapp/pause/{SHOP}", json=body), 400, "bad_request")
    assert await backend.store.pauses() == {}


def test_all_of_them_are_for_admins(backend):
    routes = [
        *ParkedRoutes(consumers=backend.store, replayer=backend, accounts=backend.desk).routes(),
        *PauseRoutes(pauses=backend.pauses, accounts=backend.desk).routes(),
    ]
    assert [route.access for route in routes] == [Access.ADMIN] * 4
