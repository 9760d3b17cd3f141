"""Log lines for the systemd journal: an event name, then `name=value`; or one JSON object a line. Operators grep for
the names in brackets.

One line each, whatever strangers sent: with a line break or an escape sequence in it they could write lines of ours.
What libraries log (aiohttp, asyncio, gRPC) goes the same way, for the same reason. And whatever it is, numbers are
masked last of all (rules/masking.py).
"""

from __future__ import annotations

import enum
import json
import logging
import re
import secrets
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import orjson
import structlog

from whatsapp_backend.rules.masking import masked, told_chain

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@:+=-/*…#")
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")
_LONGEST = 8_000
"""journald breaks lines at 48 KiB, and the rest would look like a line of its own."""


class LogFormat(enum.StrEnum):
    """How a line is written."""

    TEXT = "text"
    JSON = "json"


class _Lines:
    """Writes lines. How it does can still change when the first of them is written: loggers are cached."""

    def __init__(self) -> None:
        self.format = LogFormat.TEXT
        self.key = secrets.token_bytes(32)

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
        """The line."""
        return self._json(event) if self.format is LogFormat.JSON else self._text(event)

    def _text(self, event: MutableMapping[str, Any]) -> str:
        head = f"{event.pop('timestamp')} {event.pop('level'):<7} {_printable(self._masked(event.pop('event')))}"
        return " ".join([head, *(f"{_printable(self._masked(n))}={self._shown(value)}" for n, value in event.items())])

    def _json(self, event: MutableMapping[str, Any]) -> str:
        fields = {name: self._plain(event.pop(name)) for name in ("timestamp", "level", "event")}
        told = {self._masked(name): self._plain(value) for name, value in event.items()}
        return _NOT_ASCII.sub(_escaped, orjson.dumps(fields | told).decode())

    def _shown(self, value: Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (int, float)):
            return str(value)
        text = _shortened(self._masked(value))
        return text if text and _PLAIN.issuperset(text) else repr(text)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, enum.Enum) or not isinstance(value, (type(None), bool, int, float, Mapping, list, tuple)):
            return _well_formed(_shortened(self._masked(value)))
        if isinstance(value, Mapping):
            return {_well_formed(self._masked(name)): self._plain(one) for name, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._plain(one) for one in value]
        return value if not isinstance(value, int) or abs(value) < 1 << 63 else str(value)

    def _masked(self, value: Any) -> str:
        return masked(str(value), self.key)


_lines = _Lines()


def configure_logs(*, debug: bool = False, stream: TextIO | None = None, format: LogFormat = LogFormat.TEXT) -> None:
    """Write log lines to standard error, one line each."""
    _lines.format = format
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%S.%fZ", utc=True),
            _with_exception,
            _lines,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_FromLibraries()], level=logging.WARNING, force=True)


def log_crashes() -> None:
    """What nobody catches is told by a line, too, and not by Python's own traceback, which quotes everything."""
    log = structlog.get_logger()
    sys.excepthook = lambda _type, error, _place: log.critical("crashed", exc_info=error)
    sys.unraisablehook = lambda of: log.error("exception_ignored", exc_info=of.exc_value)
    threading.excepthook = lambda of: log.critical("thread_crashed", exc_info=of.exc_value)


def use_format(format: LogFormat) -> None:
    """From now on, also for loggers that have written lines already."""
    _lines.format = format


def use_key(key: bytes) -> None:
    """Mask by this key from now on, so that lines of two starts can be compared."""
    _lines.key = key


class _FromLibraries(logging.Handler):
    """Hands what libraries log to our own log: their own words and numbers, not what they put between."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log it."""
        said, *_ = _said(record).splitlines() or [""]  # what follows shows objects, and what is in them
        structlog.get_logger().log(record.levelno, "library", name=record.name, said=said, exc_info=record.exc_info)


def _said(record: logging.LogRecord) -> str:
    words = str(record.msg)
    if not record.args:
        return words
    args = record.args if isinstance(record.args, tuple) else (record.args,)
    try:
        return words % tuple(one if isinstance(one, (int, float)) else "…" for one in args)
    except (TypeError, ValueError):  # arguments that do not fit: a library's bug must not become ours
        return words


def _with_exception(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    info = event.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else sys.exc_info()[1] if info is True else info and info[1]
    if error:
        event["exception"] = "\n\n".join(_traceback(text, place) for text, place in told_chain(error))
    return event


def _traceback(text: str, place: Any) -> str:
    lines = ["Traceback (most recent call last):\n", *traceback.format_tb(place)] if place else []
    return "".join([*lines, text])


def _printable(text: str) -> str:
    text = _shortened(text)
    return text if text.isprintable() else repr(text)


def _escaped(found: re.Match[str]) -> str:
    """What breaks a line or turns it round, as JSON writes it where it must; letters stay."""
    text = found[0]
    return text if text.isprintable() else json.dumps(text)[1:-1]


def _well_formed(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _shortened(text: str) -> str:
    """The beginning and the end: of a traceback the end tells most."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"
