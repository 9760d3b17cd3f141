"""The env file, read by python-dotenv without expansion: `${…}` is text, so that no secret is mangled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from whatsapp_backend.settings.problems import Problem


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What a file says, and which of its lines say nothing that can be understood."""

    values: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def read_env_file(path: Path) -> EnvFile:
    """Read it all. A name that stands twice has its last value."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        return EnvFile(problems=(Problem(variable="--env-file", value=str(path), wanted=f"cannot be read: {reason}"),))
    values: dict[str, str] = {}
    problems: list[Problem] = []
    for binding in parse_stream(StringIO(text)):
        if binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
        elif binding.error or binding.key is not None:
            # The line itself is not shown: it may hold a secret.
            place = f"{path.name}, line {binding.original.line}"
            problems.append(Problem(variable=place, value=None, wanted="every line is NAME=value or # comment"))
    return EnvFile(values=values, problems=tuple(problems))
