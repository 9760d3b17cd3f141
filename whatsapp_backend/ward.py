"""How the daemon is, for whoever asks: what its parts say, put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from whatsapp_backend.adapters.bridge.gateway import BridgeGateway
from whatsapp_backend.api.health import Owing, Vitals
from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.journal import StoreStats
from whatsapp_backend.domain.leases import Mode, Standing
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.flows.account_documents import AccountDocuments
from whatsapp_backend.flows.connect import Connector
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.lead import Lead
from whatsapp_backend.flows.publish import CONSUMER, Publisher
from whatsapp_backend.ports import Journal

_SILENCE_S = 10.0
"""After which Firestore counts as gone, though its calls have not failed yet: they may take 30 s to do so."""


@dataclass(slots=True, kw_only=True)
class DaemonWard:
    """What `api.health` asks. Asks nobody who might not answer."""

    journal: Journal
    gateway: BridgeGateway
    publisher: Publisher
    lander: Lander
    documents: AccountDocuments
    connector: Connector
    lead: Lead
    clock: Clock
    reached_firestore: bool = False

    async def vitals(self) -> Vitals:
        """How the daemon is. Asks the store only."""
        try:
            stats, unwell = await self.journal.stats(), None
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
        oldest_at_ms = stats.oldest_debt_at_ms
        return Owing(
            open=stats.open_debts,
            oldest_s=None if oldest_at_ms is None else max(0, (self.clock.wall_ms() - oldest_at_ms) // 1000),
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
