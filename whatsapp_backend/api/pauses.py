"""The routes that pause an account: no run of it begins by itself for some time."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from whatsapp_backend.api import answers
from whatsapp_backend.api.bodies import only, optional_json_object
from whatsapp_backend.api.known import Accounts, known_account
from whatsapp_backend.api.routes import Access, Route, post
from whatsapp_backend.api.schemas import TEXT, record
from whatsapp_backend.api.values import iso_ms
from whatsapp_backend.rules.since import span_ms

_SHORTEST_MS, _LONGEST_MS = 60_000, 30 * 86_400_000
_DEFAULT = "1h"
_SPAN = {
    **TEXT,
    "pattern": "^[0-9]{1,40}[smhd]$",
    "description": "From 1m to 30d, as 90s, 30m, 2h or 7d.",
    "default": _DEFAULT,
}
_BODY = record({}, {"for": _SPAN})


class Pausers(Protocol):
    """Who knows what is paused."""

    def until_ms(self, account: str) -> int | None:
        """Until when an account is paused."""

    async def pause(self, account: str, span_ms: int) -> int:
        """Pause it; until when."""

    async def unpause(self, account: str) -> None:
        """Pause it no longer."""


class PauseRoutes:
    """The routes."""

    def __init__(self, *, pauses: Pausers, accounts: Accounts) -> None:
        self._pauses = pauses
        self._accounts = accounts

    def routes(self) -> list[Route]:
        """To be added to the application."""
        paused = {200: answers.PAUSED}
        return [
            post("/api/whatsapp/pause/{account}", self.pause, Access.ADMIN, body=_BODY, answers=paused),
            post("/api/whatsapp/unpause/{account}", self.unpause, Access.ADMIN, answers=paused),
        ]

    async def pause(self, request: web.Request) -> web.Response:
        """Let no run of the account begin by itself for some time; one that did and still runs ends."""
        account = known_account(self._accounts, request)
        body = await optional_json_object(request)
        only(body, "for")
        text = body.get("for", _DEFAULT)
        try:
            span = span_ms(text if isinstance(text, str) else "")
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"`for` {error}") from error
        if not _SHORTEST_MS <= span <= _LONGEST_MS:
            raise web.HTTPBadRequest(text="`for` must be from 1m to 30d")
        return _answer(account, await self._pauses.pause(account, span))

    async def unpause(self, request: web.Request) -> web.Response:
        """Let runs of the account begin by themselves again."""
        account = known_account(self._accounts, request)
        await self._pauses.unpause(account)
        return _answer(account, None)


def _answer(account: str, until_ms: int | None) -> web.Response:
    return web.json_response({"success": True, "accountId": account, "pausedUntil": iso_ms(until_ms)})
