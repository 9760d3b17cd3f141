"""The ledger in SQL: what is read of it. What is written is in `ledger_writes`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from whatsapp_backend.domain.coverage import (
    ANCHORS,
    ASKABLE,
    SECOND_MS,
    SHOWN,
    AccountLedger,
    Around,
    Asked,
    Asking,
    Chunk,
    Coverage,
    Doubt,
    Ending,
    Epoch,
    Gap,
    GapState,
    Held,
    Interval,
    Point,
    Proof,
    Reason,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from whatsapp_backend.domain.coverage import Due
    from whatsapp_backend.domain.pages import GapPlace

EPOCH = "account, number, opened_at_ms, heard_at_ms, caught_up_at_ms, announced, received, closed_at_ms, ending"
ASKING = "account, unanswered, asked_at_ms, paused_until_ms"
GAP = (
    "coverage, number, account, start_ms, end_ms, below_ms, below_id, above_ms, above_id, reason, opened_at_ms, state, "
    "closed_at_ms, closed_by, cursor_ms, cursor_id, tried, rounds, next_at_ms"
)
ASKED = f"id, anchor_ms, anchor_id, count, asked_at_ms, older, {GAP}"
_EPOCHS = f"SELECT {EPOCH} FROM epoch WHERE account = ? ORDER BY number"
_ASKING = f"SELECT {ASKING} FROM asking WHERE account = ?"
_ASKED = (
    f"SELECT {ASKED}, thread FROM asked JOIN (SELECT id AS key, thread FROM coverage) ON key = coverage "
    "WHERE account = ? ORDER BY asked_at_ms, id"
)
_CHUNKS = "SELECT sync_type, place, progress, failed FROM chunk WHERE account = ? ORDER BY sync_type, place"
_COUNTS = "SELECT state, count(*) FROM gap WHERE account = ? GROUP BY state"
COVERAGE = "SELECT id, account, jid, withdrawn, gaps_ever FROM coverage WHERE thread = ?"
_INTERVALS = (
    "SELECT start_ms, start_id, end_ms, end_id, proof FROM interval WHERE coverage = ? "
    "ORDER BY proof, start_ms, start_id, end_ms, end_id"
)
_DOUBTS = "SELECT from_ms, until_ms, reason FROM doubt WHERE coverage = ? ORDER BY from_ms, until_ms, reason"
_OWED = "SELECT ms, id FROM owed WHERE coverage = ? ORDER BY ms, id"
_GAP_ROWS = f"SELECT {GAP}, thread FROM gap JOIN (SELECT id, thread FROM coverage) ON id = coverage"
_UNCLOSED = f"{_GAP_ROWS} WHERE coverage = ? AND closed_at_ms IS NULL ORDER BY number"
_OPEN = f"{_GAP_ROWS} WHERE account = ? AND closed_at_ms IS NULL AND above_ms BETWEEN ? AND ? "
_DUE = (
    f"AND state IN ({', '.join(repr(str(state)) for state in sorted(ASKABLE))}) AND reason <> '{Reason.DEBT}' "
    "AND next_at_ms <= ? AND (below_ms IS NOT NULL OR above_ms > ?) "
)
_AFTER = "AND (below_ms IS NULL, -above_ms, thread, number) > (?, ?, ?, ?) "
_NEWEST = "ORDER BY below_ms IS NULL, above_ms DESC, thread, number LIMIT ?"
_HELD = "SELECT ms, id, from_me, chat, epoch FROM held WHERE coverage = ? AND "
_BELOW = f"{_HELD} ms < ? ORDER BY ms DESC, id DESC LIMIT 1"
_FIRST_INSIDE = f"{_HELD} ms >= ? AND ms < ? ORDER BY ms, id LIMIT {SHOWN}"
_LAST_INSIDE = f"{_HELD} ms >= ? AND ms < ? ORDER BY ms DESC, id DESC LIMIT {SHOWN}"
_ABOVE = f"{_HELD} ms >= ? ORDER BY ms, id LIMIT {ANCHORS}"
_EXACTLY = f"{_HELD} ms = ? AND id = ?"


def of_account(connection: sqlite3.Connection, account: str) -> AccountLedger:
    """What is stored of an account as a whole."""
    asking = connection.execute(_ASKING, (account,)).fetchall()
    return AccountLedger(
        asking=Asking(**dict(zip(ASKING.split(", "), asking[0], strict=True))) if asking else Asking(account=account),
        asked=tuple(_asked(account, row) for row in connection.execute(_ASKED, (account,)).fetchall()),
        epochs=tuple(_epoch(row) for row in connection.execute(_EPOCHS, (account,)).fetchall()),
        chunks=tuple(
            Chunk(account=account, sync_type=sync_type, order=order, progress=progress, failed=bool(failed))
            for sync_type, order, progress, failed in connection.execute(_CHUNKS, (account,)).fetchall()
        ),
        gaps={GapState(state): count for state, count in connection.execute(_COUNTS, (account,)).fetchall()},
    )


def coverages(connection: sqlite3.Connection, threads: Iterable[str]) -> dict[str, Coverage]:
    """What is known of these threads; unknown ones are absent. Its parts are of one moment."""
    with _snapshot(connection):
        return {thread: one for thread in threads for one in _coverage(connection, thread)}


@contextlib.contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def _coverage(connection: sqlite3.Connection, thread: str) -> Iterator[Coverage]:
    for key, account, jid, withdrawn, gaps_ever in connection.execute(COVERAGE, (thread,)).fetchall():
        yield Coverage(
            account=account,
            thread=thread,
            jid=jid,
            intervals=tuple(
                Interval(Point(start_ms, start), Point(end_ms, end), Proof(proof))
                for start_ms, start, end_ms, end, proof in connection.execute(_INTERVALS, (key,)).fetchall()
            ),
            doubts=tuple(
                Doubt(from_ms, until_ms, Reason(reason))
                for from_ms, until_ms, reason in connection.execute(_DOUBTS, (key,)).fetchall()
            ),
            owed=tuple(Point(ms, id_) for ms, id_ in connection.execute(_OWED, (key,)).fetchall()),
            withdrawn=withdrawn,
            gaps_ever=gaps_ever,
            gaps=tuple(_gap(row) for row in connection.execute(_UNCLOSED, (key,)).fetchall()),
        )


def open_gaps(
    connection: sqlite3.Connection,
    *,
    account: str,
    due: Due | None,
    above: tuple[int, int],
    after: GapPlace | None,
    limit: int,
) -> list[Gap]:
    """The account's gaps that are not closed, the newest first, after a place."""
    sql, values = _OPEN, [account, *above]
    if due is not None:
        sql, values = sql + _DUE, [*values, due.now_ms, due.oldest_ms]
    if after is not None:
        sql, values = sql + _AFTER, [*values, *after]
    return [_gap(row) for row in connection.execute(sql + _NEWEST, (*values, limit)).fetchall()]


def around(connection: sqlite3.Connection, thread: str, ranges: Sequence[tuple[int, int]]) -> list[Around]:
    """The messages held below, in and above each of these ranges."""
    rows = connection.execute(COVERAGE, (thread,)).fetchall()
    if not rows:
        return [Around() for _ in ranges]
    key = rows[0][0]
    return [_around(connection, thread, key, start_ms, end_ms) for start_ms, end_ms in ranges]


def _around(connection: sqlite3.Connection, thread: str, key: int, start_ms: int, end_ms: int) -> Around:
    def ask(sql: str, *args: int) -> list[Held]:
        return [_held(thread, row) for row in connection.execute(sql, (key, *args)).fetchall()]

    below = ask(_BELOW, start_ms)
    inside = {one.at: one for sql in (_FIRST_INSIDE, _LAST_INSIDE) for one in ask(sql, start_ms, end_ms)}
    return Around(
        below=below[0] if below else None,
        inside=tuple(inside[at] for at in sorted(inside)),
        above=tuple(ask(_ABOVE, end_ms)),
    )


def anchors(connection: sqlite3.Connection, thread: str, at: Point) -> list[Held]:
    """This message, and the next ones of later seconds."""
    rows = connection.execute(COVERAGE, (thread,)).fetchall()
    if not rows:
        return []
    key, later_ms = rows[0][0], (at.second + 1) * SECOND_MS
    found = connection.execute(_EXACTLY, (key, at.ms, at.id)).fetchall()
    found += connection.execute(_ABOVE, (key, later_ms)).fetchall()
    return [_held(thread, row) for row in found]


def _epoch(row: Sequence[Any]) -> Epoch:
    fields = dict(zip(EPOCH.split(", "), row, strict=True))
    ending = fields.pop("ending")
    return Epoch(**fields, ending=None if ending is None else Ending(ending))


def _asked(account: str, row: Sequence[Any]) -> Asked:
    request, anchor_ms, anchor_id, count, asked_at_ms, older, *gap = row
    return Asked(
        account=account,
        id=request,
        gap=_gap(gap),
        anchor=Point(anchor_ms, anchor_id),
        count=count,
        asked_at_ms=asked_at_ms,
        older=older,
    )


def _gap(row: Sequence[Any]) -> Gap:
    fields = dict(zip((*GAP.split(", "), "thread"), row, strict=True))
    del fields["coverage"]
    places = {name: _point(fields.pop(f"{name}_ms"), fields.pop(f"{name}_id")) for name in ("below", "above", "cursor")}
    state, reason = GapState(fields.pop("state")), Reason(fields.pop("reason"))
    return Gap(**fields, **places, state=state, reason=reason)


def _point(ms: int | None, message_id: str | None) -> Any:
    return None if ms is None else Point(ms, message_id or "")


def _held(thread: str, row: Sequence[Any]) -> Held:
    ms, message_id, from_me, chat, epoch = row
    return Held(thread=thread, at=Point(ms, message_id), from_me=bool(from_me), chat=chat, epoch=epoch)
