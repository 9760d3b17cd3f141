"""Whose number a LID is, in SQL, and which documents still name people by LIDs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whatsapp_backend.domain.mirror import Alias, Nameless

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_NUMBER = "SELECT pn FROM alias WHERE account = ? AND lid = ?"
_UNUNITED = "SELECT account, lid, pn, evidence, at_ms FROM alias WHERE NOT united ORDER BY at_ms LIMIT ?"
# The first word counts: a later one that differs would send one person's messages to two places.
# Told again it is looked through again: a survey may have found more under the LID.
_LEARN = (
    "INSERT INTO alias (account, lid, pn, evidence, at_ms) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (account, lid) DO UPDATE SET united = 0"
)
_UNITED = "UPDATE alias SET united = 1 WHERE account = ? AND lid = ?"
_NAMELESS = "SELECT path FROM nameless WHERE account = ? AND lid = ? ORDER BY path LIMIT ?"
_PUT = "INSERT OR IGNORE INTO nameless (account, lid, path) VALUES (?, ?, ?)"
_DROP = "DELETE FROM nameless WHERE account = ? AND lid = ? AND path = ?"


def aliases(connection: sqlite3.Connection, account: str, lids: Iterable[str]) -> dict[str, str]:
    """The numbers that are known."""
    return {lid: pn for lid in lids for (pn,) in connection.execute(_NUMBER, (account, lid)).fetchall()}


def ununited(connection: sqlite3.Connection, limit: int) -> list[Alias]:
    """Those that have not been dealt with."""
    return [
        Alias(account=account, lid=lid, pn=pn, evidence=evidence, at_ms=at_ms)
        for account, lid, pn, evidence, at_ms in connection.execute(_UNUNITED, (limit,)).fetchall()
    ]


def nameless(connection: sqlite3.Connection, account: str, lid: str, limit: int) -> list[Nameless]:
    """Documents that name somebody by this LID."""
    rows = connection.execute(_NAMELESS, (account, lid, limit)).fetchall()
    return [Nameless(account=account, lid=lid, path=path) for (path,) in rows]


def learn(connection: sqlite3.Connection, alias: Alias) -> None:
    """Keep whose number it is."""
    connection.execute(_LEARN, (alias.account, alias.lid, alias.pn, alias.evidence, alias.at_ms))


def united(connection: sqlite3.Connection, alias: Alias) -> None:
    """Nothing is left to be done."""
    connection.execute(_UNITED, (alias.account, alias.lid))


def put(connection: sqlite3.Connection, one: Nameless) -> None:
    """Remember a document that names somebody by a LID."""
    connection.execute(_PUT, (one.account, one.lid, one.path))


def drop(connection: sqlite3.Connection, one: Nameless) -> None:
    """It does so no longer."""
    connection.execute(_DROP, (one.account, one.lid, one.path))
