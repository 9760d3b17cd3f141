"""Asking the phone for history. What it sends comes through the journal and is published like everything else.

One request in flight per account. A request for a gap is kept, under an id of ours, before it is sent: an answer is
recognised however late it comes, also by the daemon's next life. A phone that is off never answers. That is noted only
when nothing was journaled in time; a page that came and cannot be published yet is no silence. Nor is a connection that
is gone. Wherever this is cut off, the ledger holds either a request that may be answered, or what came of it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakValueDictionary

from whatsapp_backend.clock import Clock, within
from whatsapp_backend.domain.coverage import AccountLedger, Answer, Asked, LedgerChange, Outcome
from whatsapp_backend.domain.jobs import Kind
from whatsapp_backend.domain.journal import NewEntry
from whatsapp_backend.errors import BridgeGone, CommandFailed, CommandTimedOut
from whatsapp_backend.ports import Gateway, Ledger
from whatsapp_backend.rules.history import HistoryEnd, answers, history_end
from whatsapp_backend.rules.request_ids import RANDOM_DIGITS, request_id
from whatsapp_backend.rules.requests import Request, asking_after, gap_after, is_forgotten, is_paused, outcome_of

_COMMAND_TIMEOUT_S = 15.0
_DOWNLOAD_S = 300.0
"""How long an answer may take from when the phone has it ready until all of it is here."""
_LOOK_S = 60.0
"""How often to look whether an answer that is journaled is still to be published."""
_FRESH_AFTER = frozenset({1, 4, 7})
"""Silences in a row after which a new Signal session is made for the next request: a crash may have left one that the
phone cannot read. Not each time: every session costs the phone a key."""
_NOT_SENT = frozenset({"not-started", "bad-arguments", "unknown-command", "refused"})
"""What is said of a command before anything left. A connection that closes may have taken the request with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What came back: `messages` were journaled, `end` is the phone's word on what is left (None: it said nothing)."""

    request: str
    messages: int
    result: str
    end: int | None


@dataclass(slots=True)
class _InFlight:
    """A request whose answer is waited for: announced first, then here, then published."""

    request: str
    end: HistoryEnd | None = None
    answer: Answer | None = None
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    published: asyncio.Event = field(default_factory=asyncio.Event)


class Asker:
    """Sends requests and recognises their answers. `timeout_s` is how long a phone may take. `on_outcome` is told what
    came of each.

    `retry_in_ms`: a request without an answer is sent once more with its time in milliseconds.
    """

    def __init__(
        self,
        gateway: Gateway,
        ledger: Ledger,
        clock: Clock,
        *,
        timeout_s: float,
        is_connected: Callable[[str], bool],
        retry_in_ms: bool = False,
        on_outcome: Callable[[str, Outcome], None] = lambda _account, _outcome: None,
    ) -> None:
        self._gateway = gateway
        self._ledger = ledger
        self._clock = clock
        self._timeout_s = timeout_s
        self._is_connected = is_connected
        self._on_outcome = on_outcome
        self._units: tuple[dict[str, str], ...] = ({}, {"unit": "ms"}) if retry_in_ms else ({},)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._in_flight: dict[str, _InFlight] = {}

    async def ask(self, request: Request, by: Kind) -> Answer | None:
        """Ask for a page of a gap, for a run of this kind, and wait until it is published. None: the gap is another one
        by now.

        Raises BridgeGone, CommandFailed and CommandTimedOut when the phone could not be asked, and StoreUnwell.
        """
        account = request.gap.account
        async with self._turn(account):
            with self._failing(account):
                answer = await self._asked_for(request, by)
        if answer is not None:
            self._on_outcome(account, answer.outcome)
        return answer

    async def _asked_for(self, request: Request, by: Kind) -> Answer | None:
        for unit in self._units:
            if not await self._is_current(request):
                return None
            said = await self._asked(request, by, unit)
            if said is None:
                return None
            asked, answer = said
            answer = answer or await self._silent(request, asked, last=unit is self._units[-1])
            if answer is not None:
                return answer
        return None

    async def fetch(self, account: str, *, chat: str, anchor: Mapping[str, Any], time: int, count: int) -> Page:
        """Ask for up to 50 messages older than any anchor, for somebody who waits; `time` is the anchor's, in seconds.

        Raises CommandTimedOut when the phone does not answer, BridgeGone and CommandFailed when it cannot be asked.
        """
        async with self._turn(account):
            with self._failing(account), self._waiting(account, _new_id(None)) as waiting:
                await self._send(account, id=waiting.request, chat=chat, anchor=dict(anchor), time=time, count=count)
                await self._came(waiting, self._timeout_s)
        end = waiting.end
        outcome = outcome_of(end.messages, end.end, downloaded=end.downloaded) if end else Outcome.NO_ANSWER
        self._on_outcome(account, outcome)
        if end is None:
            raise CommandTimedOut(f"the phone did not answer within {self._timeout_s:g} s: it may be off")
        return Page(request=waiting.request, messages=end.messages, result=end.result, end=end.end)

    def on_journaled(self, account: str, entries: tuple[NewEntry, ...]) -> None:
        """An account's entries are durable: the answer to its request may be among them."""
        waiting = self._in_flight.get(account)
        if waiting is None:
            return
        for entry in entries:
            if answers(entry) != waiting.request:
                continue
            waiting.heard.set()
            waiting.end = history_end(entry) or waiting.end
            if waiting.end is not None:
                waiting.came.set()

    def on_answered(self, answer: Answer) -> None:
        """What a request brought is published, and the ledger knows what it proves."""
        waiting = self._in_flight.get(answer.account)
        if waiting is not None and waiting.request == answer.request:
            waiting.answer = answer
            for happened in (waiting.heard, waiting.came, waiting.published):
                happened.set()

    @asynccontextmanager
    async def _turn(self, account: str) -> AsyncIterator[None]:
        turn = self._turns.setdefault(account, asyncio.Lock())  # gone when nobody has or wants it any more
        async with turn:
            yield

    @contextmanager
    def _waiting(self, account: str, request: str) -> Iterator[_InFlight]:
        waiting = self._in_flight[account] = _InFlight(request)
        try:
            yield waiting
        finally:
            del self._in_flight[account]

    @contextmanager
    def _failing(self, account: str) -> Iterator[None]:
        try:
            yield
        except (BridgeGone, CommandFailed, CommandTimedOut):
            self._on_outcome(account, Outcome.FAILED)
            raise

    async def _is_current(self, request: Request) -> bool:
        """Whether the gap is still as it was when the request was made: a late answer may have come meanwhile."""
        gap = request.gap
        coverage = (await self._ledger.coverages([gap.thread])).get(gap.thread)
        return coverage is not None and gap in coverage.gaps

    async def _asked(self, request: Request, by: Kind, unit: Mapping[str, str]) -> tuple[Asked, Answer | None] | None:
        """What the phone answers, if it does; None when that is known by now."""
        account = request.gap.account
        known = await self._ledger.account_ledger(account)
        now_ms = self._clock.wall_ms()
        asked = self._under_way(known, request, now_ms)
        with self._waiting(account, asked.id if asked else _new_id(by)) as waiting:
            left_s = self._timeout_s
            if asked is not None:
                if not await self._is_kept(asked):  # published while nobody was waiting for it
                    return None
                left_s -= (now_ms - asked.asked_at_ms) / 1000
            else:
                asked = await self._keep(known, request, waiting.request, now_ms)
                fresh = {"fresh": True} if known.asking.unanswered in _FRESH_AFTER else {}
                await self._send_kept(asked, request, {**unit, **fresh})
            return asked, await self._published(asked, waiting) if await self._came(waiting, left_s) else None

    async def _came(self, waiting: _InFlight, left_s: float) -> bool:
        """Whether an answer came in time. Raises CommandTimedOut for one that came, and cannot be downloaded."""
        if not await within(self._clock, left_s, waiting.heard.wait()):
            return False
        if not await within(self._clock, _DOWNLOAD_S, waiting.came.wait()):
            raise CommandTimedOut(f"the phone answered, and its answer was not downloaded within {_DOWNLOAD_S:g} s")
        return True

    def _under_way(self, known: AccountLedger, request: Request, now_ms: int) -> Asked | None:
        """The same request, if a run that was cut off, or an earlier life, has just sent it."""
        gap = request.gap
        for one in known.asked:
            same = (one.gap.thread, one.gap.number, one.anchor) == (gap.thread, gap.number, request.anchor.at)
            if same and 0 <= now_ms - one.asked_at_ms < self._timeout_s * 1000:
                return one
        return None

    async def _keep(self, known: AccountLedger, request: Request, name: str, now_ms: int) -> Asked:
        gap = request.gap
        asked = Asked(
            account=gap.account,
            id=name,
            gap=gap,
            anchor=request.anchor.at,
            count=request.count,
            asked_at_ms=now_ms,
        )
        change = LedgerChange(
            asked=(asked,),
            askings=(replace(known.asking, asked_at_ms=now_ms),),
            answered=tuple(one for one in known.asked if is_forgotten(one, now_ms)),
        )
        await self._ledger.record(change)
        return asked

    async def _send_kept(self, asked: Asked, request: Request, how: Mapping[str, object]) -> None:
        anchor = {"id": request.anchor.at.id, "fromMe": request.anchor.from_me}
        what = {"id": asked.id, "chat": request.chat, "anchor": anchor, "time": asked.anchor.second, **how}
        try:
            await self._send(asked.account, **what, count=asked.count)
        except CommandFailed as error:
            if error.code in _NOT_SENT:
                await self._ledger.record(LedgerChange(answered=(asked,)))
            raise

    async def _send(self, account: str, **what: object) -> None:
        await self._gateway.do("fetch-history", account=account, timeout_s=_COMMAND_TIMEOUT_S, **what)

    async def _published(self, asked: Asked, waiting: _InFlight) -> Answer:
        """What the publisher says of it, however long Firestore is away."""
        while True:
            await within(self._clock, _LOOK_S, waiting.published.wait())
            if waiting.answer is not None:
                return waiting.answer
            end = waiting.end
            if end is not None and not await self._is_kept(asked):
                # Its thread has become another's: nobody will tell.
                outcome = outcome_of(end.messages, end.end, downloaded=end.downloaded)
                return _answer(asked, outcome, fetched=end.messages, end=end.end)

    async def _is_kept(self, asked: Asked) -> bool:
        known = await self._ledger.account_ledger(asked.account)
        return any(one.id == asked.id for one in known.asked)

    async def _silent(self, request: Request, asked: Asked, *, last: bool) -> Answer | None:
        """Note that nothing came in time. None: it may be tried once more. Raises CommandFailed where it says nothing
        of the phone."""
        gap = request.gap
        if not self._is_connected(gap.account):
            raise CommandFailed("not-open", "the connection closed before an answer came")
        known = await self._ledger.account_ledger(gap.account)
        now_ms = self._clock.wall_ms()
        asking = asking_after(known.asking, Outcome.NO_ANSWER, now_ms)
        last = last or is_paused(asking, now_ms)
        left = (gap_after(gap, gap, Outcome.NO_ANSWER, now_ms),) if last else ()
        await self._ledger.record(LedgerChange(askings=(asking,), gaps=left))
        return _answer(asked, Outcome.NO_ANSWER) if last else None


def _new_id(by: Kind | None) -> str:
    return request_id(by, secrets.token_hex(RANDOM_DIGITS))


def _answer(asked: Asked, outcome: Outcome, *, fetched: int = 0, end: int | None = None) -> Answer:
    return Answer(account=asked.account, request=asked.id, outcome=outcome, fetched=fetched, stored=0, end=end)
