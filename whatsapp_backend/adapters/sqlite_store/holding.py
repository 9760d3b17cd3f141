"""What a dry run holds back, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whatsapp_backend.adapters.sqlite_store.mirror import hashed
from whatsapp_backend.domain.holding import HistoryPlan, Touched

if TYPE_CHECKING:
    import sqlite3

    from whatsapp_backend.domain.mirror import Progress

_HOLD = "INSERT OR IGNORE INTO held_back (seq, account) VALUES (?, ?)"
_FORESEE = (
    "INSERT INTO foreseen (path_hash, seq, what, known, written) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (path_hash) DO UPDATE SET written = max(written, excluded.written)"
)
_RELEASE = "DELETE FROM held_back WHERE seq = ?"
_FORGET = "DELETE FROM foreseen WHERE seq = ?"
_COUNT = "SELECT count(*) FROM held_back WHERE account = ?"
_PLAN = (
    "SELECT what, known, count(*), sum(written) FROM held_back CROSS JOIN foreseen USING (seq) "
    "WHERE account = ? GROUP BY what, known"
)


def hold(connection: sqlite3.Connection, progress: Progress) -> None:
    """Keep what is held back, and what is so no longer."""
    for row in progress.held_back:
        connection.execute(_HOLD, row)
    for one in progress.foreseen:
        values = (hashed(one.path), one.seq, one.what.value, int(one.known), int(one.written))
        connection.execute(_FORESEE, values)
    for seq in progress.released:
        connection.execute(_RELEASE, (seq,))
        connection.execute(_FORGET, (seq,))


def plan(connection: sqlite3.Connection, account: str) -> HistoryPlan:
    """What landing all of an account's would do."""
    ((entries,),) = connection.execute(_COUNT, (account,)).fetchall()
    rows = connection.execute(_PLAN, (account,)).fetchall()
    return HistoryPlan(
        entries=entries,
        new={Touched(what): count for what, known, count, _ in rows if not known},
        known={Touched(what): count for what, known, count, _ in rows if known},
        writes=sum(written for _, _, _, written in rows),
    )
