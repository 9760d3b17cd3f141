"""Cursors, parked entries and the progress that moves them, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whatsapp_backend.adapters.sqlite_store import mirror
from whatsapp_backend.domain.journal import Parked

if TYPE_CHECKING:
    import sqlite3

    from whatsapp_backend.domain.mirror import Progress

_CURSOR = "SELECT cursor FROM consumer WHERE consumer = ?"
_MOVE = (
    "INSERT INTO consumer (consumer, cursor) VALUES (?, ?) "
    "ON CONFLICT (consumer) DO UPDATE SET cursor = max(cursor, excluded.cursor)"
)
_PARK = (
    "INSERT INTO parked (consumer, seq, part, account, reason) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (consumer, seq, part) DO UPDATE SET reason = excluded.reason"
)
_PARKED = "SELECT consumer, seq, part, account, reason FROM parked ORDER BY seq, consumer, part LIMIT ?"


def cursor(connection: sqlite3.Connection, consumer: str) -> int:
    """How far a consumer has come."""
    rows = connection.execute(_CURSOR, (consumer,)).fetchall()
    return int(rows[0][0]) if rows else 0


def advance(connection: sqlite3.Connection, progress: Progress) -> None:
    """Keep what landed, what was parked, and the cursor."""
    for mirrored in progress.mirrored:
        mirror.put_message(connection, mirrored)
    for thread in progress.threads:
        mirror.put_thread(connection, thread)
    for seq, part, account, reason in progress.parked:
        park(connection, Parked(consumer=progress.consumer, seq=seq, part=part, account=account, reason=reason))
    connection.execute(_MOVE, (progress.consumer, progress.cursor))


def park(connection: sqlite3.Connection, parked: Parked) -> None:
    """Put something aside; the same thing again only renews the reason."""
    connection.execute(_PARK, (parked.consumer, parked.seq, parked.part, parked.account, parked.reason))


def parked(connection: sqlite3.Connection, limit: int) -> list[Parked]:
    """What was put aside, oldest first."""
    return [
        Parked(consumer=consumer, seq=seq, part=part, account=account, reason=reason)
        for consumer, seq, part, account, reason in connection.execute(_PARKED, (limit,)).fetchall()
    ]
