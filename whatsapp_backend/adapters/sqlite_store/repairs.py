"""How far repairs have come, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whatsapp_backend.domain.repairs import Rotation

if TYPE_CHECKING:
    import sqlite3

_GET = "SELECT after, at_ms FROM repair WHERE account = ?"
_PUT = "INSERT OR REPLACE INTO repair (account, after, at_ms) VALUES (?, ?, ?)"


def rotation(connection: sqlite3.Connection, account: str) -> Rotation:
    """Where an account's next repair begins."""
    rows = connection.execute(_GET, (account,)).fetchall()
    return Rotation(account=account, after=rows[0][0], at_ms=rows[0][1]) if rows else Rotation(account=account)


def put(connection: sqlite3.Connection, rotation: Rotation) -> None:
    """Keep it."""
    connection.execute(_PUT, (rotation.account, rotation.after, rotation.at_ms))
