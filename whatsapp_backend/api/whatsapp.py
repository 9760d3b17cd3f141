"""The routes under /api/whatsapp: accounts, pairing, threads and messages."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any, Protocol

from aiohttp import web

from whatsapp_backend.api.guard import failure
from whatsapp_backend.api.pages import qr_page
from whatsapp_backend.api.values import iso, shown
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.errors import BridgeGone, CommandFailed, CommandTimedOut
from whatsapp_backend.flows.fetch import HistoryFetcher
from whatsapp_backend.ports import DocumentQueries, DocumentStore
from whatsapp_backend.rules.document_ids import is_document_id, thread_path

_LONGEST_NAME = 200
_PAGE = range(1, 51)
_PHONE_S = 60.0
_LIMITS = range(1, 501)
_DEFAULT_LIMIT = "50"
_THREAD_ORDERS = ("lastMessageAt",)
_MESSAGE_ORDERS = ("createdAt", "tsClient")
_WAITING = ("needs_qr", "logged_out", "disconnected")


class AccountDesk(Protocol):
    """Who adds accounts and knows them."""

    def views(self) -> list[AccountView]:
        """All accounts."""

    def view(self, account: str) -> AccountView | None:
        """One account."""

    async def add(self, *, phone: str, name: str, namespace: str) -> AccountView:
        """Declare one and start pairing. Raises ValueError for what is no phone number."""

    async def resume(self, account: str) -> None:
        """Connect one that waits for its operator."""


class WhatsApp:
    """The routes."""

    def __init__(
        self,
        *,
        desk: AccountDesk,
        fetcher: HistoryFetcher,
        documents: DocumentStore,
        queries: DocumentQueries,
        namespace: str,
    ) -> None:
        self._fetcher = fetcher
        self._desk = desk
        self._documents = documents
        self._queries = queries
        self._namespace = namespace

    def routes(self) -> list[web.RouteDef]:
        """To be added to the application."""
        return [
            web.get("/api/whatsapp/accounts", self.accounts),
            web.post("/api/whatsapp/add-account", self.add_account),
            web.post("/api/whatsapp/regenerate-qr/{account}", self.regenerate_qr),
            web.get("/api/whatsapp/qr/{account}", self.qr),
            web.post("/api/whatsapp/fetch-history/{account}", self.fetch_history),
            web.get("/api/whatsapp/threads/{account}", self.threads),
            web.get("/api/whatsapp/messages/{account}/{thread}", self.messages),
        ]

    async def accounts(self, _request: web.Request) -> web.Response:
        """All accounts, without their pairing secrets."""
        accounts = [_account(view) for view in self._desk.views()]
        return web.json_response({"success": True, "accounts": accounts, "count": len(accounts)})

    async def add_account(self, request: web.Request) -> web.Response:
        """Declare an account for a phone number; its QR code follows at /api/whatsapp/qr/{accountId}."""
        body = await _json_object(request)
        phone, name = body.get("phone"), body.get("name")
        if not isinstance(phone, str) or not isinstance(name, str) or not 0 < len(name.strip()) <= _LONGEST_NAME:
            return failure(
                request, 400, "bad_request", "`phone` (text) and `name` (text, up to 200 characters) are needed"
            )
        try:
            view = await self._desk.add(phone=phone, name=name.strip(), namespace=self._namespace)
        except ValueError as error:
            return failure(request, 400, "bad_phone", f"`phone` is {error}")
        return web.json_response({"success": True, "account": _account(view)})

    async def regenerate_qr(self, request: web.Request) -> web.Response:
        """Start pairing again where it had ended."""
        view = self._known(request)
        if view.status in _WAITING:
            await self._desk.resume(view.account)
        return web.json_response({"success": True, "status": (self._desk.view(view.account) or view).status})

    async def qr(self, request: web.Request) -> web.Response:
        """The code to scan: a page for browsers, the raw string for programs."""
        view = self._known(request)
        if "text/html" in request.headers.get("Accept", ""):
            page = qr_page(account=view.account, name=view.name, status=view.status, qr=view.qr)
            return web.Response(text=page, content_type="text/html", headers={"Cache-Control": "no-store"})
        return web.json_response(
            {"success": True, "status": view.status, "qr": view.qr}, headers={"Cache-Control": "no-store"}
        )

    async def fetch_history(self, request: web.Request) -> web.Response:
        """Ask the phone for messages older than one that is known: `chat`, `anchor`, its `time` (s), `count` (1 to 50)."""
        view = self._known(request)
        body = await _json_object(request)
        chat, anchor, time, count = (body.get(name) for name in ("chat", "anchor", "time", "count"))
        good = isinstance(chat, str) and isinstance(anchor, dict) and isinstance(anchor.get("id"), str)
        if not good or not isinstance(time, int) or not isinstance(count, int) or count not in _PAGE:
            message = "`chat` (JID), `anchor` {id, fromMe}, `time` (seconds) and `count` (1 to 50) are needed"
            return failure(request, 400, "bad_request", message)
        try:
            page = await self._fetcher.fetch(
                view.account, chat=str(chat), anchor=dict(anchor or {}), time=time, count=count, timeout_s=_PHONE_S
            )
        except CommandTimedOut as error:
            return failure(request, 504, "phone_unreachable", str(error))
        except (BridgeGone, CommandFailed) as error:
            return failure(request, 409, "invalid_state", str(error))
        return web.json_response({"success": True, **asdict(page)})

    async def threads(self, request: web.Request) -> web.Response:
        """An account's threads, last activity first."""
        view = self._known(request)
        limit = _query(request, _THREAD_ORDERS)
        threads = [
            shown(document)
            for document in await self._queries.threads(view.account, limit=limit)
            if not document.fields.get("archived") and not document.fields.get("redirectTo")
        ]
        return web.json_response({"success": True, "threads": threads, "count": len(threads)})

    async def messages(self, request: web.Request) -> web.Response:
        """A thread's messages, newest first."""
        view = self._known(request)
        limit = _query(request, _MESSAGE_ORDERS)
        thread = request.match_info["thread"]
        path = thread_path(thread)
        found = (await self._documents.read([path])).get(path) if is_document_id(thread) else None
        if found is None:
            return failure(request, 404, "thread_not_found", "no such thread")
        if found.fields.get("accountId") != view.account:
            return failure(request, 403, "wrong_account", "this thread belongs to another account")
        messages = [shown(document) for document in await self._queries.messages(thread, limit=limit)]
        return web.json_response(
            {"success": True, "thread": shown(found), "messages": messages, "count": len(messages)}
        )

    def _known(self, request: web.Request) -> AccountView:
        view = self._desk.view(request.match_info["account"])
        if view is None:
            raise web.HTTPNotFound(text="no such account: GET /api/whatsapp/accounts lists them")
        return view


def _account(view: AccountView) -> dict[str, Any]:
    return {
        "id": view.account,
        "name": view.name,
        "phone": view.phone,
        "status": view.status,
        "lastError": view.last_error,
        "createdAt": iso(at_ms(view.created_at_ms)),
        "caughtUp": view.caught_up,
    }


def _query(request: web.Request, orders: tuple[str, ...]) -> int:
    order = request.query.get("orderBy", orders[0])
    if order not in orders:
        raise web.HTTPBadRequest(text=f"orderBy must be one of: {', '.join(orders)}")
    limit = request.query.get("limit", _DEFAULT_LIMIT)
    if not (re.fullmatch("[0-9]{1,5}", limit) and int(limit) in _LIMITS):
        raise web.HTTPBadRequest(text=f"limit must be a whole number from {_LIMITS[0]} to {_LIMITS[-1]}")
    return int(limit)


async def _json_object(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.text())
    except (ValueError, RecursionError) as error:
        raise web.HTTPBadRequest(text="the body must be JSON") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body must be a JSON object")
    return body
