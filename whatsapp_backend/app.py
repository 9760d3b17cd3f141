"""The composition root: the only file that knows everything. Builds the adapters, starts and stops the flows.

Stopping, in order: the sockets say goodbye, the account documents tell, the accounts are given up (from here on another
instance may own them, so no socket may be open any more), the bridge exits, what is journaled lands (as far as it does
within a few seconds; the rest waits in the journal), the store closes. All within ten seconds of SIGTERM.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from whatsapp_backend import __version__, nudges
from whatsapp_backend.adapters.bridge.gateway import BridgeGateway
from whatsapp_backend.adapters.bridge.process import Launch, node_launch
from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.leases import FirestoreLeases
from whatsapp_backend.adapters.firestore.queries import FirestoreQueries
from whatsapp_backend.adapters.instance import new_instance
from whatsapp_backend.adapters.log_key import log_key
from whatsapp_backend.adapters.node_runtime import node_home
from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.api.health import Health, Owing, Vitals
from whatsapp_backend.api.passive import refuse_while_passive
from whatsapp_backend.api.server import application, serving
from whatsapp_backend.api.whatsapp import WhatsApp
from whatsapp_backend.clock import Clock, SystemClock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.journal import StoreStats
from whatsapp_backend.domain.leases import Mode, Standing, Term, Timings
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.flows.account_documents import AccountDocuments
from whatsapp_backend.flows.collect import Collector
from whatsapp_backend.flows.connect import Connector
from whatsapp_backend.flows.fetch import HistoryFetcher
from whatsapp_backend.flows.ingest import Ingest
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.lead import Lead
from whatsapp_backend.flows.log_lines import LogLines
from whatsapp_backend.flows.publish import CONSUMER, Published, Publisher
from whatsapp_backend.ports import DocumentQueries, DocumentStore, Leases
from whatsapp_backend.settings import Settings

log = structlog.get_logger()

LOCAL_PROJECT = "demo-local"
"""The project of a local Firestore, unless FIREBASE_PROJECT_ID names one."""
_WHATSAPP = "wss://web.whatsapp.com/ws/chat"
_DISCONNECT_S = 1.5
_TELL_S = 0.5
_RELEASE_S = 0.5
_STORE_S = 1.0
_BRIDGE_S = 2.0
_DRAIN_S = 2.0
_WRITE_GRACE_S = 1.0
"""With the second that HTTP gets, all this stays below ten, also when a part of it is waited for twice."""
_SILENCE_S = 10.0
"""After which Firestore counts as gone, though its calls have not failed yet: they may take 30 s to do so."""
_DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """Where documents go, where the API reads them, and where it is known who owns what."""

    store: DocumentStore
    queries: DocumentQueries
    leases: Leases


@asynccontextmanager
async def firestore(settings: Settings, *, emulator: str | None = None) -> AsyncIterator[Documents]:
    """Firestore in production, or the emulator at `host:port`."""
    client = firestore_client(
        settings.firebase_project_id or (LOCAL_PROJECT if emulator else None),
        credentials=settings.credentials,
        emulator_host=emulator,
    )
    try:
        yield Documents(
            store=FirestoreDocuments(client, grace_s=_WRITE_GRACE_S),
            queries=FirestoreQueries(client),
            leases=FirestoreLeases(client),
        )
    finally:
        await close(client)


class Daemon:
    """One running daemon. `run` lasts until `stop` is set; `started` is told the port it listens on.

    `locked`: the caller has the lock of the state directory. `before_serving` frees the port where it is taken by us.
    """

    def __init__(
        self,
        settings: Settings,
        documents: Documents,
        *,
        clock: Clock | None = None,
        locked: bool = False,
        before_serving: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._settings = settings
        self._documents = documents
        self._locked = locked
        self._before_serving = before_serving
        self._clock = clock or SystemClock()
        self._rng = random.Random()  # noqa: S311 -- it spreads reconnects, and keeps no secret
        self._lander = Lander(documents.store, self._clock)
        self._reached_firestore = False

    async def run(self, stop: asyncio.Event, started: Callable[[int], None]) -> None:
        """Run. Raises OperatorMustAct before anything was started that must be stopped."""
        settings = self._settings
        async with AsyncExitStack() as stack:
            self.store = store = await stack.enter_async_context(
                SqliteStore.opened(settings.state_dir, locked=self._locked)
            )
            launch = await self._launch()
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            self.gateway = BridgeGateway(launch, clock=self._clock, rng=self._rng)
            self.lead = self._lead()
            self.documents = AccountDocuments(
                leases=self._documents.leases,
                documents=self._documents.store,
                owner=self.lead,
                clock=self._clock,
                worker=self._worker(),
            )
            self.publisher = Publisher(
                journal=store,
                mirror=store,
                identities=store,
                consumers=store,
                lander=self._lander,
                clock=self._clock,
                on_published=self._on_published,
                queries=self._documents.queries,
            )
            self._log_lines = LogLines(log_key(settings.state_dir))
            self.connector = self._connector(tasks)
            self.fetcher = HistoryFetcher(self.gateway, self._clock)
            ingest = Ingest(
                journal=store,
                keys=store,
                gateway=self.gateway,
                connector=self.connector,
                fetcher=self.fetcher,
                on_journaled=self.publisher.nudge,
                tasks=tasks,
            )
            await store.bridge_crashed()  # of an earlier life that could not count it; nothing after a clean stop
            await self.connector.load()
            collector = Collector(store, self.gateway, self._clock, views=self.views)
            await stack.enter_async_context(nudges.nudging(prune=self._prune, collect=collector.collect))
            loops = [
                tasks.create_task(self._publish(), name="publish"),
                tasks.create_task(self.documents.run(), name="account documents"),
                tasks.create_task(self.lead.run(), name="lead"),
            ]
            await self.lead.decided.wait()  # one call's time at most: the first who asks is not told that it is passive
            port = await stack.enter_async_context(self._serving())
            bridge = tasks.create_task(self.gateway.run(ingest), name="bridge")
            started(port)
            await stop.wait()
            await self._shut_down(bridge)
            for loop in loops:
                loop.cancel()

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
            on_change=self.documents.on_change,
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

    async def _launch(self) -> Launch:
        home = await node_home(self._settings.cache_dir)
        preload = self._settings.bridge_preload
        return node_launch(
            node=str(home.node),
            folder=home.folder,
            preload=str(preload) if preload else None,
            web_url=self._settings.web_url,
        )

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[int]:
        settings = self._settings
        health = Health(self, instance_id=settings.instance_id, wall_ms=self._clock.wall_ms)
        whatsapp = WhatsApp(
            desk=self.connector,
            fetcher=self.fetcher,
            documents=self._documents.store,
            queries=self._documents.queries,
            namespace=settings.account_namespace,
        )
        only_active = refuse_while_passive(self.standing, instance_id=settings.instance_id)
        app = application([*health.routes(), *whatsapp.routes()], guards=[only_active])
        if self._before_serving:
            await self._before_serving()
        async with serving(app, host=settings.bind_host, port=settings.port) as port:
            yield port

    async def _shut_down(self, bridge: asyncio.Task[None]) -> None:
        log.info("stopping")
        async with _at_most(_DISCONNECT_S, "goodbye") as goodbye:
            await self.connector.stop()
        if not goodbye.in_time:  # a socket may still be open, and closes with the bridge: only then another may connect
            await self._stop_bridge(bridge)
        async with _at_most(_TELL_S, "account documents"):
            await self.documents.drained()
        async with _at_most(_RELEASE_S, "giving up the accounts"):
            await self.lead.release()
        await self._stop_bridge(bridge)
        async with _at_most(_STORE_S, "store"):
            await self.store.bridge_stopped()  # also when it had to be killed: we asked for it, it did not crash
        async with _at_most(_DRAIN_S, "landing"):
            self.publisher.nudge()
            await self.publisher.drained()
        log.info("stopped", position=self.publisher.position)

    async def _stop_bridge(self, bridge: asyncio.Task[None]) -> None:
        if bridge.done():
            return
        async with _at_most(_BRIDGE_S, "bridge"):
            await self.gateway.stop()
        bridge.cancel()
        await asyncio.wait((bridge,))

    def _on_owned(self, term: Term) -> None:
        self.connector.on_owned(term)  # first: the document is to tell what comes of it
        self.documents.on_owned(term)

    def _on_lost(self, term: Term) -> None:
        self.connector.on_lost(term)

    def _on_published(self, published: Published) -> None:
        self._log_lines.on_published(published)
        self.documents.on_published(published)

    async def _publish(self) -> None:
        """Publish, once a read has shown that this is our Firestore.

        A wrong one might refuse every document for good, and each would be parked.
        """
        await self._lander.read(["accounts/-"])
        self._reached_firestore = True
        await self.publisher.run()

    async def _prune(self) -> None:
        now_ms = self._clock.wall_ms()
        try:
            entries, states = await self.store.prune(
                landed_before_ms=now_ms - self._settings.journal_retention_days * _DAY_MS,
                state_before_ms=now_ms - self._settings.mirror_days * _DAY_MS,
            )
        except StoreUnwell as error:
            log.warning("prune_failed", reason=str(error))
            return
        if entries or states:
            log.info("pruned", entries=entries, states=states)

    def _worker(self) -> dict[str, Any]:
        return {"service": "whatsapp-backend", "instanceId": self._settings.instance_id, "version": __version__}

    # What api.health asks

    async def vitals(self) -> Vitals:
        """How the daemon is. Asks the store only."""
        try:
            stats, unwell = await self.store.stats(), None
            end = stats.journal_end
        except StoreUnwell as error:
            stats, unwell = None, str(error)
            end = self.publisher.position
        firestore_trouble = self._firestore_trouble()
        return Vitals(
            trouble=unwell or self._bridge_trouble() or firestore_trouble,
            firestore_connected=firestore_trouble is None,
            consumers={CONSUMER: (self.publisher.position, max(0, end - self.publisher.position))},
            parked=stats.parked if stats else 0,
            journal_end=end,
            debts=self._debts(stats) if stats else Owing(),
        )

    def _debts(self, stats: StoreStats) -> Owing:
        oldest_at_ms = stats.oldest_debt_at_ms
        return Owing(
            open=stats.open_debts,
            oldest_s=None if oldest_at_ms is None else max(0, (self._clock.wall_ms() - oldest_at_ms) // 1000),
            closed=stats.closed_debts,
        )

    def _bridge_trouble(self) -> str | None:
        return "the bridge is not running" if self.gateway.pid is None else None

    def _firestore_trouble(self) -> str | None:
        writers = (self._lander, self.documents)
        if problem := next((writer.problem for writer in writers if writer.problem), None):
            return problem
        if not self._reached_firestore:
            return "Firestore has not answered yet"
        if self.lead.problem and self.lead.mode is Mode.PASSIVE:
            return self.lead.problem
        silent_s = max(writer.longest_wait_s() for writer in writers)
        return f"Firestore has not answered for {silent_s:.0f} s" if silent_s > _SILENCE_S else None

    def standing(self) -> Standing:
        """Whether it may work."""
        return self.lead.standing()

    def views(self) -> list[AccountView]:
        """All accounts."""
        return self.connector.views()

    def realtime(self) -> dict[str, dict[str, Any]]:
        """Live ingestion per account."""
        return self.documents.realtime


@dataclass(slots=True)
class _Step:
    """A step of stopping."""

    in_time: bool = True


@asynccontextmanager
async def _at_most(seconds: float, step: str) -> AsyncIterator[_Step]:
    """Give up on a step of stopping that takes too long: the next ones matter more, and the journal keeps the rest."""
    said = _Step()
    try:
        async with asyncio.timeout(seconds):
            yield said
    except TimeoutError:
        said.in_time = False
        log.warning("stopping_took_too_long", step=step, limit_s=seconds)
    except StoreUnwell as error:
        log.warning("stopping_without_the_store", step=step, reason=str(error))
