"""What is wrong with the settings, all of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from whatsapp_backend.errors import OperatorMustAct

EXIT_BAD_SETTINGS = 78
"""EX_CONFIG of sysexits.h: the systemd unit does not restart after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to mend. `value` is None where there is none, or where it is a secret."""

    variable: str
    value: str | None
    wanted: str

    def __str__(self) -> str:
        found = "" if self.value is None else f" is {self.value!r}"
        return f"{self.variable}{found}: {self.wanted}"


class SettingsInvalid(OperatorMustAct):
    """The settings cannot be used."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = "1 setting is" if len(problems) == 1 else f"{len(problems)} settings are"
        super().__init__("\n  ".join([f"{count} wrong, so nothing was started:", *map(str, problems)]))
        self.problems = tuple(problems)
