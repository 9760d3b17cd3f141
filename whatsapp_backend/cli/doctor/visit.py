"""All checks, side by side, and how they are told."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from whatsapp_backend.cli.doctor import bridge, database, machine
from whatsapp_backend.cli.doctor.findings import Finding, Verdict, bounded, fail, ok
from whatsapp_backend.cli.exits import Exit
from whatsapp_backend.cli.logs import configure_logs
from whatsapp_backend.cli.tables import print_line, texts
from whatsapp_backend.settings import Settings, SettingsInvalid, load

_STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red"}


async def examine(environ: Mapping[str, str], env_file: Path | None, *, url: str | None, as_json: bool) -> int:
    """Make all checks, and tell what they found."""
    configure_logs(stream=io.StringIO())  # what the parts log while they are tried is not for this screen
    try:
        settings = load(environ, env_file, for_serving=True)
    except SettingsInvalid as error:
        found = [fail("settings", str(error), "Mend them: docs/settings.md. Nothing else was checked.")]
    else:
        found = [ok("settings", "valid"), *await _checked(settings, url)]
    if as_json:
        for one in found:
            print_line({"check": one.check, "verdict": one.verdict, "found": one.found, "do": one.do})
    else:
        Console().print(_table(found))
    return Exit.FAILED if any(one.verdict is Verdict.FAIL for one in found) else Exit.DONE


async def _checked(settings: Settings, url: str | None) -> list[Finding]:
    checks: dict[str, Callable[[], Awaitable[Finding]]] = {
        "node": lambda: bridge.node(settings),
        "bridge": lambda: bridge.bridge(settings),
        "credentials": lambda: database.credentials(settings),
        "firestore": lambda: database.firestore(settings),
        "indexes": lambda: database.indexes(settings),
        "rules": lambda: database.rules(settings),
        "clock": lambda: database.clock(settings),
        "disk": lambda: machine.disk(settings),
        "permissions": lambda: machine.permissions(settings),
        "store": lambda: machine.store(settings),
        "port": lambda: machine.port(settings),
        "daemon": lambda: machine.daemon(settings, url),
    }
    return list(await asyncio.gather(*(bounded(name, check) for name, check in checks.items())))


def _table(found: Sequence[Finding]) -> Table:
    table = Table("check", "", Column("found", overflow="fold"), Column("what to do", overflow="fold"))
    for one in found:
        said, todo = texts(one.found, one.do or "")
        table.add_row(Text(one.check), Text(one.verdict, style=_STYLES[one.verdict]), said, todo)
    return table
