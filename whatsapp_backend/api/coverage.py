"""The gap map: of each thread what is proven, by what, what is missing, what is being filled. From the ledger only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from aiohttp import web

from whatsapp_backend.api import answers
from whatsapp_backend.api.bodies import limit_of
from whatsapp_backend.api.cursors import next_cursor, place_of
from whatsapp_backend.api.known import Accounts, known_account
from whatsapp_backend.api.routes import Route, get
from whatsapp_backend.api.schemas import CURSOR, LIMIT
from whatsapp_backend.api.status import NO_STORE
from whatsapp_backend.api.values import iso_ms
from whatsapp_backend.domain.coverage import SECOND_MS, Coverage, Gap, GapState, Held
from whatsapp_backend.domain.mirror import Gathered
from whatsapp_backend.domain.overview import Activity
from whatsapp_backend.domain.states import ThreadState
from whatsapp_backend.ports import Ledger, Mirror, Overview
from whatsapp_backend.rules.coverage.epochs import Claims, claims_of
from whatsapp_backend.rules.coverage.ledger import to_look_at
from whatsapp_backend.rules.coverage.threads import bounds, covers_of
from whatsapp_backend.rules.gathering import state_of_row
from whatsapp_backend.rules.identity import phone_of
from whatsapp_backend.rules.redact import masked_phone
from whatsapp_backend.rules.requests import in_turn

_DEFAULT = 20
_SHOWN_STRETCHES = 200
_QUERY = (replace(LIMIT, schema={**LIMIT.schema, "default": _DEFAULT}), CURSOR)


class MapStore(Ledger, Mirror, Overview, Protocol):
    """What is asked."""


class CoverageMap:
    """The route."""

    def __init__(self, *, store: MapStore, accounts: Accounts) -> None:
        self._store = store
        self._accounts = accounts

    def routes(self) -> list[Route]:
        """To be added to the application."""
        return [get("/api/whatsapp/coverage/{account}", self.of_account, query=_QUERY, answers={200: answers.COVERAGE})]

    async def of_account(self, request: web.Request) -> web.Response:
        """What is known of the account's threads, those with the newest messages first."""
        account, limit = known_account(self._accounts, request), limit_of(request, default=_DEFAULT)
        scope = ("coverage", account)
        place = place_of(request, scope, int, str)
        below = Activity(*place) if place else None
        active = await self._store.active_threads(account, limit=limit, below=below)
        paths = [one.thread for one in active]
        claims = claims_of((await self._store.account_ledger(account)).epochs)
        coverages, named = await self._store.coverages(paths), await self._store.gathered(paths)
        threads = [
            await self._thread(coverages[one.thread], one, claims, named.get(one.thread))
            for one in active
            if one.thread in coverages
        ]
        answer = {
            "success": True,
            "accountId": account,
            "threads": threads,
            "count": len(threads),
            "nextCursor": next_cursor(active, limit, scope, lambda last: (last.newest_ms, last.thread)),
        }
        return web.json_response(answer, headers=NO_STORE)

    async def _thread(
        self, coverage: Coverage, active: Activity, claims: Claims, row: Gathered | None
    ) -> dict[str, Any]:
        ranges = [(one.first * SECOND_MS, one.last * SECOND_MS) for one in to_look_at(coverage, claims)]
        held = bounds(await self._store.around(coverage.thread, ranges))
        gaps = in_turn(coverage.gaps)
        return {
            "threadId": coverage.thread.partition("/")[2],
            "name": _name(coverage, row),
            "newestAt": iso_ms(active.newest_ms),
            "covered": _covered(coverage, claims, held),
            "gaps": [_gap(gap) for gap in gaps[:_SHOWN_STRETCHES]],
            "filling": sum(gap.state is GapState.FILLING for gap in gaps),
            "owed": [{"at": iso_ms(point.ms), "ms": point.ms} for point in coverage.owed[-_SHOWN_STRETCHES:]],
        }


def _covered(coverage: Coverage, claims: Claims, held: tuple[Held, ...]) -> list[dict[str, Any]]:
    """The newest stretches, each with its proof; where two proofs speak of the same time, both are told."""
    found: list[dict[str, Any]] = [
        {"fromMs": first * SECOND_MS, "untilMs": last * SECOND_MS, "proof": str(proof)}
        for proof, cover in covers_of(coverage, claims, held).items()
        for first, last in cover.whole
    ]
    return sorted(found, key=lambda one: one["untilMs"], reverse=True)[:_SHOWN_STRETCHES]


def _gap(gap: Gap) -> dict[str, Any]:
    """`fromMs` 0: since the beginning. `deep`: there is no message below it."""
    return {
        "number": gap.number,
        "state": gap.state,
        "reason": gap.reason,
        "fromMs": gap.start_ms,
        "untilMs": gap.end_ms,
        "deep": gap.below is None,
        "openedAt": iso_ms(gap.opened_at_ms),
        "rounds": gap.rounds,
        "nextAt": iso_ms(gap.next_at_ms),
    }


def _name(coverage: Coverage, row: Gathered | None) -> str:
    """As the inbox names it; a number that nobody named is not shown in full."""
    state = state_of_row(row) if row else None
    if isinstance(state, ThreadState) and state.name:
        return state.name
    phone = phone_of(coverage.jid)
    if phone:
        return masked_phone(phone)
    return "A group" if coverage.jid.endswith("@g.us") else "Somebody without a number"
