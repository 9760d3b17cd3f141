"""Asking the phone for older messages of one chat. The messages come through the journal like everything else.

One request in flight per account. A phone that is off never answers: no answer, an empty answer and a page are three
outcomes, and only the last two are answers.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from whatsapp_backend.clock import Clock, SystemClock, within
from whatsapp_backend.domain.journal import NewEntry
from whatsapp_backend.errors import CommandTimedOut
from whatsapp_backend.ports import Gateway
from whatsapp_backend.rules.history import HistoryEnd, history_end

_COMMAND_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What came back: `messages` were journaled, `end` is the phone's word on what is left (None: it said nothing)."""

    request: str
    messages: int
    result: str
    end: int | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request in flight. Its answer may be journaled before the bridge has told the request's id: all are noted."""

    answers: dict[str, HistoryEnd] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: str) -> None:
        while request not in self.answers:
            self.news.clear()
            await self.news.wait()


class HistoryFetcher:
    """Sends requests and recognises their answers by the request's id."""

    def __init__(self, gateway: Gateway, clock: Clock | None = None) -> None:
        self._gateway = gateway
        self._clock = clock or SystemClock()
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._asked: dict[str, _Asked] = {}

    async def fetch(
        self, account: str, *, chat: str, anchor: Mapping[str, Any], time: int, count: int, timeout_s: float
    ) -> Page:
        """Ask for up to 50 messages older than the anchor; `time` is the anchor's, in seconds.

        Raises CommandTimedOut when the phone does not answer, BridgeGone and CommandFailed when it cannot be asked.
        """
        async with self._turns[account]:
            asked = self._asked[account] = _Asked()
            try:
                done = await self._gateway.do(
                    "fetch-history",
                    account=account,
                    timeout_s=_COMMAND_TIMEOUT_S,
                    chat=chat,
                    anchor=dict(anchor),
                    time=time,
                    count=count,
                )
                request = str(done.get("request"))
                if not await within(self._clock, timeout_s, asked.answer(request)):
                    raise CommandTimedOut(f"the phone did not answer within {timeout_s:g} s: it may be off")
            finally:
                del self._asked[account]
        answer = asked.answers[request]
        return Page(request=request, messages=answer.messages, result=answer.result, end=answer.end)

    def on_journaled(self, account: str, entries: tuple[NewEntry, ...]) -> None:
        """An account's entries are durable: the answer to a request may be among them."""
        asked = self._asked.get(account)
        if asked is None:
            return
        for entry in entries:
            end = history_end(entry)
            if end is not None and end.session is not None:
                asked.answers[end.session] = end
                asked.news.set()
