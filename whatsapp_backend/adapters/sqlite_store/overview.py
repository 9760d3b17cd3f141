"""Everything at a glance, in SQL: one query for all accounts, one for all threads of an account."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from whatsapp_backend.domain.coverage import ASKABLE, ENDLESS_MS, GapState
from whatsapp_backend.domain.overview import Activity, Tally

if TYPE_CHECKING:
    import sqlite3

_GAPS = (
    "SELECT account, state, below_ms IS NULL, count(*), min(opened_at_ms) FROM gap INDEXED BY gap_open "
    "WHERE closed_at_ms IS NULL GROUP BY account, state, below_ms IS NULL"
)
_DEBTS = "SELECT account, count(*) FROM debt WHERE closed IS NULL GROUP BY account"
_PAUSES = "SELECT account, paused_until_ms FROM asking WHERE paused_until_ms > 0"
_ACTIVE = (
    "SELECT newest_ms, thread FROM ("
    "SELECT thread, ifnull((SELECT max(ms) FROM held WHERE held.coverage = coverage.id), 0) AS newest_ms "
    "FROM coverage WHERE account = ?) "
    "WHERE (newest_ms, thread) < (?, ?) ORDER BY newest_ms DESC, thread DESC LIMIT ?"
)


def tallies(connection: sqlite3.Connection) -> dict[str, Tally]:
    """What is missing, by account."""
    holes: dict[str, dict[GapState, int]] = defaultdict(dict)
    deep: dict[str, int] = defaultdict(int)
    oldest: dict[str, int] = {}
    for account, text, below_nothing, count, opened_at_ms in connection.execute(_GAPS).fetchall():
        state = GapState(text)
        if below_nothing:
            deep[account] += count
            continue
        holes[account][state] = count
        if state in ASKABLE:
            oldest[account] = min(opened_at_ms, oldest.get(account, opened_at_ms))
    debts = dict(connection.execute(_DEBTS).fetchall())
    pauses = dict(connection.execute(_PAUSES).fetchall())
    return {
        account: Tally(
            holes=holes.get(account, {}),
            deep=deep.get(account, 0),
            oldest_hole_at_ms=oldest.get(account),
            debts=debts.get(account, 0),
            paused_until_ms=pauses.get(account, 0),
        )
        for account in holes.keys() | deep.keys() | debts.keys() | pauses.keys()
    }


def active_threads(connection: sqlite3.Connection, account: str, limit: int, below: Activity | None) -> list[Activity]:
    """The account's threads, those with the newest messages first."""
    end = below or Activity(ENDLESS_MS, "")
    rows = connection.execute(_ACTIVE, (account, end.newest_ms, end.thread, limit))
    return [Activity(newest_ms, thread) for newest_ms, thread in rows.fetchall()]
