from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import tempfile
import traceback
from pathlib import Path

import pytest

from whatsapp_backend.adapters.sqlite_store import SqliteStore, opening
from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.errors import StoreUnusable

ANA = "account_test_0a"
NOBODY = 65534


@pytest.fixture
def state_dir(tmp_path):
    return tmp_path / "deep" / "state"


@pytest.fixture
def file(state_dir):
    """A store that has been used and closed in good order."""
    close(opening.open_file(state_dir))
    return state_dir / opening.FILE_NAME


def close(opened):
    opened.reading.close()
    opened.writing.close()
    opened.lock.release()


def refusal(state_dir):
    with pytest.raises(StoreUnusable) as caught:
        opening.open_file(state_dir)
    assert str(state_dir / opening.FILE_NAME) in str(caught.value)
    return str(caught.value)


async def use(state_dir, entries=200):
    new = [
        NewEntry(kind="message", source=f"s{n}", origin="live", received_at_ms=n, payload=b"x" * 900)
        for n in range(entries)
    ]
    async with SqliteStore.opened(state_dir) as store:
        await store.commit(Commit(account=ANA, id="1", entries=tuple(new), creds="the credentials"))


def test_the_directory_and_the_file_are_made_for_this_user_alone(state_dir):
    opened = opening.open_file(state_dir)
    assert state_dir.stat().st_mode & 0o777 == 0o700
    for path in state_dir.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    close(opened)


def test_a_directory_that_others_can_read_is_closed_to_them(state_dir):
    state_dir.mkdir(parents=True, mode=0o755)
    close(opening.open_file(state_dir))
    assert state_dir.stat().st_mode & 0o777 == 0o700


def test_every_commit_is_synced_and_the_second_connection_cannot_write(state_dir):
    opened = opening.open_file(state_dir)
    for connection in (opened.writing, opened.reading):
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    with pytest.raises(sqlite3.OperationalError):
        opened.reading.execute("DELETE FROM entry")
    close(opened)


def test_a_second_opener_is_told_who_has_it_until_the_first_is_done(state_dir):
    opened = opening.open_file(state_dir)
    assert f"process {os.getpid()}" in refusal(state_dir)
    close(opened)
    close(opening.open_file(state_dir))


def test_a_refused_opening_leaves_the_lock_free(file):
    whole = file.read_bytes()
    file.write_bytes(b"rubbish")
    refusal(file.parent)
    file.write_bytes(whole)
    close(opening.open_file(file.parent))


def test_a_file_of_a_newer_version_says_to_install_that_version(file):
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA user_version={opening.VERSION + 1}")
    message = refusal(file.parent)
    assert f"version {opening.VERSION + 1}" in message
    assert "newer whatsapp-backend" in message


def test_the_database_of_another_program_is_left_alone(state_dir):
    state_dir.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(state_dir / opening.FILE_NAME)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    assert "not made by whatsapp-backend" in refusal(state_dir)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\0" * 4096])
def test_a_file_that_is_no_database_is_neither_used_nor_replaced(file, content):
    file.write_bytes(content)
    assert "backup" in refusal(file.parent)
    assert file.read_bytes() == content


async def test_a_file_that_was_cut_short_is_damaged(state_dir):
    await use(state_dir)
    file = state_dir / opening.FILE_NAME
    os.truncate(file, file.stat().st_size // 2)
    assert "backup" in refusal(state_dir)


async def test_a_damaged_page_is_found_when_a_small_file_is_opened(state_dir):
    await use(state_dir)
    file = state_dir / opening.FILE_NAME
    with file.open("r+b") as damaged:
        damaged.seek(file.stat().st_size // 2 // 4096 * 4096)
        damaged.write(b"\xa5" * 4096)
    message = refusal(state_dir)
    assert "damaged" in message
    assert ".recover" in message


def test_the_columns_of_a_key_come_first_where_the_key_is_the_table(file):
    """SQLite's quick_check takes columns for each other otherwise (3.40.1 does), and a good file for a damaged one."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID'").fetchall()
        assert tables
        for (table,) in tables:
            keys = [key for *_, key in connection.execute(f"PRAGMA table_info({table})")]
            assert keys == sorted(keys, key=lambda key: key or 99), table


async def test_a_large_file_is_opened_without_reading_all_of_it(state_dir, monkeypatch):
    await use(state_dir)
    monkeypatch.setattr(opening, "FULLY_CHECKED_BYTES", 0)
    asked = []
    real = opening.connect

    def traced(path):
        connection = real(path)
        connection.set_trace_callback(asked.append)
        return connection

    monkeypatch.setattr(opening, "connect", traced)
    close(opening.open_file(state_dir))
    assert asked
    assert not [sql for sql in asked if "check" in sql or "entry" in sql]


def test_a_missing_file_with_a_log_beside_it_is_no_fresh_start(file):
    file.with_name(file.name + "-wal").write_bytes(b"x")
    file.unlink()
    assert "anew" in refusal(file.parent)
    assert not file.exists()


def test_an_unfinished_creation_is_begun_again(state_dir):
    state_dir.mkdir(parents=True)
    (state_dir / f"{opening.FILE_NAME}.new").write_bytes(b"half")
    close(opening.open_file(state_dir))
    assert not (state_dir / f"{opening.FILE_NAME}.new").exists()


def test_a_state_directory_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "state").write_text("x")
    refusal(tmp_path / "state")


def test_an_old_sqlite_is_refused_with_its_version(state_dir, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 0))
    assert "SQLite 3.37" in refusal(state_dir)


def in_a_child(check):
    """Run in a forked process, so that what it gives up (user, limits) stays given up."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            check()
            complaint = ""
        except BaseException:  # noqa: BLE001
            complaint = traceback.format_exc()
        os.write(writing, complaint.encode()[:60_000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        complaint = pipe.read().decode()
    os.waitpid(child, 0)
    assert not complaint, complaint


@pytest.fixture
def anyones_dir():
    """Reachable for a user who is not root, which pytest's own folders are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        state_dir = Path(directory) / "state"
        close(opening.open_file(state_dir))
        if os.geteuid() == 0:
            for path in (state_dir, *state_dir.iterdir()):
                os.chown(path, NOBODY, NOBODY)
        yield state_dir
        state_dir.chmod(0o700)


def as_an_ordinary_user(check):
    def run():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        check()

    in_a_child(run)


def test_a_read_only_file_is_named(anyones_dir):
    (anyones_dir / opening.FILE_NAME).chmod(0o400)
    as_an_ordinary_user(lambda: _assert_in(refusal(anyones_dir), "writable"))


def test_a_read_only_directory_is_named(anyones_dir):
    anyones_dir.chmod(0o500)
    as_an_ordinary_user(lambda: _assert_in(refusal(anyones_dir), "writable"))


def test_a_read_only_directory_without_a_lock_file_is_named(anyones_dir):
    (anyones_dir / f"{opening.FILE_NAME}.lock").unlink()
    anyones_dir.chmod(0o500)
    as_an_ordinary_user(lambda: _assert_in(refusal(anyones_dir), "writable"))


@pytest.mark.parametrize("limit", [0, 8192])
def test_a_full_disk_at_the_first_start_is_named_and_leaves_no_half_made_file(state_dir, limit):
    def check():
        _soft_limit(limit)
        assert "space" in refusal(state_dir)
        assert not (state_dir / opening.FILE_NAME).exists()
        _soft_limit(resource.RLIM_INFINITY)
        close(opening.open_file(state_dir))

    in_a_child(check)


def test_a_full_disk_at_a_later_start_is_named(file):
    def check():
        _soft_limit(0)
        assert "space" in refusal(file.parent)
        _soft_limit(resource.RLIM_INFINITY)
        close(opening.open_file(file.parent))

    in_a_child(check)


def _assert_in(message, word):
    assert word in message, message


def _soft_limit(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def test_a_file_of_the_first_version_is_brought_up_to_date_with_all_it_holds(state_dir):
    """Keys, journal, mirror and threads are where they were; an interrupted upgrade is done again."""
    state_dir.mkdir(parents=True, mode=0o700)
    path = state_dir / opening.FILE_NAME
    schema = (Path(__file__).parent / "store_versions" / "1.sql").read_text("utf-8")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA application_id={opening.APPLICATION_ID}")
        connection.execute("PRAGMA user_version=1")
        connection.executescript(f"BEGIN; {schema} COMMIT;")
        connection.execute("INSERT INTO thread VALUES ('threads/t', ?, x'7B7D', 5, 1)", (ANA,))
        connection.execute("INSERT INTO key VALUES (?, 'session', 'a', 'secret')", (ANA,))
        connection.execute("INSERT INTO consumer VALUES ('documents', 7)")
    for _ in range(2):
        close(opening.open_file(state_dir))
    fresh = state_dir.parent / "fresh"
    close(opening.open_file(fresh))
    with (
        contextlib.closing(sqlite3.connect(path)) as old,
        contextlib.closing(sqlite3.connect(fresh / opening.FILE_NAME)) as new,
    ):
        shape = "SELECT type, name, tbl_name FROM sqlite_schema ORDER BY type, name"
        assert old.execute(shape).fetchall() == new.execute(shape).fetchall()
        assert old.execute("PRAGMA user_version").fetchone() == (opening.VERSION,)
        assert old.execute("SELECT path, dirty FROM gathered").fetchall() == [("threads/t", 1)]
        assert old.execute("SELECT value FROM key").fetchall() == [("secret",)]
        assert old.execute("SELECT cursor FROM consumer").fetchall() == [(7,)]
