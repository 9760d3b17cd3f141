"""The route that tells which messages are owed to us."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from whatsapp_backend.api import answers
from whatsapp_backend.api.bodies import limit_of
from whatsapp_backend.api.cursors import next_cursor, place_of
from whatsapp_backend.api.known import Accounts, known_account
from whatsapp_backend.api.routes import Route, get
from whatsapp_backend.api.schemas import PAGE
from whatsapp_backend.api.values import iso_ms
from whatsapp_backend.domain.mirror import Debt
from whatsapp_backend.domain.pages import DebtPlace
from whatsapp_backend.ports import Debts


class DebtRoutes:
    """The route `/api/whatsapp/debts/{account}`."""

    def __init__(self, *, debts: Debts, accounts: Accounts) -> None:
        self._debts = debts
        self._accounts = accounts

    def routes(self) -> list[Route]:
        """To be added to the application."""
        return [get("/api/whatsapp/debts/{account}", self.of_account, query=PAGE, answers={200: answers.DEBTS})]

    async def of_account(self, request: web.Request) -> web.Response:
        """Messages that are known to exist and have not come, the longest owed first."""
        account, limit = known_account(self._accounts, request), limit_of(request)
        after = place_of(request, ("debts", account), int, str)
        debts = await self._debts.open_debts(account, limit=limit, **({"after": after} if after else {}))
        return web.json_response(
            {
                "success": True,
                "accountId": account,
                "debts": [_shown(debt) for debt in debts],
                "count": len(debts),
                "nextCursor": next_cursor(debts, limit, ("debts", account), _place),
            }
        )


def _place(debt: Debt) -> DebtPlace:
    return debt.opened_at_ms, debt.path


def _shown(debt: Debt) -> dict[str, Any]:
    _, thread, _, message = debt.path.split("/", 3)
    return {
        "threadId": thread,
        "messageId": message,
        "kind": debt.reason,
        "since": iso_ms(debt.opened_at_ms),
        "tries": debt.asked,
        "nextAt": iso_ms(debt.next_at_ms),
    }
