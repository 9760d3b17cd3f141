"""The HTTP API of a daemon: its routes, put together from the daemon's parts, behind its guards."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from whatsapp_backend.adapters.sqlite_store.store import SqliteStore
from whatsapp_backend.api.coverage import CoverageMap
from whatsapp_backend.api.dashboard import Dashboard
from whatsapp_backend.api.gaps import GapRoutes
from whatsapp_backend.api.health import Health
from whatsapp_backend.api.history_plan import HistoryPlans
from whatsapp_backend.api.live import Live
from whatsapp_backend.api.lookout import Lookout
from whatsapp_backend.api.passive import refuse_while_passive
from whatsapp_backend.api.routes import Route
from whatsapp_backend.api.runs import RunRoutes
from whatsapp_backend.api.server import application
from whatsapp_backend.api.status import Status
from whatsapp_backend.api.tokens import admins_only
from whatsapp_backend.api.whatsapp import WhatsApp
from whatsapp_backend.clock import Clock
from whatsapp_backend.database import Documents
from whatsapp_backend.flows.connect import Connector
from whatsapp_backend.flows.fetch import Asker
from whatsapp_backend.flows.lead import Lead
from whatsapp_backend.flows.publish import Publisher
from whatsapp_backend.flows.runs import Runs
from whatsapp_backend.settings import Settings
from whatsapp_backend.ward import DaemonWard


@dataclass(frozen=True, slots=True, kw_only=True)
class Surfaces:
    """What the API is made of."""

    settings: Settings
    clock: Clock
    store: SqliteStore
    database: Documents
    ward: DaemonWard
    lead: Lead
    connector: Connector
    asker: Asker
    publisher: Publisher
    runs: Runs
    lookout: Lookout

    def application(self) -> web.Application:
        """All routes behind all guards."""
        settings = self.settings
        guards = [
            refuse_while_passive(self.lead.standing, instance_id=settings.instance_id),
            admins_only(settings.admin_token),
        ]
        status = Status(self.lookout, instance_id=settings.instance_id, wall_ms=self.clock.wall_ms)
        live = Live(lookout=self.lookout, status=status, clock=self.clock)
        app = application([*self._of_dashboard(status, live), *self.routes()], guards=guards)
        app.on_shutdown.append(live.close)
        return app

    def _of_dashboard(self, status: Status, live: Live) -> list[Route]:
        coverage = CoverageMap(store=self.store, accounts=self.connector)
        return [*Dashboard(self.connector).routes(), *status.routes(), *live.routes(), *coverage.routes()]

    def routes(self) -> list[Route]:
        """All but those of the dashboard."""
        settings, store, accounts, wall_ms = self.settings, self.store, self.connector, self.clock.wall_ms
        whatsapp = WhatsApp(
            desk=accounts,
            asker=self.asker,
            documents=self.database.store,
            queries=self.database.queries,
            namespace=settings.account_namespace,
        )
        return [
            *Health(self.ward, instance_id=settings.instance_id, wall_ms=wall_ms).routes(),
            *whatsapp.routes(),
            *RunRoutes(runs=self.runs, jobs=store, accounts=accounts, wall_ms=wall_ms).routes(),
            *GapRoutes(ledger=store, accounts=accounts, distrust=self.publisher, wall_ms=wall_ms).routes(),
            *HistoryPlans(store, view=accounts.view, dry_run=settings.history_sync_dry_run).routes(),
        ]
