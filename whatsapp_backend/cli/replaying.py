"""`replay`: what is parked is shown, or tried again a page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from rich.console import Console
from rich.table import Table

from whatsapp_backend.cli.bars import Lines, bars
from whatsapp_backend.cli.client import Daemon
from whatsapp_backend.cli.exits import Exit
from whatsapp_backend.cli.meant import accounts_of, with_daemon
from whatsapp_backend.cli.options import Asked
from whatsapp_backend.cli.tables import print_line, texts
from whatsapp_backend.clock import SystemClock

_PAGE = 200


async def listed(asked: Asked, seq: int | None) -> int:
    """What is parked, oldest first."""

    async def ask(daemon: Daemon) -> int:
        found = [one async for one in _parked(daemon, asked, seq)]
        if asked.as_json:
            for one in found:
                print_line(one)
        elif found:
            Console().print(_table(found))
        else:
            print("nothing is parked")
        return Exit.DONE

    return await with_daemon(asked, ask)


async def replay(asked: Asked, seq: int | None) -> int:
    """Try all of it again. What does not land stays parked, which is no failure of the command."""

    async def ask(daemon: Daemon) -> int:
        waiting = Counter([one["accountId"] async for one in _parked(daemon, asked, seq)])
        for account in waiting:
            counts = await _replayed(daemon, account, seq, waiting[account])
            if asked.as_json:
                print_line({"accountId": account, **counts})
            else:
                print(f"{account}: {counts['landed']} landed, {counts['parked']} stay parked: `replay --list` says why")
        if not waiting and not asked.as_json:
            print("nothing is parked")
        return Exit.DONE

    return await with_daemon(asked, ask)


async def _replayed(daemon: Daemon, account: str, seq: int | None, total: int) -> Counter[str]:
    counts: Counter[str] = Counter(landed=0, parked=0)
    cursor: str | None = None
    with bars("parked", "messages/s") as progress:
        row = progress.add_task(f"{account} replay", total=total, messages=0)
        lines = Lines(SystemClock(), silent=not progress.disable)
        while True:
            body = {"account": account, "seq": seq, "cursor": cursor}
            answer = await daemon.admin.post(
                "replay", **{name: value for name, value in body.items() if value is not None}
            )
            counts.update(landed=answer["landed"], parked=answer["parked"])
            done = counts.total()
            progress.update(row, completed=done, messages=done)
            lines.say(account, f"{account} replay: {done} of {total} tried, {counts['landed']} landed")
            cursor = answer["nextCursor"]
            if cursor is None:
                return counts


async def _parked(daemon: Daemon, asked: Asked, seq: int | None) -> AsyncIterator[dict[str, Any]]:
    named = bool(asked.accounts or asked.phones)
    meant = frozenset(await accounts_of(daemon, asked)) if named else None
    cursor = ""
    while True:
        page = await daemon.admin.get("parked", limit=_PAGE, **({"cursor": cursor} if cursor else {}))
        for one in page["parked"]:
            if (meant is None or one["accountId"] in meant) and seq in (None, one["seq"]):
                yield one
        cursor = page["nextCursor"]
        if not cursor:
            return


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("account", "entry", "part", "consumer", "why")
    for one in found:
        table.add_row(*texts(one["accountId"], one["seq"], one["part"], one["consumer"], one["reason"]))
    table.columns[-1].overflow = "fold"
    return table
