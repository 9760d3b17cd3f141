"""The routes of what is parked: see it, and try it again."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Protocol

from aiohttp import web

from whatsapp_backend.api import answers
from whatsapp_backend.api.bodies import limit_of, only, optional_json_object, whole
from whatsapp_backend.api.cursors import next_cursor, place_of
from whatsapp_backend.api.guard import failure
from whatsapp_backend.api.known import Accounts
from whatsapp_backend.api.routes import Access, Param, Route, get, post
from whatsapp_backend.api.schemas import CURSOR, PAGE, TEXT, nullable, record, refusal
from whatsapp_backend.domain.journal import FIRST_PARKED, Parked
from whatsapp_backend.errors import AccountUnknown
from whatsapp_backend.flows.replay import Replayed
from whatsapp_backend.ports import Consumers

_PATIENCE_S = 20.0
_SEQS = range(1, 1 << 53)
_REPLAY_CURSOR = re.compile(r"[0-9]{1,15}")
_ACCOUNT = {**TEXT, "description": "Only this account."}
_SEQ = {
    "type": "integer",
    "minimum": _SEQS[0],
    "maximum": _SEQS[-1],
    "description": "Only this entry of the journal.",
}
_OF_REPLAY = {"account": nullable(_ACCOUNT), "seq": nullable(_SEQ), "cursor": nullable(CURSOR.schema)}


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
                query=(Param(name="account", schema=_ACCOUNT), *PAGE),
                answers={200: answers.PARKED, 404: refusal("account_not_found")},
            ),
            post(
                "/api/admin/replay",
                self.replay,
                Access.ADMIN,
                body=record({}, _OF_REPLAY),
                answers={200: answers.REPLAYED, 404: refusal("account_not_found")},
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
        only(body, *_OF_REPLAY)  # a misspelt `account` would mean all of them
        account, cursor = self._account(body.get("account")), body.get("cursor")
        seq = whole(body.get("seq"), _SEQS)
        if seq is None and body.get("seq") is not None:
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
