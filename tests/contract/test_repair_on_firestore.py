"""Repair over the emulator: its queries and its guarded writes, on documents of every generation."""

from __future__ import annotations

from daemon_writes import message
from legacy import CREATED, first, put, sent_by_the_app, third
from world import ACCOUNT, ANA, AT, BOB
from written_down import moment

from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.queries import FirestoreQueries
from whatsapp_backend.domain.jobs import Job, Kind, Trigger, Work
from whatsapp_backend.domain.leases import Term
from whatsapp_backend.flows.repair import Repair
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_store import MemoryStore

CARL, DORA, EVE = (f"1555000{n}{n}{n}{n}@s.whatsapp.net" for n in (3, 4, 5))
NOW = {"lastMessageAt": moment(AT + 90_000), "lastMessageAtMs": (AT + 90_000) * 1000}


async def test_threads_of_every_kind_are_corrected_in_firestore_once(firestore, daemon):
    documents = FirestoreDocuments(firestore)
    await put(documents, first(text="one"), of=NOW)
    timeless = {name: value for name, value in third(chat=BOB, body="two")[1].items() if name != "tsClient"}
    await put(documents, ("M1", timeless), jid=BOB, of={"lastMessageAtMs": 0})
    await put(documents, jid=CARL, of=NOW)
    await put(documents, sent_by_the_app("A"), third("M1", chat=DORA, tsClient=moment(AT + 5)), jid=DORA, of=NOW)
    await daemon.receive(ACCOUNT, [message("M1", chat=EVE, text="ours")])
    await daemon.patch(f"threads/{ACCOUNT}__{EVE}", **NOW)
    await daemon.patch(f"threads/{ACCOUNT}__{ANA}", ownerUid="staff-1")
    told = []
    clock = FakeClock()
    repair = Repair(
        repairs=MemoryStore(),
        mirror=daemon.store,
        documents=documents,
        queries=FirestoreQueries(firestore),
        correct=daemon.publisher.correct,
        may_work=lambda account: Term(account=account, holder="one", token=1, nonce="n"),
        tell=lambda _, fields: told.append(fields["lastAutoRepairResult"]),
        clock=clock,
        enabled=True,
        threads=200,
        cooldown_s=60,
    )
    run = Job(
        id="j",
        account=ACCOUNT,
        kind=Kind.BACKFILL,
        trigger=Trigger.ADMIN,
        created_at_ms=0,
        work=Work(fetched=1),
    )
    for _ in range(2):
        repair.on_ended(run)
        await repair.tick()
        await daemon.receive(ACCOUNT, [])
        await clock.advance(60)
    assert [(result["updatedThreads"], result["scanned"], result["errors"]) for result in told] == [
        (5, 5, 0),
        (0, 5, 0),
    ]
    threads = {
        thread.id.partition("__")[2]: thread.to_dict() async for thread in firestore.collection("threads").stream()
    }
    assert (threads[ANA]["lastMessageAtMs"], threads[ANA]["ownerUid"]) == (AT * 1000, "staff-1")
    assert (threads[BOB]["lastMessageAt"], threads[BOB]["lastMessageText"]) == (CREATED, "two")
    assert not {"lastMessageAt", "lastMessageAtMs"} & threads[CARL].keys()
    assert threads[DORA]["lastMessageAt"] == moment(AT + 5)
    assert (threads[EVE]["lastMessageAtMs"], threads[EVE]["lastMessageText"]) == (AT * 1000, "ours")
