"""What commands have in common: options that many take, how they are run, and how they end."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from whatsapp_backend.cli.exits import Exit
from whatsapp_backend.cli.logs import configure_logs
from whatsapp_backend.errors import FirestoreCredentialsUnusable, WhatsAppBackendError
from whatsapp_backend.settings import Settings, SettingsInvalid, load

EnvFile = Annotated[Path | None, typer.Option("--env-file", help="Read settings from this file; the environment wins.")]
Accounts = Annotated[list[str] | None, typer.Option("--account", help="This account; repeatable.")]
Phones = Annotated[list[str] | None, typer.Option("--phone", help="The same by its number, +1555…; repeatable.")]
Everyone = Annotated[bool, typer.Option("--all", help="All accounts.")]
Url = Annotated[str | None, typer.Option("--url", help="Where the daemon is. Default: BIND_HOST and PORT.")]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts: one JSON object a line.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, and what it would cost.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until it has ended.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help="Show at most so many.")]

_OF_ALL: dict[str, tuple[Any, Any]] = {"env_file": (EnvFile, None), "url": (Url, None), "as_json": (AsJson, False)}
_OF_ACCOUNTS: dict[str, tuple[Any, Any]] = {"accounts": (Accounts, None), "phones": (Phones, None)}
_OF_EVERYONE: dict[str, tuple[Any, Any]] = {"everyone": (Everyone, False)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which daemon, for which accounts, and how to answer."""

    settings: Settings
    url: str | None = None
    accounts: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    everyone: bool = False
    as_json: bool = False


def asking(
    *, accounts: bool = True, everyone: bool = False
) -> Callable[[Callable[..., Awaitable[int]]], Callable[..., None]]:
    """Make a command of a function that asks a running daemon.

    The command takes the options that say which daemon, and for which `accounts`, beside the function's own; the
    function gets the former as `Asked`.
    """
    common = _OF_ALL | (_OF_ACCOUNTS if accounts else {}) | (_OF_EVERYONE if everyone else {})

    def decorated(function: Callable[..., Awaitable[int]]) -> Callable[..., None]:
        @functools.wraps(function)
        def command(**given: Any) -> None:
            env_file = given.pop("env_file")
            ways = {name: given.pop(name) for name in common if name != "env_file"}
            for name in ("accounts", "phones"):
                ways[name] = tuple(ways.get(name) or ())
            configure_logs()
            exit_with(lambda: function(Asked(settings=load(os.environ, env_file), **ways), **given))

        own = list(inspect.signature(function).parameters.values())[1:]
        hints = get_type_hints(function, include_extras=True)
        kind = inspect.Parameter.KEYWORD_ONLY
        added = [
            inspect.Parameter(name, kind, default=default, annotation=option)
            for name, (option, default) in common.items()
        ]
        mine = [one.replace(kind=kind, annotation=hints[one.name]) for one in own]
        parameters = [*added[:2], *mine, *added[2:]]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        del command.__wrapped__  # typer would ask it for its signature
        return command

    return decorated


def exit_with(make: Callable[[], Awaitable[int]]) -> None:
    """Run it and turn what an operator can mend into one clear message and an exit code."""
    try:
        code = asyncio.run(_awaited(make))
    except* (SettingsInvalid, FirestoreCredentialsUnusable) as errors:
        _explain(errors)
        code = Exit.SETTINGS
    except* WhatsAppBackendError as errors:
        _explain(errors)
        code = Exit.FAILED
    except* KeyboardInterrupt:
        code = Exit.INTERRUPTED
    raise typer.Exit(code)


async def _awaited(make: Callable[[], Awaitable[int]]) -> int:
    return await make()


def _explain(errors: BaseExceptionGroup[Any]) -> None:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            _explain(error)
        else:
            print(f"whatsapp-backend: {error}", file=sys.stderr)
