"""Everything that is stored of an account or of a thread, one JSON object a line.

Read page by page and written as fast as the client takes it: memory stays flat however much there is. Documents come in
the order of their ids, also those that no list shows; every document is one read, and so is every empty thread.
What goes wrong on the way ends the answer with a line `{"error": …}` and without its last chunk, so that nobody takes a
part for the whole.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import orjson
import structlog
from aiohttp import web

from whatsapp_backend.api.guard import failure_fields, own_headers
from whatsapp_backend.api.known import Accounts, known_account, known_thread
from whatsapp_backend.api.routes import Access, Route, get
from whatsapp_backend.api.values import shown
from whatsapp_backend.domain.writes import Document
from whatsapp_backend.errors import DocumentsUnavailable
from whatsapp_backend.ports import DocumentQueries, DocumentStore

log = structlog.get_logger()

TYPE = "application/x-ndjson"
_AT_ONCE = 100
"""So many documents are held at a time."""


class Exports:
    """The routes under /api/whatsapp/export."""

    def __init__(self, *, accounts: Accounts, documents: DocumentStore, queries: DocumentQueries) -> None:
        self._accounts = accounts
        self._documents = documents
        self._queries = queries

    def routes(self) -> list[Route]:
        """To be added to the application."""
        lines: Any = {"types": (TYPE,), "answers": {200: {"type": "string"}}}
        return [
            get("/api/whatsapp/export/{account}", self.of_account, Access.ADMIN, **lines),
            get("/api/whatsapp/export/{account}/{thread}", self.of_thread, Access.ADMIN, **lines),
        ]

    async def of_account(self, request: web.Request) -> web.StreamResponse:
        """All threads of an account, each followed by its messages, as newline JSON."""
        return await _streamed(request, self._of_account(known_account(self._accounts, request)))

    async def of_thread(self, request: web.Request) -> web.StreamResponse:
        """A thread and its messages, as newline JSON."""
        account = known_account(self._accounts, request)
        thread = await known_thread(self._documents, account, request.match_info["thread"])
        return await _streamed(request, self._of_thread(thread))

    async def _of_account(self, account: str) -> AsyncGenerator[bytes]:
        after, more = "", True
        while more:
            page = await self._queries.list_threads([account], fields=None, after=after, limit=_AT_ONCE)
            for thread in page:
                async for lines in self._of_thread(thread):
                    yield lines
            after, more = page[-1].id if page else "", len(page) == _AT_ONCE

    async def _of_thread(self, thread: Document) -> AsyncGenerator[bytes]:
        after, more, lines = "", True, _lines("thread", [thread])
        while more:
            page = await self._queries.list_messages(thread.id, fields=None, after=after, limit=_AT_ONCE)
            yield lines + _lines("message", page)
            after, more, lines = page[-1].id if page else "", len(page) == _AT_ONCE, b""


def _lines(kind: str, documents: Sequence[Document]) -> bytes:
    return b"".join(
        orjson.dumps({"kind": kind, **shown(document)}, option=orjson.OPT_APPEND_NEWLINE) for document in documents
    )


async def _streamed(request: web.Request, parts: AsyncGenerator[bytes]) -> web.StreamResponse:
    """Send the parts. The first is read before the answer begins, so that what fails at once is an ordinary failure."""
    async with aclosing(parts):
        return await _answered(request, await anext(parts, b""), parts)


async def _answered(request: web.Request, first: bytes, parts: AsyncGenerator[bytes]) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": TYPE, "Cache-Control": "no-store", **own_headers(request)})
    try:
        await answer.prepare(request)
        await answer.write(first)
        try:
            async for part in parts:
                await answer.write(part)
        except DocumentsUnavailable as error:
            log.warning("export_failed", reason=str(error))
            last = failure_fields(request, "firestore_unavailable", str(error))
            await answer.write(orjson.dumps(last, option=orjson.OPT_APPEND_NEWLINE))
            if request.transport:
                request.transport.close()  # after what was written, before the chunk that would end it
        else:
            await answer.write_eof()
    except ConnectionResetError:
        log.info("export_ended", reason="the client went away")
    return answer
