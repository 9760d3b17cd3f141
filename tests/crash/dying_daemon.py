"""The real daemon with a bomb: `python dying_daemon.py POINT WHO serve` kills WHO with SIGKILL when POINT is reached.

Points, each on the first message whose id begins with `KILL` (or the first history record that is journaled):
`before-commit`, `after-commit` (before the bridge is answered, so before any receipt), `in-history`, `before-cursor`
(the documents have landed) and `in-replay` (what was parked has landed, and nobody remembers it yet). WHO is `daemon`,
`bridge` or `both`. At `lands-nothing` nobody dies, but no message or thread ever lands, though Firestore can be
reached. The daemon's own code is not changed for this.
"""

import asyncio
import os
import signal
import sys
from typing import Any

from whatsapp_backend.__main__ import main
from whatsapp_backend.adapters.bridge.gateway import BridgeGateway
from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.domain.journal import Commit
from whatsapp_backend.domain.mirror import Progress

point, who, *sys.argv[1:] = sys.argv[1:]
gateways: list[BridgeGateway] = []
spent = False

gateway_init, commit, advance = BridgeGateway.__init__, SqliteStore.commit, SqliteStore.advance


def strike() -> None:
    """Kill who must die; whoever survives goes on."""
    global spent  # noqa: PLW0603
    if spent:
        return
    spent = True
    if who in ("bridge", "both") and gateways[0].pid:
        os.kill(gateways[0].pid, signal.SIGKILL)
    if who in ("daemon", "both"):
        os.kill(os.getpid(), signal.SIGKILL)


def is_marked(commit: Commit) -> bool:
    """Whether this commit brings the marked message."""
    return any(entry.kind == "message" and b'"KILL' in (entry.payload or b"") for entry in commit.entries)


def brings_history(commit: Commit) -> bool:
    """Whether this commit brings a piece of history that is not the first."""
    return any(entry.kind == "history" and "#0:" not in entry.source for entry in commit.entries)


def remembering_init(self: BridgeGateway, *args: Any, **kwargs: Any) -> None:
    """Note the gateway, whose bridge may have to die."""
    gateway_init(self, *args, **kwargs)
    gateways.append(self)


async def dying_commit(self: SqliteStore, new: Commit) -> tuple[int, ...]:
    """Die before or after the marked commit."""
    if point == "before-commit" and is_marked(new):
        strike()
    if point == "in-history" and brings_history(new):
        strike()
    seqs = await commit(self, new)
    if point == "after-commit" and is_marked(new):
        strike()
    return seqs


async def dying_advance(self: SqliteStore, progress: Progress) -> None:
    """Die when the marked document has landed and nobody remembers it yet."""
    if point == "before-cursor" and any("/messages/KILL" in row.path for row in progress.mirrored):
        strike()
    if point == "in-replay" and progress.unparked:
        strike()
    await advance(self, progress)


async def endless_write(self: FirestoreDocuments, writes: Any) -> Any:
    """Never have an answer."""
    await asyncio.Event().wait()


if point == "lands-nothing":
    FirestoreDocuments.write = endless_write  # type: ignore[method-assign]
BridgeGateway.__init__ = remembering_init  # type: ignore[method-assign]
SqliteStore.commit = dying_commit  # type: ignore[method-assign]
SqliteStore.advance = dying_advance  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
