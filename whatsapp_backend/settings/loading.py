"""From the environment and a file to checked settings, or to every problem at once."""

from __future__ import annotations

import difflib
import os
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from whatsapp_backend.settings.checks import relations, remarks, serving
from whatsapp_backend.settings.env_file import EnvFile, read_env_file
from whatsapp_backend.settings.problems import Problem, SettingsInvalid
from whatsapp_backend.settings.table import KNOWN, NOT_OURS, OUR_PREFIXES, RETIRED, VARIABLES
from whatsapp_backend.settings.values import Settings
from whatsapp_backend.settings.variables import Name, Variable


def load(
    environ: Mapping[str, str],
    env_file: Path | None = None,
    *,
    overrides: Mapping[str, str] | None = None,
    for_serving: bool = False,
) -> Settings:
    """Read the settings: `overrides` (options of the command line), then the environment, then the file, then defaults.

    Text that is empty or blank counts as not set. `for_serving` adds the rules of where `serve` may write.
    Raises SettingsInvalid, which holds every problem.
    """
    file = read_env_file(env_file) if env_file else EnvFile()
    texts = _stripped(file.values) | _stripped(environ) | _stripped(overrides or {})
    problems = [*file.problems, *_unknown(texts)]
    values = _values(texts, problems)
    _fill_in(values, environ)
    problems += relations(values)
    if for_serving:
        problems += serving(values)
    if problems:
        raise SettingsInvalid(problems)
    values["backfill_page_size"] = min(values["backfill_page_size"], values["backfill_messages_per_thread"])
    return Settings(**values, warnings=(*_warnings(file.values, texts), *remarks(values)))


def _stripped(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text.strip() for name, text in texts.items() if text.strip()}


def _values(texts: Mapping[str, str], problems: list[Problem]) -> dict[str, Any]:
    """The value of each setting by its attribute; one that cannot be told because of a problem is absent."""
    values: dict[str, Any] = {}
    for variable in VARIABLES:
        known = len(problems)
        # Every name that is set is checked, also one that loses to another: it would win as soon as that one goes.
        parsed = [_parsed(name, variable, texts, problems) for name in variable.names]
        found = [value for value in parsed if value is not None] or [variable.default]
        if len(problems) == known:
            values[variable.attribute] = all(found) if variable.all_must_agree else found[0]
    return values


def _parsed(name: Name, variable: Variable, texts: Mapping[str, str], problems: list[Problem]) -> object:
    text = texts.get(name.name)
    if text is None:
        return None
    try:
        return name.kind.parse(text)
    except (ValueError, OSError, RuntimeError):  # RuntimeError: ~ without a home folder
        wanted = f"must be {name.kind.allowed}{'; its value is a secret and not shown' if variable.secret else ''}"
        problems.append(Problem(variable=name.name, value=None if variable.secret else text, wanted=wanted))
        return None


def _fill_in(values: dict[str, Any], environ: Mapping[str, str]) -> None:
    home = Path(environ.get("HOME") or Path.home())
    for attribute, variable, folder in (
        ("state_dir", "XDG_STATE_HOME", ".local/state"),
        ("cache_dir", "XDG_CACHE_HOME", ".cache"),
    ):
        xdg = Path(environ.get(variable, ""))
        base = xdg if xdg.is_absolute() else home / folder  # XDG: a relative path is to be ignored
        values[attribute] = values.get(attribute) or base / "whatsapp-backend"
    host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname()).lstrip(".-")[:100] or "host"
    values["instance_id"] = values.get("instance_id") or f"{host}-{os.getpid()}"


def _unknown(texts: Mapping[str, str]) -> Iterator[Problem]:
    for name in sorted(texts.keys() - KNOWN - RETIRED):
        if name.startswith(OUR_PREFIXES) and not name.startswith(NOT_OURS):
            near = difflib.get_close_matches(name, sorted(KNOWN), n=1)
            hint = f", did you mean {near[0]}?" if near else ""
            yield Problem(variable=name, value=None, wanted=f"no such setting{hint}")


def _warnings(file: Mapping[str, str], texts: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(RETIRED & texts.keys()):
        yield f"{name} has no effect any more"
    for name in sorted(file.keys() - KNOWN - RETIRED):
        yield f"{name} in the env file is not a setting"
