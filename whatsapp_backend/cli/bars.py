"""How far something is: bars in a terminal, a line now and then elsewhere. On standard error: results are not."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from whatsapp_backend.clock import Clock

_LINE_EVERY_S = 10.0


class _Rate(ProgressColumn):
    """How many messages a second, over the whole time."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """The rate, as soon as there is one."""
        elapsed_s = task.finished_time if task.finished else task.elapsed
        counted = task.fields.get("messages")
        if not elapsed_s or counted is None:
            return Text("")
        return Text(f"{counted / elapsed_s:.1f} {self._unit}")


def bars(what: str, unit: str = "", **more: Any) -> Progress:
    """Bars that count `what`, with rate and time left; silent where standard error is no terminal."""
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn(what),
        _Rate(unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        **more,
    )


class Lines:
    """The same as lines, each thing at most every ten seconds, and not for what is over before."""

    def __init__(self, clock: Clock, *, silent: bool) -> None:
        self._clock = clock
        self._silent = silent
        self._began_s = clock.monotonic_s()
        self._said: dict[str, tuple[float, str]] = {}

    def say(self, name: str, line: str) -> None:
        """Say it, if it is time and it is new."""
        now_s = self._clock.monotonic_s()
        at_s, before = self._said.get(name, (self._began_s, ""))
        if not self._silent and now_s - at_s >= _LINE_EVERY_S and line != before:
            self._said[name] = (now_s, line)
            print(line, file=sys.stderr, flush=True)
