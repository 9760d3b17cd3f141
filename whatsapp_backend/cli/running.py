"""The commands that ask a running daemon."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated

import typer

from whatsapp_backend.cli.options import AsJson, Asked, DryRun, EnvFile, Limit, NoWait, Url, asking

_accounts = typer.Typer(invoke_without_command=True)
_Watch = Annotated[bool, typer.Option("--watch", help="Draw it anew every two seconds until Ctrl-C.")]
_Name = Annotated[str | None, typer.Option("--name", help="What people call the account.")]


def add_to(app: typer.Typer) -> None:
    """Add all of them to the program."""
    app.add_typer(_accounts, name="accounts")
    for command in (pair, status, gaps, backfill, resync, jobs, pause, unpause, replay):
        app.command()(command)


@asking(accounts=False)
def _show_accounts(asked: Asked) -> Awaitable[int]:
    from whatsapp_backend.cli import accounts as desk

    return desk.show(asked)


@_accounts.callback()
def accounts(context: typer.Context, *, env_file: EnvFile = None, url: Url = None, as_json: AsJson = False) -> None:
    """Show the accounts of the running daemon; `add` declares one."""
    if context.invoked_subcommand is None:
        _show_accounts(env_file=env_file, url=url, as_json=as_json)


@_accounts.command("add")
@asking(accounts=False)
def add_account(
    asked: Asked,
    *,
    phone: Annotated[str, typer.Option("--phone", help="Its number, +1555…")],
    name: Annotated[str, typer.Option("--name", help="What people call it.")],
) -> Awaitable[int]:
    """Declare an account and start pairing it: `pair` shows the code."""
    from whatsapp_backend.cli import accounts as desk

    return desk.add(asked, phone=phone, name=name)


@asking(accounts=False)
def pair(
    asked: Asked,
    *,
    phone: Annotated[str | None, typer.Argument(help="The number of the phone, +1555…")] = None,
    account: Annotated[str | None, typer.Option("--account", help="An account that is declared already.")] = None,
    name: _Name = None,
    history: Annotated[
        bool, typer.Option("--history", help="Stay, and show how much of its history the phone has sent.")
    ] = False,
    patience_s: Annotated[
        int, typer.Option("--timeout", min=1, help="Give up after so many seconds.", metavar="SECONDS")
    ] = 300,
) -> Awaitable[int]:
    """Show the code that a phone has to scan, until it is connected. Declares the account if need be."""
    from whatsapp_backend.cli import pairing

    if (phone is None) == (account is None):
        raise typer.BadParameter("name one phone, as `pair +15550001111`, or one account with --account")
    return pairing.pair(asked, phone=phone, account=account, name=name, history=history, patience_s=patience_s)


@asking(accounts=False)
def status(asked: Asked, *, watch: _Watch = False) -> Awaitable[int]:
    """Show on one screen how the running daemon and its accounts are."""
    from whatsapp_backend.cli import screen

    return screen.watch(asked) if watch else screen.show(asked)


@asking(everyone=True)
def backfill(asked: Asked, *, dry_run: DryRun = False, no_wait: NoWait = False) -> Awaitable[int]:
    """Let the running daemon fill every gap and dig for history, now."""
    from whatsapp_backend.cli import remote

    return remote.backfill(asked, dry_run=dry_run, wait=not no_wait)


@asking(everyone=True)
def resync(
    asked: Asked,
    *,
    since: Annotated[str, typer.Option("--since", help="90s, 30m, 2h, 7d, or ISO 8601 (UTC).")] = "2h",
    until: Annotated[str | None, typer.Option("--until", help="The same; without it, now.")] = None,
    chat: Annotated[list[str] | None, typer.Option("--chat", help="Only this number or JID; repeatable.")] = None,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
) -> Awaitable[int]:
    """Let the running daemon fill what is missing since then, also what was given up."""
    from whatsapp_backend.cli import remote

    return remote.resync(asked, since=since, until=until, chats=chat or (), dry_run=dry_run, wait=not no_wait)


@asking()
def gaps(
    asked: Asked,
    *,
    chat: Annotated[str | None, typer.Option("--chat", help="What is known of this number or JID, and why.")] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="With --chat: believe nothing of it until it is proven anew.")
    ] = False,
    limit: Limit = 50,
) -> Awaitable[int]:
    """Show what the running daemon knows to be missing."""
    from whatsapp_backend.cli import remote

    if reset and not chat:
        raise typer.BadParameter("--reset needs --chat: one chat at a time")
    return remote.gaps(asked, chat=chat, reset=reset, limit=limit)


@asking()
def jobs(
    asked: Asked,
    *,
    cancel: Annotated[str | None, typer.Option("--cancel", metavar="JOB", help="End this one.")] = None,
    limit: Limit = 20,
) -> Awaitable[int]:
    """Show the newest runs of the running daemon."""
    from whatsapp_backend.cli import remote

    return remote.jobs(asked, cancel=cancel, limit=limit)


@asking(everyone=True)
def pause(
    asked: Asked,
    *,
    span: Annotated[str, typer.Option("--for", help="How long, from 1m to 30d.", metavar="SPAN")] = "1h",
) -> Awaitable[int]:
    """Let no run of an account begin by itself for some time."""
    from whatsapp_backend.cli import accounts as desk

    return desk.pause(asked, span)


@asking(everyone=True)
def unpause(asked: Asked) -> Awaitable[int]:
    """Let runs of an account begin by themselves again."""
    from whatsapp_backend.cli import accounts as desk

    return desk.unpause(asked)


@asking()
def replay(
    asked: Asked,
    *,
    listing: Annotated[bool, typer.Option("--list", help="Only show what is parked.")] = False,
    seq: Annotated[int | None, typer.Option("--seq", min=1, help="Only this entry of the journal.")] = None,
) -> Awaitable[int]:
    """Try again what could not be read or landed."""
    from whatsapp_backend.cli import replaying

    return replaying.listed(asked, seq) if listing else replaying.replay(asked, seq)
