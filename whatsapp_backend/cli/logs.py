"""Log lines for the systemd journal: an event name, then `name=value`. Operators grep for the names in brackets."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@:+=-/*…#")


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


def _line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    head = f"{event.pop('timestamp')} {event.pop('level'):<7} {event.pop('event')}"
    return " ".join([head, *(f"{name}={_shown(value)}" for name, value in event.items())])


def _shown(value: Any) -> str:
    """On one line, whatever it is: what a stranger sent must not look like another line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if text and _PLAIN.issuperset(text) else repr(text)
