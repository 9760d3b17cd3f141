"""`accounts`, `pause` and `unpause`: who is there, and who is left alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from whatsapp_backend.cli.client import Daemon
from whatsapp_backend.cli.exits import Exit
from whatsapp_backend.cli.meant import accounts_of, with_daemon
from whatsapp_backend.cli.options import Asked
from whatsapp_backend.cli.tables import cell, moment, print_line, texts

Account = Mapping[str, Any]
NOBODY = "no account is declared yet: `whatsapp-backend pair +1555…` declares one"


async def show(asked: Asked) -> int:
    """All accounts."""

    async def ask(daemon: Daemon) -> int:
        accounts = (await daemon.get("accounts"))["accounts"]
        _print(accounts, as_json=asked.as_json)
        return Exit.DONE

    return await with_daemon(asked, ask)


async def add(asked: Asked, *, phone: str, name: str) -> int:
    """Declare one."""

    async def ask(daemon: Daemon) -> int:
        account = (await daemon.post("add-account", phone=phone, name=name))["account"]
        _print([account], as_json=asked.as_json)
        return Exit.DONE

    return await with_daemon(asked, ask)


async def pause(asked: Asked, span: str) -> int:
    """Let no run of these begin by itself for so long."""
    return await _each(asked, "pause", {"for": span})


async def unpause(asked: Asked) -> int:
    """Let them run by themselves again."""
    return await _each(asked, "unpause", {})


async def _each(asked: Asked, route: str, body: Mapping[str, Any]) -> int:
    async def ask(daemon: Daemon) -> int:
        for account in await accounts_of(daemon, asked, chosen=True):
            answer = await daemon.post(route, account, **body)
            if asked.as_json:
                print_line(answer)
            else:
                until = answer["pausedUntil"]
                said = f"no run begins by itself until {moment(until)} UTC" if until else "runs begin by themselves"
                print(f"{account}: {said}")
        return Exit.DONE

    return await with_daemon(asked, ask)


def account_table(accounts: Iterable[Account]) -> Table:
    """Accounts for people. `hears` is whether WhatsApp is heard on the connection."""
    table = Table(
        Column("account", overflow="fold"), "state", "caught up", Column("why", overflow="fold"), show_lines=True
    )
    for one in accounts:
        hears, paused = one.get("hearing"), one.get("pausedUntil")
        state = [one["status"], *([str(hears)] if hears else [])]
        state += [f"paused until {moment(paused)}"] if paused else []
        why = one["lastError"] or one.get("passiveModeReason")
        names = cell(*(str(one[name]) for name in ("name", "phone", "id")))
        table.add_row(names, cell(*state), *texts("yes" if one["caughtUp"] else "no", why))
    return table


def _print(accounts: Iterable[Account], *, as_json: bool) -> None:
    found = list(accounts)
    if as_json:
        for one in found:
            print_line(one)
    elif found:
        Console().print(account_table(found))
    else:
        print(NOBODY)
