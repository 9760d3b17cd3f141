"""What has served its time goes, a bounded batch at a time, so that no commit waits long for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

BATCH = 500

Place = tuple[int, int]
"""How far the entries were looked through: (received_at_ms, seq)."""

START: Place = (-(2**63), 0)

# In order of age, after the last place: what stays (open, parked, not passed) is looked at once, not once per batch.
_OLD = (
    "SELECT received_at_ms, seq FROM entry INDEXED BY entry_age "
    "WHERE (received_at_ms, seq) > (?, ?) AND received_at_ms < ? ORDER BY received_at_ms, seq LIMIT ?"
)
_PASSED = "SELECT min(cursor) FROM consumer"
_DROP = (
    "DELETE FROM entry WHERE seq = ? AND seq <= ? "
    "AND NOT EXISTS (SELECT 1 FROM notice WHERE notice.seq = entry.seq) "
    "AND NOT EXISTS (SELECT 1 FROM parked WHERE parked.seq = entry.seq) "
    "AND NOT EXISTS (SELECT 1 FROM held_back WHERE held_back.seq = entry.seq) RETURNING seq"
)
_COUNT = "UPDATE tally SET count = count + ? WHERE name = 'pruned'"
_OLD_STATES = "SELECT path_hash FROM mirror_state WHERE touched_at_ms < ? LIMIT ?"
_DROP_STATE = "DELETE FROM mirror_state WHERE path_hash = ?"
# Amendments whose message never came, and debts that were closed long ago.
_DROP_WAITING = (
    "DELETE FROM waiting WHERE path IN "
    "(SELECT path FROM waiting WHERE touched_at_ms < ? AND due_at_ms IS NULL LIMIT ?) RETURNING 1"
)
_DROP_DEBTS = (
    "DELETE FROM debt WHERE path IN "
    "(SELECT path FROM debt WHERE closed IS NOT NULL AND closed_at_ms < ? LIMIT ?) RETURNING 1"
)
_DROP_GAPS = (
    "DELETE FROM gap WHERE (coverage, number) IN "
    "(SELECT coverage, number FROM gap WHERE closed_at_ms IS NOT NULL AND closed_at_ms < ? LIMIT ?) RETURNING 1"
)
# Old jobs. Of each kind the last one and the last one that is done stay: when an account runs next depends on them.
_DROP_JOBS = (
    "DELETE FROM job WHERE id IN (SELECT id FROM job AS old WHERE ended_at_ms < ? AND "
    "(json_extract(told, '$.dry_run') OR EXISTS (SELECT 1 FROM job AS newer "
    "WHERE newer.account = old.account AND newer.kind = old.kind AND newer.created_at_ms > old.created_at_ms "
    "AND NOT json_extract(newer.told, '$.dry_run') AND (old.state <> 'done' OR newer.state = 'done'))) "
    "LIMIT ?) RETURNING 1"
)


def drop_entries(connection: sqlite3.Connection, *, landed_before_ms: int, after: Place) -> tuple[int, Place | None]:
    """Drop one batch; return how many went and where to go on, None at the end."""
    old = connection.execute(_OLD, (*after, landed_before_ms, BATCH)).fetchall()
    ((passed,),) = connection.execute(_PASSED).fetchall()
    dropped = sum(len(connection.execute(_DROP, (seq, passed or 0)).fetchall()) for _, seq in old)
    if dropped:
        connection.execute(_COUNT, (dropped,))
    return dropped, (old[-1] if len(old) == BATCH else None)


def drop_states(connection: sqlite3.Connection, *, state_before_ms: int) -> int:
    """Drop one batch of merge states, of amendments that wait in vain, of closed debts and gaps, of old jobs.

    Returns how many went of the kind of which most went; fewer than BATCH were the last.
    """
    old = connection.execute(_OLD_STATES, (state_before_ms, BATCH)).fetchall()
    for (path_hash,) in old:
        connection.execute(_DROP_STATE, (path_hash,))
    served = (_DROP_WAITING, _DROP_DEBTS, _DROP_GAPS, _DROP_JOBS)
    others = (len(connection.execute(sql, (state_before_ms, BATCH)).fetchall()) for sql in served)
    return max(len(old), *others)
