"""The composition root: the only file that knows everything. Builds the adapters, starts and stops the flows.

Stopping, in order: the sockets say goodbye, the bridge exits, what is journaled lands (as far as it does within a few
seconds; the rest waits in the journal), the account documents tell, the store closes. All within ten seconds of
SIGTERM.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from whatsapp_backend import __version__, nudges
from whatsapp_backend.adapters.bridge.gateway import BridgeGateway
from whatsapp_backend.adapters.bridge.process import Launch, node_launch
from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.queries import FirestoreQueries
from whatsapp_backend.adapters.log_key import log_key
from whatsapp_backend.adapters.node_runtime import node_home
from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.api.health import Health, Owing, Vitals
from whatsapp_backend.api.history_plan import HistoryPlans
from whatsapp_backend.api.server import application, serving
from whatsapp_backend.api.tokens import admins_only
from whatsapp_backend.api.whatsapp import WhatsApp
from whatsapp_backend.clock import Clock, SystemClock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.coverage import ENDLESS_MS
from whatsapp_backend.domain.journal import StoreStats
from whatsapp_backend.domain.leases import Term
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.flows.account_documents import AccountDocuments
from whatsapp_backend.flows.collect import Collector
from whatsapp_backend.flows.connect import Connector
from whatsapp_backend.flows.epochs import Epochs
from whatsapp_backend.flows.fetch import Asker
from whatsapp_backend.flows.fill import Limits
from whatsapp_backend.flows.ingest import Ingest
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.log_lines import LogLines
from whatsapp_backend.flows.prospects import Policy
from whatsapp_backend.flows.publish import CONSUMER, Published, Publisher
from whatsapp_backend.flows.repair import Repair
from whatsapp_backend.flows.runs import Runs
from whatsapp_backend.ports import DocumentQueries, DocumentStore
from whatsapp_backend.rules.runs import Pace
from whatsapp_backend.settings import Settings

log = structlog.get_logger()

LOCAL_PROJECT = "demo-local"
"""The project of a local Firestore, unless FIREBASE_PROJECT_ID names one."""
_WHATSAPP = "wss://web.whatsapp.com/ws/chat"
_DISCONNECT_S = 1.5
_STORE_S = 1.0
_BRIDGE_S = 2.0
_DRAIN_S = 2.5
_WRITE_GRACE_S = 1.0
"""With the second that HTTP gets, all this stays below ten, also when a part of it is waited for twice."""
_SILENCE_S = 10.0
"""After which Firestore counts as gone, though its calls have not failed yet: they may take 30 s to do so."""
_REPAIR_EVERY_S = 60.0
"""It looks whether an account is due, and mostly none is."""
_DAY_MS = 24 * 60 * 60 * 1000
_ALL_ACCOUNTS = 1_000_000
_SWEEP_EVERY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """Where documents go, and where the API reads them."""

    store: DocumentStore
    queries: DocumentQueries


@asynccontextmanager
async def firestore(settings: Settings, *, emulator: str | None = None) -> AsyncIterator[Documents]:
    """Firestore in production, or the emulator at `host:port`."""
    client = firestore_client(
        settings.firebase_project_id or (LOCAL_PROJECT if emulator else None),
        credentials=settings.credentials,
        emulator_host=emulator,
    )
    try:
        yield Documents(store=FirestoreDocuments(client, grace_s=_WRITE_GRACE_S), queries=FirestoreQueries(client))
    finally:
        await close(client)


def run_policies(settings: Settings) -> dict[str, Policy]:
    """The settings of runs, as `Runs` takes them. What a dry run holds back need not be asked for."""
    asks = not settings.history_sync_dry_run
    days = settings.backfill_max_days
    recent_sync = Policy(
        enabled=settings.recent_sync_enabled and asks,
        pace=Pace(per_tick=_ALL_ACCOUNTS),
        slots=settings.recent_sync_concurrency,
        lock_life_s=settings.recent_sync_lease_s,
        limits=Limits(
            threads=settings.recent_sync_threads,
            page=settings.recent_sync_messages_per_thread,
            thread=settings.recent_sync_messages_per_thread,
            lookback_ms=round(settings.recent_sync_lookback_s * 1000),
            oldest_ms=ENDLESS_MS,  # deep history is the backfill's
        ),
    )
    backfill = Policy(
        enabled=settings.auto_backfill_enabled and asks,
        pace=Pace(
            per_tick=settings.auto_backfill_accounts_per_tick,
            cooldown_ms=round(settings.auto_backfill_cooldown_s * 1000),
            backoff_ms=round(settings.auto_backfill_attempt_backoff_s * 1000),
        ),
        slots=settings.auto_backfill_concurrency,
        lock_life_s=settings.auto_backfill_lease_s,
        limits=Limits(
            threads=settings.backfill_threads,
            page=settings.backfill_page_size,
            thread=settings.backfill_messages_per_thread,
        ),
        dig_ms=None if days is None else days * _DAY_MS,
    )
    return {"recent_sync": recent_sync, "backfill": backfill}


def run_ticks(settings: Settings, runs: Runs) -> dict[str, tuple[nudges.Nudge, float]]:
    """When runs are nudged."""
    return {
        "recent-sync": (runs.recent_sync_tick, settings.recent_sync_interval_s),
        "backfill": (runs.backfill_tick, settings.auto_backfill_interval_s),
        "sweep": (runs.sweep, _SWEEP_EVERY_S),
    }


class Daemon:
    """One running daemon. `run` lasts until `stop` is set; `started` is told the port it listens on."""

    def __init__(self, settings: Settings, documents: Documents, *, clock: Clock | None = None) -> None:
        self._settings = settings
        self._documents = documents
        self._clock = clock or SystemClock()
        self._rng = random.Random()  # noqa: S311 -- it spreads reconnects, and keeps no secret
        # Two of them: what one of them lands says nothing of what holds the other up.
        self._lander = Lander(documents.store, self._clock)
        self._account_lander = Lander(documents.store, self._clock)
        self._reached_firestore = False

    async def run(self, stop: asyncio.Event, started: Callable[[int], None]) -> None:
        """Run. Raises OperatorMustAct before anything was started that must be stopped."""
        settings = self._settings
        async with AsyncExitStack() as stack:
            self.store = store = await stack.enter_async_context(SqliteStore.opened(settings.state_dir))
            launch = await self._launch()
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            self.gateway = BridgeGateway(launch, clock=self._clock, rng=self._rng)
            self.documents = AccountDocuments(self._account_lander, self._clock, worker=self._worker())
            self.asker = Asker(
                self.gateway,
                store,
                self._clock,
                timeout_s=settings.history_timeout_s,
                is_connected=self._is_connected,
                retry_in_ms=settings.history_retry_in_ms,
            )
            self.publisher = Publisher(
                journal=store,
                mirror=store,
                identities=store,
                consumers=store,
                ledger=store,
                held=store,
                dry_run=settings.history_sync_dry_run,
                lander=self._lander,
                clock=self._clock,
                on_published=self._on_published,
                on_answered=self.asker.on_answered,
                queries=self._documents.queries,
            )
            self.epochs = Epochs(store, self.gateway, self._clock, tasks=tasks, on_news=self.publisher.settle_since)
            await self.epochs.load(account.account for account in await store.declared())
            self._log_lines = LogLines(log_key(settings.state_dir))
            self.connector = self._connector(tasks)
            ingest = Ingest(
                journal=store,
                keys=store,
                gateway=self.gateway,
                connector=self.connector,
                asker=self.asker,
                on_journaled=self.publisher.nudge,
                tasks=tasks,
            )
            await store.bridge_crashed()  # of an earlier life that could not count it; nothing after a clean stop
            await self.connector.load()
            collector = Collector(store, self.gateway, self._clock, views=self.views, forgive=self.publisher.forgive)
            self.repair = self._repair()
            await stack.enter_async_context(
                nudges.nudging(
                    prune=self._prune,
                    collect=collector.collect,
                    beat=self.epochs.beat,
                    ticks={"repair": (self.repair.tick, _REPAIR_EVERY_S)},
                )
            )
            port = await stack.enter_async_context(self._serving())
            loops = [
                tasks.create_task(self._publish(), name="publish"),
                tasks.create_task(self.documents.run(), name="account documents"),
            ]
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
            server=settings.web_url or _WHATSAPP,
            full_history=settings.sync_full_history,
            connect_timeout_s=settings.connect_timeout_s,
            on_change=self._on_change,
        )

    def _is_connected(self, account: str) -> bool:
        view = self.connector.view(account)
        return view is not None and view.status == "connected"

    def _repair(self) -> Repair:
        settings = self._settings
        return Repair(
            repairs=self.store,
            mirror=self.store,
            documents=self._documents.store,
            queries=self._documents.queries,
            correct=self.publisher.correct,
            may_work=self._term,
            tell=self.documents.tell,
            clock=self._clock,
            enabled=settings.auto_repair_enabled,
            threads=settings.auto_repair_threads_per_run,
            cooldown_s=settings.auto_repair_cooldown_s,
        )

    def _term(self, account: str) -> Term:
        """Nobody else works here yet."""
        return Term(account=account, holder=self._settings.instance_id, token=0, nonce="")

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
            asker=self.asker,
            documents=self._documents.store,
            queries=self._documents.queries,
            namespace=settings.account_namespace,
        )
        plans = HistoryPlans(self.store, view=self.connector.view, dry_run=settings.history_sync_dry_run)
        routes = [*health.routes(), *whatsapp.routes(), *plans.routes()]
        app = application(routes, guards=[admins_only(settings.admin_token)])
        async with serving(app, host=settings.bind_host, port=settings.port) as port:
            yield port

    async def _shut_down(self, bridge: asyncio.Task[None]) -> None:
        log.info("stopping")
        async with _at_most(_DISCONNECT_S, "goodbye"):
            await self.connector.stop()
        async with _at_most(_BRIDGE_S, "bridge"):
            await self.gateway.stop()
        bridge.cancel()
        async with _at_most(_STORE_S, "store"):
            await self.store.bridge_stopped()  # also when it had to be killed: we asked for it, it did not crash
        async with _at_most(_DRAIN_S, "landing"):
            self.publisher.nudge()
            await self.publisher.drained()
            await self.documents.drained()
        log.info("stopped", position=self.publisher.position)

    def _on_change(self, view: AccountView) -> None:
        self.epochs.on_change(view)  # first, and before anything that comes on a new connection is committed
        self.documents.on_change(view)

    def _on_published(self, published: Published) -> None:
        self._log_lines.on_published(published)
        self.documents.on_published(published)
        self.repair.on_published(published)

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
        landers = (self._lander, self._account_lander)
        if problem := next((lander.problem for lander in landers if lander.problem), None):
            return problem
        if not self._reached_firestore:
            return "Firestore has not answered yet"
        silent_s = max(lander.longest_wait_s() for lander in landers)
        return f"Firestore has not answered for {silent_s:.0f} s" if silent_s > _SILENCE_S else None

    def views(self) -> list[AccountView]:
        """All accounts."""
        return self.connector.views()

    def realtime(self) -> dict[str, dict[str, Any]]:
        """Live ingestion per account."""
        return self.documents.realtime


@asynccontextmanager
async def _at_most(seconds: float, step: str) -> AsyncIterator[None]:
    """Give up on a step of stopping that takes too long: the next ones matter more, and the journal keeps the rest."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        log.warning("stopping_took_too_long", step=step, limit_s=seconds)
    except StoreUnwell as error:
        log.warning("stopping_without_the_store", step=step, reason=str(error))
