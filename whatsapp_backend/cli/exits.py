"""How the commands end. docs/operations.md has the same table; a test compares them."""

from __future__ import annotations

import enum
from collections.abc import Iterable


class Exit(enum.IntEnum):
    """The exit codes."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    BUSY = 3
    NOT_CONNECTED = 4
    NOT_SCANNED = 5
    WRONG_NUMBER = 6
    SILENT = 69
    LATER = 75
    SETTINGS = 78
    INTERRUPTED = 130


MEANINGS = {
    Exit.DONE: "done; with --no-wait, started; of `status`, healthy; of `doctor`, nothing failed",
    Exit.FAILED: "failed or cancelled; no such job or chat; of `status`, degraded; of `doctor`, something failed",
    Exit.USAGE: "wrongly asked: an option, an account that is not declared, a moment that is none",
    Exit.BUSY: "another run works on the account",
    Exit.NOT_CONNECTED: "the account is not connected; of `pair`, it cannot be until an operator acts",
    Exit.NOT_SCANNED: "nobody scanned the code in time",
    Exit.WRONG_NUMBER: "the phone that scanned has another number than the account",
    Exit.SILENT: "no daemon answers",
    Exit.LATER: "not now: Firestore or the store does not answer, or the instance is passive",
    Exit.SETTINGS: "the settings or the credentials must be mended first",
    Exit.INTERRUPTED: "interrupted",
}
_GRAVEST = (Exit.FAILED, Exit.USAGE, Exit.LATER, Exit.BUSY, Exit.NOT_CONNECTED, Exit.DONE)


def gravest(codes: Iterable[Exit]) -> Exit:
    """What a command ends with that did several things."""
    found = set(codes)
    return next((code for code in _GRAVEST if code in found), Exit.DONE)


def epilog() -> str:
    """All of them, for `--help`."""
    return "\n\n".join(["Exit codes:", *(f"{int(code)}: {meaning}" for code, meaning in MEANINGS.items())])
