"""The program: what it can be told to do. cli/exits.py has the exit codes.

What a command needs is imported when it runs: `--help` should not wait for Firestore's library.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, TextIO

import typer

from whatsapp_backend import __version__
from whatsapp_backend.cli import running
from whatsapp_backend.cli.exits import epilog
from whatsapp_backend.cli.logs import configure_logs, log_crashes
from whatsapp_backend.cli.options import Accounts, AsJson, EnvFile, Phones, Url, exit_with
from whatsapp_backend.settings import load

app = typer.Typer(
    help="Keeps a complete, duplicate-free copy of WhatsApp conversations in Firestore.",
    epilog=epilog(),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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
    log_crashes()
    exit_with(lambda: serve_until_stopped(load(os.environ, env_file, overrides=overrides, for_serving=True)))


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

    exit_with(lambda: play(once=once, state_dir=state_dir, environ=os.environ, log_to=log_to))


@app.command()
def doctor(env_file: EnvFile = None, url: Url = None, as_json: AsJson = False) -> None:
    """Check everything the daemon needs on this machine, and say what to do about what is wrong."""
    from whatsapp_backend.cli.doctor.visit import examine

    configure_logs()
    exit_with(lambda: examine(os.environ, env_file, url=url, as_json=as_json))


@app.command()
def survey(
    env_file: EnvFile = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Look now, in Firestore, and change nothing. Each document read is billed."),
    ] = False,
    account: Accounts = None,
    phone: Phones = None,
    as_json: AsJson = False,
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

    exit_with(show)


running.add_to(app)
