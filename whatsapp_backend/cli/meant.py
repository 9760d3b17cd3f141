"""Which daemon and which accounts an operator means, and what it means that the daemon refuses."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable

import typer

from whatsapp_backend.cli.client import Daemon, address
from whatsapp_backend.cli.exits import Exit
from whatsapp_backend.cli.options import Asked
from whatsapp_backend.cli.tables import print_line
from whatsapp_backend.errors import DaemonRefused, DaemonSilent
from whatsapp_backend.rules.identity import e164

_BAD_REQUEST, _OURS = 400, 500
"""Of HTTP."""


async def with_daemon(asked: Asked, ask: Callable[[Daemon], Awaitable[int]]) -> int:
    """Ask the daemon that is meant. What it does not answer, or refuses, is said and becomes an exit code."""
    try:
        url = address(asked.settings, asked.url)
    except ValueError as error:
        raise typer.BadParameter(f"--url: {error}") from None
    try:
        async with Daemon.at(url, admin_token=asked.settings.admin_token) as daemon:
            return await ask(daemon)
    except DaemonSilent as silent:
        print(f"whatsapp-backend: {silent}", file=sys.stderr)
        return Exit.SILENT
    except DaemonRefused as refused:
        say(refused)
        return code_of(refused)


async def accounts_of(daemon: Daemon, asked: Asked, *, chosen: bool = False, one: bool = False) -> list[str]:
    """The ids of the accounts that are meant: those named, else all. `chosen`: more than one only if that was said."""
    known = (await daemon.get("accounts"))["accounts"]
    ids = [str(account["id"]) for account in known]
    by_phone = {account["phone"]: str(account["id"]) for account in known}
    phones = [e164_of(phone) for phone in asked.phones]
    unknown = [name for name in asked.accounts if name not in ids] + [name for name in phones if name not in by_phone]
    if unknown:
        raise typer.BadParameter(f"no such account: {unknown[0]}. There are: {', '.join(ids) or 'none yet'}")
    named = list(dict.fromkeys([*asked.accounts, *(by_phone[phone] for phone in phones)]))
    if named and asked.everyone:
        raise typer.BadParameter("--all and the name of an account contradict each other")
    meant = named or ids
    if not meant and chosen:
        raise typer.BadParameter("no account is declared yet: `whatsapp-backend pair +1555…` declares one")
    if len(meant) > 1 and (one or (chosen and not named and not asked.everyone)):
        raise typer.BadParameter(
            f"name one of {len(ids)} accounts with --account or --phone" + " or say --all" * chosen
        )
    return meant


def e164_of(phone: str) -> str:
    """A number in its one form."""
    try:
        return e164(phone)
    except ValueError as error:
        raise typer.BadParameter(f"{phone} is {error}") from None


def say(refused: DaemonRefused, account: str | None = None, *, as_json: bool = False) -> None:
    """Tell that the daemon refused, and why: a script gets the answer itself."""
    if as_json:
        print_line({"accountId": account, **refused.answer})
    else:
        print(f"whatsapp-backend: {account + ': ' if account else ''}{refused}", file=sys.stderr)


def code_of(refused: DaemonRefused) -> Exit:
    """The exit code of a refusal."""
    match refused.answer.get("error"):
        case "busy":
            return Exit.BUSY
        case "invalid_state":
            return Exit.NOT_CONNECTED
        case _ if refused.status == _BAD_REQUEST:
            return Exit.USAGE
        case _:
            return Exit.LATER if refused.status >= _OURS else Exit.FAILED
