"""The composition root: the only file that knows everything. Builds the adapters, starts and stops the flows.

Stopping, in order: runs end, the sockets say goodbye, the account documents tell and the accounts are given up, so that
another instance can have them; then the bridge exits and what is journaled lands (as far as it does within a few
seconds; the rest waits in the journal), and the store closes. All within ten seconds of SIGTERM.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from whatsapp_backend import __version__, nudges
from whatsapp_backend.adapters.bridge.gateway import BridgeGateway
from whatsapp_backend.adapters.bridge.process import Launch, node_launch
from whatsapp_backend.adapters.instance import new_instance
from whatsapp_backend.adapters.log_key import log_key
from whatsapp_backend.adapters.node_runtime import node_home
from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.api.glances import Glances
from whatsapp_backend.api.server import serving
from whatsapp_backend.clock import Clock, SystemClock
from whatsapp_backend.database import Documents
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.jobs import Job
from whatsapp_backend.domain.leases import Term, Timings
from whatsapp_backend.flows.account_documents import AccountDocuments
from whatsapp_backend.flows.collect import Collector
from whatsapp_backend.flows.connect import Connector
from whatsapp_backend.flows.epochs import Epochs
from whatsapp_backend.flows.fetch import Asker
from whatsapp_backend.flows.fill import Filler
from whatsapp_backend.flows.ingest import Ingest
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.lead import Lead
from whatsapp_backend.flows.listen import Listener
from whatsapp_backend.flows.log_lines import LogLines
from whatsapp_backend.flows.meters import Meters
from whatsapp_backend.flows.pauses import Pausing
from whatsapp_backend.flows.prune import Pruner
from whatsapp_backend.flows.publish import Published, Publisher
from whatsapp_backend.flows.rates import EVERY_S
from whatsapp_backend.flows.repair import Repair
from whatsapp_backend.flows.runs import Runs
from whatsapp_backend.lookout import StoreWatch
from whatsapp_backend.policies import is_quiet_now, run_policies, run_ticks
from whatsapp_backend.rules.hearing import Patience
from whatsapp_backend.settings import Settings
from whatsapp_backend.stopping import shut_down
from whatsapp_backend.surfaces import Surfaces, gate_of
from whatsapp_backend.ward import DaemonWard

log = structlog.get_logger()

_WHATSAPP = "wss://web.whatsapp.com/ws/chat"
_REPAIR_EVERY_S = 60.0
"""It looks whether an account is due, and mostly none is."""


class Daemon:
    """One running daemon. `run` lasts until `stop` is set; `started` is told the port it listens on.

    `locked`: the caller has the lock of the state directory. `before_serving` frees the port where it is taken by us.
    `patience` is that of the listener.
    """

    def __init__(
        self,
        settings: Settings,
        documents: Documents,
        *,
        clock: Clock | None = None,
        locked: bool = False,
        before_serving: Callable[[], Awaitable[None]] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings
        self._documents = documents
        self._locked = locked
        self._before_serving = before_serving
        self._patience = patience or Patience()
        self._clock = clock or SystemClock()
        self._rng = random.Random()  # noqa: S311 -- it spreads reconnects and runs, and keeps no secret
        self._lander = Lander(documents.store, self._clock)
        self._connected: set[str] = set()
        self._meters = Meters()

    async def run(self, stop: asyncio.Event, started: Callable[[int], None]) -> None:
        """Run. Raises OperatorMustAct before anything was started that must be stopped."""
        async with AsyncExitStack() as stack:
            self.store = await stack.enter_async_context(
                SqliteStore.opened(self._settings.state_dir, locked=self._locked)
            )
            launch = await self._launch()
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            self._build(launch, tasks)
            await self._resume()
            await stack.enter_async_context(self._nudging())
            loops = [
                tasks.create_task(self._publish(), name="publish"),
                tasks.create_task(self.documents.run(), name="account documents"),
                tasks.create_task(self.lead.run(), name="lead"),
            ]
            await self.lead.decided.wait()  # one call's time at most: the first who asks is not told that it is passive
            port = await stack.enter_async_context(self._serving())
            bridge = tasks.create_task(self.gateway.run(self._ingest), name="bridge")
            started(port)
            await stop.wait()
            await shut_down(
                runs=self.runs,
                connector=self.connector,
                documents=self.documents,
                lead=self.lead,
                store=self.store,
                publisher=self.publisher,
                gateway=self.gateway,
                bridge=bridge,
            )
            for loop in loops:
                loop.cancel()

    # -- Building --------------------------------------------------------------------------------------------------

    def _build(self, launch: Launch, tasks: asyncio.TaskGroup) -> None:
        """Everything, in the order of who needs whom."""
        settings, store, clock = self._settings, self.store, self._clock
        self.gateway = BridgeGateway(launch, clock=clock, rng=self._rng)
        self.lead = self._lead()
        self.documents = AccountDocuments(
            leases=self._documents.leases,
            documents=self._documents.store,
            owner=self.lead,
            clock=clock,
            worker={"service": "whatsapp-backend", "instanceId": settings.instance_id, "version": __version__},
        )
        self.asker = Asker(
            self.gateway,
            store,
            clock,
            timeout_s=settings.history_timeout_s,
            is_connected=self._is_connected,
            retry_in_ms=settings.history_retry_in_ms,
            on_outcome=self._meters.on_outcome,
        )
        self.publisher = self._publisher()
        self.epochs = Epochs(store, self.gateway, clock, tasks=tasks, on_news=self.publisher.settle_since)
        self._log_lines = LogLines(log_key(settings.state_dir))
        self.connector = self._connector(tasks)
        self.listener = self._listener()
        self.epochs.on_ping = self.listener.on_ping
        self._ingest = Ingest(
            journal=store,
            keys=store,
            gateway=self.gateway,
            connector=self.connector,
            asker=self.asker,
            on_journaled=self.publisher.nudge,
            on_heard=self.listener.on_journaled,
            tasks=tasks,
            unanswered=self._meters.commits,
        )
        self.repair = self._repair()
        self.pauses = Pausing(store, clock)
        self.runs = self._runs(tasks)
        self.pauses.on_paused = self.runs.on_paused
        self._collector = Collector(
            store, self.gateway, clock, views=self.connector.views, forgive=self.publisher.forgive
        )
        self._pruner = Pruner(
            store, clock, journal_days=settings.journal_retention_days, mirror_days=settings.mirror_days
        )
        self._ward = DaemonWard(
            watch=StoreWatch(store, clock),
            gateway=self.gateway,
            publisher=self.publisher,
            lander=self._lander,
            documents=self.documents,
            connector=self.connector,
            lead=self.lead,
            clock=clock,
        )
        self.glances = Glances(ward=self._ward, store=store, landed=lambda: self.publisher.position, clock=clock)

    def _publisher(self) -> Publisher:
        store = self.store
        return Publisher(
            journal=store,
            mirror=store,
            identities=store,
            consumers=store,
            ledger=store,
            held=store,
            dry_run=self._settings.history_sync_dry_run,
            lander=self._lander,
            clock=self._clock,
            on_published=self._on_published,
            on_answered=self.asker.on_answered,
            queries=self._documents.queries,
        )

    def _connector(self, tasks: asyncio.TaskGroup) -> Connector:
        settings = self._settings
        return Connector(
            accounts=self.store,
            keys=self.store,
            journal=self.store,
            gateway=self.gateway,
            clock=self._clock,
            rng=self._rng,
            tasks=tasks,
            owner=self.lead,
            server=settings.web_url or _WHATSAPP,
            full_history=settings.sync_full_history,
            connect_timeout_s=settings.connect_timeout_s,
            on_change=self._on_change,
        )

    def _listener(self) -> Listener:
        return Listener(
            self.store,
            self.gateway,
            self._clock,
            echoes=self._settings.echo_enabled,
            shown=self.connector.hears,
            cut=self.epochs.deaf,
            deafened=self.connector.deafened,
            patience=self._patience,
            owed=self._meters.commits,
        )

    def _lead(self) -> Lead:
        settings = self._settings
        return Lead(
            store=self._documents.leases,
            clock=self._clock,
            rng=self._rng,
            instance=new_instance(settings.instance_id, locked=settings.state_dir),
            timings=Timings.of(ttl_s=settings.instance_lease_s, renew_s=settings.instance_heartbeat_s),
            on_owned=self._on_owned,
            on_lost=self._on_lost,
            on_mode=lambda _: None,
        )

    def _repair(self) -> Repair:
        settings = self._settings
        return Repair(
            repairs=self.store,
            mirror=self.store,
            documents=self._documents.store,
            queries=self._documents.queries,
            correct=self.publisher.correct,
            may_work=self.lead.term,
            tell=self.documents.tell,
            clock=self._clock,
            enabled=settings.auto_repair_enabled,
            threads=settings.auto_repair_threads_per_run,
            cooldown_s=settings.auto_repair_cooldown_s,
        )

    def _runs(self, tasks: asyncio.TaskGroup) -> Runs:
        settings, store = self._settings, self.store
        filler = Filler(
            ledger=store,
            identities=store,
            asker=self.asker,
            settle=self.publisher.settle,
            clock=self._clock,
            spacing_s=settings.history_spacing_s,
        )
        return Runs(
            **run_policies(settings),
            jobs=store,
            ledger=store,
            locks=self._documents.leases,
            fill=filler.fill,
            clock=self._clock,
            rng=self._rng,
            tasks=tasks,
            views=self.connector.views,
            may_work=self.lead.term,
            tell=self.documents.tell,
            paused=self.pauses.is_paused,
            quiet=lambda: is_quiet_now(settings, self._clock),
            held_up=lambda: self._lander.is_held_up,
            holds_back=settings.history_sync_dry_run,
            on_ended=self._on_ended,
            instance=settings.instance_id,
        )

    async def _launch(self) -> Launch:
        home = await node_home(self._settings.cache_dir)
        preload = self._settings.bridge_preload
        return node_launch(
            node=str(home.node),
            folder=home.folder,
            preload=str(preload) if preload else None,
            web_url=self._settings.web_url,
        )

    # -- Starting and stopping -------------------------------------------------------------------------------------

    async def _resume(self) -> None:
        """Go on where an earlier life ended."""
        await self.store.bridge_crashed()  # where that life could not count it; nothing after a clean stop
        await self.epochs.load(account.account for account in await self.store.declared())
        await self.connector.load()
        await self.pauses.load()
        await self.runs.resume()

    @asynccontextmanager
    async def _nudging(self) -> AsyncIterator[None]:
        ticks = {
            **run_ticks(self._settings, self.runs),
            "repair": (self.repair.tick, _REPAIR_EVERY_S),
            "listen": (self.listener.tick, self._patience.look_ms / 1000),
            "glances": (self.glances.tick, EVERY_S),
        }
        async with nudges.nudging(
            prune=self._pruner.prune, collect=self._collector.collect, beat=self.epochs.beat, ticks=ticks
        ):
            yield

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[int]:
        settings = self._settings
        surfaces = Surfaces(
            settings=settings,
            gate=gate_of(settings, self._documents, self._clock),
            clock=self._clock,
            store=self.store,
            database=self._documents,
            ward=self._ward,
            lead=self.lead,
            connector=self.connector,
            asker=self.asker,
            publisher=self.publisher,
            runs=self.runs,
            pauses=self.pauses,
            meters=self._meters,
            listener=self.listener,
            glances=self.glances,
        )
        app = surfaces.application()
        if self._before_serving:
            await self._before_serving()
        async with serving(app, host=settings.bind_host, port=settings.port) as port:
            yield port

    # -- Who is told what ------------------------------------------------------------------------------------------

    def _on_owned(self, term: Term) -> None:
        self.connector.on_owned(term)  # first: the document is to tell what comes of it
        self.documents.on_owned(term)

    def _on_lost(self, term: Term) -> None:
        self.connector.on_lost(term)  # first: nothing may delay the end of its socket
        self.runs.on_lost(term.account)

    def _on_change(self, view: AccountView) -> None:
        self.epochs.on_change(view)  # first, and before anything that comes on a new connection is committed
        self.listener.on_change(view)
        self.documents.on_change(view)
        self.glances.happenings.on_change(view)
        if view.status != "connected":
            self._connected.discard(view.account)
        elif view.account not in self._connected:
            self._connected.add(view.account)
            self.runs.on_connected(view.account)

    def _on_published(self, published: Published) -> None:
        self._meters.on_landed(published.entries, self._clock.wall_ms())
        self._log_lines.on_published(published)
        self.documents.on_published(published)
        self.repair.on_published(published)
        self.glances.happenings.on_published(published)

    def _on_ended(self, job: Job) -> None:
        self.repair.on_ended(job)
        self.glances.happenings.on_ended(job)

    def _is_connected(self, account: str) -> bool:
        view = self.connector.view(account)
        return view is not None and view.status == "connected"

    # -- What goes on ----------------------------------------------------------------------------------------------

    async def _publish(self) -> None:
        """Publish, once a read has shown that this is our Firestore.

        A wrong one might refuse every document for good, and each would be parked.
        """
        await self._lander.read(["accounts/-"])
        self._ward.reached_firestore = True
        await self.publisher.run()
