"""The HTTP API of a daemon: its routes, put together from the daemon's parts, behind its guards."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from whatsapp_backend.adapters.sqlite_store.store import SqliteStore
from whatsapp_backend.api.gaps import GapRoutes
from whatsapp_backend.api.health import Health
from whatsapp_backend.api.history_plan import HistoryPlans
from whatsapp_backend.api.metrics import Metrics
from whatsapp_backend.api.passive import refuse_while_passive
from whatsapp_backend.api.routes import Route
from whatsapp_backend.api.runs import RunRoutes
from whatsapp_backend.api.server import application
from whatsapp_backend.api.tokens import admins_only
from whatsapp_backend.api.whatsapp import WhatsApp
from whatsapp_backend.clock import Clock
from whatsapp_backend.database import Documents
from whatsapp_backend.flows.connect import Connector
from whatsapp_backend.flows.fetch import Asker
from whatsapp_backend.flows.lead import Lead
from whatsapp_backend.flows.meters import Meters
from whatsapp_backend.flows.publish import Publisher
from whatsapp_backend.flows.runs import Runs
from whatsapp_backend.lookout import Lookout
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
    meters: Meters

    def application(self) -> web.Application:
        """All routes behind all guards."""
        settings = self.settings
        guards = [
            refuse_while_passive(self.lead.standing, instance_id=settings.instance_id),
            admins_only(settings.admin_token),
        ]
        return application(self.routes(), guards=guards)

    def routes(self) -> list[Route]:
        """All there are."""
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
            *Metrics(self._lookout().look).routes(),
            *whatsapp.routes(),
            *RunRoutes(runs=self.runs, jobs=store, accounts=accounts, wall_ms=wall_ms).routes(),
            *GapRoutes(ledger=store, accounts=accounts, distrust=self.publisher, wall_ms=wall_ms).routes(),
            *HistoryPlans(store, view=accounts.view, dry_run=settings.history_sync_dry_run).routes(),
        ]

    def _lookout(self) -> Lookout:
        return Lookout(
            watch=self.ward.watch,
            gateway=self.ward.gateway,
            lead=self.lead,
            meters=self.meters,
            clock=self.clock,
            views=self.connector.views,
            operations=self.database.operations,
            reaches_firestore=self.ward.reaches_firestore,
            is_well=lambda: self.ward.trouble() is None,
        )
