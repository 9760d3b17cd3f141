"""The routes for one account's connection: how it fares, its name, to end it and to begin it anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from whatsapp_backend.api import answers, bodies
from whatsapp_backend.api.bodies import json_object
from whatsapp_backend.api.health import shown_realtime
from whatsapp_backend.api.known import known_view
from whatsapp_backend.api.routes import Access, Route, get, patch, post
from whatsapp_backend.api.schemas import refusal
from whatsapp_backend.api.values import iso_ms
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.errors import NotConnected

_PASSIVE = "passive"


class ConnectionDesk(Protocol):
    """Who holds the connections. All raise StoreUnwell where it cannot be kept; nothing has changed then."""

    def view(self, account: str) -> AccountView | None:
        """One account."""

    async def rename(self, account: str, name: str) -> None:
        """Give it another name."""

    async def disconnect(self, account: str) -> None:
        """End its connection, until somebody connects it again."""

    async def reconnect(self, account: str) -> None:
        """Connect it now: where it waits, at once; where it is connected, anew."""


class Connections:
    """The routes. `realtime` is what is told of live messages, by account."""

    def __init__(self, desk: ConnectionDesk, *, realtime: Callable[[], Mapping[str, Mapping[str, Any]]]) -> None:
        self._desk = desk
        self._realtime = realtime

    def routes(self) -> list[Route]:
        """To be added to the application."""
        elsewhere = {200: answers.STATUS, 409: refusal("invalid_state")}
        return [
            get("/api/whatsapp/accounts/{account}/health", self.health, answers={200: answers.ACCOUNT_HEALTH}),
            patch(
                "/api/whatsapp/accounts/{account}/name",
                self.rename,
                body=bodies.NEW_NAME,
                body_required=True,
                answers={200: answers.NAMED, 409: refusal("invalid_state")},
            ),
            post("/api/whatsapp/disconnect/{account}", self.disconnect, answers=elsewhere),
            post("/api/whatsapp/reconnect/{account}", self.reconnect, answers=elsewhere),
            post("/api/admin/account/{account}/disconnect", self.disconnect, Access.ADMIN, answers=elsewhere),
            post("/api/admin/account/{account}/reconnect", self.reconnect, Access.ADMIN, answers=elsewhere),
        ]

    async def health(self, request: web.Request) -> web.Response:
        """How an account's connection fares, and when its last live message came."""
        view = known_view(self._desk, request)
        is_healthy = view.status == "connected"
        return web.json_response(
            {
                "success": True,
                "accountId": view.account,
                "name": view.name,
                "status": view.status,
                "healthy": is_healthy,
                "reason": None if is_healthy else view.last_error or view.passive_reason,
                "caughtUp": view.caught_up,
                "lastConnectedAt": iso_ms(view.last_connected_at_ms),
                "lastDisconnectedAt": iso_ms(view.last_disconnected_at_ms),
                "lastDisconnectCode": view.last_disconnect_code,
                "lastDisconnectReason": view.last_disconnect_reason,
                "retryCount": view.retry_count,
                "nextRetryAt": iso_ms(view.next_retry_at_ms),
                **shown_realtime(self._realtime().get(view.account, {})),
            }
        )

    async def rename(self, request: web.Request) -> web.Response:
        """Give an account another name."""
        view = self._ours(request)
        name = bodies.name_in(await json_object(request))
        if name is None:
            raise web.HTTPBadRequest(text="`name` (one line, up to 200 characters) is needed")
        await self._desk.rename(view.account, name)
        return web.json_response({"success": True, "accountId": view.account, "name": name})

    async def disconnect(self, request: web.Request) -> web.Response:
        """End an account's connection and keep it ended, over restarts too, until somebody connects it again."""
        view = self._ours(request)
        await self._desk.disconnect(view.account)
        return self._status(view)

    async def reconnect(self, request: web.Request) -> web.Response:
        """Connect an account that waits for its operator or its next try; close and reopen one that is connected."""
        view = self._ours(request)
        await self._desk.reconnect(view.account)
        return self._status(view)

    def _status(self, view: AccountView) -> web.Response:
        now = self._desk.view(view.account) or view
        return web.json_response({"success": True, "accountId": now.account, "status": now.status})

    def _ours(self, request: web.Request) -> AccountView:
        """The account, unless another instance has it: nothing that is done to it here would count."""
        view = known_view(self._desk, request)
        if view.status == _PASSIVE:
            raise NotConnected(view.status)
        return view
