"""The mirror in SQL. A message's path is kept only as a hash: its row is kept for ever."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from whatsapp_backend.domain.mirror import Gathered, Mirrored, Moved, Unread, Waiting

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_MESSAGE = (
    "SELECT digest, state, updated_at_ns, touched_at_ms FROM mirror LEFT JOIN mirror_state USING (path_hash) "
    "WHERE path_hash = ?"
)
_SET_DIGEST = (
    "INSERT INTO mirror (path_hash, digest) VALUES (?, ?) "
    "ON CONFLICT (path_hash) DO UPDATE SET digest = excluded.digest"
)
_SET_STATE = "INSERT OR REPLACE INTO mirror_state (path_hash, touched_at_ms, updated_at_ns, state) VALUES (?, ?, ?, ?)"
_DROP_STATE = "DELETE FROM mirror_state WHERE path_hash = ?"
_COLUMNS = "path, account, state, updated_at_ns, dirty"
_UNREAD = "(SELECT count(*) FROM (SELECT 1 FROM unread WHERE thread = path LIMIT 10000))"
_GATHERED = f"SELECT {_COLUMNS}, {_UNREAD} FROM gathered WHERE path = ?"
_DIRTY = f"SELECT {_COLUMNS}, {_UNREAD} FROM gathered WHERE dirty ORDER BY rowid LIMIT ?"
_SET_GATHERED = (
    f"INSERT INTO gathered ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET "
    "account = excluded.account, state = excluded.state, updated_at_ns = excluded.updated_at_ns, dirty = excluded.dirty"
)
_WAITING_COLUMNS = "path, account, state, due_at_ms, touched_at_ms"
_WAITING = f"SELECT {_WAITING_COLUMNS} FROM waiting WHERE path = ?"
_DUE = f"SELECT {_WAITING_COLUMNS} FROM waiting WHERE due_at_ms <= ? ORDER BY due_at_ms LIMIT ?"
_SET_WAITING = f"INSERT OR REPLACE INTO waiting ({_WAITING_COLUMNS}) VALUES (?, ?, ?, ?, ?)"
_DROP_WAITING = "DELETE FROM waiting WHERE path = ?"
_SET_UNREAD = "INSERT OR IGNORE INTO unread (thread, message_hash, sent_at_ms) VALUES (?, ?, ?)"
_NOT_UNREAD = "DELETE FROM unread WHERE thread = ? AND message_hash = ?"
_READ = "DELETE FROM unread WHERE thread = ? AND sent_at_ms <= ?"
_MOVE_UNREAD = "UPDATE OR IGNORE unread SET thread = ? WHERE thread = ?"
_DROP_UNREAD = "DELETE FROM unread WHERE thread = ?"


def messages(connection: sqlite3.Connection, paths: Iterable[str]) -> dict[str, Mirrored]:
    """What is known of these message documents."""
    known = {}
    for path in paths:
        for digest, state, updated_at_ns, touched_at_ms in connection.execute(_MESSAGE, (hashed(path),)).fetchall():
            known[path] = Mirrored(
                path=path, digest=digest, state=state, updated_at_ns=updated_at_ns, touched_at_ms=touched_at_ms or 0
            )
    return known


def gathered(connection: sqlite3.Connection, paths: Iterable[str]) -> dict[str, Gathered]:
    """What is known of these thread and contact documents."""
    return {path: _gathered(row) for path in paths for row in connection.execute(_GATHERED, (path,)).fetchall()}


def dirty(connection: sqlite3.Connection, limit: int) -> list[Gathered]:
    """Documents that hold something Firestore does not have yet."""
    return [_gathered(row) for row in connection.execute(_DIRTY, (limit,)).fetchall()]


def waiting(connection: sqlite3.Connection, paths: Iterable[str]) -> dict[str, Waiting]:
    """The amendments that wait for these message documents."""
    return {path: _waiting(row) for path in paths for row in connection.execute(_WAITING, (path,)).fetchall()}


def waiting_due(connection: sqlite3.Connection, now_ms: int, limit: int) -> list[Waiting]:
    """Amendments whose time to be written has come."""
    return [_waiting(row) for row in connection.execute(_DUE, (now_ms, limit)).fetchall()]


def put_message(connection: sqlite3.Connection, mirrored: Mirrored) -> None:
    """Remember a message document."""
    path_hash = hashed(mirrored.path)
    connection.execute(_SET_DIGEST, (path_hash, mirrored.digest))
    if mirrored.state is None:
        connection.execute(_DROP_STATE, (path_hash,))
    else:
        connection.execute(_SET_STATE, (path_hash, mirrored.touched_at_ms, mirrored.updated_at_ns, mirrored.state))


def put_gathered(connection: sqlite3.Connection, row: Gathered) -> None:
    """Remember a thread or a contact."""
    connection.execute(_SET_GATHERED, (row.path, row.account, row.state, row.updated_at_ns, int(row.dirty)))


def put_waiting(connection: sqlite3.Connection, one: Waiting) -> None:
    """Keep amendments for later."""
    connection.execute(_SET_WAITING, (one.path, one.account, one.state, one.due_at_ms, one.touched_at_ms))


def drop_waiting(connection: sqlite3.Connection, path: str) -> None:
    """They wait no longer."""
    connection.execute(_DROP_WAITING, (path,))


def put_unread(connection: sqlite3.Connection, one: Unread) -> None:
    """Count a message as unread, once."""
    connection.execute(_SET_UNREAD, (one.thread, hashed(one.message_id), one.sent_at_ms))


def drop_unread(connection: sqlite3.Connection, one: Unread) -> None:
    """Count it no longer."""
    connection.execute(_NOT_UNREAD, (one.thread, hashed(one.message_id)))


def read(connection: sqlite3.Connection, thread: str, until_ms: int) -> None:
    """What was sent until then is unread no longer."""
    connection.execute(_READ, (thread, until_ms))


def move(connection: sqlite3.Connection, moved: Moved) -> None:
    """What waits for a document, or is unread in it, does so elsewhere now."""
    connection.execute(_DROP_WAITING, (moved.path,))
    connection.execute(_MOVE_UNREAD, (moved.to, moved.path))
    connection.execute(_DROP_UNREAD, (moved.path,))


def hashed(path: str) -> bytes:
    """What is kept of a path that is kept for ever."""
    return hashlib.blake2b(path.encode(), digest_size=16).digest()


def _gathered(row: tuple[str, str, bytes, int | None, int, int]) -> Gathered:
    path, account, state, updated_at_ns, dirty, unread = row
    return Gathered(
        path=path, account=account, state=state, updated_at_ns=updated_at_ns, dirty=bool(dirty), unread=unread
    )


def _waiting(row: tuple[str, str, bytes, int | None, int]) -> Waiting:
    path, account, state, due_at_ms, touched_at_ms = row
    return Waiting(path=path, account=account, state=state, due_at_ms=due_at_ms, touched_at_ms=touched_at_ms)
