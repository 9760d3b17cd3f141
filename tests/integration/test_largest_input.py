"""The largest of tests/unit/test_bad_input.py, on the store and the Firestore that production has."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
from world import ACCOUNT, ANA, AT, GROUP, publish

from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.queries import FirestoreQueries
from whatsapp_backend.adapters.sqlite_store.store import SqliteStore
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.publish import Publisher

_AT_ONCE = 1000


def message(id: str, content: dict[str, Any], *, at: int = AT, **key: Any) -> dict[str, Any]:
    """A message of the engine, in the group."""
    key = {"remoteJid": GROUP, "fromMe": False, "participant": ANA, "id": id, **key}
    return {"key": key, "messageTimestamp": at, "message": content}


def edit(number: int, text: str) -> dict[str, Any]:
    """Another text for the first message."""
    key = {"remoteJid": GROUP, "fromMe": True, "id": "G"}
    told = {"key": key, "type": 14, "editedMessage": {"conversation": text}, "timestampMs": AT * 1000 + number}
    return message(f"E{number}", {"protocolMessage": told}, fromMe=True)


def reaction(number: int, text: str = "👍") -> dict[str, Any]:
    """By somebody else every time."""
    key = {"remoteJid": GROUP, "fromMe": True, "id": "G"}
    told = {"key": key, "text": text, "senderTimestampMs": AT * 1000 + number}
    return message(f"R{number}", {"reactionMessage": told}, participant=f"1555{number:07}@s.whatsapp.net")


def receipt(number: int) -> dict[str, Any]:
    """As a group's members tell it."""
    by = f"1555{number:07}@s.whatsapp.net"
    return {"chat": GROUP, "participant": by, "ids": ["G"], "type": "read", "time": AT + number}


async def test_the_largest_of_everything_lands_and_the_next_message_too(tmp_path: Path, firestore: Any) -> None:
    """A text of 1 MiB, 50,000 reactions, 2,000 receipts, 50 edits of 64 kB, polls of a thousand entries."""
    poll = {"name": "q" * 9999, "options": [{"optionName": f"option {n} " + "é" * 500} for n in range(1000)]}
    snapshot = {
        "name": "q",
        "pollVotes": [{"optionName": f"{n} " + "é" * 500, "optionVoteCount": n} for n in range(1000)],
    }
    told = [
        ("message", message("G", {"conversation": "😀" * (1 << 18)}, fromMe=True)),
        ("message", message("P1", {"pollCreationMessageV3": poll})),
        ("message", message("P2", {"pollResultSnapshotMessage": snapshot})),
        *(("message", edit(number, f"{number:02}" + "a" * 65_534)) for number in range(50)),
        *(("receipt", receipt(number)) for number in range(2_000)),
        *(("message", reaction(number)) for number in range(50_000)),
        ("message", message("AFTER", {"conversation": "hi"})),
    ]
    documents = FirestoreDocuments(firestore, grace_s=10.0)
    async with SqliteStore.opened(tmp_path / "state") as store:
        await journal(store, told)
        began = time.monotonic()
        await settle(store, documents, FirestoreQueries(firestore))
        took_s = time.monotonic() - began
        parked = await store.parked()
    thread = f"threads/{ACCOUNT}__{GROUP}"
    found = await documents.read([thread, *(f"{thread}/messages/{name}" for name in ("G", "P1", "P2", "AFTER"))])
    landed = {path.rpartition("/")[2]: document.fields for path, document in found.items()}
    assert parked == []
    assert landed["AFTER"]["body"] == "hi"
    assert landed[f"{ACCOUNT}__{GROUP}"]["lastMessageId"] == "P2"
    assert landed["P1"]["details"]["poll"]
    assert landed["P2"]["details"]["poll"]
    shown = landed["G"]
    assert shown["body"].startswith("49a")
    assert (shown["status"], len(shown["reactions"]), len(shown["receipts"])) == ("read", 1000, 2000)
    assert took_s < 60, f"it took {took_s:.0f} s"


async def journal(store: SqliteStore, told: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """In commits of some size, as a bridge sends them."""
    news = [
        NewEntry(
            kind=kind,
            source=f"tests:{number}",
            origin="live",
            received_at_ms=(AT + 3600) * 1000,
            payload=orjson.dumps(content),
        )
        for number, (kind, content) in enumerate(told)
    ]
    for start in range(0, len(news), _AT_ONCE):
        entries = tuple(news[start : start + _AT_ONCE])
        await store.commit(Commit(account=ACCOUNT, id=f"c{start}", entries=entries))


async def settle(store: SqliteStore, documents: FirestoreDocuments, queries: FirestoreQueries) -> None:
    """Publish until nothing is left."""
    clock = SystemClock()
    publisher = Publisher(
        journal=store,
        mirror=store,
        identities=store,
        consumers=store,
        ledger=store,
        held=store,
        lander=Lander(documents, clock),
        clock=clock,
        on_published=lambda _: None,
        queries=queries,
        survey=False,
    )
    await publish(publisher, wholly=True, timeout_s=100)
