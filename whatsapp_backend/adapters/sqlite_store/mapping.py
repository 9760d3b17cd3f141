"""SQLite's errors, in our words: what happened, to which file, and the way out."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from whatsapp_backend.errors import StoreRefused, StoreUnwell

if TYPE_CHECKING:
    from pathlib import Path

_DISK = {
    sqlite3.SQLITE_FULL: "Free some space on its disk.",
    sqlite3.SQLITE_IOERR: "Look at its disk: free space, quota, file size limits, and the kernel's log.",
    sqlite3.SQLITE_READONLY: "Make the file and its directory writable for this user, and the file system with them.",
    sqlite3.SQLITE_CANTOPEN: "Make the file and its directory readable and writable for this user.",
    sqlite3.SQLITE_PERM: "Make the file and its directory readable and writable for this user.",
    sqlite3.SQLITE_BUSY: "Stop the other program that has it open.",
    sqlite3.SQLITE_LOCKED: "Stop the other program that has it open.",
    sqlite3.SQLITE_PROTOCOL: "Stop the other program that has it open.",
    sqlite3.SQLITE_NOLFS: "Move it to a disk with a file system that holds large files.",
    sqlite3.SQLITE_NOMEM: "Give this process more memory.",
}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_VALUE = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    UnicodeError,
    OverflowError,
)


def _primary_code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", None) or 0


def is_the_disk(error: BaseException) -> bool:
    """Tell whether every write would have failed now, not only this one."""
    return isinstance(error, sqlite3.Error) and _primary_code(error) & 0xFF in _DISK


def way_out(error: BaseException, file: Path) -> str:
    """Say what an operator can do about an error of SQLite or the operating system."""
    code = _primary_code(error) & 0xFF
    if code in _DAMAGE or not code:
        return (
            f"Restore {file} from a backup, or try to rescue it with the sqlite3 shell's .recover into a new file. "
            "Only when neither works: move it away and pair the accounts anew."
        )
    return _DISK.get(code, "This is not expected: please report it.")


def ours(error: Exception, file: Path) -> Exception:
    """The error that a caller may see in place of this one."""
    if isinstance(error, _VALUE):
        return StoreRefused(f"{file} cannot hold this value: {error}")
    if isinstance(error, sqlite3.Error):
        return StoreUnwell(f"{file}: {error}. {way_out(error, file)}")
    return error
