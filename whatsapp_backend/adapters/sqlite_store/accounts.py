"""Declared accounts in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whatsapp_backend.domain.journal import DeclaredAccount

if TYPE_CHECKING:
    import sqlite3

_COLUMNS = "account, phone, name, server, created_at_ms, stopped"
_DECLARE = f"INSERT OR REPLACE INTO account ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
_DECLARED = f"SELECT {_COLUMNS} FROM account ORDER BY created_at_ms, account"


def declare(connection: sqlite3.Connection, account: DeclaredAccount) -> None:
    """Add it, or replace what is known of it."""
    values = (account.account, account.phone, account.name, account.server, account.created_at_ms, account.stopped)
    connection.execute(_DECLARE, values)


def declared(connection: sqlite3.Connection) -> list[DeclaredAccount]:
    """All of them, oldest first."""
    return [
        DeclaredAccount(account=account, phone=phone, name=name, server=server, created_at_ms=created, stopped=stopped)
        for account, phone, name, server, created, stopped in connection.execute(_DECLARED).fetchall()
    ]
