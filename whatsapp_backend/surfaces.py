"""The HTTP API of a daemon: its routes, put together from the daemon's parts, behind its guards."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from whatsapp_backend.adapters.sqlite_store.store import SqliteStore
from whatsapp_backend.api.connections import Connections
from whatsapp_backend.api.coverage import CoverageMap
from whatsapp_backend.api.dashboard import Dashboard
from whatsapp_backend.api.debts import DebtRoutes
from whatsapp_backend.api.exports import Exports
from whatsapp_backend.api.gaps import GapRoutes
from whatsapp_backend.api.glances import Glances
from whatsapp_backend.api.guard import Hosts
from whatsapp_backend.api.health import Health
from whatsapp_backend.api.history_plan import HistoryPlans
from whatsapp_backend.api.limits import FailureLimits
from whatsapp_backend.api.live import Live
from whatsapp_backend.api.metrics import Metrics
from whatsapp_backend.api.openapi import OpenApi
from whatsapp_backend.api.parked import ParkedRoutes
from whatsapp_backend.api.passive import refuse_while_passive
from whatsapp_backend.api.pauses import PauseRoutes
from whatsapp_backend.api.routes import Route
from whatsapp_backend.api.runs import RunRoutes
from whatsapp_backend.api.server import application
from whatsapp_backend.api.sessions import Sessions
from whatsapp_backend.api.signing_in import SigningIn
from whatsapp_backend.api.staff import Staff
from whatsapp_backend.api.status import Status
from whatsapp_backend.api.tokens import Gate, Tokens
from whatsapp_backend.api.whatsapp import WhatsApp
from whatsapp_backend.clock import Clock
from whatsapp_backend.database import Documents
from whatsapp_backend.flows.connect import Connector
from whatsapp_backend.flows.fetch import Asker
from whatsapp_backend.flows.lead import Lead
from whatsapp_backend.flows.listen import Listener
from whatsapp_backend.flows.meters import Meters
from whatsapp_backend.flows.pauses import Pausing
from whatsapp_backend.flows.publish import Publisher
from whatsapp_backend.flows.runs import Runs
from whatsapp_backend.lookout import Lookout
from whatsapp_backend.settings import Settings
from whatsapp_backend.ward import DaemonWard


def gate_of(settings: Settings, database: Documents, clock: Clock) -> Gate:
    """The door with the tokens of the settings."""
    return Gate(
        tokens=Tokens(admin=settings.admin_token, obs=settings.obs_token, id_tokens=database.id_tokens),
        staff=Staff(database.store, clock),
        sessions=Sessions(clock),
        limits=FailureLimits(clock),
    )


def hosts_of(settings: Settings) -> Hosts:
    """The names by which the settings let the daemon be asked."""
    return Hosts.of(bind_host=settings.bind_host, allowed=settings.allowed_hosts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surfaces:
    """What the API is made of."""

    settings: Settings
    gate: Gate
    clock: Clock
    store: SqliteStore
    database: Documents
    ward: DaemonWard
    lead: Lead
    connector: Connector
    asker: Asker
    publisher: Publisher
    runs: Runs
    pauses: Pausing
    meters: Meters
    listener: Listener
    glances: Glances

    def application(self) -> web.Application:
        """All routes behind all guards."""
        settings = self.settings
        guards = [
            self.gate.guard(),
            refuse_while_passive(self.lead.standing, instance_id=settings.instance_id),
        ]
        status = Status(
            self.glances,
            instance_id=settings.instance_id,
            wall_ms=self.clock.wall_ms,
            paused_until_ms=self.pauses.until_ms,
        )
        live = Live(glances=self.glances, status=status, clock=self.clock, again=self.gate.again)
        routes = [*self._of_dashboard(status, live), *self._of_data()]
        app = application([*routes, *OpenApi(routes).routes()], guards=guards, hosts=hosts_of(settings))
        app.on_shutdown.append(live.close)
        return app

    def _of_dashboard(self, status: Status, live: Live) -> list[Route]:
        coverage = CoverageMap(store=self.store, accounts=self.connector)
        return [*Dashboard(self.connector).routes(), *status.routes(), *live.routes(), *coverage.routes()]

    def _of_data(self) -> list[Route]:
        settings, store, accounts, wall_ms = self.settings, self.store, self.connector, self.clock.wall_ms
        whatsapp = WhatsApp(
            desk=accounts,
            asker=self.asker,
            documents=self.database.store,
            queries=self.database.queries,
            namespace=settings.account_namespace,
            paused_until_ms=self.pauses.until_ms,
        )
        return [
            *SigningIn(self.gate).routes(),
            *Health(self.ward, instance_id=settings.instance_id, wall_ms=wall_ms).routes(),
            *Metrics(self._lookout().look).routes(),
            *whatsapp.routes(),
            *RunRoutes(
                runs=self.runs,
                jobs=store,
                accounts=accounts,
                wall_ms=wall_ms,
                paused_until_ms=self.pauses.until_ms,
            ).routes(),
            *PauseRoutes(pauses=self.pauses, accounts=accounts).routes(),
            *GapRoutes(ledger=store, accounts=accounts, distrust=self.publisher, wall_ms=wall_ms).routes(),
            *DebtRoutes(debts=store, accounts=accounts).routes(),
            *Connections(accounts, realtime=self.ward.realtime).routes(),
            *Exports(accounts=accounts, documents=self.database.store, queries=self.database.queries).routes(),
            *ParkedRoutes(consumers=store, replayer=self.publisher, accounts=accounts).routes(),
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
            deafness=lambda: self.listener.deafness,
            is_well=lambda: self.ward.trouble() is None,
        )
