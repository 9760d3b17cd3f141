"""What surveys found, in SQL: where messages lie, and how far each survey has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whatsapp_backend.adapters.sqlite_store.mirror import hashed
from whatsapp_backend.domain.surveys import Adopted
from whatsapp_backend.rules import surveying

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from whatsapp_backend.domain.surveys import Survey

_ANY = "SELECT 1 FROM adopted LIMIT 1"
_LIES = "SELECT document_id FROM adopted WHERE path_hash = ?"
_ADOPT = "INSERT OR REPLACE INTO adopted (path_hash, document_id) VALUES (?, ?)"
_FORGET_PLAIN = "DELETE FROM adopted WHERE document_id = ''"
_SURVEY = "SELECT state FROM survey WHERE account = ?"
_SURVEYS = "SELECT state FROM survey ORDER BY account"
_SET = "INSERT OR REPLACE INTO survey (account, state) VALUES (?, ?)"


def adopted(connection: sqlite3.Connection, paths: Iterable[str]) -> dict[str, str]:
    """Where those of these messages lie that were found. Mostly there are none at all, which is asked once."""
    if not connection.execute(_ANY).fetchall():
        return {}
    return {
        path: Adopted(path=path, document_id=document_id).lies if document_id else path
        for path in paths
        for (document_id,) in connection.execute(_LIES, (hashed(path),)).fetchall()
    }


def survey(connection: sqlite3.Connection, account: str) -> Survey | None:
    """How far an account's survey has come."""
    rows = connection.execute(_SURVEY, (account,)).fetchall()
    return surveying.loaded(rows[0][0]) if rows else None


def surveys(connection: sqlite3.Connection) -> list[Survey]:
    """All that were begun."""
    return [surveying.loaded(state) for (state,) in connection.execute(_SURVEYS).fetchall()]


def adopt(connection: sqlite3.Connection, one: Adopted) -> None:
    """Remember where a message lies."""
    document_id = "" if one.lies == one.path else one.document_id
    connection.execute(_ADOPT, (hashed(one.path), document_id))


def put(connection: sqlite3.Connection, survey: Survey) -> None:
    """Keep how far it has come."""
    connection.execute(_SET, (survey.account, surveying.dumped(survey)))
    if not survey.thread:
        connection.execute(_FORGET_PLAIN)
