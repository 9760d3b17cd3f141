"""The API before a backend in memory."""

from __future__ import annotations

from aiohttp import web
from backend import NOW_MS, Backend

from whatsapp_backend.api.connections import Connections
from whatsapp_backend.api.debts import DebtRoutes
from whatsapp_backend.api.exports import Exports
from whatsapp_backend.api.gaps import GapRoutes
from whatsapp_backend.api.health import Health
from whatsapp_backend.api.history_plan import HistoryPlans
from whatsapp_backend.api.openapi import OpenApi
from whatsapp_backend.api.passive import refuse_while_passive
from whatsapp_backend.api.runs import RunRoutes
from whatsapp_backend.api.server import application
from whatsapp_backend.api.tokens import admins_only
from whatsapp_backend.api.whatsapp import WhatsApp


def app_of(backend: Backend, admin_token: str | None) -> web.Application:
    """The API before this backend."""
    health = Health(backend.ward, instance_id="test-1", wall_ms=lambda: NOW_MS)
    whatsapp = WhatsApp(
        desk=backend.desk,
        asker=backend.asker,
        documents=backend.documents,
        queries=backend.documents,
        namespace="test",
    )
    only_active = refuse_while_passive(backend.ward.standing, instance_id="test-1")
    runs = RunRoutes(runs=backend.runs, jobs=backend.runs, accounts=backend.desk, wall_ms=lambda: NOW_MS)
    gaps = GapRoutes(ledger=backend.store, accounts=backend.desk, distrust=backend, wall_ms=lambda: NOW_MS)
    plans = HistoryPlans(backend.store, view=backend.desk.view, dry_run=True)
    debts = DebtRoutes(debts=backend.store, accounts=backend.desk)
    connections = Connections(backend.desk, realtime=backend.ward.realtime)
    exports = Exports(accounts=backend.desk, documents=backend.documents, queries=backend.documents)
    parts = [health, whatsapp, plans, runs, gaps, debts, connections, exports]
    routes = [route for part in parts for route in part.routes()]
    guards = [only_active, admins_only(admin_token)]
    return application([*routes, *OpenApi(routes).routes()], guards=guards)
