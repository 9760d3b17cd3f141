"""How much of an account's history the phone has sent, as it says itself with every piece."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from whatsapp_backend.cli.bars import Lines
from whatsapp_backend.cli.client import Daemon
from whatsapp_backend.clock import Clock

_LOOK_EVERY_S = 1.0
_QUIET_S = 60.0
_ALL = 100
_NAMES = {0: "first", 2: "full", 3: "recent", 4: "names", 6: "asked for"}
"""By the protocol's number of the kind of history."""


async def history_came(daemon: Daemon, account: str, clock: Clock) -> None:
    """Show it until all of every kind is here that was begun, or nothing more has come for a minute: some kinds never
    come to 100 %."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), TaskProgressColumn())
    with Progress(
        *columns,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        rows: dict[str, TaskID] = {}
        lines = Lines(clock, silent=console.is_terminal)
        before: dict[str, int] = {}
        heard_s = clock.monotonic_s()
        while clock.monotonic_s() - heard_s < _QUIET_S:
            came = await percents(daemon, account)
            for name, percent in came.items():
                if name not in rows:
                    rows[name] = progress.add_task(f"{account} {name} history", total=_ALL)
                progress.update(rows[name], completed=percent)
                lines.say(name, f"{account} {name} history: {percent} %")
            if came != before:
                before, heard_s = came, clock.monotonic_s()
            if came and all(percent >= _ALL for percent in came.values()):
                return
            await clock.sleep(_LOOK_EVERY_S)


async def percents(daemon: Daemon, account: str) -> dict[str, int]:
    """How much of each kind of history has come."""
    missing: dict[str, Any] = await daemon.get("gaps", account, limit=1)
    return {
        _NAMES.get(one["syncType"], f"kind {one['syncType']}"): int(one["percent"])
        for one in missing["announced"]["progress"]
    }
