"""Pauses in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_PUT = "INSERT OR REPLACE INTO pause (account, until_ms) VALUES (?, ?)"
_DROP = "DELETE FROM pause WHERE account = ?"


def pauses(connection: sqlite3.Connection) -> dict[str, int]:
    """All that were put and not dropped."""
    return dict(connection.execute("SELECT account, until_ms FROM pause").fetchall())


def put(connection: sqlite3.Connection, account: str, until_ms: int | None) -> None:
    """Pause an account until then; None: no longer."""
    if until_ms is None:
        connection.execute(_DROP, (account,))
    else:
        connection.execute(_PUT, (account, until_ms))
