"""Log lines for the systemd journal: an event name, then `name=value`. Operators grep for the names in brackets.

One line each, whatever strangers sent: with a line break or an escape sequence in it they could write lines of ours.
What libraries log (aiohttp, asyncio, gRPC) goes the same way, for the same reason.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@:+=-/*…#")
_LONGEST = 8_000
"""journald breaks lines at 48 KiB, and the rest would look like a line of its own."""


def configure_logs(*, debug: bool = False, stream: TextIO | None = None) -> None:
    """Write log lines to standard error, one line each."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%S.%fZ", utc=True),
            structlog.processors.format_exc_info,
            _line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_FromLibraries()], level=logging.WARNING, force=True)


class _FromLibraries(logging.Handler):
    """Hands what libraries log to our own log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log it."""
        try:
            said = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit: a library's bug must not become ours
            said = record.msg
        structlog.get_logger().log(record.levelno, "library", name=record.name, said=said, exc_info=record.exc_info)


def _line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    head = f"{event.pop('timestamp')} {event.pop('level'):<7} {_printable(str(event.pop('event')))}"
    return " ".join([head, *(f"{_printable(name)}={_shown(value)}" for name, value in event.items())])


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = _shortened(str(value))
    return text if text and _PLAIN.issuperset(text) else repr(text)


def _printable(text: str) -> str:
    text = _shortened(text)
    return text if text.isprintable() else repr(text)


def _shortened(text: str) -> str:
    """The beginning and the end: of a traceback the end tells most."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"
