"""The ledger in SQL: what is written of it, always within somebody else's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whatsapp_backend.adapters.sqlite_store.ledger import ASKED, ASKING, COVERAGE, EPOCH, GAP

if TYPE_CHECKING:
    import sqlite3

    from whatsapp_backend.domain.coverage import Asked, Chunk, Coverage, Epoch, Gap, Held, LedgerChange
    from whatsapp_backend.domain.mirror import Moved

_SET_EPOCH = f"INSERT OR REPLACE INTO epoch ({EPOCH}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DROP_EPOCH = "DELETE FROM epoch WHERE account = ? AND number = ?"
_SET_ASKING = f"INSERT OR REPLACE INTO asking ({ASKING}) VALUES (?, ?, ?, ?)"
_SET_ASKED = (
    f"INSERT OR REPLACE INTO asked ({ASKED}) "
    "SELECT ?, ?, ?, ?, ?, ?, id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM coverage WHERE thread = ?"
)
_DROP_ASKED = "DELETE FROM asked WHERE account = ? AND id = ?"
_SET_CHUNK = "INSERT OR REPLACE INTO chunk (account, sync_type, place, progress, failed) VALUES (?, ?, ?, ?, ?)"
_SET_COVERAGE = (
    "INSERT INTO coverage (thread, account, jid, withdrawn, gaps_ever) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (thread) DO UPDATE SET account = excluded.account, jid = excluded.jid, "
    "withdrawn = excluded.withdrawn, gaps_ever = excluded.gaps_ever RETURNING id"
)
_SET_INTERVAL = (
    "INSERT OR IGNORE INTO interval (coverage, start_ms, start_id, end_ms, end_id, proof) VALUES (?, ?, ?, ?, ?, ?)"
)
_SET_DOUBT = "INSERT OR IGNORE INTO doubt (coverage, from_ms, until_ms, reason) VALUES (?, ?, ?, ?)"
_SET_OWED = "INSERT OR IGNORE INTO owed (coverage, ms, id) VALUES (?, ?, ?)"
_SET_GAP = f"INSERT OR REPLACE INTO gap ({GAP}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ASKED = (
    "UPDATE gap SET state = ?, tried = ?, rounds = ?, next_at_ms = ? WHERE number = ? AND closed_at_ms IS NULL "
    "AND (start_ms, end_ms, above_ms, above_id) = (?, ?, ?, ?) "
    "AND coverage = (SELECT id FROM coverage WHERE thread = ?)"
)
_SET_HELD = (
    "INSERT OR IGNORE INTO held (coverage, ms, id, from_me, chat, epoch) "
    "SELECT id, ?, ?, ?, ?, ? FROM coverage WHERE thread = ?"
)
_CLEAR = tuple(f"DELETE FROM {table} WHERE coverage = ?" for table in ("interval", "doubt", "owed"))
_FORGET = (*_CLEAR, *(f"DELETE FROM {table} WHERE coverage = ?" for table in ("gap", "held", "asked")))
_DROP = "DELETE FROM coverage WHERE id = ?"
_MOVE = "UPDATE OR IGNORE held SET coverage = ?, chat = coalesce(chat, ?) WHERE coverage = ?"


def record(connection: sqlite3.Connection, change: LedgerChange) -> None:
    """Keep all of it. Messages come after the coverages of their threads."""
    for epoch in change.epochs:
        connection.execute(_SET_EPOCH, _epoch_row(epoch))
    for epoch in change.folded:
        connection.execute(_DROP_EPOCH, (epoch.account, epoch.number))
    for asking in change.askings:
        row = (asking.account, asking.unanswered, asking.asked_at_ms, asking.paused_until_ms)
        connection.execute(_SET_ASKING, row)
    for chunk in change.chunks:
        connection.execute(_SET_CHUNK, _chunk_row(chunk))
    for coverage in change.coverages:
        _put_coverage(connection, coverage)
    for asked in change.asked:
        connection.execute(_SET_ASKED, _asked_row(asked))
    for asked in change.answered:
        connection.execute(_DROP_ASKED, (asked.account, asked.id))
    for gap in change.gaps:
        done = (str(gap.state), gap.tried, gap.rounds, gap.next_at_ms, gap.number)
        bounds = (gap.start_ms, gap.end_ms, gap.above.ms, gap.above.id)
        connection.execute(_ASKED, (*done, *bounds, gap.thread))
    for held in change.held:
        connection.execute(_SET_HELD, _held_row(held))


def _put_coverage(connection: sqlite3.Connection, coverage: Coverage) -> None:
    row = (coverage.thread, coverage.account, coverage.jid, coverage.withdrawn, coverage.gaps_ever)
    ((key,),) = connection.execute(_SET_COVERAGE, row).fetchall()
    for clear in _CLEAR:
        connection.execute(clear, (key,))
    for one in coverage.intervals:
        connection.execute(_SET_INTERVAL, (key, one.start.ms, one.start.id, one.end.ms, one.end.id, str(one.proof)))
    for doubt in coverage.doubts:
        connection.execute(_SET_DOUBT, (key, doubt.from_ms, doubt.until_ms, str(doubt.reason)))
    for point in coverage.owed:
        connection.execute(_SET_OWED, (key, point.ms, point.id))
    for gap in coverage.gaps:
        connection.execute(_SET_GAP, _gap_row(key, gap))


def move(connection: sqlite3.Connection, moved: Moved) -> None:
    """A thread's messages are another thread's now; what was known of it beside them is gone."""
    old = connection.execute(COVERAGE, (moved.path,)).fetchall()
    new = connection.execute(COVERAGE, (moved.to,)).fetchall()
    if not old or not new:
        return
    (key, _, jid, *_), (into, *_) = old[0], new[0]
    connection.execute(_MOVE, (into, jid, key))
    for forget in _FORGET:
        connection.execute(forget, (key,))
    connection.execute(_DROP, (key,))


def _epoch_row(epoch: Epoch) -> tuple[object, ...]:
    return (
        epoch.account,
        epoch.number,
        epoch.opened_at_ms,
        epoch.heard_at_ms,
        epoch.caught_up_at_ms,
        epoch.announced,
        epoch.received,
        epoch.closed_at_ms,
        None if epoch.ending is None else str(epoch.ending),
    )


def _chunk_row(chunk: Chunk) -> tuple[object, ...]:
    return chunk.account, chunk.sync_type, chunk.order, chunk.progress, int(chunk.failed)


def _held_row(held: Held) -> tuple[object, ...]:
    return held.at.ms, held.at.id, int(held.from_me), held.chat, held.epoch, held.thread


def _asked_row(asked: Asked) -> tuple[object, ...]:
    anchor = (asked.anchor.ms, asked.anchor.id)
    _, *gap = _gap_row(0, asked.gap)
    return (asked.id, *anchor, asked.count, asked.asked_at_ms, asked.older, *gap, asked.gap.thread)


def _gap_row(key: int, gap: Gap) -> tuple[object, ...]:
    below, cursor = gap.below, gap.cursor
    return (
        key,
        gap.number,
        gap.account,
        gap.start_ms,
        gap.end_ms,
        below and below.ms,
        below and below.id,
        gap.above.ms,
        gap.above.id,
        str(gap.reason),
        gap.opened_at_ms,
        str(gap.state),
        gap.closed_at_ms,
        gap.closed_by,
        cursor and cursor.ms,
        cursor and cursor.id,
        gap.tried,
        gap.rounds,
        gap.next_at_ms,
    )
