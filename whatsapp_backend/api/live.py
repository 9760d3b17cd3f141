"""The dashboard's news, as server-sent events: `status` when it changed, `happened` for each thing that happened.

A listener costs a turn a second. There are few at most, one that does not read is let go, and so is one whose session
has ended. The pairing code is never sent here: the page asks for it where it is shown.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from whatsapp_backend.api.glances import Glances
from whatsapp_backend.api.guard import failure
from whatsapp_backend.api.routes import Route, get
from whatsapp_backend.api.status import Status
from whatsapp_backend.api.values import iso_ms
from whatsapp_backend.api.who import Who
from whatsapp_backend.clock import Clock, within
from whatsapp_backend.flows.happenings import Happened

MOST_LISTENERS = 50
_EVERY_S = 1.0
_HEARTBEAT_S = 15.0
_SLOW_S = 10.0
_DIGITS = 16
"""Of an id, and fewer."""
Again = Callable[[web.Request], Awaitable[Who | None]]
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class Live:
    """The route. `again` says who a listener is now, as the guard would: None where he is nobody any more."""

    def __init__(
        self,
        *,
        glances: Glances,
        status: Status,
        clock: Clock,
        again: Again,
        most: int = MOST_LISTENERS,
        slow_s: float = _SLOW_S,
    ) -> None:
        self._glances = glances
        self._status = status
        self._clock = clock
        self._again = again
        self._most = most
        self._slow_s = slow_s
        self.listeners = 0
        self._ending = asyncio.Event()
        self._life = uuid.uuid4().hex[:8]
        """Ids of an earlier life mean nothing in this one."""

    def routes(self) -> list[Route]:
        """To be added to the application."""
        return [get("/api/events", self.events, answers={200: {"type": "string"}}, types=("text/event-stream",))]

    async def close(self, _app: web.Application) -> None:
        """End all streams: to be told at shutdown, before the server waits for its answers."""
        self._ending.set()

    async def events(self, request: web.Request) -> web.StreamResponse:
        """What is new, for as long as somebody listens (server-sent events)."""
        if self.listeners >= self._most:
            return failure(request, 503, "too_many_listeners", "too many pages are open: close one, and try again")
        response = web.StreamResponse(headers=_HEADERS)
        self.listeners += 1
        try:
            await response.prepare(request)
            async for news in self._news(request):
                async with asyncio.timeout(self._slow_s):
                    await response.write(news)
        except (TimeoutError, ConnectionError):  # it does not read, or is gone: it will ask again
            if request.transport is not None:
                request.transport.abort()
        finally:
            self.listeners -= 1
        return response

    async def _news(self, request: web.Request) -> AsyncIterator[bytes]:
        last_id = self._last_id(request)
        told: dict[str, Any] | None = None
        said_s = self._clock.monotonic_s()
        yield b"retry: 2000\n\n"
        while not self._ending.is_set() and (sender := await self._again(request)):
            now = await self._status.shown_to(sender)
            parts = []
            essence = _essence(now)
            if essence != told:
                told = essence
                parts.append(_event("status", now))
            for one in self._glances.happenings.since(last_id):
                last_id = one.id
                if sender.may_see(one.account):
                    parts.append(_event("happened", _shown(one), id=f"{self._life}-{one.id}"))
            if not parts and self._clock.monotonic_s() - said_s >= _HEARTBEAT_S:
                parts.append(b": still here\n\n")
            if parts:
                said_s = self._clock.monotonic_s()
                yield b"".join(parts)
            await within(self._clock, _EVERY_S, self._ending.wait())

    def _last_id(self, request: web.Request) -> int:
        life, _, id_ = request.headers.get("Last-Event-ID", "").partition("-")
        return int(id_) if life == self._life and id_.isascii() and id_.isdigit() and len(id_) < _DIGITS else 0


def _essence(now: dict[str, Any]) -> dict[str, Any]:
    """Without what changes by itself."""
    service = {name: value for name, value in now["service"].items() if name != "uptimeSeconds"}
    return {**now, "service": service, "timestamp": None}


def _event(name: str, data: dict[str, Any], *, id: str | None = None) -> bytes:
    head = f"event: {name}\n" + (f"id: {id}\n" if id else "")
    return head.encode() + b"data: " + orjson.dumps(data) + b"\n\n"  # JSON has no line breaks of its own


def _shown(one: Happened) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "accountId": one.account,
        "what": one.what,
        "at": iso_ms(one.at_ms),
        "count": one.count,
    }
