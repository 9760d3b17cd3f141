"""Newest: the newest messages of a thread as Firestore has them, whatever generation wrote them, for few reads."""

from __future__ import annotations

from collections.abc import Iterable

from whatsapp_backend.domain.mirror import Gathered
from whatsapp_backend.domain.states import MessageState
from whatsapp_backend.domain.writes import Document
from whatsapp_backend.ports import DocumentQueries, DocumentStore, Mirror
from whatsapp_backend.rules import landing, repairing
from whatsapp_backend.rules.document_ids import message_path
from whatsapp_backend.rules.messages import is_here
from whatsapp_backend.rules.surveying import FoundThread

_LOOKED_BACK = 20
"""So many messages are looked through for one that shows."""


class Newest:
    """Looks into one thread at a time. All of it raises DocumentsUnavailable."""

    def __init__(self, documents: DocumentStore, queries: DocumentQueries, mirror: Mirror) -> None:
        self._documents = documents
        self._queries = queries
        self._mirror = mirror

    async def of(self, found: FoundThread, row: Gathered | None) -> list[MessageState] | None:
        """The newest messages; None where the row follows them."""
        first = await self._queries.messages(found.id, limit=1)
        if not first:
            return _states(found, await self._queries.messages_by("createdAt", found.id, limit=_LOOKED_BACK))
        if row is None:
            return await self._first_shown(found, first) or await self._several(found)
        if any(repairing.follows(row, message) for message in _states(found, first)):
            return None
        newest = await self._several(found)
        return newest + await self._followed(found, row) if repairing.goes_back(row, newest) else newest

    async def any(self, found: FoundThread) -> bool:
        """Whether the thread has a message at all."""
        return bool(await self._queries.list_messages(found.id, fields=("waMessageId",), after="", limit=1))

    async def _first_shown(self, found: FoundThread, first: list[Document]) -> list[MessageState]:
        """The first message and, if its time is text, the first behind all text; nothing if one does not show."""
        if isinstance(first[0].fields.get("tsClient"), str):
            first = first + await self._queries.messages_by("tsClient", found.id, limit=1)
        states = _states(found, first)
        return states if len(states) == len(first) and all(map(is_here, states)) else []

    async def _several(self, found: FoundThread) -> list[MessageState]:
        """As many as are looked through, beside text those behind it."""
        page = await self._queries.messages(found.id, limit=_LOOKED_BACK)
        if len(page) == _LOOKED_BACK and isinstance(page[-1].fields.get("tsClient"), str):
            page += await self._queries.messages_by("tsClient", found.id, limit=_LOOKED_BACK)
        return _states(found, page)

    async def _followed(self, found: FoundThread, row: Gathered) -> list[MessageState]:
        """The message that the row follows: the time it claims may put it behind many others."""
        plain = message_path(found.id, repairing.followed(row))
        path = (await self._mirror.adopted([plain])).get(plain, plain)
        return _states(found, (await self._documents.read([path])).values())


def _states(found: FoundThread, documents: Iterable[Document]) -> list[MessageState]:
    states = (landing.moved_in(document, found.account, found.jid) for document in documents)
    return [state for state in states if state is not None]
