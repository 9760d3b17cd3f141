"""How the daemon is, for whoever asks: what its parts say, put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from whatsapp_backend.adapters.bridge.gateway import BridgeGateway
from whatsapp_backend.api.health import Behind, Owing, Vitals
from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.journal import StoreStats
from whatsapp_backend.domain.leases import Mode, Standing
from whatsapp_backend.domain.watching import Lag
from whatsapp_backend.flows.account_documents import AccountDocuments
from whatsapp_backend.flows.connect import Connector
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.lead import Lead
from whatsapp_backend.flows.publish import Publisher
from whatsapp_backend.lookout import StoreWatch

_SILENCE_S = 10.0
"""After which Firestore counts as gone, though its calls have not failed yet: they may take 30 s to do so."""


@dataclass(slots=True, kw_only=True)
class DaemonWard:
    """What `api.health` asks. Asks nobody who might not answer."""

    watch: StoreWatch
    gateway: BridgeGateway
    publisher: Publisher
    lander: Lander
    documents: AccountDocuments
    connector: Connector
    lead: Lead
    clock: Clock
    reached_firestore: bool = False

    async def vitals(self) -> Vitals:
        """How the daemon is. Asks the store only, and not for long."""
        await self.watch.answers()
        known = self.watch.known
        return Vitals(
            trouble=self.watch.trouble or self.trouble(),
            firestore_connected=self.reaches_firestore(),
            consumers={name: self._behind(lag) for name, lag in known.lags.items()} if known else {},
            parked=known.stats.parked if known else 0,
            journal_end=known.stats.journal_end if known else self.publisher.position,
            debts=self._debts(known.stats) if known else Owing(),
            as_of_ms=known.at_ms if known else None,
        )

    def reaches_firestore(self) -> bool:
        """Whether Firestore answers."""
        return self._firestore_trouble() is None

    def trouble(self) -> str | None:
        """What is wrong with anything but the store."""
        return self._bridge_trouble() or self._firestore_trouble()

    def _behind(self, lag: Lag) -> Behind:
        return Behind(position=lag.position, lag=lag.entries, oldest_s=self._age_s(lag.oldest_at_ms))

    def _age_s(self, at_ms: int | None) -> int | None:
        return None if at_ms is None else max(0, (self.clock.wall_ms() - at_ms) // 1000)

    def standing(self) -> Standing:
        """Whether it may work."""
        return self.lead.standing()

    def views(self) -> list[AccountView]:
        """All accounts."""
        return self.connector.views()

    def realtime(self) -> dict[str, dict[str, Any]]:
        """Live ingestion per account."""
        return self.documents.realtime

    def _debts(self, stats: StoreStats) -> Owing:
        return Owing(
            open=stats.open_debts,
            oldest_s=self._age_s(stats.oldest_debt_at_ms),
            closed=stats.closed_debts,
        )

    def _bridge_trouble(self) -> str | None:
        return "the bridge is not running" if self.gateway.pid is None else None

    def _firestore_trouble(self) -> str | None:
        writers = (self.lander, self.documents)
        if problem := next((writer.problem for writer in writers if writer.problem), None):
            return problem
        if not self.reached_firestore:
            return "Firestore has not answered yet"
        if self.lead.problem and self.lead.mode is Mode.PASSIVE:
            return self.lead.problem
        silent_s = max(writer.longest_wait_s() for writer in writers)
        return f"Firestore has not answered for {silent_s:.0f} s" if silent_s > _SILENCE_S else None
