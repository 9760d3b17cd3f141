"""What operators watch, in SQL."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from whatsapp_backend.adapters.sqlite_store import consumers, journal
from whatsapp_backend.domain.watching import Counts, Lag, Pile

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

_NEXT = "SELECT received_at_ms FROM entry WHERE seq > ? ORDER BY seq LIMIT 1"
_GAPS = (
    "SELECT account, reason, state, count(*), min(opened_at_ms) FROM gap INDEXED BY gap_open "
    "WHERE closed_at_ms IS NULL GROUP BY account, reason, state"
)
_DEBTS = "SELECT account, count(*), min(opened_at_ms) FROM debt WHERE closed IS NULL GROUP BY account"
_PARKED = "SELECT account, consumer, count(*) FROM parked GROUP BY account, consumer"
_HELD_BACK = "SELECT account, count(*) FROM held_back GROUP BY account"


def lag(connection: sqlite3.Connection, consumer: str) -> Lag:
    """What a consumer has not passed yet."""
    position = consumers.cursor(connection, consumer)
    row = connection.execute(_NEXT, (position,)).fetchone()
    entries = max(0, journal.end(connection) - position)
    return Lag(position=position, entries=entries, oldest_at_ms=row[0] if row else None)


def counts(connection: sqlite3.Connection, file: Path) -> Counts:
    """What waits, by account."""
    return Counts(
        gaps={
            (account, reason, state): Pile(count=count, oldest_at_ms=oldest)
            for account, reason, state, count, oldest in connection.execute(_GAPS).fetchall()
        },
        debts={
            account: Pile(count=count, oldest_at_ms=oldest)
            for account, count, oldest in connection.execute(_DEBTS).fetchall()
        },
        parked={(account, consumer): count for account, consumer, count in connection.execute(_PARKED).fetchall()},
        held_back=dict(connection.execute(_HELD_BACK).fetchall()),
        free_bytes=shutil.disk_usage(file.parent).free,
    )
