"""What was measured, for people: beside each number what it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    says: str
    target: str = ""
    met: Callable[[float], bool] | None = None


def _at_least(limit: float) -> tuple[str, Callable[[float], bool]]:
    return f"≥ {limit:g}", lambda value: value >= limit


def _at_most(limit: float) -> tuple[str, Callable[[float], bool]]:
    return f"≤ {limit:g}", lambda value: value <= limit


def _below(limit: float) -> tuple[str, Callable[[float], bool]]:
    return f"< {limit:g}", lambda value: value < limit


def _row(says: str, target: tuple[str, Callable[[float], bool]] = ("", lambda _: True)) -> _Row:
    return _Row(says=says, target=target[0], met=target[1] if target[0] else None)


_ROWS = {
    "landing_docs_per_s": _row("documents landed a second, already projected"),
    "async_write_batch_docs_per_s": _row("… by the library's AsyncWriteBatch with merge, at its best"),
    "ceiling_docs_per_s": _row("… already encoded: what the emulator takes"),
    "landing_vs_async_write_batch": _row("ours to AsyncWriteBatch", _at_least(4)),
    "landing_vs_ceiling": _row("ours to the ceiling", _at_least(0.6)),
    "journal_to_landed_docs_per_s": _row("documents a second from the journal, projection and mirror included"),
    "writes_per_new_message": _row("writes for a new message", _at_most(1)),
    "reads_per_new_message": _row("reads for a new message", _at_most(0)),
    "thread_writes_per_lone_message": _row("writes of its thread, for a lone message", _at_most(1)),
    "contact_writes_per_new_name": _row("writes of a person's contact, when his name is new", _at_most(1)),
    "history_writes_per_message": _row("writes for a message of a history", _at_most(1)),
    "history_reads_per_message": _row("reads for a message of a history", _at_most(0)),
    "history_thread_writes_per_message": _row("writes of threads for a message of a history", _at_most(0.05)),
    "operations_per_redelivered_message": _row("operations for a message delivered again", _at_most(0)),
    "commits_per_s_one_account": _row("durable commits a second, one account"),
    "commits_per_s_eight_accounts": _row("durable commits a second, eight accounts"),
    "journal_appends_per_s_batched": _row("journal entries a second in batches"),
    "stanza_to_document_ms_p50": _row("ms from the stanza on the wire to the document, median"),
    "stanza_to_document_ms_p99": _row("ms from the stanza on the wire to the document, 99th percentile"),
    "end_to_end_messages_per_s": _row("encrypted messages a second, end to end"),
    "fake_server_sent_messages_per_s": _row("… as fast as the fake server encrypted them"),
    "history_50k_rss_mb": _row("MB resident at most while a history of 50,000 lands", _below(200)),
    "history_10k_rss_mb": _row("MB resident at most while a history of 10,000 lands"),
    "history_rss_growth": _row("the first to the second", _below(1.1)),
    "history_50k_rss_after_mb": _row("MB resident after the 50,000"),
    "idle_rss_mb": _row("MB resident before any history"),
    "scrape_200_accounts_ms": _row("ms for /metrics of 200 accounts with 20,000 gaps, counted anew", _below(500)),
    "scrape_counting_ms": _row("… of which the store counts, every 15 s at most"),
    "history_50k_messages_per_s": _row("messages of a history a second, end to end"),
}

NAMES = (
    "landing_docs_per_s",
    "landing_vs_async_write_batch",
    "landing_vs_ceiling",
    "journal_to_landed_docs_per_s",
    "writes_per_new_message",
    "reads_per_new_message",
    "operations_per_redelivered_message",
    "stanza_to_document_ms_p50",
    "stanza_to_document_ms_p99",
    "commits_per_s_one_account",
    "commits_per_s_eight_accounts",
    "journal_appends_per_s_batched",
    "end_to_end_messages_per_s",
    "history_50k_rss_mb",
    "history_rss_growth",
    "scrape_200_accounts_ms",
)
"""What the last line holds."""

_WHOLE = 1000


def show(measured: Mapping[str, float], console: Console) -> None:
    """Print the table."""
    table = Table("what", "measured", "target", box=None, pad_edge=False)
    table.columns[1].justify = table.columns[2].justify = "right"
    for name, row in _ROWS.items():
        if name in measured:
            value = measured[name]
            colour = "" if row.met is None else "green" if row.met(value) else "red"
            table.add_row(row.says, f"{rounded(value):,}", row.target, style=colour)
    console.print(table)


def rounded(value: float) -> float:
    """As many digits as mean something."""
    return round(value) if value > _WHOLE else float(f"{value:.4g}")
