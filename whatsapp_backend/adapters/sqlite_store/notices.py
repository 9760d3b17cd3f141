"""History notices in SQL: open until their end is journaled, parked when they keep crashing the bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whatsapp_backend.adapters.sqlite_store import consumers
from whatsapp_backend.domain.journal import NewEntry, OpenNotice, Parked
from whatsapp_backend.rules.notices import CRASHES_TO_PARK, PARKED_CONSUMER, closed_by, is_notice, parked_reason

if TYPE_CHECKING:
    import sqlite3

_OPEN = "INSERT INTO notice (seq, account, source) VALUES (?, ?, ?)"
_CLOSE = "DELETE FROM notice WHERE account = ? AND source = ?"
_BEGIN = "UPDATE notice SET begun = 1 WHERE account = ? AND source = ?"
_OPEN_ONES = (
    "SELECT notice.source, entry.raw, entry.envelope, notice.crashes FROM notice JOIN entry USING (seq) "
    "WHERE notice.account = ? AND NOT notice.parked ORDER BY notice.seq"
)
_CRASHED = "UPDATE notice SET begun = 0, crashes = crashes + 1 WHERE begun"
_TOO_OFTEN = "SELECT seq, account, crashes FROM notice WHERE NOT parked AND crashes >= ? ORDER BY seq"
_PARK = "UPDATE notice SET parked = 1 WHERE seq = ?"
_STOPPED = "UPDATE notice SET begun = 0, crashes = 0 WHERE NOT parked AND (begun OR crashes)"


def open_(connection: sqlite3.Connection, account: str, new: NewEntry, seq: int) -> None:
    """Keep a notice open, if it is one."""
    if is_notice(new):
        connection.execute(_OPEN, (seq, account, new.source))


def close(connection: sqlite3.Connection, account: str, new: NewEntry) -> None:
    """Close the notice that this entry ends, if it ends one."""
    source = closed_by(new)
    if source is not None:
        connection.execute(_CLOSE, (account, source))


def begin(connection: sqlite3.Connection, account: str, source: str) -> None:
    """Mark a notice as being downloaded."""
    connection.execute(_BEGIN, (account, source))


def open_ones(connection: sqlite3.Connection, account: str) -> list[OpenNotice]:
    """Those to be handed over, oldest first."""
    return [
        OpenNotice(source=source, raw=raw or b"", envelope=envelope, crashes=crashes)
        for source, raw, envelope, crashes in connection.execute(_OPEN_ONES, (account,)).fetchall()
    ]


def crashed(connection: sqlite3.Connection) -> list[Parked]:
    """Count a crash for those that had begun; park and return those with too many in a row."""
    connection.execute(_CRASHED)
    parked = [
        Parked(consumer=PARKED_CONSUMER, seq=seq, part=0, account=account, reason=parked_reason(crashes))
        for seq, account, crashes in connection.execute(_TOO_OFTEN, (CRASHES_TO_PARK,)).fetchall()
    ]
    for one in parked:
        connection.execute(_PARK, (one.seq,))
        consumers.park(connection, one)
    return parked


def stopped(connection: sqlite3.Connection) -> None:
    """Forget what had begun and the crashes counted so far."""
    connection.execute(_STOPPED)
