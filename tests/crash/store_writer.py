"""Commits as fast as it can until it is killed: `store_writer.py STATE_DIR`. After each answer it prints "account n".

Each account continues after the last number that is in the store, having sent the last three again, as WhatsApp does.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.domain.mirror import Mirrored, Progress

ACCOUNTS = ("account_test_0a", "account_test_0b", "account_test_0c")
REDELIVERED = 3


def numbered(account: str, n: int) -> Commit:
    """The nth message of an account with its ratchet and credentials, all bearing n."""
    entry = NewEntry(kind="message", source=f"enc:{n}", origin="live", received_at_ms=n, payload=b"x" * (n % 700))
    return Commit(account=account, id=str(n), keys={"session": {"x": str(n)}}, creds=str(n), entries=(entry,))


async def send(store: SqliteStore, account: str) -> None:
    last = int(await store.creds(account) or 0)
    for n in range(max(1, last + 1 - REDELIVERED), last + 1):
        await store.commit(replace(numbered(account, n), keys={}, creds=None))
    for n in range(last + 1, last + 1_000_000):
        await store.commit(numbered(account, n))
        os.write(1, f"{account} {n}\n".encode())


async def publish(store: SqliteStore) -> None:
    """Moves a cursor and says in the same transaction, in a document, how far it moved."""
    cursor = await store.cursor("documents")
    while True:
        cursor = min(cursor + 5, await store.end())
        landed = Mirrored(path="last", digest=b"d" * 16, state=str(cursor).encode(), updated_at_ns=1, touched_at_ms=1)
        await store.advance(Progress(consumer="documents", cursor=cursor, mirrored=(landed,)))
        os.write(1, f"documents {cursor}\n".encode())


async def main() -> None:
    async with SqliteStore.opened(Path(sys.argv[1])) as store, asyncio.TaskGroup() as group:
        for account in ACCOUNTS:
            group.create_task(send(store, account))
        group.create_task(publish(store))


if __name__ == "__main__":
    asyncio.run(main())
