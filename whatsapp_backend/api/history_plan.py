"""What a dry run found that landing the history would do."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from whatsapp_backend.api import answers
from whatsapp_backend.api.guard import request_id
from whatsapp_backend.api.routes import Route, get
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.ports import HeldHistory
from whatsapp_backend.rules.holding import shown


class HistoryPlans:
    """The route `/api/whatsapp/history-plan/{account}`."""

    def __init__(self, held: HeldHistory, *, view: Callable[[str], AccountView | None], dry_run: bool) -> None:
        self._held = held
        self._view = view
        self._dry_run = dry_run

    def routes(self) -> list[Route]:
        """To be added to the application."""
        return [get("/api/whatsapp/history-plan/{account}", self.plan, answers={200: answers.HISTORY_PLAN})]

    async def plan(self, request: web.Request) -> web.Response:
        """The plan of what is held back now; all zero where nothing is."""
        view = self._view(request.match_info["account"])
        if view is None:
            raise web.HTTPNotFound(text="no such account: GET /api/whatsapp/accounts lists them")
        plan = shown(await self._held.history_plan(view.account))
        return web.json_response(
            {"success": True, "dryRun": self._dry_run, "plan": plan, "requestId": request_id(request)}
        )
