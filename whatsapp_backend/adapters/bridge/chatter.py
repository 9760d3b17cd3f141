"""What the bridge says to people: its standard error and its `log` frames, so that neither can flood our log."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from whatsapp_backend.adapters.bridge.wire import Lines
from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.frames import Log

LINE_BYTES: Final = 4096
SHOWN_CHARS: Final = 500
SHOWN_PER_WINDOW: Final = 50
WINDOW_S: Final = 10.0
_CHUNK_BYTES: Final = 16 * 1024

log = structlog.get_logger()


class Throttle:
    """Lets so many through in a window of time and counts the rest."""

    def __init__(self, clock: Clock, *, window_s: float = WINDOW_S, limit: int = SHOWN_PER_WINDOW) -> None:
        self._clock = clock
        self._window_s = window_s
        self._limit = limit
        self._since_s = clock.monotonic_s()
        self._seen = 0

    def allows(self) -> bool:
        """Whether one more may be shown."""
        now_s = self._clock.monotonic_s()
        if now_s - self._since_s >= self._window_s:
            if self._seen > self._limit:
                log.warning("bridge-chatter-hidden", lines=self._seen - self._limit)
            self._since_s, self._seen = now_s, 0
        self._seen += 1
        return self._seen <= self._limit


async def forward_stderr(stream: asyncio.StreamReader, pid: int, throttle: Throttle) -> None:
    """Log each line until the stream ends."""
    lines = Lines(LINE_BYTES)
    while data := await stream.read(_CHUNK_BYTES):
        for line, _ in lines.feed(data):
            if throttle.allows():
                log.debug("bridge-stderr", pid=pid, text=line[:SHOWN_CHARS].decode(errors="replace"))


def forward_log(frame: Log, throttle: Throttle) -> None:
    """Log a `log` frame."""
    if throttle.allows():
        level = "warning" if frame.level == "warn" else frame.level
        getattr(log, level)("bridge-log", said=frame.event, account=frame.account, fields=dict(frame.fields))
