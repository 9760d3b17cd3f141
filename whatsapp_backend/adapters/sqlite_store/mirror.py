"""The mirror in SQL. A message's path is kept only as a hash: its row is kept for ever."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from whatsapp_backend.domain.mirror import Mirrored, MirroredThread

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
_THREAD_COLUMNS = "path, account, state, updated_at_ns, dirty"
_THREAD = f"SELECT {_THREAD_COLUMNS} FROM thread WHERE path = ?"
_DIRTY = f"SELECT {_THREAD_COLUMNS} FROM thread WHERE dirty ORDER BY rowid LIMIT ?"
_SET_THREAD = (
    f"INSERT INTO thread ({_THREAD_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET "
    "account = excluded.account, state = excluded.state, updated_at_ns = excluded.updated_at_ns, dirty = excluded.dirty"
)


def messages(connection: sqlite3.Connection, paths: Iterable[str]) -> dict[str, Mirrored]:
    """What is known of these message documents."""
    known = {}
    for path in paths:
        for digest, state, updated_at_ns, touched_at_ms in connection.execute(_MESSAGE, (_hash(path),)).fetchall():
            known[path] = Mirrored(
                path=path, digest=digest, state=state, updated_at_ns=updated_at_ns, touched_at_ms=touched_at_ms or 0
            )
    return known


def threads(connection: sqlite3.Connection, paths: Iterable[str]) -> dict[str, MirroredThread]:
    """What is known of these thread documents."""
    return {path: _thread(row) for path in paths for row in connection.execute(_THREAD, (path,)).fetchall()}


def dirty_threads(connection: sqlite3.Connection, limit: int) -> list[MirroredThread]:
    """Threads that hold something Firestore does not have yet."""
    return [_thread(row) for row in connection.execute(_DIRTY, (limit,)).fetchall()]


def put_message(connection: sqlite3.Connection, mirrored: Mirrored) -> None:
    """Remember a message document."""
    path_hash = _hash(mirrored.path)
    connection.execute(_SET_DIGEST, (path_hash, mirrored.digest))
    if mirrored.state is None:
        connection.execute(_DROP_STATE, (path_hash,))
    else:
        connection.execute(_SET_STATE, (path_hash, mirrored.touched_at_ms, mirrored.updated_at_ns, mirrored.state))


def put_thread(connection: sqlite3.Connection, thread: MirroredThread) -> None:
    """Remember a thread document."""
    values = (thread.path, thread.account, thread.state, thread.updated_at_ns, int(thread.dirty))
    connection.execute(_SET_THREAD, values)


def _hash(path: str) -> bytes:
    return hashlib.blake2b(path.encode(), digest_size=16).digest()


def _thread(row: tuple[str, str, bytes, int | None, int]) -> MirroredThread:
    path, account, state, updated_at_ns, dirty = row
    return MirroredThread(path=path, account=account, state=state, updated_at_ns=updated_at_ns, dirty=bool(dirty))
