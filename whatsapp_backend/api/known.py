"""The account and the thread that a path names: found, or refused in the same words by every route."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.writes import Document
from whatsapp_backend.errors import AccountUnknown
from whatsapp_backend.ports import DocumentStore
from whatsapp_backend.rules.document_ids import is_document_id, thread_path


class Accounts(Protocol):
    """Who knows the accounts."""

    def view(self, account: str) -> AccountView | None:
        """One account."""


def known_view(accounts: Accounts, request: web.Request) -> AccountView:
    """The account of the path. Raises AccountUnknown."""
    view = accounts.view(request.match_info["account"])
    if view is None:
        raise AccountUnknown
    return view


def known_account(accounts: Accounts, request: web.Request) -> str:
    """Its id. Raises AccountUnknown."""
    return known_view(accounts, request).account


async def known_thread(documents: DocumentStore, account: str, thread: str) -> Document:
    """A thread of this account. Raises what refuses another one, and DocumentsUnavailable."""
    path = thread_path(thread)
    found = (await documents.read([path])).get(path) if is_document_id(thread) else None
    if found is None:
        raise web.HTTPNotFound(reason="Thread not found", text="no such thread")
    if found.fields.get("accountId") != account:
        raise web.HTTPForbidden(reason="Wrong account", text="this thread belongs to another account")
    return found
