"""The routes under /api/whatsapp: accounts, pairing, threads and messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Protocol

from aiohttp import web

from whatsapp_backend.api import answers, bodies
from whatsapp_backend.api.bodies import history_request, json_object, limit_of
from whatsapp_backend.api.cursors import document_cursor, document_place
from whatsapp_backend.api.guard import failure, request_id
from whatsapp_backend.api.known import known_thread
from whatsapp_backend.api.pages import PAGE_HEADERS, qr_page
from whatsapp_backend.api.routes import Route, get, post
from whatsapp_backend.api.schemas import PAGE, order, refusal
from whatsapp_backend.api.tokens import admin_only
from whatsapp_backend.api.values import iso, iso_ms, shown
from whatsapp_backend.api.who import who
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.domain.writes import Document
from whatsapp_backend.errors import CommandFailed, CommandTimedOut
from whatsapp_backend.flows.fetch import Asker
from whatsapp_backend.ports import DocumentQueries, DocumentStore
from whatsapp_backend.rules.identity import account_id

_API = "/api/whatsapp"
_THREAD_ORDERS = ("lastMessageAt",)
_OF_INBOX = (
    *("accountId", "clientJid", "isLid", "displayName", "phoneE164", "assignedTo", "unreadCount", "coverage"),
    *("lastMessageAt", "lastMessageAtMs", "lastMessageId", "lastMessagePreview", "lastMessageDirection"),
    *("lastMessageSenderName", "lastInboundAt", "lastInboundAtMs"),
)
"""The fields of a thread that a list of conversations shows."""
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
        paused_until_ms: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        self._asker = asker
        self._desk = desk
        self._documents = documents
        self._queries = queries
        self._namespace = namespace
        self._paused_until_ms = paused_until_ms

    def routes(self) -> list[Route]:
        """To be added to the application."""
        return [
            *(get(path, self.accounts, answers={200: answers.ACCOUNTS}) for path in ("/accounts", f"{_API}/accounts")),
            post(
                f"{_API}/add-account",
                self.add_account,
                body=bodies.NEW_ACCOUNT,
                body_required=True,
                answers={200: answers.ACCOUNT},
            ),
            post(f"{_API}/regenerate-qr/{{account}}", self.regenerate_qr, answers={200: answers.PAIRING}),
            get(
                f"{_API}/qr/{{account}}",
                self.qr,
                answers={200: answers.QR},
                types=("application/json", "text/html"),
            ),
            post(
                f"{_API}/fetch-history/{{account}}",
                self.fetch_history,
                body=bodies.HISTORY,
                body_required=True,
                answers={
                    200: answers.HISTORY_PAGE,
                    409: refusal("invalid_state"),
                    504: refusal("phone_unreachable"),
                },
            ),
            *self._lists(),
        ]

    def _lists(self) -> list[Route]:
        by_activity = (*PAGE, order(*_THREAD_ORDERS))
        by_time = (*PAGE, order(*_MESSAGE_ORDERS))
        found = {200: answers.THREADS}
        return [
            get(f"{_API}/threads/{{account}}", self.threads, query=by_activity, answers=found),
            get(f"{_API}/inbox/{{account}}", self.inbox, query=PAGE, answers=found),
            get(
                f"{_API}/messages/{{account}}/{{thread}}",
                self.messages,
                query=by_time,
                answers={200: answers.MESSAGES},
            ),
        ]

    async def accounts(self, request: web.Request) -> web.Response:
        """All accounts that the caller may see, without their pairing secrets."""
        caller = who(request)
        accounts = [self._shown(view) for view in self._desk.views() if caller.may_see(view.account)]
        answer = {"success": True, "accounts": accounts, "count": len(accounts), "requestId": request_id(request)}
        return web.json_response(answer)

    async def add_account(self, request: web.Request) -> web.Response:
        """Declare an account for a phone number; its QR code follows at /api/whatsapp/qr/{accountId}."""
        body = await json_object(request)
        phone, name = body.get("phone"), bodies.name_in(body)
        if not isinstance(phone, str) or name is None:
            raise web.HTTPBadRequest(text="`phone` (text) and `name` (one line, up to 200 characters) are needed")
        if not bodies.is_phone(phone):
            return failure(request, 400, "bad_phone", "`phone` must be digits with the country code, as +15550001111")
        try:
            if not who(request).may_see(account_id(phone, self._namespace)):
                return admin_only(request)
            view = await self._desk.add(phone=phone, name=name, namespace=self._namespace)
        except ValueError as error:
            return failure(request, 400, "bad_phone", f"`phone` is {error}")
        return web.json_response({"success": True, "account": self._shown(view)})

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
        found, after = await self._threads(request, view)
        threads = [shown(document) for document in found]
        return web.json_response({"success": True, "threads": threads, "count": len(threads), "nextCursor": after})

    async def inbox(self, request: web.Request) -> web.Response:
        """As threads, with no more of each than a list of conversations shows. One query; no message is read."""
        view = self._known(request)
        found, after = await self._threads(request, view)
        threads = [
            shown(replace(one, fields={name: one.fields[name] for name in _OF_INBOX if name in one.fields}))
            for one in found
        ]
        return web.json_response({"success": True, "threads": threads, "count": len(threads), "nextCursor": after})

    async def messages(self, request: web.Request) -> web.Response:
        """A thread's messages, newest first."""
        view = self._known(request)
        limit, thread = limit_of(request, orders=_MESSAGE_ORDERS), request.match_info["thread"]
        after = document_place(request, "messages", thread)
        found = await known_thread(self._documents, view.account, thread)
        page = await self._queries.messages(thread, limit=limit, after=after)
        return web.json_response(
            {
                "success": True,
                "thread": shown(found),
                "messages": [shown(document) for document in page],
                "count": len(page),
                "nextCursor": document_cursor(page, limit, "tsClient", "messages", thread),
            }
        )

    async def _threads(self, request: web.Request, view: AccountView) -> tuple[list[Document], str | None]:
        """A page of those that people want to see; it may be shorter than what was asked for, and not the last."""
        limit = limit_of(request, orders=_THREAD_ORDERS)
        after = document_place(request, "threads", view.account)
        page = await self._queries.threads(view.account, limit=limit, after=after)
        oneself = f"{view.phone.lstrip('+')}@s.whatsapp.net"
        wanted = [
            document
            for document in page
            if not document.fields.get("archived")
            and not document.fields.get("redirectTo")
            and document.fields.get("clientJid") != oneself
        ]
        return wanted, document_cursor(page, limit, "lastMessageAt", "threads", view.account)

    def _shown(self, view: AccountView) -> dict[str, Any]:
        return {**_account(view), "pausedUntil": iso_ms(self._paused_until_ms(view.account))}

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
        "hearing": view.hearing,
    }
