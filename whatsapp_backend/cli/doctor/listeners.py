"""Who listens on a port, as Linux tells it."""

from __future__ import annotations

import os
from pathlib import Path

_LISTENING = "0A"
_LOCAL, _STATE, _INODE = 1, 3, 9
"""Columns of /proc/net/tcp."""


def holder_of(port: int, *, proc: Path = Path("/proc")) -> str | None:
    """The process that listens on a TCP port, as far as this user may see; None where that cannot be told."""
    inodes = {inode for table in ("tcp", "tcp6") for inode in _inodes(proc / "net" / table, port)}
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in proc.iterdir():
        if process.name.isdecimal() and _has(process, wanted):
            return f"process {process.name} ({_name(process)})"
    return "a process of another user"


def _inodes(table: Path, port: int) -> list[str]:
    try:
        rows = [line.split() for line in table.read_text("ascii").splitlines()[1:]]
    except OSError:
        return []
    return [
        row[_INODE] for row in rows if row[_STATE] == _LISTENING and int(row[_LOCAL].rpartition(":")[2], 16) == port
    ]


def _has(process: Path, wanted: set[str]) -> bool:
    try:
        return any(_target(link) in wanted for link in (process / "fd").iterdir())
    except OSError:  # it is gone, or another user's
        return False


def _target(link: Path) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 -- it names no file
    except OSError:  # closed meanwhile
        return ""


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "?"
