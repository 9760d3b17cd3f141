"""The commands, and the exit codes: 0 done, 1 failed, 2 wrongly asked, 78 the settings or the credentials must be
mended first. Those that ask a running daemon have more, see cli/remote.py.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from whatsapp_backend import __version__
from whatsapp_backend.cli.logs import configure_logs
from whatsapp_backend.errors import FirestoreCredentialsUnusable, WhatsAppBackendError
from whatsapp_backend.settings import EXIT_BAD_SETTINGS, SettingsInvalid, load

if TYPE_CHECKING:
    from whatsapp_backend.cli import remote

app = typer.Typer(
    help="Keeps a complete, duplicate-free copy of WhatsApp conversations in Firestore.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

EnvFile = Annotated[Path | None, typer.Option("--env-file", help="Read settings from this file; the environment wins.")]
Account = Annotated[list[str] | None, typer.Option("--account", help="This account; repeatable.")]
Phone = Annotated[list[str] | None, typer.Option("--phone", help="The same by its number, +1555…")]
Everyone = Annotated[bool, typer.Option("--all", help="All accounts.")]
Url = Annotated[str | None, typer.Option("--url", help="Where the daemon is. Default: BIND_HOST and PORT.")]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts: one JSON object a line.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, and what it would cost.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until it has ended.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help="Show at most so many.")]


def _show_version(wanted: bool) -> None:  # noqa: FBT001 -- typer calls it so
    if wanted:
        print(f"whatsapp-backend {__version__}")
        raise typer.Exit


@app.callback()
def _callback(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say the version and exit.")
    ] = False,
) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold private keys


@app.command()
def serve(
    env_file: EnvFile = None,
    local_firestore: Annotated[
        bool, typer.Option("--local-firestore", help="Write to a local Firestore emulator, its data kept in STATE_DIR.")
    ] = False,
    standby: Annotated[
        bool, typer.Option("--standby", help="Wait while another process has STATE_DIR, and go on in its place.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Log more.")] = False,
) -> None:
    """Run the daemon until SIGTERM or Ctrl-C."""
    from whatsapp_backend.cli.serving import serve_until_stopped

    options = {"FIRESTORE_LOCAL": local_firestore, "STANDBY": standby}
    overrides = {name: "true" for name, wanted in options.items() if wanted}
    configure_logs(debug=debug)
    _exit_with(lambda: serve_until_stopped(load(os.environ, env_file, overrides=overrides, for_serving=True)))


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Play the story without a person, check it, and exit.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option("--state-dir", help="Where everything goes. Default: a fresh folder in .state/.")
    ] = None,
) -> None:
    """Show the main job with a fake WhatsApp and a local Firestore. Needs no account of any kind."""
    from whatsapp_backend.demo.story import play

    def log_to(stream: TextIO) -> None:
        configure_logs(stream=stream)

    _exit_with(lambda: play(once=once, state_dir=state_dir, environ=os.environ, log_to=log_to))


@app.command()
def survey(
    env_file: EnvFile = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Look now, in Firestore, and change nothing. Each document read is billed."),
    ] = False,
    account: Annotated[list[str] | None, typer.Option("--account", help="Only this account; repeatable.")] = None,
    phone: Annotated[list[str] | None, typer.Option("--phone", help="The same by its number, +1555…")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show what was found of earlier generations in an existing database."""
    from whatsapp_backend.cli.survey import show_survey
    from whatsapp_backend.rules.identity import account_id

    configure_logs()

    def show() -> Awaitable[int]:
        settings = load(os.environ, env_file, for_serving=dry_run)
        try:
            numbers = [account_id(number, settings.account_namespace) for number in phone or ()]
        except ValueError as problem:
            raise typer.BadParameter(str(problem)) from None
        return show_survey(settings, accounts=[*(account or ()), *numbers], dry_run=dry_run, as_json=as_json)

    _exit_with(show)


@app.command()
def backfill(
    *,
    env_file: EnvFile = None,
    url: Url = None,
    account: Account = None,
    phone: Phone = None,
    everyone: Everyone = False,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Let the running daemon fill every gap and dig for history, now."""
    from whatsapp_backend.cli import remote

    asked = _asked(env_file, url=url, accounts=account, phones=phone, everyone=everyone, as_json=as_json)
    _exit_with(lambda: remote.backfill(asked(), dry_run=dry_run, wait=not no_wait))


@app.command()
def resync(
    *,
    env_file: EnvFile = None,
    url: Url = None,
    since: Annotated[str, typer.Option("--since", help="90s, 30m, 2h, 7d, or ISO 8601 (UTC).")] = "2h",
    until: Annotated[str | None, typer.Option("--until", help="The same; without it, now.")] = None,
    chat: Annotated[list[str] | None, typer.Option("--chat", help="Only this number or JID; repeatable.")] = None,
    account: Account = None,
    phone: Phone = None,
    everyone: Everyone = False,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Let the running daemon fill what is missing since then, also what was given up."""
    from whatsapp_backend.cli import remote

    asked = _asked(env_file, url=url, accounts=account, phones=phone, everyone=everyone, as_json=as_json)
    _exit_with(
        lambda: remote.resync(asked(), since=since, until=until, chats=chat or (), dry_run=dry_run, wait=not no_wait)
    )


@app.command()
def gaps(
    *,
    env_file: EnvFile = None,
    url: Url = None,
    account: Account = None,
    phone: Phone = None,
    chat: Annotated[str | None, typer.Option("--chat", help="What is known of this number or JID, and why.")] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="With --chat: believe nothing of it until it is proven anew.")
    ] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Show what the running daemon knows to be missing."""
    from whatsapp_backend.cli import remote

    if reset and not chat:
        raise typer.BadParameter("--reset needs --chat: one chat at a time")
    asked = _asked(env_file, url=url, accounts=account, phones=phone, as_json=as_json)
    _exit_with(lambda: remote.gaps(asked(), chat=chat, reset=reset, limit=limit))


@app.command()
def jobs(
    *,
    env_file: EnvFile = None,
    url: Url = None,
    account: Account = None,
    phone: Phone = None,
    cancel: Annotated[str | None, typer.Option("--cancel", metavar="JOB", help="End this one.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Show the newest runs of the running daemon."""
    from whatsapp_backend.cli import remote

    asked = _asked(env_file, url=url, accounts=account, phones=phone, as_json=as_json)
    _exit_with(lambda: remote.jobs(asked(), cancel=cancel, limit=limit))


def _asked(
    env_file: Path | None,
    *,
    url: str | None,
    accounts: list[str] | None,
    phones: list[str] | None,
    everyone: bool = False,
    as_json: bool,
) -> Callable[[], remote.Asked]:
    """What a running daemon is asked by; called where settings that are wrong are explained."""
    from whatsapp_backend.cli import remote

    configure_logs()
    return lambda: remote.Asked(
        settings=load(os.environ, env_file),
        url=url,
        accounts=tuple(accounts or ()),
        phones=tuple(phones or ()),
        everyone=everyone,
        as_json=as_json,
    )


def _exit_with(make: Callable[[], Awaitable[int]]) -> None:
    """Run it and turn what an operator can mend into one clear message and an exit code."""
    try:
        code = asyncio.run(_awaited(make))
    except* (SettingsInvalid, FirestoreCredentialsUnusable) as errors:
        _explain(errors)
        code = EXIT_BAD_SETTINGS
    except* WhatsAppBackendError as errors:
        _explain(errors)
        code = 1
    except* KeyboardInterrupt:
        code = 130
    raise typer.Exit(code)


async def _awaited(make: Callable[[], Awaitable[int]]) -> int:
    return await make()


def _explain(errors: BaseExceptionGroup[Any]) -> None:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            _explain(error)
        else:
            print(f"whatsapp-backend: {error}", file=sys.stderr)
