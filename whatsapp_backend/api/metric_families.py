"""What is seen of a daemon as Prometheus' metrics. No label but `account` and `kind`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from whatsapp_backend.domain.operations import Operations
from whatsapp_backend.domain.sight import Counted, Known, Sight
from whatsapp_backend.domain.watching import Pile
from whatsapp_backend.flows.meters import cumulated
from whatsapp_backend.rules.hearing import Hearing
from whatsapp_backend.rules.prices import cost_usd

STATUSES: Final = (
    "connected",
    "connecting",
    "disconnected",
    "logged_out",
    "needs_qr",
    "pairing",
    "passive",
    "qr_ready",
    "reconnecting",
)
"""All that an account can have."""

_Values = Mapping[Any, float]
"""By the values of the labels."""


def families(sight: Sight) -> Iterator[Metric]:
    """All metrics."""
    yield from _daemon(sight)
    yield from _accounts(sight)
    yield from _bridge(sight)
    yield from _firestore(sight)
    yield from _totals(sight)
    if sight.known:
        yield from _store(sight.known, sight.now_ms)
    if sight.counted:
        yield from _counted(sight.counted, sight.now_ms)


def _daemon(sight: Sight) -> Iterator[Metric]:
    yield _gauge("build_info", "1; `kind` is the version.", {(sight.version,): 1}, ["kind"])
    yield _one("active", "Whether this instance may work: 1, or 0 for a passive one.", sight.active)
    yield _one("ready", "Whether messages are received and landed, as /ready says.", sight.ready)
    yield _one(
        "store_answers", "Whether the store answered this scrape; if not, its numbers are old.", sight.store_answers
    )
    resident = {(kind,): count for kind, count in sight.resident_bytes.items()}
    yield _gauge("resident_bytes", "Memory of the processes `daemon` and `bridge`.", resident, ["kind"])


def _accounts(sight: Sight) -> Iterator[Metric]:
    states = {
        (view.account, status): float(view.status == status) for view in sight.views for status in _known(view.status)
    }
    yield _gauge("connection", "1 for the status that the account has, 0 for every other.", states, ["account", "kind"])
    hearing = {(view.account, str(kind)): float(view.hearing == kind) for view in sight.views for kind in Hearing}
    yield _gauge("hearing", "1 for what is known of whether messages arrive.", hearing, ["account", "kind"])
    deafness = {(view.account,): sight.deafness.get(view.account, 0) for view in sight.views}
    yield _counter("deaf", "How often a connection was found deaf, and made anew.", deafness, ["account"])
    trust = {(account,): seconds for account, seconds in sight.trust_s.items()}
    yield _gauge(
        "lease_trust_seconds", "How long yet the account is ours without a word of Firestore; 0: not ours.", trust
    )


def _known(status: str) -> tuple[str, ...]:
    return STATUSES if status in STATUSES else (*STATUSES, status)


def _bridge(sight: Sight) -> Iterator[Metric]:
    yield _one("bridge_up", "Whether the bridge runs.", sight.bridge_up)
    yield _counter("bridge_starts", "Bridges that were started.", {(): sight.bridge_starts}, [])
    yield _counter(
        "bridge_protocol_errors", "What the bridge said that nobody understood.", {(): sight.protocol_errors}, []
    )
    heard = {(account,): _age_s(sight.now_ms, at_ms) for account, at_ms in sight.heard_at_ms.items()}
    yield _gauge("frame_age_seconds", "Since WhatsApp was heard last, for open connections.", heard)
    counts = {(account,): waiting.count for account, waiting in sight.unanswered.items()}
    yield _gauge("unanswered_receipts", "Stanzas that came and were neither receipted nor acknowledged yet.", counts)
    ages = {
        (account,): 0.0 if waiting.since_ms is None else _age_s(sight.now_ms, waiting.since_ms)
        for account, waiting in sight.unanswered.items()
    }
    yield _gauge("unanswered_receipt_age_seconds", "Since the oldest of these came.", ages)
    commits = {(account,): count for account, count in sight.commits.items()}
    yield _gauge("unanswered_commits", "Commits of the bridge that are not on disk yet.", commits)


def _firestore(sight: Sight) -> Iterator[Metric]:
    yield _one("firestore_connected", "Whether Firestore answers.", sight.firestore_connected)
    yield _counter(
        "firestore_operations",
        "Operations as they are billed, attempts included: documents written, deleted, read by their names (`get`) and "
        "by queries (`query`); calls and transactions are not billed.",
        {(kind,): count for kind, count in _by_kind(sight.operations).items()},
        ["kind"],
    )
    yield _counter(
        "firestore_cost_usd", "What these cost at most, by Google's dearest list price.", {(): _cost(sight)}, []
    )


def _by_kind(of: Operations) -> dict[str, int]:
    return {
        "write": of.writes - of.deletes,
        "delete": of.deletes,
        "get": of.reads - of.queried,
        "query": of.queried,
        "call": of.rpcs,
        "transaction": of.transactions,
    }


def _cost(sight: Sight) -> float:
    of = sight.operations
    return cost_usd(of.writes - of.deletes, reads=of.reads, deletes=of.deletes)


def _totals(sight: Sight) -> Iterator[Metric]:
    landing = HistogramMetricFamily(
        "whatsapp_landing_seconds",
        "From when an entry was received until it landed; `kind` is live or history.",
        labels=["kind"],
    )
    for kind, (counts, sum_s) in sight.landing.items():
        landing.add_metric([kind], cumulated(counts), sum_s)
    yield landing
    yield _counter(
        "history_requests",
        "Requests to the phone by what came of them: page, empty, complete, no_answer, failed.",
        sight.requests,
        ["account", "kind"],
    )


def _store(known: Known, now_ms: int) -> Iterator[Metric]:
    stats = known.stats
    yield _one("journal_end", "The number of the newest journal entry.", stats.journal_end)
    depth = {(name,): lag.entries for name, lag in known.lags.items()}
    yield _gauge("journal_depth", "Entries that the consumer has not passed yet.", depth, ["kind"])
    ages = {
        (name,): 0.0 if lag.oldest_at_ms is None else _age_s(now_ms, lag.oldest_at_ms)
        for name, lag in known.lags.items()
    }
    yield _gauge("landing_lag_seconds", "Since the oldest of these was received; 0: nothing waits.", ages, ["kind"])
    yield _one(
        "documents_waiting", "Threads and contacts that hold something Firestore does not have yet.", stats.dirty
    )
    yield _one("state_bytes", "The store on disk, its log included.", stats.file_bytes)


def _counted(counted: Counted, now_ms: int) -> Iterator[Metric]:
    counts = counted.counts
    if counts.free_bytes is not None:
        yield _one("disk_free_bytes", "Free on the disk of the store.", counts.free_bytes)
    yield _one("counted_age_seconds", "Since the store was counted last.", _age_s(now_ms, counted.at_ms))
    gaps = {(account, f"{reason}/{state}"): pile for (account, reason, state), pile in counts.gaps.items()}
    yield from _piles("gaps", "gap", "Gaps that are not closed; `kind` is reason/state.", gaps, now_ms)
    debts = {(account, "open"): pile for account, pile in counts.debts.items()}
    yield from _piles("debts", "debt", "Messages that are owed to us.", debts, now_ms)
    yield _gauge("parked", "What could not be landed and waits for a replay.", counts.parked, ["account", "kind"])
    held = {(account,): count for account, count in counts.held_back.items()}
    yield _gauge("held_back", "History that a dry run keeps out of the documents.", held)


def _piles(many: str, one: str, says: str, piles: Mapping[Any, Pile], now_ms: int) -> Iterator[Metric]:
    labels = ["account", "kind"]
    yield _gauge(many, says, {of: pile.count for of, pile in piles.items()}, labels)
    ages = {of: _age_s(now_ms, pile.oldest_at_ms) for of, pile in piles.items()}
    yield _gauge(f"oldest_{one}_age_seconds", f"Since the oldest {one} was opened.", ages, labels)


def _age_s(now_ms: int, at_ms: int) -> float:
    return max(0, now_ms - at_ms) / 1000


def _one(name: str, says: str, value: float) -> Metric:
    return _gauge(name, says, {(): value}, [])


def _gauge(name: str, says: str, values: _Values, labels: list[str] | None = None) -> Metric:
    gauge = GaugeMetricFamily(f"whatsapp_{name}", says, labels=["account"] if labels is None else labels)
    for of, value in values.items():
        gauge.add_metric(of, float(value))
    return gauge


def _counter(name: str, says: str, values: _Values, labels: list[str]) -> Metric:
    counter = CounterMetricFamily(f"whatsapp_{name}", says, labels=labels)
    for of, value in values.items():
        counter.add_metric(of, float(value))
    return counter
