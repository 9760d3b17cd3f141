"""`status`: one screen of what the daemon's routes tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from whatsapp_backend.cli.accounts import NOBODY, account_table
from whatsapp_backend.cli.client import Daemon
from whatsapp_backend.cli.exits import Exit
from whatsapp_backend.cli.meant import with_daemon
from whatsapp_backend.cli.options import Asked
from whatsapp_backend.cli.tables import moment, print_line, several, texts
from whatsapp_backend.clock import Clock, SystemClock
from whatsapp_backend.errors import DaemonRefused, DaemonSilent

_EVERY_S = 2.0
_JOBS = 20
_RUNNING = frozenset({"pending", "running"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The daemon at one moment. `gaps` and `history` (percent by kind of history) are by account."""

    health: dict[str, Any]
    consumers: list[dict[str, Any]]
    accounts: list[dict[str, Any]]
    gaps: dict[str, dict[str, int]] = field(default_factory=dict)
    history: dict[str, dict[str, int]] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def trouble(self) -> str | None:
        """Why it is not well, None where it is."""
        if not self.health["ok"] or self.health.get("reason"):
            return str(self.health.get("reason") or self.health["status"])
        down = [one for one in self.accounts if one["status"] != "connected"]
        are = "is" if len(down) == 1 else "are"
        return f"{len(down)} of {several(len(self.accounts), 'account')} {are} not connected" if down else None


async def show(asked: Asked) -> int:
    """How it is now."""

    async def ask(daemon: Daemon) -> int:
        seen = await _seen(daemon)
        if asked.as_json:
            print_line(_plain(seen))
        else:
            Console().print(_screen(seen))
        return Exit.FAILED if seen.trouble else Exit.DONE

    return await with_daemon(asked, ask)


async def watch(asked: Asked, clock: Clock | None = None) -> int:
    """How it is, again and again; a daemon that is away for a while is waited for. With --json a line each time."""
    pausing = clock or SystemClock()

    async def ask(daemon: Daemon) -> int:
        first = await _seen(daemon)
        with Live(_screen(first), console=Console(quiet=asked.as_json), auto_refresh=False) as live:
            while True:
                try:
                    seen = await _seen(daemon)
                except (DaemonSilent, DaemonRefused) as error:
                    live.update(Text(str(error), style="bold red"), refresh=True)
                else:
                    if asked.as_json:
                        print_line(_plain(seen))
                    live.update(_screen(seen), refresh=True)
                await pausing.sleep(_EVERY_S)

    return await with_daemon(asked, ask)


async def _seen(daemon: Daemon) -> Seen:
    health = await daemon.look("/health")
    consumers = (await daemon.look("/health/consumers"))["consumers"]
    accounts = (await daemon.get("accounts"))["accounts"]
    gaps, history, jobs = {}, {}, []
    for account in (one["id"] for one in accounts):
        missing = await daemon.get("gaps", account, limit=1)
        gaps[account] = missing["counts"]["byState"]
        history[account] = {str(one["syncType"]): one["percent"] for one in missing["announced"]["progress"]}
        jobs += [job for job in (await daemon.get("jobs", account, limit=_JOBS))["jobs"] if job["state"] in _RUNNING]
    return Seen(health=health, consumers=consumers, accounts=accounts, gaps=gaps, history=history, jobs=jobs)


def _plain(seen: Seen) -> dict[str, Any]:
    return {
        "ok": seen.trouble is None,
        "reason": seen.trouble,
        "health": seen.health,
        "consumers": seen.consumers,
        "accounts": [
            {**one, "gaps": seen.gaps[one["id"]], "history": seen.history[one["id"]]} for one in seen.accounts
        ],
        "jobs": seen.jobs,
    }


def _screen(seen: Seen) -> Group:
    health = seen.health
    state = (
        Text("healthy", style="bold green") if not seen.trouble else Text(f"degraded: {seen.trouble}", style="bold red")
    )
    debts = health["debts"]
    owed = f"{several(debts['open'], 'message')} owed to us, {health['parked']} parked"
    lags = ", ".join(f"{one['name']} {one['lag']} behind" for one in seen.consumers)
    about = Text(f"{health['mode']}, version {health['version']}, up {health['uptime']} s; {owed}; {lags}")
    tables = [account_table(seen.accounts), _missing(seen)] if seen.accounts else [Text(NOBODY)]
    parts: list[Any] = [state, about, *tables]
    if seen.jobs:
        parts.append(_jobs(seen.jobs))
    return Group(*parts)


def _missing(seen: Seen) -> Table:
    table = Table("account", "gaps", "history that came")
    for one in seen.accounts:
        gaps = ", ".join(f"{count} {state}" for state, count in sorted(seen.gaps[one["id"]].items()))
        came = ", ".join(f"{percent} %" for percent in seen.history[one["id"]].values())
        table.add_row(*texts(one["name"], gaps or "none", came or None))
    return table


def _jobs(jobs: list[dict[str, Any]]) -> Table:
    table = Table("running job", "since (UTC)", "came so far")
    for job in jobs:
        work = job["progress"]
        came = f"{work['fetched']} fetched, {work['stored']} stored, {several(work['gapsClosed'], 'gap')} closed"
        table.add_row(*texts(f"{job['kind']} of {job['accountId']}", moment(job["startedAt"]), came))
    return table
