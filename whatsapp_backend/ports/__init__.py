"""What we need from the world, named by need. Each port has a fake in `testing/` and one contract suite for both."""

from __future__ import annotations

from whatsapp_backend.ports.database import (
    DocumentQueries,
    DocumentStore,
    Leases,
    LeaseStore,
    RunLocks,
)
from whatsapp_backend.ports.ledger import (
    Jobs,
    Ledger,
    Overview,
)
from whatsapp_backend.ports.store import (
    Accounts,
    Consumers,
    Debts,
    HeldHistory,
    Identities,
    Journal,
    KeyStore,
    Mirror,
    Pauses,
    Repairs,
    Watched,
)
from whatsapp_backend.ports.world import (
    BridgeHandler,
    Gateway,
    IdTokens,
)

__all__ = [
    "Accounts",
    "BridgeHandler",
    "Consumers",
    "Debts",
    "DocumentQueries",
    "DocumentStore",
    "Gateway",
    "HeldHistory",
    "IdTokens",
    "Identities",
    "Jobs",
    "Journal",
    "KeyStore",
    "LeaseStore",
    "Leases",
    "Ledger",
    "Mirror",
    "Overview",
    "Pauses",
    "Repairs",
    "RunLocks",
    "Watched",
]
