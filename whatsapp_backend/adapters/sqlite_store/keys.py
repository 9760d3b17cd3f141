"""Signal keys and credentials in SQL."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING

from whatsapp_backend.errors import CredentialsUnreadable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from whatsapp_backend.domain.journal import Keys

_GET = "SELECT value FROM key WHERE account = ? AND type = ? AND id = ?"
_SET = (
    "INSERT INTO key (account, type, id, value) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (account, type, id) DO UPDATE SET value = excluded.value"
)
_DELETE = "DELETE FROM key WHERE account = ? AND type = ? AND id = ?"
_SET_CREDS = (
    "INSERT INTO creds (account, value, checksum) VALUES (?, ?, ?) "
    "ON CONFLICT (account) DO UPDATE SET value = excluded.value, checksum = excluded.checksum"
)
# As bytes: what was damaged need not be text any more.
_CREDS = "SELECT CAST(account AS BLOB), CAST(value AS BLOB), checksum FROM creds"


def get(connection: sqlite3.Connection, account: str, type: str, ids: Sequence[str]) -> dict[str, str]:
    """The stored values."""
    found = {}
    for one in ids:
        rows = connection.execute(_GET, (account, type, one)).fetchall()
        if rows:
            found[one] = rows[0][0]
    return found


def put(connection: sqlite3.Connection, account: str, keys: Keys) -> None:
    """Set values; None deletes."""
    for key_type, values in keys.items():
        for key_id, value in values.items():
            if value is None:
                connection.execute(_DELETE, (account, key_type, key_id))
            else:
                connection.execute(_SET, (account, key_type, key_id, value))


def put_creds(connection: sqlite3.Connection, account: str, value: str) -> None:
    """Replace an account's credentials."""
    connection.execute(_SET_CREDS, (account, value, _checksum(account.encode(), value.encode())))


def creds(connection: sqlite3.Connection, account: str, file: Path) -> str | None:
    """An account's credentials, or None only if it is certain that there are none."""
    try:
        rows = connection.execute(f"{_CREDS} WHERE account = ?", (account,)).fetchall()
        # A flipped bit in the name hides the row: then it is among those that fail their checksum.
        rows = rows or [row for row in connection.execute(_CREDS).fetchall() if not _is_intact(row)]
    except sqlite3.Error as error:
        raise _unreadable(account, file, str(error)) from error
    if not rows:
        return None
    if not _is_intact(rows[0]):
        raise _unreadable(account, file, "the checksum does not match")
    return str(rows[0][1], "utf-8")


def forget(connection: sqlite3.Connection, account: str) -> None:
    """Delete keys and credentials of an account."""
    connection.execute("DELETE FROM key WHERE account = ?", (account,))
    connection.execute("DELETE FROM creds WHERE account = ?", (account,))


def _checksum(account: bytes, value: bytes) -> bytes:
    return hashlib.blake2b(account + b"\0" + value, digest_size=16).digest()


def _is_intact(row: tuple[bytes, bytes, bytes]) -> bool:
    account, value, checksum = row
    return _checksum(account, value) == checksum


def _unreadable(account: str, file: Path, reason: str) -> CredentialsUnreadable:
    return CredentialsUnreadable(
        f"The credentials of {account} are in {file} but cannot be read: {reason}. Restore {file} from a backup. "
        f"Only when there is none: log {account} out (on the phone, too) and pair it anew."
    )
