"""Open the one file, or say why it cannot be and what to do.

What is checked: that nobody else has it, that it is ours and not from a newer version, that it is not damaged as far as
can be seen quickly, and, by one real transaction, that it can be written. A new file is built under another name
and renamed, so that a file which is empty or half made is never taken for a fresh start: that would be a new identity.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from whatsapp_backend.adapters.sqlite_store.lock import StateLock
from whatsapp_backend.adapters.sqlite_store.mapping import way_out
from whatsapp_backend.errors import StoreUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_NAME = "whatsapp.sqlite3"
VERSION = 4
APPLICATION_ID = 0x57414249  # "WABI"
FULLY_CHECKED_BYTES = 64 * 1024 * 1024  # a third of a second; beyond it damage is found when it is met
_OLDEST_SQLITE = (3, 37)  # STRICT tables
_MAGIC = b"SQLite format 3\x00"
_WAL_LIMIT_BYTES = 64 * 1024 * 1024

PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # NORMAL loses acknowledged commits at a power cut: tests/crash/test_store_power_cut.py
    "PRAGMA fullfsync=ON",
    "PRAGMA busy_timeout=5000",  # a backup program may hold it for a moment
    f"PRAGMA journal_size_limit={_WAL_LIMIT_BYTES}",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-16000",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFile:
    """The file, locked, with a connection that writes and one that only reads. `lock` is None where it is another's
    to release."""

    path: Path
    lock: StateLock | None
    writing: sqlite3.Connection
    reading: sqlite3.Connection


def lock_state(state_dir: Path) -> StateLock:
    """Lock the directory, made if it is missing, without opening the file. Raises StateInUse or StoreUnusable."""
    path = state_dir / FILE_NAME
    with _named(path):
        _make_directory(state_dir)
        return StateLock(state_dir / f"{FILE_NAME}.lock", guarded=path)


def open_file(state_dir: Path, *, locked: bool = False) -> OpenFile:
    """Open the file in this directory, both made if they are missing; `locked` says that the caller has the lock.
    Raises StoreUnusable."""
    path = state_dir / FILE_NAME
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreUnusable(
            f"{path} needs SQLite 3.37 or newer, this Python has {sqlite3.sqlite_version}: use a newer Python."
        )
    with _named(path), contextlib.ExitStack() as undo:
        lock = None if locked else undo.enter_context(lock_state(state_dir))
        if _must_be_created(path):
            _create(path)
        _check_header(path)
        writing = undo.enter_context(contextlib.closing(connect(path)))
        _check_contents(writing, path)
        _upgrade(writing)
        _write_once(writing)
        reading = undo.enter_context(contextlib.closing(connect(path)))
        reading.execute("PRAGMA query_only=ON")
        undo.pop_all()
    return OpenFile(path=path, lock=lock, writing=writing, reading=reading)


def reading_beside(state_dir: Path) -> sqlite3.Connection:
    """A connection that only reads, beside whoever has the file. Raises StoreUnusable."""
    path = state_dir / FILE_NAME
    with _named(path):
        connection = connect(path)
        connection.execute("PRAGMA query_only=ON")
        ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    if version != VERSION:
        connection.close()
        raise StoreUnusable(f"{path} has version {version}: start this whatsapp-backend once to bring it to {VERSION}.")
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """Connect, with the settings that durability rests on. Transactions are ours alone."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        for pragma in PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name the file and the way out in whatever goes wrong."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnusable(f"{path} cannot be used: {error}. {way_out(error, path)}") from error
    except OSError as error:
        raise StoreUnusable(
            f"{path} cannot be used: {error}. "
            "Make its directory readable and writable for this user, with free space, or choose another STATE_DIR."
        ) from error


def _make_directory(state_dir: Path) -> None:
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if state_dir.stat().st_mode & 0o077 and state_dir.stat().st_uid == os.geteuid():
        state_dir.chmod(0o700)  # private keys lie in it


def _must_be_created(path: Path) -> bool:
    if path.exists():
        return False
    left_behind = path.with_name(f"{FILE_NAME}-wal")
    if left_behind.exists() and left_behind.stat().st_size:
        raise StoreUnusable(
            f"{path} is gone, but {left_behind.name} beside it holds part of it. "
            f"Put {path.name} back, or restore both from a backup, or move the rest away to begin anew."
        )
    return True


def _create(path: Path) -> None:
    unfinished = path.with_name(f"{FILE_NAME}.new")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        _upgrade(connection)
    unfinished.replace(path)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_header(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
    if start != _MAGIC:
        what = "is empty" if not start else "is not an SQLite database"
        raise StoreUnusable(
            f"{path} {what}, though it should hold the keys of the paired accounts. Restore it from a backup, "
            "or move it away to begin anew: every account must then be paired again."
        )


def _check_contents(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise StoreUnusable(f"{path} was not made by whatsapp-backend. Choose another STATE_DIR, or move it away.")
    if version not in range(1, VERSION + 1):
        raise StoreUnusable(
            f"{path} has version {version}, this whatsapp-backend knows version {VERSION}. "
            "Install the newer whatsapp-backend again, or restore the file from before the upgrade."
        )
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        raise StoreUnusable(f"{path} lies on a file system without shared memory. Choose a STATE_DIR on a local disk.")
    if path.stat().st_size <= FULLY_CHECKED_BYTES:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"it is damaged ({verdict})")


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring a file that is new or older up to date, one version after the other, each completely or not at all."""
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    for step in range(version + 1, VERSION + 1):
        statements = files(__package__).joinpath(f"upgrade_{step}.sql").read_text(encoding="utf-8")
        connection.executescript(f"BEGIN; {statements} PRAGMA user_version={step}; COMMIT;")


def _write_once(connection: sqlite3.Connection) -> None:
    """Find out now, not at the first message, that the disk is full or read-only."""
    connection.execute("UPDATE tally SET count = count + 1 WHERE name = 'opened'")
