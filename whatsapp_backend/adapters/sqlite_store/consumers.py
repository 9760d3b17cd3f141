"""Cursors, parked entries and the progress that moves them, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whatsapp_backend.adapters.sqlite_store import debts, holding, identities, ledger_writes, mirror, surveys
from whatsapp_backend.domain.journal import Parked

if TYPE_CHECKING:
    import sqlite3

    from whatsapp_backend.domain.journal import ParkedPlace
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
_UNPARK = "DELETE FROM parked WHERE consumer = ? AND seq = ?"
_PARKED = (
    "SELECT consumer, seq, part, account, reason FROM parked "
    "WHERE (seq, consumer, part) > (?, ?, ?) AND account = ifnull(?, account) ORDER BY seq, consumer, part LIMIT ?"
)
_PARKED_ENTRIES = (
    "SELECT seq, count(*) FROM parked WHERE consumer = ? AND seq > ? AND account = ifnull(?, account) "
    "GROUP BY seq ORDER BY seq LIMIT ?"
)


def cursor(connection: sqlite3.Connection, consumer: str) -> int:
    """How far a consumer has come."""
    rows = connection.execute(_CURSOR, (consumer,)).fetchall()
    return int(rows[0][0]) if rows else 0


def advance(connection: sqlite3.Connection, progress: Progress) -> None:
    """Keep what landed and what follows from it, what was parked, and the cursor."""
    _remember(connection, progress)
    _identify(connection, progress)
    for debt in progress.debts:
        debts.open_(connection, debt)
    for path, why, at_ms in progress.paid:
        debts.pay(connection, path, why, at_ms)
    if progress.ledger is not None:
        ledger_writes.record(connection, progress.ledger)
    for moved in progress.moved:
        ledger_writes.move(connection, moved)
    for seq in progress.unparked:
        connection.execute(_UNPARK, (progress.consumer, seq))
    for seq, part, account, reason in progress.parked:
        park(connection, Parked(consumer=progress.consumer, seq=seq, part=part, account=account, reason=reason))
    holding.hold(connection, progress)
    for adopted in progress.adopted:
        surveys.adopt(connection, adopted)
    if progress.survey:
        surveys.put(connection, progress.survey)
    if progress.cursor:
        connection.execute(_MOVE, (progress.consumer, progress.cursor))


def _remember(connection: sqlite3.Connection, progress: Progress) -> None:
    for mirrored in progress.mirrored:
        mirror.put_message(connection, mirrored)
    for path in progress.waited:
        mirror.drop_waiting(connection, path)
    for waiting in progress.waiting:
        mirror.put_waiting(connection, waiting)
    for row in progress.gathered:
        mirror.put_gathered(connection, row)
    for moved in progress.moved:
        mirror.move(connection, moved)
        debts.move(connection, moved)
    for one in progress.unread:
        mirror.put_unread(connection, one)
    for one in progress.not_unread:
        mirror.drop_unread(connection, one)
    for thread, until_ms in progress.read:
        mirror.read(connection, thread, until_ms)


def _identify(connection: sqlite3.Connection, progress: Progress) -> None:
    for alias in progress.aliases:
        identities.learn(connection, alias)
    for nameless in progress.nameless:
        identities.put(connection, nameless)
    for named in progress.named:
        identities.drop(connection, named)
    for alias in progress.united:
        identities.united(connection, alias)


def park(connection: sqlite3.Connection, parked: Parked) -> None:
    """Put something aside; the same thing again only renews the reason."""
    connection.execute(_PARK, (parked.consumer, parked.seq, parked.part, parked.account, parked.reason))


def parked(connection: sqlite3.Connection, account: str | None, after: ParkedPlace, limit: int) -> list[Parked]:
    """What was put aside, oldest first."""
    return [
        Parked(consumer=consumer, seq=seq, part=part, account=account, reason=reason)
        for consumer, seq, part, account, reason in connection.execute(_PARKED, (*after, account, limit)).fetchall()
    ]


def parked_entries(
    connection: sqlite3.Connection, consumer: str, account: str | None, after: int, limit: int
) -> dict[int, int]:
    """How many parts were put aside of which entries."""
    return dict(connection.execute(_PARKED_ENTRIES, (consumer, after, account, limit)).fetchall())
