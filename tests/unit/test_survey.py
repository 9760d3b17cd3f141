"""An existing database: what earlier generations wrote is recognised, counted and not duplicated."""

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from legacy import (
    CREATED,
    URL,
    first,
    messages_in,
    publish_until,
    put,
    request_id,
    second,
    sent_by_the_app,
    shown,
    stable_key,
    third,
    thread,
)
from test_projection import ANA_LID, own
from world import ACCOUNT, ANA, AT, BOB, GROUP, World, a_world, payload

from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.domain.surveys import Survey
from whatsapp_backend.domain.writes import Document
from whatsapp_backend.flows import survey as surveying_flow
from whatsapp_backend.flows.publish import CONSUMER
from whatsapp_backend.testing.memory_documents import Fault, MemoryDocuments
from whatsapp_backend.testing.memory_store import MemoryStore

RAW = "15550001111@c.us"
HASH = "0123456789abcdef0123456789abcdef"


@pytest.fixture
async def surveyed():
    """A world that looks at what is there first."""
    async with a_world(survey=True) as made:
        yield made


class Unhurried(MemoryDocuments):
    """Lets others run before it answers, as a network does."""

    async def list_messages(self, *args: Any, **kwargs: Any) -> list[Document]:
        """See the port."""
        await asyncio.sleep(0)
        return await super().list_messages(*args, **kwargs)


async def counts(world: World) -> dict[str, int]:
    """What the survey found."""
    survey = await world.store.survey(ACCOUNT)
    assert survey is not None and survey.done_at_ms is not None
    return dict(survey.counts)


# -- Messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["live", "history"])
async def test_a_message_of_the_second_generation_is_seen_again_where_it_lies(surveyed: World, origin: str) -> None:
    """One document, with everything it had, and with what the app sorts by."""
    media = {"type": "image", "url": URL, "thumbBase64": "eA=="}
    await put(surveyed.documents, second(media=media, messageType="image", body="c", status="read", owner="u"))
    picture = {"imageMessage": {"caption": "c", "mediaKey": "SS8=", "mimetype": "image/png"}}
    seen = payload() | {"message": picture}
    if origin == "live":
        await surveyed.journal(seen)
    else:
        await surveyed.journal({"syncType": 2, "messages": [seen]}, kind="history", origin="history")
    await surveyed.publish()
    ((document_id, message),) = messages_in(surveyed).items()
    assert document_id == stable_key("M1")
    assert (message["status"], message["createdAt"], message["owner"]) == ("read", CREATED, "u")
    assert (message["media"]["url"], message["media"]["mediaKey"], message["mediaUrl"]) == (URL, "SS8=", URL)
    assert message["tsClientMs"] == AT * 1000
    assert (await counts(surveyed))["messages_generation_2"] == 1


async def test_without_the_survey_a_message_of_the_second_generation_gets_a_second_document(world: World) -> None:
    """The control: the tests of this page can see a duplicate."""
    await put(world.documents, second())
    await world.journal(payload())
    await world.publish()
    assert messages_in(world).keys() == {stable_key("M1"), "M1"}


async def test_messages_of_the_first_and_the_third_generation_lie_where_we_would_put_them(surveyed: World) -> None:
    """They are merged with, as if there had been no survey."""
    await put(surveyed.documents, first("M1"), third("M2"))
    for number in (1, 2):
        await surveyed.journal(payload(f"M{number}"))
    await surveyed.publish()
    assert messages_in(surveyed).keys() == {"M1", "M2"}
    found = await counts(surveyed)
    assert (found["messages_generation_1"], found["messages_generation_3"], found.get("adopted", 0)) == (1, 1, 0)


async def test_what_the_app_sent_keeps_the_apps_document(surveyed: World) -> None:
    """The phone's echo and the receipts find it; its text of a time becomes one."""
    await put(surveyed.documents, sent_by_the_app("M1"))
    await surveyed.journal(own())
    await surveyed.journal({"chat": ANA, "ids": ["M1"], "type": "read", "time": AT + 5}, kind="receipt")
    await surveyed.publish()
    ((document_id, message),) = messages_in(surveyed).items()
    assert (document_id, message["status"]) == (request_id("c1"), "read")
    assert message["clientMessageId"] == "c1"
    assert message["tsClient"].timestamp() == AT
    assert (await counts(surveyed))["messages_app_sent"] == 1


async def test_what_happens_to_a_message_finds_it_where_it_lies(surveyed: World) -> None:
    """A reaction alone: the message is not told again."""
    await put(surveyed.documents, second())
    key = {"remoteJid": ANA, "fromMe": False, "id": "M1"}
    reaction = {"reactionMessage": {"key": key, "text": "👍", "senderTimestampMs": AT * 1000}}
    await surveyed.journal(payload("D1", fromMe=True) | {"message": reaction})
    await surveyed.publish()
    ((_, message),) = messages_in(surveyed).items()
    assert [one["text"] for one in message["reactions"]] == ["👍"]


@pytest.mark.parametrize("id", ["0M", "zM"])
async def test_of_two_documents_of_one_message_the_one_at_its_place_is_taken(surveyed: World, id: str) -> None:
    """Whichever comes first in the list. The other one is counted and left as it is."""
    await put(surveyed.documents, second(id), third(id))
    before = messages_in(surveyed)[stable_key(id)]
    await surveyed.journal(payload(id, text="seen again"))
    await surveyed.publish()
    after = messages_in(surveyed)
    assert after.keys() == {stable_key(id), id}
    assert "clocks" in after[id]
    assert after[stable_key(id)] == before
    found = await counts(surveyed)
    assert (found["duplicates"], found.get("adopted", 0)) == (1, 0)


async def test_a_stub_of_a_receipt_at_a_messages_place_does_not_draw_the_message_there(surveyed: World) -> None:
    """What the app sent lies under the app's id; the app never shows the stub, and does not see it twice."""
    await put(surveyed.documents, sent_by_the_app("M1"), ("M1", {"status": "read"}))
    await surveyed.journal(own())
    await surveyed.publish()
    after = messages_in(surveyed)
    assert after["M1"] == {"status": "read"}
    assert shown(after.values()) == ["M1"]
    found = await counts(surveyed)
    assert (found["messages_stub"], found.get("duplicates", 0), found["adopted"]) == (1, 0, 1)


async def test_a_message_that_lies_aside_because_its_id_was_anothers_stays_there(surveyed: World) -> None:
    """Also for a store that has lost everything it knew."""
    await surveyed.journal(payload("X", chat=GROUP, participant=ANA, text="first"))
    await surveyed.journal(payload("X", chat=GROUP, participant=BOB, text="second"))
    await surveyed.publish()
    before = messages_in(surveyed, GROUP)
    async with a_world(surveyed.documents, survey=True) as fresh:
        await fresh.journal(payload("X", chat=GROUP, participant=BOB, text="second"))
        await fresh.publish()
        assert messages_in(fresh, GROUP).keys() == before.keys()
        found = await counts(fresh)
        assert (found["messages_ours"], found["threads_ours"]) == (2, 1)
        assert found.keys().isdisjoint({"adopted", "duplicates"})


@pytest.mark.parametrize("senders", [[ANA], [BOB], [ANA, BOB]])
async def test_nobody_takes_a_message_over_by_the_id_of_its_document(surveyed: World, senders: list[str]) -> None:
    """He sends a message of his own whose id is that of the document in which another one lies."""
    await put(surveyed.documents, second(chat=GROUP, body="true", senderJid=ANA), jid=GROUP)
    place = stable_key("M1", chat=GROUP)
    for participant, text in zip(senders, ("one", "two"), strict=False):
        await surveyed.journal(payload(place, chat=GROUP, participant=participant, text=text))
    await surveyed.journal(payload("M1", chat=GROUP, participant=ANA, text="true"))
    await surveyed.publish()
    await surveyed.journal(payload(place, chat=GROUP, participant=senders[0], text="one"), source="again")
    await surveyed.publish()
    after = messages_in(surveyed, GROUP)
    assert (after[place]["body"], after[place]["waMessageId"]) == ("true", "M1")
    expected = ["one", "two"][: len(senders)]
    assert sorted(message["body"] for message in after.values()) == [*expected[:1], "true", *expected[1:]]


# -- Threads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [RAW, "15550001111:12@s.whatsapp.net", "15550001111@S.WhatsApp.net"])
async def test_a_thread_under_another_spelling_is_united_with_the_persons(surveyed: World, raw: str) -> None:
    """Its messages are copied, whatever stands in them; it leads to the other one in the end and keeps what it had."""
    await put(surveyed.documents, second("M1", chat=raw, status="read"), first("M2", clientJid=None), jid=raw)
    await surveyed.journal(payload("M2"))
    await surveyed.journal(payload("M3", at=AT + 60, text="new"))
    await surveyed.publish(wholly=True)
    after = messages_in(surveyed)
    assert after.keys() == {"M1", "M2", "M3"}
    assert {message["clientJid"] for message in after.values()} == {ANA}
    assert (after["M1"]["status"], after["M1"]["tsClientMs"], after["M1"]["senderJid"]) == ("read", AT * 1000, ANA)
    old = surveyed.thread(raw)
    assert old["redirectTo"] == old["canonicalThreadId"] == f"{ACCOUNT}__{ANA}"
    assert (old["lastMessageAtMs"], old["lastMessagePreview"], old["ownerUid"]) == (AT * 1000, "hi", "staff-1")
    assert messages_in(surveyed, raw).keys() == {stable_key("M1", chat=raw), "M2"}
    assert surveyed.thread()["displayName"] == "Ana of the shop"
    found = await counts(surveyed)
    assert (found["threads_not_canonical"], found["threads_to_unite"]) == (1, 1)


async def test_a_thread_of_a_lid_is_united_when_its_number_becomes_known(surveyed: World) -> None:
    """Until then new messages go on in it."""
    await put(surveyed.documents, second("M1", chat=ANA_LID), jid=ANA_LID)
    await surveyed.journal(payload("M1", chat=ANA_LID))
    await surveyed.journal(payload("M2", chat=ANA_LID, at=AT + 60))
    await surveyed.publish(wholly=True)
    assert messages_in(surveyed, ANA_LID).keys() == {stable_key("M1", chat=ANA_LID), "M2"}
    assert not surveyed.thread(ANA_LID).get("redirectTo")
    await surveyed.mapped(ANA_LID, ANA)
    await surveyed.publish(wholly=True)
    assert messages_in(surveyed).keys() == {"M1", "M2"}
    assert surveyed.thread(ANA_LID)["redirectTo"] == f"{ACCOUNT}__{ANA}"
    assert surveyed.thread()["lastMessageAtMs"] == (AT + 60) * 1000
    assert (await counts(surveyed))["threads_lid"] == 1


async def test_a_lid_in_another_spelling_ends_at_the_number(surveyed: World) -> None:
    """Also when the number becomes known before the spelling is dealt with."""
    raw = ANA_LID.replace("@", ":7@")
    await put(surveyed.documents, second("M1", chat=raw), jid=raw)
    await surveyed.mapped(ANA_LID, ANA)
    await surveyed.publish(wholly=True)
    assert messages_in(surveyed).keys() == {"M1"}
    assert surveyed.thread(raw)["redirectTo"] == f"{ACCOUNT}__{ANA}"


async def test_a_thread_that_leads_elsewhere_is_followed_and_not_united_again(surveyed: World) -> None:
    """It tells whose number the LID is: a new message under the LID lands where people look."""
    of = {"redirectTo": f"{ACCOUNT}__{ANA}", "canonicalThreadId": f"{ACCOUNT}__{ANA}"}
    await put(surveyed.documents, third("M1", chat=ANA_LID), jid=ANA_LID, of=of)
    await put(surveyed.documents, third("M1"))
    await surveyed.journal(payload("M2", chat=ANA_LID, at=AT + 60))
    await surveyed.publish(wholly=True)
    assert messages_in(surveyed).keys() == {"M1", "M2"}
    assert messages_in(surveyed, ANA_LID).keys() == {"M1"}
    found = await counts(surveyed)
    assert (found["threads_redirected"], found.get("threads_to_unite", 0)) == (1, 0)


async def test_the_digits_of_a_lid_are_believed_to_be_no_number(surveyed: World) -> None:
    """An earlier worker turned them into one."""
    wrong = ANA_LID.replace("@lid", "@s.whatsapp.net")
    await put(surveyed.documents, third("M1", chat=ANA_LID), jid=ANA_LID, of={"redirectTo": f"{ACCOUNT}__{wrong}"})
    await surveyed.journal(payload("M2", chat=ANA_LID))
    await surveyed.publish(wholly=True)
    assert await surveyed.store.aliases(ACCOUNT, [ANA_LID]) == {}


@pytest.mark.parametrize("other", [RAW, ANA_LID])
async def test_a_persons_thread_that_leads_to_another_of_his_leads_there_no_longer(surveyed: World, other: str) -> None:
    """New messages land in it: the app would never show them."""
    to = f"{ACCOUNT}__{other}"
    await put(surveyed.documents, third("M1"), of={"redirectTo": to, "canonicalThreadId": to})
    await put(surveyed.documents, third("M2", chat=other), jid=other)
    await surveyed.journal(payload("M3", at=AT + 60))
    await surveyed.publish(wholly=True)
    assert surveyed.thread().keys().isdisjoint({"redirectTo", "canonicalThreadId"})
    assert surveyed.thread(other)["redirectTo"] == f"{ACCOUNT}__{ANA}"
    assert messages_in(surveyed).keys() == {"M1", "M2", "M3"}


async def test_a_stub_in_a_thread_that_is_united_gives_its_message_a_status(surveyed: World) -> None:
    """Receipts went to the raw JID, the message did not: it never left `sent`. Alone a stub makes no message."""
    await put(surveyed.documents, ("M1", {"status": "read"}), ("M9", {"status": "read"}), jid=RAW)
    await put(surveyed.documents, sent_by_the_app("M1"))
    await surveyed.journal(payload("M2"))
    await surveyed.publish(wholly=True)
    after = messages_in(surveyed)
    assert after.keys() == {request_id("c1"), "M2"}
    assert after[request_id("c1")]["status"] == "read"


async def test_a_message_that_says_neither_its_id_nor_its_time_is_not_left_behind(surveyed: World) -> None:
    """In a thread that nobody looks at any more it would be lost to people."""
    lost = {"direction": "outbound", "body": "not sent yet", "status": "queued", "createdAt": CREATED}
    await put(surveyed.documents, (request_id("c9"), lost), ("odd", {"direction": [1], "body": 5}), jid=RAW)
    await surveyed.journal(payload("M2"))
    await surveyed.publish(wholly=True)
    after = messages_in(surveyed)[request_id("c9")]
    assert (after["body"], after["tsClient"]) == ("not sent yet", CREATED)


async def test_threads_of_another_spelling_of_the_account_are_counted_and_left_alone(world: World) -> None:
    """Earlier generations kept the same number under other namespaces, or relabelled threads."""
    account, earlier = f"account_demo_{HASH}", f"account_dev_{HASH}"
    await put(world.documents, third("M1"), account=earlier)
    await put(world.documents, third("M1"), account=earlier, jid=BOB, of={"accountId": account})
    before = dict(world.documents.documents)
    surveyor = World(world.store, world.documents, survey=True).publisher._surveyor
    assert surveyor is not None
    found = (await surveyor.survey(account)).counts
    assert found == {"documents_read": 2, "threads_of_other_accounts": 2}
    assert world.documents.documents == before


# -- The survey itself ------------------------------------------------------------------------------------------------


async def test_every_kind_is_counted(surveyed: World) -> None:
    """Threads by what most of their messages are."""
    await put(surveyed.documents, first("A"), first("B"), third("C"), jid=BOB)
    await put(surveyed.documents, second("A"), second("B"), ("S", {"status": "read"}), sent_by_the_app(None))
    await put(surveyed.documents, third("A"), ("U", {"body": "x", "tsClient": 5}), jid=GROUP)
    await put(surveyed.documents, jid="15550003333@s.whatsapp.net")
    reads = surveyed.documents.operations.reads
    await surveyed.journal({"event": "none"}, kind="update")
    await surveyed.publish()
    expected = {
        "threads": 4,
        "threads_generation_1": 1,
        "threads_generation_2": 1,
        "threads_generation_3": 1,
        "threads_unrecognised": 1,
        "messages_generation_1": 2,
        "messages_generation_2": 2,
        "messages_generation_3": 2,
        "messages_app_sent": 1,
        "messages_stub": 1,
        "messages_unrecognised": 1,
        "adopted": 2,
        "documents_read": 4 + 9 + 1,
    }
    assert await counts(surveyed) == expected
    assert surveyed.documents.operations.reads - reads == expected["documents_read"]


async def test_an_account_without_threads_costs_one_read_once(surveyed: World) -> None:
    """Also over a restart: it is remembered."""
    for number in range(3):
        await surveyed.journal(payload(f"M{number}"))
        await surveyed.publish()
    again = World(surveyed.store, surveyed.documents, survey=True)
    await again.journal(payload("M9"), source="again")
    await again.publish()
    assert surveyed.documents.operations.reads == 1
    assert await counts(surveyed) == {"documents_read": 1}


async def test_a_message_that_is_known_to_lie_elsewhere_costs_one_read_and_one_write(surveyed: World) -> None:
    """No create that has to fail first."""
    await put(surveyed.documents, second())
    await surveyed.journal({"event": "none"}, kind="update")
    await surveyed.publish()
    before = replace(surveyed.documents.operations)
    await surveyed.journal({"syncType": 2, "messages": [payload()]}, kind="history", origin="history")
    await surveyed.publisher.land_entries(await surveyed.store.read(after=1, limit=9, max_bytes=1 << 20))
    after = surveyed.documents.operations
    assert (after.reads - before.reads, after.writes - before.writes) == (1, 1)


async def test_nothing_is_published_before_the_survey_and_an_outage_only_delays_it(surveyed: World) -> None:
    """Firestore answers neither queries nor writes for a while."""
    await put(surveyed.documents, second())
    await surveyed.journal(payload())
    surveyed.documents.inject(Fault.UNAVAILABLE, times=7)
    await surveyed.publish()
    assert messages_in(surveyed).keys() == {stable_key("M1")}
    assert surveyed.lander.problem is None


async def test_a_survey_that_is_to_change_nothing_changes_nothing(surveyed: World) -> None:
    """Also where the daemon would lead a thread back."""
    of = {"redirectTo": f"{ACCOUNT}__{RAW}"}
    await put(surveyed.documents, second("M1"), of=of)
    await put(surveyed.documents, second("M2", chat=RAW), jid=RAW)
    before, writes = dict(surveyed.documents.documents), surveyed.documents.operations.writes
    surveyor = surveyed.publisher._surveyor
    assert surveyor is not None
    surveyor._changes = False
    found = (await surveyor.survey(ACCOUNT)).counts
    assert (found["threads"], found["threads_redirected"], found["adopted"]) == (2, 1, 2)
    assert (surveyed.documents.documents, surveyed.documents.operations.writes) == (before, writes)


RUBBISH = [None, True, -1, 1 << 62, 1.5, "", "x", "@", "1:2@lid", b"\xff", CREATED, [], {}, {"id": 3}, {"a": b"x"}]


@pytest.mark.parametrize("seed", range(20))
async def test_rubbish_in_any_field_stops_nothing(surveyed: World, seed: int) -> None:
    """Of threads and of messages: what can be recognised is, and every new message lands."""
    rng = random.Random(seed)
    made = [first("A"), second("B"), third("C"), sent_by_the_app("D"), sent_by_the_app(None, "c2")]

    def spoilt(fields: dict[str, Any]) -> dict[str, Any]:
        return {name: rng.choice(RUBBISH) if rng.random() < 0.4 else value for name, value in fields.items()}

    odd = f"{ACCOUNT}__x y"
    for jid in (ANA, RAW, GROUP, ANA_LID, "x y", "15550004444:@s.whatsapp.net"):
        messages = [(own_id, spoilt({**fields, "clocks": {"first": 1}})) for own_id, fields in made]
        of = spoilt(thread(jid) | {"redirectTo": odd, "clocks": {}}) | {"accountId": ACCOUNT}
        await put(surveyed.documents, *messages, jid=jid, of=of)
    for chat in (ANA, ANA_LID):
        for own_id in "ABCDE":
            await surveyed.journal(payload(own_id, chat=chat, text="new"))
    await surveyed.mapped(ANA_LID, ANA)
    await surveyed.publish(wholly=True)
    landed = [doc.fields for path, doc in surveyed.documents.documents.items() if f"{ANA}/messages/" in path]
    assert {fields.get("waMessageId") for fields in landed if "tsClientMs" in fields} >= {*"ABCDE"}
    assert await surveyed.store.parked() == []
    assert (await counts(surveyed))["threads"] == 6


@pytest.mark.parametrize("kept_in", ["memory", "sqlite"])
async def test_a_survey_goes_on_where_it_stopped(
    surveyed: World, monkeypatch: pytest.MonkeyPatch, kept_in: str, tmp_path: Path
) -> None:
    """Killed again and again in the middle of threads, with small pages: the same counts as in one go, no duplicate."""
    if kept_in == "sqlite":
        async with SqliteStore.opened(tmp_path / "state") as store:
            await _killed_again_and_again(store, monkeypatch)  # type: ignore[arg-type] -- it keeps the same promises
    else:
        await _killed_again_and_again(surveyed.store, monkeypatch)


async def _killed_again_and_again(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveying_flow, "_MESSAGES", 3)
    monkeypatch.setattr(surveying_flow, "_THREADS", 2)
    surveyed = World(store, Unhurried(), survey=True)
    people = [f"1555000{number:04}@s.whatsapp.net" for number in range(5)]
    for person in people:
        messages = [second(f"M{number}", chat=person) for number in range(10)]
        await put(surveyed.documents, *messages, third("M0", chat=person), third("X", chat=person), jid=person)
    for person in people:
        for number in range(10):
            await surveyed.journal(payload(f"M{number}", chat=person))
    told: list[Survey] = []
    while (await surveyed.store.survey(ACCOUNT) or Survey(account=ACCOUNT)).done_at_ms is None:
        life = World(surveyed.store, surveyed.documents, survey=True)
        rpcs = surveyed.documents.operations.rpcs
        await publish_until(life, lambda rpcs=rpcs: surveyed.documents.operations.rpcs >= rpcs + 4)
        told += filter(None, [await surveyed.store.survey(ACCOUNT)])
    assert len(told) > 5, "it was never stopped in the middle"
    assert any(one.thread for one in told)
    await World(surveyed.store, surveyed.documents, survey=True).publish()
    found = await counts(surveyed)
    assert (found["messages_generation_2"], found["messages_generation_3"]) == (50, 10)
    assert (found["duplicates"], found["adopted"]) == (5, 45)
    for person in people:
        assert len(messages_in(surveyed, person)) == 12
    assert await surveyed.store.cursor(CONSUMER) == 50


async def test_what_was_surveyed_is_known_to_the_next_life(surveyed: World) -> None:
    """The places are in the store."""
    await put(surveyed.documents, second())
    await surveyed.journal({"event": "none"}, kind="update")
    await surveyed.publish()
    again = World(surveyed.store, surveyed.documents, survey=True)
    await again.journal(payload(), source="later")
    await again.publish()
    assert messages_in(surveyed).keys() == {stable_key("M1")}
