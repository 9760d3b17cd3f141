"""What people may look at in the file while the daemon has it."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from whatsapp_backend.adapters.sqlite_store import accounts, surveys
from whatsapp_backend.adapters.sqlite_store.lock import StateLock
from whatsapp_backend.adapters.sqlite_store.opening import FILE_NAME, connect, reading_beside
from whatsapp_backend.clock import SystemClock

if TYPE_CHECKING:
    from pathlib import Path

    from whatsapp_backend.domain.surveys import Survey

_clock = SystemClock()


def surveys_in(state_dir: Path) -> tuple[list[str], list[Survey]]:
    """The accounts that are declared, and the surveys that were begun; none where there is no file yet.

    Raises StoreUnusable.
    """
    if not (state_dir / FILE_NAME).exists():
        return [], []
    with contextlib.closing(reading_beside(state_dir)) as connection:
        return [account.account for account in accounts.declared(connection)], surveys.surveys(connection)


def damage(state_dir: Path, *, patience_s: float) -> str | None:
    """What is wrong with the file; None for a sound one, and where there is none.

    Raises StateInUse where somebody has it, TimeoutError where it is too large to be looked through in time.
    """
    path = state_dir / FILE_NAME
    if not path.exists():
        return None
    until_s = _clock.monotonic_s() + patience_s
    late = False

    def is_late() -> bool:
        nonlocal late
        late = _clock.monotonic_s() > until_s
        return late

    try:
        with (
            StateLock(path.with_name(f"{FILE_NAME}.lock"), guarded=path),
            contextlib.closing(connect(path)) as connection,
        ):
            connection.set_progress_handler(is_late, 10_000)
            ((verdict, *_), *_) = connection.execute("PRAGMA quick_check(1)").fetchall()
    except (sqlite3.Error, OSError) as error:
        if late:
            raise TimeoutError from error
        return str(error)
    return None if verdict == "ok" else str(verdict)
