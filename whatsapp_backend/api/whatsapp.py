"""The routes under /api/whatsapp: accounts, pairing, threads and messages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Protocol

from aiohttp import web

from whatsapp_backend.api.bodies import NAME, PHONE, history_request, json_object, limit_of
from whatsapp_backend.api.guard import failure, request_id
from whatsapp_backend.api.pages import PAGE_HEADERS, qr_page
from whatsapp_backend.api.routes import Route, get, post
from whatsapp_backend.api.tokens import admin_only
from whatsapp_backend.api.values import iso, shown
from whatsapp_backend.api.who import who
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.errors import CommandFailed, CommandTimedOut
from whatsapp_backend.flows.fetch import Asker
from whatsapp_backend.ports import DocumentQueries, DocumentStore
from whatsapp_backend.rules.document_ids import is_document_id, thread_path
from whatsapp_backend.rules.identity import account_id

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
        asker: Asker,
        documents: DocumentStore,
        queries: DocumentQueries,
        namespace: str,
    ) -> None:
        self._asker = asker
        self._desk = desk
        self._documents = documents
        self._queries = queries
        self._namespace = namespace

    def routes(self) -> list[Route]:
        """To be added to the application."""
        return [
            get("/api/whatsapp/accounts", self.accounts),
            post("/api/whatsapp/add-account", self.add_account),
            post("/api/whatsapp/regenerate-qr/{account}", self.regenerate_qr),
            get("/api/whatsapp/qr/{account}", self.qr),
            post("/api/whatsapp/fetch-history/{account}", self.fetch_history),
            get("/api/whatsapp/threads/{account}", self.threads),
            get("/api/whatsapp/messages/{account}/{thread}", self.messages),
        ]

    async def accounts(self, request: web.Request) -> web.Response:
        """All accounts, without their pairing secrets."""
        accounts = [_account(view) for view in self._desk.views() if who(request).may_see(view.account)]
        answer = {"success": True, "accounts": accounts, "count": len(accounts), "requestId": request_id(request)}
        return web.json_response(answer)

    async def add_account(self, request: web.Request) -> web.Response:
        """Declare an account for a phone number; its QR code follows at /api/whatsapp/qr/{accountId}."""
        body = await json_object(request)
        phone, name = body.get("phone"), body.get("name")
        if not isinstance(phone, str) or not isinstance(name, str) or not NAME.fullmatch(name.strip()):
            raise web.HTTPBadRequest(text="`phone` (text) and `name` (one line, up to 200 characters) are needed")
        if not PHONE.fullmatch(phone):
            return failure(request, 400, "bad_phone", "`phone` must be digits with the country code, as +15550001111")
        try:
            if not who(request).may_see(account_id(phone, self._namespace)):
                return admin_only(request)
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
            return web.Response(text=page, content_type="text/html", headers=PAGE_HEADERS)
        return web.json_response(
            {"success": True, "status": view.status, "qr": view.qr}, headers={"Cache-Control": "no-store"}
        )

    async def fetch_history(self, request: web.Request) -> web.Response:
        """Ask the phone for messages older than one that is known."""
        view = self._known(request)
        wanted = history_request(await json_object(request))
        try:
            page = await self._asker.fetch(view.account, **wanted)
        except CommandTimedOut as error:
            return failure(request, 504, "phone_unreachable", str(error))
        except CommandFailed as error:
            return failure(request, 409, "invalid_state", str(error))
        return web.json_response({"success": True, **asdict(page)})

    async def threads(self, request: web.Request) -> web.Response:
        """An account's threads, last activity first, without archived ones, moved ones and the chat with oneself."""
        view = self._known(request)
        limit = limit_of(request, orders=_THREAD_ORDERS)
        oneself = f"{view.phone.lstrip('+')}@s.whatsapp.net"
        threads = [
            shown(document)
            for document in await self._queries.threads(view.account, limit=limit)
            if not document.fields.get("archived")
            and not document.fields.get("redirectTo")
            and document.fields.get("clientJid") != oneself
        ]
        return web.json_response({"success": True, "threads": threads, "count": len(threads)})

    async def messages(self, request: web.Request) -> web.Response:
        """A thread's messages, newest first."""
        view = self._known(request)
        limit = limit_of(request, orders=_MESSAGE_ORDERS)
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
        "passiveModeReason": view.passive_reason,
        "createdAt": iso(at_ms(view.created_at_ms)),
        "caughtUp": view.caught_up,
    }
