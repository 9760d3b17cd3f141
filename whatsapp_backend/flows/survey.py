"""Survey: what others have written for an account is found, once, before anything of ours is written beside it.

Thread by thread, page by page, and from where it stopped after a crash: what a page told is kept together with how far
we are. Messages are not copied or changed. What is remembered is where those lie that have other documents than we
would give them, and which threads are to be united.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.mirror import Alias, Progress
from whatsapp_backend.domain.surveys import Survey
from whatsapp_backend.domain.writes import Document, Write
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.ports import DocumentQueries, Identities, Mirror
from whatsapp_backend.rules import surveying
from whatsapp_backend.rules.generations import MESSAGE_FIELDS
from whatsapp_backend.rules.surveying import FoundThread

log = structlog.get_logger()

_THREADS = 100
_MESSAGES = 300
"""A page: so many documents are in memory, and read again after a crash."""
_TOLD_EVERY_MS = 30_000


class Surveyor:
    """Surveys accounts, each once. With `changes` off nothing at all is written to Firestore."""

    def __init__(
        self,
        *,
        queries: DocumentQueries,
        mirror: Mirror,
        identities: Identities,
        lander: Lander,
        clock: Clock,
        keep: Callable[[Progress], Awaitable[None]],
        consumer: str,
        changes: bool = True,
    ) -> None:
        self._queries = queries
        self._mirror = mirror
        self._identities = identities
        self._lander = lander
        self._clock = clock
        self._keep = keep
        self._consumer = consumer
        self._changes = changes
        self._surveyed: set[str] = set()
        self._told_ms = 0

    async def ensure(self, accounts: Iterable[str]) -> None:
        """Return when all of these are surveyed, however long that takes."""
        for account in sorted(set(accounts) - self._surveyed):
            await self.survey(account)
            self._surveyed.add(account)

    async def survey(self, account: str) -> Survey:
        """Survey an account from where it stopped; one that is done costs nothing."""
        survey = await self._mirror.survey(account) or Survey(account=account)
        if survey.done_at_ms is not None:
            return survey
        more = True
        while more:
            page = await self._threads(survey)
            survey = surveying.with_counts(survey, {"documents_read": surveying.read(page)})
            for document in page:
                survey = await self._thread(document, survey)
            more = len(page) == _THREADS
        survey = replace(survey, done_at_ms=self._clock.wall_ms())
        await self._keep(Progress(consumer=self._consumer, survey=survey))
        log.info("surveyed", account=account, **survey.counts)
        return survey

    async def _thread(self, document: Document, survey: Survey) -> Survey:
        """One thread, its messages and what follows from them."""
        found = surveying.thread_found(survey.account, document)
        if found is None:
            survey = surveying.with_stranger(survey, document.id)
            await self._keep(Progress(consumer=self._consumer, survey=survey))
            return survey
        if survey.thread != document.id:
            survey = replace(survey, thread=document.id, messages_after="", thread_counts={})
        while True:
            page = await self._messages(survey)
            progress = await self._page(found, page, survey)
            assert progress.survey is not None
            if len(page) < _MESSAGES:
                break
            survey = progress.survey
            await self._keep(progress)
            self._tell(survey)
        if self._changes and surveying.leads_astray(found):
            await self._lead_back(found)
        survey = surveying.with_thread(progress.survey, found)
        await self._keep(replace(await self._ended(found, progress), survey=survey))
        return survey

    async def _page(self, found: FoundThread, page: list[Document], survey: Survey) -> Progress:
        lies = await self._mirror.adopted(surveying.plain_paths(found, page))
        adopted, counts = surveying.adopted_in(found, page, lies)
        return Progress(
            consumer=self._consumer,
            nameless=tuple(surveying.nameless_of(found, page)),
            adopted=tuple(adopted),
            survey=surveying.with_page(survey, page, counts),
        )

    async def _ended(self, found: FoundThread, progress: Progress) -> Progress:
        """With who is who, and the thread itself where it goes elsewhere: its messages are known by then."""
        aliases = []
        if told := surveying.number_told(found):
            aliases.append(self._alias(found, *told, evidence="redirect"))
        if not found.goes_elsewhere:
            return replace(progress, aliases=tuple(aliases))
        numbers = await self._identities.aliases(found.account, [found.canonical])
        to = numbers.get(found.canonical, found.canonical)
        if to != found.jid:
            aliases.append(
                self._alias(found, found.jid, to, evidence="survey" if found.jid == found.canonical else "spelling")
            )
        return replace(progress, aliases=tuple(aliases), gathered=(surveying.gathered_of(found),))

    def _alias(self, found: FoundThread, lid: str, to: str, *, evidence: str) -> Alias:
        return Alias(account=found.account, lid=lid, pn=to, evidence=evidence, at_ms=self._clock.wall_ms())

    async def _lead_back(self, found: FoundThread) -> None:
        """New messages land in this thread, so it must not lead to the one whose messages come here."""
        log.warning("thread_led_astray", account=found.account)
        await self._lander.write([Write(path=found.document.path, fields={}, mask=surveying.REDIRECTS)])

    async def _threads(self, survey: Survey) -> list[Document]:
        spellings = surveying.spellings(survey.account)
        return await self._lander.patiently(
            lambda: self._queries.list_threads(
                spellings, fields=surveying.THREAD_FIELDS, after=survey.threads_after, limit=_THREADS
            )
        )

    async def _messages(self, survey: Survey) -> list[Document]:
        return await self._lander.patiently(
            lambda: self._queries.list_messages(
                survey.thread, fields=MESSAGE_FIELDS, after=survey.messages_after, limit=_MESSAGES
            )
        )

    def _tell(self, survey: Survey) -> None:
        now_ms = self._clock.wall_ms()
        if now_ms >= self._told_ms + _TOLD_EVERY_MS:
            self._told_ms = now_ms
            log.info("surveying", account=survey.account, documents_read=survey.counts.get("documents_read", 0))
