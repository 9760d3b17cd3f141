"""What Prometheus is told: everything operators watch, and of nobody more than a hash."""

import asyncio
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestClient
from backend import OTHER, SHOP
from prometheus_client.parser import text_string_to_metric_families as parsed
from sights import known, sight

from whatsapp_backend.api.metrics import Metrics, shown
from whatsapp_backend.api.server import application
from whatsapp_backend.domain.sight import Waiting
from whatsapp_backend.domain.watching import Lag


def samples(text: bytes) -> dict[tuple[str, str, str], float]:
    """By name, account and kind."""
    return {
        (one.name, one.labels.get("account", ""), one.labels.get("kind", "")): one.value
        for family in parsed(text.decode())
        for one in family.samples
        if not one.name.endswith("_bucket")
    }


def test_everything_that_waits_is_told_with_its_age():
    of = samples(shown(sight()))
    assert of["whatsapp_journal_depth", "", "documents"] == 2
    assert of["whatsapp_landing_lag_seconds", "", "documents"] == 7
    assert of["whatsapp_unanswered_receipts", SHOP, ""] == 4
    assert of["whatsapp_unanswered_receipt_age_seconds", SHOP, ""] == 12
    assert of["whatsapp_unanswered_commits", SHOP, ""] == 1
    assert of["whatsapp_gaps", SHOP, "deaf/filling"] == 1
    assert of["whatsapp_oldest_gap_age_seconds", SHOP, "deaf/filling"] == 3600
    assert (of["whatsapp_debts", SHOP, "open"], of["whatsapp_oldest_debt_age_seconds", SHOP, "open"]) == (2, 60)
    assert of["whatsapp_parked", SHOP, "documents"] == 3
    assert of["whatsapp_held_back", OTHER, ""] == 9
    assert of["whatsapp_counted_age_seconds", "", ""] == 5


def test_connections_leases_and_frames_are_told_by_account():
    of = samples(shown(sight()))
    assert of["whatsapp_connection", SHOP, "connected"] == 1
    assert of["whatsapp_connection", OTHER, "connected"] == 0
    assert of["whatsapp_connection", OTHER, "needs_qr"] == 1
    assert (of["whatsapp_hearing", SHOP, "quiet"], of["whatsapp_hearing", SHOP, "deaf"]) == (1, 0)
    assert (of["whatsapp_deaf_total", SHOP, ""], of["whatsapp_deaf_total", OTHER, ""]) == (2, 0)
    assert of["whatsapp_lease_trust_seconds", SHOP, ""] == 9.5
    assert of["whatsapp_frame_age_seconds", SHOP, ""] == 30
    assert of["whatsapp_history_requests_total", SHOP, "no_answer"] == 3


def test_firestore_is_told_as_it_is_billed():
    of = samples(shown(sight()))
    kinds = {kind: of["whatsapp_firestore_operations_total", "", kind] for kind in ("write", "delete", "get", "query")}
    assert kinds == {"write": 100, "delete": 10, "get": 60, "query": 40}
    assert of["whatsapp_firestore_cost_usd_total", "", ""] == pytest.approx((100 * 0.18 + 100 * 0.06 + 10 * 0.02) / 1e5)


def test_a_histogram_counts_up_to_all_of_them():
    families = {family.name: family for family in parsed(shown(sight()).decode())}
    buckets = [one for one in families["whatsapp_landing_seconds"].samples if one.name.endswith("_bucket")]
    assert [one.value for one in buckets] == [1, 3, *[3] * 12, 4]
    assert (buckets[0].labels["le"], buckets[-1].labels["le"]) == ("0.05", "+Inf")


def test_of_people_nothing_is_told_but_hashes():
    strange = replace(sight().views[0], status="connected", wa_jid="15550001111@s.whatsapp.net", last_error="of Canary")
    text = shown(sight(views=[strange]))
    for family in parsed(text.decode()):
        for one in family.samples:
            assert set(one.labels) <= {"account", "kind", "le"}, one
            assert one.labels.get("account", SHOP) in (SHOP, OTHER), one
    assert b"1555" not in text
    assert b"Canary" not in text


def test_nothing_waits():
    quiet = known(lags={"documents": Lag(position=42, entries=0, oldest_at_ms=None)})
    of = samples(shown(sight(known=quiet, unanswered={SHOP: Waiting(count=0, since_ms=None)})))
    assert of["whatsapp_landing_lag_seconds", "", "documents"] == 0
    assert of["whatsapp_unanswered_receipt_age_seconds", SHOP, ""] == 0


def test_a_store_that_never_answered_leaves_the_rest_known():
    of = samples(shown(sight(known=None, store_answers=False)))
    assert of["whatsapp_store_answers", "", ""] == 0
    assert of["whatsapp_connection", SHOP, "connected"] == 1
    assert ("whatsapp_journal_depth", "", "documents") not in of


async def test_prometheus_can_ask(aiohttp_client):
    async def look():
        return sight()

    api: TestClient = await aiohttp_client(application(Metrics(look).routes()))
    async with asyncio.timeout(1.0), api.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert samples(await answer.read())["whatsapp_build_info", "", "1.2.3"] == 1
