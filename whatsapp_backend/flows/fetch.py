"""Asking the phone for older messages of one chat. The messages come through the journal like everything else.

One request in flight per account. A phone that is off never answers: no answer, an empty answer and a page are three
outcomes, and only the last two are answers.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from whatsapp_backend.domain.journal import NewEntry
from whatsapp_backend.errors import CommandTimedOut
from whatsapp_backend.ports import Gateway

_COMMAND_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What came back: `messages` were journaled, `end` is the phone's word on what is left (None: it said nothing)."""

    request: str
    messages: int
    result: str
    end: int | None


class HistoryFetcher:
    """Sends requests and recognises their answers by the request's id."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._asked: dict[str, dict[str, Mapping[str, Any]]] = {}
        """Per account with a request in flight: the answers that came meanwhile, by the request they answer."""
        self._news = asyncio.Condition()

    async def fetch(
        self, account: str, *, chat: str, anchor: Mapping[str, Any], time: int, count: int, timeout_s: float
    ) -> Page:
        """Ask for up to 50 messages older than the anchor; `time` is the anchor's, in seconds.

        Raises CommandTimedOut when the phone does not answer, BridgeGone and CommandFailed when it cannot be asked.
        """
        async with self._turns[account]:
            answers = self._asked[account] = {}
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
                request = str(done["request"])
                async with asyncio.timeout(timeout_s), self._news:
                    await self._news.wait_for(lambda: request in answers)
            except TimeoutError:
                raise CommandTimedOut(f"the phone did not answer within {timeout_s:g} s: it may be off") from None
            finally:
                del self._asked[account]
        return _page(request, answers[request])

    async def on_journaled(self, account: str, entries: tuple[NewEntry, ...]) -> None:
        """An account's entries are durable: the answer to a request may be among them."""
        if account not in self._asked:
            return
        for entry in entries:
            if entry.kind == "history-end" and entry.payload:
                payload = orjson.loads(entry.payload)
                if isinstance(payload, dict) and payload.get("session"):
                    async with self._news:
                        self._asked.get(account, {})[str(payload["session"])] = payload
                        self._news.notify_all()


def _page(request: str, payload: Mapping[str, Any]) -> Page:
    ends = [chat.get("end") for chat in payload.get("chats") or () if isinstance(chat, Mapping)]
    return Page(
        request=request,
        messages=int(payload.get("messages") or 0),
        result=str(payload.get("result")),
        end=next((end for end in ends if isinstance(end, int)), None),
    )
