"""What the store holds, without a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whatsapp_backend.adapters.sqlite_store import journal
from whatsapp_backend.domain.journal import StoreStats

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

_SMALL_COUNTS = """SELECT
    (SELECT count FROM tally WHERE name = 'pruned'),
    (SELECT count(*) FROM parked),
    (SELECT count(*) FROM notice WHERE NOT parked),
    (SELECT count(*) FROM gathered WHERE dirty)"""
_OPEN_DEBTS = "SELECT count(*), min(opened_at_ms) FROM debt WHERE closed IS NULL"
_CLOSED_DEBTS = "SELECT closed, count(*) FROM debt WHERE closed IS NOT NULL GROUP BY closed ORDER BY closed"


def stats(connection: sqlite3.Connection, file: Path) -> StoreStats:
    """Count. Seqs have no holes but those of pruned entries, so the journal need not be counted."""
    end = journal.end(connection)
    ((pruned, parked, open_notices, dirty),) = connection.execute(_SMALL_COUNTS).fetchall()
    ((open_debts, oldest_debt_at_ms),) = connection.execute(_OPEN_DEBTS).fetchall()
    return StoreStats(
        journal_end=end,
        entries=end - pruned,
        parked=parked,
        open_notices=open_notices,
        dirty=dirty,
        open_debts=open_debts,
        oldest_debt_at_ms=oldest_debt_at_ms,
        closed_debts=dict(connection.execute(_CLOSED_DEBTS).fetchall()),
        file_bytes=sum(_size(file.with_name(file.name + suffix)) for suffix in ("", "-wal")),
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def check(connection: sqlite3.Connection) -> None:
    """Write something that nobody needs."""
    connection.execute("INSERT INTO tally VALUES ('checked', 1) ON CONFLICT (name) DO UPDATE SET count = count + 1")
