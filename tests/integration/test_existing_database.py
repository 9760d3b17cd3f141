"""The real daemon over a Firestore that earlier generations filled, and the command that tells what is there."""

import json
from typing import Any

import pytest
from google.cloud.firestore import AsyncClient
from legacy import URL, first, put, second, sent_by_the_app, stable_key, third
from whole import ANA, PHONE, RealDaemon, Whole, run, until

from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.rules.identity import account_id
from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

ACCOUNT = account_id(PHONE, "test")
JID = f"{ANA}@s.whatsapp.net"
RAW = f"{ANA}@c.us"


@pytest.fixture
async def existing(firestore: AsyncClient) -> None:
    """Documents of every generation: the person's thread under two spellings."""
    documents, of = FirestoreDocuments(firestore), {"accountId": ACCOUNT}
    media = {"type": "image", "url": URL}
    messages = [second("G2", chat=JID, media=media, **of), first("G1", chat=JID, **of), third("G3", chat=JID, **of)]
    await put(documents, *messages, ("S", {"status": "read"}), jid=JID, account=ACCOUNT)
    await put(documents, second("R2", chat=RAW, **of), jid=RAW, account=ACCOUNT)
    await put(documents, sent_by_the_app(None, **of), jid="15550004444@s.whatsapp.net", account=ACCOUNT)


async def survey(daemon: RealDaemon, *arguments: str) -> dict[str, Any]:
    """What `whatsapp-backend survey` tells a script of the account."""
    code, out, err = await run(daemon.environment, "survey", "--json", *arguments)
    assert code == 0, err
    told = json.loads(out)
    return dict(told[0]) if told else {}


async def everything(firestore: AsyncClient) -> dict[str, Any]:
    """All threads and messages, with the times of their last change."""
    collections = (firestore.collection("threads"), firestore.collection_group("messages"))
    return {
        snapshot.reference.path: (snapshot.update_time, snapshot.to_dict())
        for collection in collections
        async for snapshot in collection.stream()
    }


async def test_messages_that_earlier_generations_have_are_not_written_twice_and_the_survey_tells_what_there_was(
    existing: None, server: FakeWhatsApp, daemon: RealDaemon, firestore: AsyncClient
) -> None:
    """First without changing anything, then by the daemon, then as it was kept."""
    before = await everything(firestore)
    foreseen = await survey(daemon, "--dry-run", "--phone", PHONE)
    assert await everything(firestore) == before
    assert not daemon.state_dir.exists() or await survey(daemon) == {}

    await daemon.start()
    whole = Whole(server, daemon, firestore)
    await whole.pair()
    for message_id in ("G1", "G2", "G3", "R2", "N"):
        await whole.send(message_id)
    await whole.nothing_queued()
    await daemon.landed()

    def prefix(jid: str) -> str:
        return f"threads/{ACCOUNT}__{jid}"

    async def united() -> bool:
        snapshot = await firestore.document(prefix(RAW)).get()
        return (snapshot.to_dict() or {}).get("redirectTo") == f"{ACCOUNT}__{JID}"

    await until(united, patience_s=30)
    after = await everything(firestore)
    of_ana = {path.rpartition("/")[2]: told for path, (_, told) in after.items() if f"{prefix(JID)}/messages/" in path}
    assert of_ana.keys() == {"G1", stable_key("G2", chat=JID), "G3", "R2", "N", "S"}
    assert of_ana[stable_key("G2", chat=JID)]["media"]["url"] == URL
    assert after.keys() - before.keys() == {f"{prefix(JID)}/messages/{message_id}" for message_id in ("N", "R2")}

    told = await survey(daemon)
    assert told == foreseen
    assert told["account"] == ACCOUNT
    numbers = {
        "threads": 3,
        "threads_generation_2": 1,
        "threads_generation_3": 1,
        "threads_unrecognised": 1,
        "threads_not_canonical": 1,
        "messages_generation_1": 1,
        "messages_generation_2": 2,
        "messages_generation_3": 1,
        "messages_app_sent": 1,
        "messages_stub": 1,
        "messages_unrecognised": 0,
        "messages_ours": 0,
        "adopted": 2,
        "duplicates": 0,
        "documents_read": 9,
    }
    assert {name: told[name] for name in numbers} == numbers
