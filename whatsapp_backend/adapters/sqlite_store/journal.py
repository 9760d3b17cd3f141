"""The journal in SQL: one commit, and reading it back."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from whatsapp_backend.adapters.sqlite_store import keys, notices
from whatsapp_backend.domain.journal import Commit, Entry, NewEntry

if TYPE_CHECKING:
    import sqlite3

_COLUMNS = "account, kind, source, origin, received_at_ms, payload, problem, form, raw, envelope"
# Asked first, though the unique index would refuse it too: an insert that is refused still uses up a seq, and the lag
# of a consumer, the journal's end minus its cursor, would never become 0 again.
_IS_THERE = "SELECT 1 FROM entry WHERE account = ? AND source = ? AND kind = ?"
_ADD = f"INSERT INTO entry ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq"
_AFTER = f"SELECT seq, {_COLUMNS} FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"
_HELD_BACK = f"SELECT seq, entry.{_COLUMNS} FROM held_back JOIN entry USING (seq) ORDER BY seq LIMIT ?"
_FIND = f"SELECT seq, {_COLUMNS} FROM entry WHERE account = ? AND source = ? ORDER BY seq LIMIT 1"
_END = "SELECT seq FROM sqlite_sequence WHERE name = 'entry'"


def commit(connection: sqlite3.Connection, commit: Commit) -> tuple[int, ...]:
    """Carry out a commit and return the seqs of its new entries."""
    keys.put(connection, commit.account, commit.keys)
    if commit.creds is not None:
        keys.put_creds(connection, commit.account, commit.creds)
    seqs = tuple(seq for entry in commit.entries if (seq := _add(connection, commit.account, entry)) is not None)
    if commit.begin is not None:
        notices.begin(connection, commit.account, commit.begin)
    return seqs


def _add(connection: sqlite3.Connection, account: str, new: NewEntry) -> int | None:
    notices.close(connection, account, new)
    if connection.execute(_IS_THERE, (account, new.source, new.kind)).fetchall():
        return None
    what = (account, new.kind, new.source, new.origin, new.received_at_ms)
    how = (new.payload, new.problem, new.form, new.raw, new.envelope)
    ((seq,),) = connection.execute(_ADD, what + how).fetchall()
    notices.open_(connection, account, new, seq)
    return int(seq)


def read(connection: sqlite3.Connection, *, after: int, limit: int, max_bytes: int) -> list[Entry]:
    """Entries after a seq, as many as fit but at least one."""
    return _fitting(connection, _AFTER, (after, limit), max_bytes)


def held_back(connection: sqlite3.Connection, *, limit: int, max_bytes: int) -> list[Entry]:
    """The first that a dry run holds back, as many as fit but at least one."""
    return _fitting(connection, _HELD_BACK, (limit,), max_bytes)


def _fitting(connection: sqlite3.Connection, sql: str, values: tuple[int, ...], max_bytes: int) -> list[Entry]:
    entries: list[Entry] = []
    room = max_bytes
    # Closed when we stop early: an open cursor pins a snapshot, and the write-ahead log would grow without end.
    with contextlib.closing(connection.execute(sql, values)) as rows:
        for row in rows:
            entry = _entry(row)
            room -= sum(len(part) for part in (entry.new.payload, entry.new.raw, entry.new.envelope) if part)
            if entries and room < 0:
                break
            entries.append(entry)
    return entries


def find(connection: sqlite3.Connection, account: str, source: str) -> Entry | None:
    """The first entry with this source."""
    rows = connection.execute(_FIND, (account, source)).fetchall()
    return _entry(rows[0]) if rows else None


def end(connection: sqlite3.Connection) -> int:
    """The highest seq ever given."""
    rows = connection.execute(_END).fetchall()
    return int(rows[0][0]) if rows else 0


def _entry(row: tuple[Any, ...]) -> Entry:
    seq, account, kind, source, origin, received_at_ms, payload, problem, form, raw, envelope = row
    new = NewEntry(
        kind=kind,
        source=source,
        origin=origin,
        received_at_ms=received_at_ms,
        payload=payload,
        problem=problem,
        form=form,
        raw=raw,
        envelope=envelope,
    )
    return Entry(seq=seq, account=account, new=new)
