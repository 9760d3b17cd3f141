"""The store: one SQLite file for keys, credentials, journal, mirror and cursors."""

from whatsapp_backend.adapters.sqlite_store.opening import lock_state
from whatsapp_backend.adapters.sqlite_store.store import SqliteStore

__all__ = ["SqliteStore", "lock_state"]
