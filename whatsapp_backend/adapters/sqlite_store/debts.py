"""Messages that are owed to us, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whatsapp_backend.domain.mirror import Debt

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from whatsapp_backend.domain.mirror import Moved
    from whatsapp_backend.domain.pages import DebtPlace

_COLUMNS = "path, account, reason, key, opened_at_ms, asked, next_at_ms, closed, closed_at_ms"
_OPEN = f"INSERT OR IGNORE INTO debt ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DUE = (
    f"SELECT {_COLUMNS} FROM debt WHERE account = ? AND closed IS NULL AND next_at_ms <= ? "
    "ORDER BY next_at_ms, path LIMIT ?"
)
_OPENED = (
    f"SELECT {_COLUMNS} FROM debt WHERE account = ? AND closed IS NULL AND (opened_at_ms, path) > (?, ?) "
    "ORDER BY opened_at_ms, path LIMIT ?"
)
_PUT = "UPDATE debt SET asked = ?, next_at_ms = ?, closed = ?, closed_at_ms = ? WHERE path = ? AND closed IS NULL"
_PAY = "UPDATE debt SET closed = ?, closed_at_ms = ? WHERE path = ? AND closed IS NULL"
_MOVE = "UPDATE OR IGNORE debt SET path = ? WHERE path = ?"
_FORGET = "DELETE FROM debt WHERE path = ?"


def open_(connection: sqlite3.Connection, debt: Debt) -> None:
    """Keep a new debt; one that is known stays as it is."""
    connection.execute(
        _OPEN,
        (
            debt.path,
            debt.account,
            debt.reason,
            debt.key,
            debt.opened_at_ms,
            debt.asked,
            debt.next_at_ms,
            debt.closed,
            debt.closed_at_ms,
        ),
    )


def due(connection: sqlite3.Connection, account: str, now_ms: int, limit: int) -> list[Debt]:
    """The account's open debts whose time to be asked for has come."""
    return _debts(connection.execute(_DUE, (account, now_ms, limit)).fetchall())


def opened(connection: sqlite3.Connection, account: str, limit: int, after: DebtPlace) -> list[Debt]:
    """The account's open debts, the oldest first, after a place."""
    return _debts(connection.execute(_OPENED, (account, *after, limit)).fetchall())


def put(connection: sqlite3.Connection, debts: Iterable[Debt]) -> None:
    """Keep what was done about open debts."""
    for debt in debts:
        connection.execute(_PUT, (debt.asked, debt.next_at_ms, debt.closed, debt.closed_at_ms, debt.path))


def pay(connection: sqlite3.Connection, path: str, why: str, at_ms: int) -> None:
    """It is owed no longer."""
    connection.execute(_PAY, (why, at_ms, path))


def move(connection: sqlite3.Connection, moved: Moved) -> None:
    """The message it is about goes elsewhere."""
    connection.execute(_MOVE, (moved.to, moved.path))
    connection.execute(_FORGET, (moved.path,))


def _debts(rows: Sequence[Sequence[Any]]) -> list[Debt]:
    names = _COLUMNS.split(", ")
    return [Debt(**dict(zip(names, row, strict=True))) for row in rows]
