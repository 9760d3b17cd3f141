"""The routes that tell what is missing, why, and what is known by what proof (docs/coverage.md)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from aiohttp import web

from whatsapp_backend.api import answers
from whatsapp_backend.api.bodies import limit_of
from whatsapp_backend.api.cursors import next_cursor, place_of
from whatsapp_backend.api.known import Accounts, known_account
from whatsapp_backend.api.routes import Route, get, post
from whatsapp_backend.api.schemas import LIMIT, PAGE
from whatsapp_backend.api.values import iso_ms
from whatsapp_backend.domain.coverage import (
    SECOND_MS,
    AccountLedger,
    Asked,
    Asking,
    Coverage,
    Epoch,
    Gap,
    Held,
    Interval,
    Point,
)
from whatsapp_backend.ports import Ledger
from whatsapp_backend.rules.coverage.chunks import lost_offline, missing_chunks, progress_of
from whatsapp_backend.rules.coverage.epochs import Claims, claims_of
from whatsapp_backend.rules.coverage.intervals import Range
from whatsapp_backend.rules.coverage.ledger import to_look_at
from whatsapp_backend.rules.coverage.threads import bounds, contiguous, covered, covers_of
from whatsapp_backend.rules.document_ids import is_document_id, thread_path
from whatsapp_backend.rules.requests import in_turn, is_paused, turn

_COUNTED = 10_000
"""Of so many gaps the reasons are counted."""
_PATIENCE_S = 10.0
_T = TypeVar("_T")


class Distrust(Protocol):
    """Who writes coverages."""

    async def distrust(self, thread: str) -> None:
        """Believe nothing of what is known of this thread (its document's path) until now."""


class GapRoutes:
    """The routes."""

    def __init__(self, *, ledger: Ledger, accounts: Accounts, distrust: Distrust, wall_ms: Callable[[], int]) -> None:
        self._ledger = ledger
        self._accounts = accounts
        self._distrust = distrust
        self._wall_ms = wall_ms

    def routes(self) -> list[Route]:
        """To be added to the application."""
        return [
            get("/api/whatsapp/gaps/{account}", self.of_account, query=PAGE, answers={200: answers.GAPS}),
            get(
                "/api/whatsapp/gaps/{account}/{thread}",
                self.of_thread,
                query=(LIMIT,),
                answers={200: answers.THREAD_GAPS},
            ),
            post(
                "/api/whatsapp/gaps/{account}/{thread}/reset",
                self.reset,
                answers={200: answers.RESET, 202: answers.RESET},
            ),
        ]

    async def of_account(self, request: web.Request) -> web.Response:
        """What is missing of an account, the newest first, and how its phone answers."""
        account, limit = known_account(self._accounts, request), limit_of(request)
        after = place_of(request, ("gaps", account), bool, int, str, int)
        known = await self._ledger.account_ledger(account)
        counted = await self._ledger.open_gaps(account, limit=_COUNTED)
        gaps = await self._ledger.open_gaps(account, limit=limit, after=after)
        return web.json_response(
            {
                "success": True,
                "accountId": account,
                "counts": {
                    "byState": {str(state): count for state, count in known.gaps.items()},
                    "byReason": Counter(str(gap.reason) for gap in counted),
                },
                "gaps": [_gap(gap) for gap in gaps],
                "count": len(gaps),
                "nextCursor": next_cursor(gaps, limit, ("gaps", account), turn),
                "announced": _announced(known, limit),
                "phone": _phone(known.asking, self._wall_ms()),
                "requests": [_asked(asked) for asked in known.asked[-limit:]],
            }
        )

    async def of_thread(self, request: web.Request) -> web.Response:
        """What is known of a thread, by what proof, and what is missing."""
        coverage, limit = await self._coverage(request), limit_of(request)
        claims = claims_of((await self._ledger.account_ledger(coverage.account)).epochs)
        held = await self._bounds_of(coverage, claims)
        return web.json_response({"success": True, **_thread(coverage, claims, held, limit)})

    async def reset(self, request: web.Request) -> web.Response:
        """Believe nothing of what is known of a thread: all of it is a gap until it is proven anew."""
        coverage = await self._coverage(request)
        status, message = 200, "Nothing is believed of this thread until it is proven anew"
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._distrust.distrust(coverage.thread)
        except TimeoutError:
            status, message = 202, "It will not be believed, as soon as what waits to land has landed: /ready says why"
        answer = {"success": True, "message": message, "threadId": _thread_id(coverage.thread)}
        return web.json_response(answer, status=status)

    async def _coverage(self, request: web.Request) -> Coverage:
        account, thread = known_account(self._accounts, request), request.match_info["thread"]
        path = thread_path(thread)
        coverage = (await self._ledger.coverages([path])).get(path) if is_document_id(thread) else None
        if coverage is None:
            raise web.HTTPNotFound(reason="Thread not found", text="the ledger knows no such thread")
        if coverage.account != account:
            raise web.HTTPForbidden(reason="Wrong account", text="this thread belongs to another account")
        return coverage

    async def _bounds_of(self, coverage: Coverage, claims: Claims) -> tuple[Held, ...]:
        ranges = [(one.first * SECOND_MS, one.last * SECOND_MS) for one in to_look_at(coverage, claims)]
        return bounds(await self._ledger.around(coverage.thread, ranges))


def _thread(coverage: Coverage, claims: Claims, held: Sequence[Held], limit: int) -> dict[str, Any]:
    covers = covers_of(coverage, claims, held)
    of_epochs = covers_of(replace(coverage, intervals=()), claims, held)
    cover = covered(coverage, covers)
    newest = contiguous(cover)
    claimed = [(seconds, str(proof)) for proof, one in of_epochs.items() for seconds in one.whole]
    return {
        "accountId": coverage.account,
        "threadId": _thread_id(coverage.thread),
        "chat": coverage.jid,
        "contiguous": _range(newest) if newest else None,
        "covered": [_range(one) for one in _newest(cover.whole, limit)],
        "proven": [_interval(one) for one in _newest(sorted(coverage.intervals), limit)],
        "claimed": [{**_range(seconds), "proof": proof} for seconds, proof in _newest(sorted(claimed), limit)],
        "doubts": [
            {**_span(one.from_ms, one.until_ms), "reason": one.reason} for one in _newest(coverage.doubts, limit)
        ],
        "owed": [_point(point) for point in _newest(coverage.owed, limit)],
        "withdrawn": coverage.withdrawn,
        "gapsEver": coverage.gaps_ever,
        "gaps": [_gap(gap) for gap in in_turn(coverage.gaps)[:limit]],
    }


def _newest(in_order: Sequence[_T], limit: int) -> Sequence[_T]:
    return in_order[: -limit - 1 : -1]


def _thread_id(path: str) -> str:
    return path.partition("/")[2]


def _gap(gap: Gap) -> dict[str, Any]:
    """`below` is the message that an answer must meet, `above` the one to ask with."""
    return {
        "threadId": _thread_id(gap.thread),
        "number": gap.number,
        "state": gap.state,
        "reason": gap.reason,
        **_span(gap.start_ms, gap.end_ms),
        "below": _point(gap.below) if gap.below else None,
        "above": _point(gap.above),
        "openedAt": iso_ms(gap.opened_at_ms),
        "tried": gap.tried,
        "rounds": gap.rounds,
        "nextAt": iso_ms(gap.next_at_ms),
    }


def _announced(known: AccountLedger, limit: int) -> dict[str, Any]:
    lossy = [epoch for epoch in known.epochs if lost_offline(epoch)]
    return {
        "missingChunks": [
            {"syncType": sync_type, "orders": list(orders)}
            for sync_type, orders in sorted(missing_chunks(known.chunks).items(), key=lambda one: (one[0] is None, one))
        ],
        "progress": [
            {"syncType": sync_type, "percent": percent}
            for sync_type, percent in sorted(progress_of(known.chunks).items())
        ],
        "lostOffline": [_offline(epoch) for epoch in _newest(lossy, limit)],
    }


def _offline(epoch: Epoch) -> dict[str, Any]:
    return {
        "connection": epoch.number,
        "openedAt": iso_ms(epoch.opened_at_ms),
        "announced": epoch.announced,
        "received": epoch.received,
        "lost": lost_offline(epoch),
    }


def _phone(asking: Asking, now_ms: int) -> dict[str, Any]:
    return {
        "unanswered": asking.unanswered,
        "askedAt": iso_ms(asking.asked_at_ms),
        "pausedUntil": iso_ms(asking.paused_until_ms) if is_paused(asking, now_ms) else None,
    }


def _asked(asked: Asked) -> dict[str, Any]:
    return {
        "id": asked.id,
        "threadId": _thread_id(asked.gap.thread),
        "gap": asked.gap.number,
        "anchor": _point(asked.anchor),
        "count": asked.count,
        "came": asked.older,
        "askedAt": iso_ms(asked.asked_at_ms),
    }


def _interval(interval: Interval) -> dict[str, Any]:
    start, end = interval.start, interval.end
    ids = {"fromId": start.id or None, "untilId": end.id or None}
    return {**_span(start.ms, end.ms), **ids, "proof": interval.proof}


def _point(point: Point) -> dict[str, Any]:
    return {"id": point.id or None, "at": iso_ms(point.ms), "ms": point.ms}


def _range(seconds: Range) -> dict[str, Any]:
    return _span(seconds[0] * SECOND_MS, seconds[1] * SECOND_MS)


def _span(from_ms: int, until_ms: int) -> dict[str, Any]:
    """From the beginning of time, and until its end, is null."""
    return {"from": iso_ms(from_ms), "until": iso_ms(until_ms), "fromMs": from_ms, "untilMs": until_ms}
