"""docs/settings.md, made from the table."""

from __future__ import annotations

from collections.abc import Iterator

from whatsapp_backend.settings.retired import RETIRED
from whatsapp_backend.settings.table import SECTIONS
from whatsapp_backend.settings.variables import Variable

_HEAD = """# Settings

<!-- Made from the table in whatsapp_backend/settings/table.py by `make docs`. Edit that table, not this page. -->

Settings are environment variables. `--env-file` names a file with one `NAME=value` a line; the environment wins over
the file, and an option of the command line over both. In the file, `#` starts a comment, quotes may go around a
value, and `${...}` is text like any other. An empty value counts as not set.

Every value that is set is checked, also one that loses to another name. All problems are reported together, with exit
code 78, and nothing is started. A name that starts like ours (`WHATSAPP_`, `AUTO_BACKFILL_`, `RECENT_SYNC_`,
`AUTO_REPAIR_`) and is not on this page is a problem too: it is probably misspelt.

Where a row has several names, the first one that is set decides. *Not used yet* means: accepted and checked, and
without any effect in this version.
"""

_ENV_FILE_NOTE = """
The example file `env.auto-backfill.example` sets a cooldown of 6 hours, 3 accounts a tick and one backfill at a time:
gentler than the defaults.
"""


def settings_page() -> str:
    """The whole page."""
    return "".join([_HEAD, *_sections(), _ENV_FILE_NOTE, *_retired()])


def _sections() -> Iterator[str]:
    for title, variables in SECTIONS.items():
        yield f"\n## {title}\n\n| Name | Allowed | Default | Meaning |\n|---|---|---|---|\n"
        yield from map(_row, variables)


def _row(variable: Variable) -> str:
    names = "<br>".join(f"`{name.name}`" for name in variable.names)
    allowed = "<br>".join(dict.fromkeys(name.kind.allowed for name in variable.names))
    notes = "" if variable.used else " *Not used yet.*"
    secret = " Never shown." if variable.secret else ""
    return f"| {names} | {allowed} | {_default(variable)} | {variable.meaning}{secret}{notes} |\n"


def _default(variable: Variable) -> str:
    match variable.default:
        case None | ():
            return variable.shown_default or "not set"
        case bool(on):
            return "on" if on else "off"
        case float(seconds):
            return _duration(seconds)
        case value:
            return f"`{value}`"


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"


def _retired() -> Iterator[str]:
    yield "\n## Without effect\n\nThe Node system knew these; they may stay in an env file and cause a warning only:\n"
    yield ", ".join(f"`{name}`" for name in sorted(RETIRED)) + ".\n"
