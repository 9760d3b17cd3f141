"""The routes of what is parked: see it, and try it again."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Protocol

from aiohttp import web

from whatsapp_backend.api.bodies import limit_of, optional_json_object
from whatsapp_backend.api.cursors import next_cursor, place_of
from whatsapp_backend.api.guard import failure
from whatsapp_backend.api.routes import Access, Param, Route, get, post
from whatsapp_backend.api.runs import Accounts
from whatsapp_backend.api.schemas import nullable, refusal
from whatsapp_backend.domain.journal import FIRST_PARKED, Parked
from whatsapp_backend.errors import AccountUnknown
from whatsapp_backend.flows.replay import Replayed
from whatsapp_backend.ports import Consumers

_PATIENCE_S = 20.0
_SEQS = range(1, 1 << 53)
_REPLAY_CURSOR = re.compile(r"[0-9]{1,15}")
_OF_REPLAY = ("account", "seq", "cursor")
_CURSOR_SCHEMA = {"type": "string", "description": "`nextCursor` of the page before."}
_ACCOUNT_SCHEMA = {"type": "string", "description": "Only this account."}
_SEQ_SCHEMA = {
    "type": "integer",
    "minimum": _SEQS[0],
    "maximum": _SEQS[-1],
    "description": "Only this entry of the journal.",
}
_NEXT_SCHEMA = {"type": ["string", "null"]}
_ONE = {
    "accountId": {"type": "string"},
    "seq": {"type": "integer"},
    "part": {"type": "integer"},
    "consumer": {"type": "string"},
    "reason": {"type": "string"},
}


class Replayer(Protocol):
    """Who lands what the journal holds."""

    async def replay(self, account: str | None = None, *, seq: int | None = None, after: int = 0) -> Replayed:
        """Try again what is parked."""


class ParkedRoutes:
    """The routes."""

    def __init__(self, *, consumers: Consumers, replayer: Replayer, accounts: Accounts) -> None:
        self._consumers = consumers
        self._replayer = replayer
        self._accounts = accounts

    def routes(self) -> list[Route]:
        """To be added to the application."""
        return [
            get(
                "/api/admin/parked",
                self.parked,
                Access.ADMIN,
                query=(
                    Param(name="account", schema=_ACCOUNT_SCHEMA),
                    Param(name="limit", schema={"type": "integer", "minimum": 1, "maximum": 500, "default": 50}),
                    Param(name="cursor", schema=_CURSOR_SCHEMA),
                ),
                answers={
                    200: _answer(parked={"type": "array", "items": _object(_ONE)}, count={"type": "integer"}),
                    404: refusal("account_not_found"),
                },
            ),
            post(
                "/api/admin/replay",
                self.replay,
                Access.ADMIN,
                body={
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "account": nullable(_ACCOUNT_SCHEMA),
                        "seq": nullable(_SEQ_SCHEMA),
                        "cursor": nullable(_CURSOR_SCHEMA),
                    },
                },
                answers={
                    200: _answer(landed={"type": "integer"}, parked={"type": "integer"}),
                    404: refusal("account_not_found"),
                },
            ),
        ]

    async def parked(self, request: web.Request) -> web.Response:
        """What could not be read or landed, oldest first, and why."""
        account, limit = self._account(request.query.get("account")), limit_of(request)
        scope = ("parked", account or "")
        after = place_of(request, scope, int, str, int) or FIRST_PARKED
        found = await self._consumers.parked(account=account, after=after, limit=limit)
        return web.json_response(
            {
                "success": True,
                "parked": [_shown(one) for one in found],
                "count": len(found),
                "nextCursor": next_cursor(found, limit, scope, lambda last: last.place),
            }
        )

    async def replay(self, request: web.Request) -> web.Response:
        """Try a page of what is parked again; what lands is parked no longer. `nextCursor` names the next page."""
        body = await optional_json_object(request)
        unknown = sorted(body.keys() - {*_OF_REPLAY})
        if unknown:  # a misspelt `account` would mean all of them
            raise web.HTTPBadRequest(text=f"`{unknown[0][:50]}` means nothing here: use {', '.join(_OF_REPLAY)}")
        account, seq, cursor = self._account(body.get("account")), body.get("seq"), body.get("cursor")
        if isinstance(seq, float) and seq.is_integer():
            seq = int(seq)  # JSON has one kind of number
        if seq is not None and (type(seq) is not int or seq not in _SEQS):
            raise web.HTTPBadRequest(
                text="`seq` must be a whole number above 0: GET /api/admin/parked has those there are"
            )
        if cursor is not None and not (isinstance(cursor, str) and _REPLAY_CURSOR.fullmatch(cursor)):
            raise web.HTTPBadRequest(text="`cursor` must be the `nextCursor` of the answer before")
        try:
            async with asyncio.timeout(_PATIENCE_S):
                replayed = await self._replayer.replay(account, seq=seq, after=int(cursor or 0))
        except TimeoutError:
            return failure(
                request, 503, "landing_waits", "what waits to land comes first: /ready says what it waits for"
            )
        after = None if replayed.next is None else str(replayed.next)
        answer = {"success": True, "landed": replayed.landed, "parked": replayed.parked, "nextCursor": after}
        return web.json_response(answer)

    def _account(self, name: Any) -> str | None:
        if name is not None and (not isinstance(name, str) or self._accounts.view(name) is None):
            raise AccountUnknown
        return name


def _shown(one: Parked) -> dict[str, Any]:
    return {
        "accountId": one.account,
        "seq": one.seq,
        "part": one.part,
        "consumer": one.consumer,
        "reason": one.reason,
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _answer(**properties: Any) -> dict[str, Any]:
    return _object({"success": {"const": True}, **properties, "nextCursor": _NEXT_SCHEMA})
