"""What others wrote at our places: earlier generations of the system, people, anybody. It is read and never fatal."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from world import ACCOUNT, ANA, GROUP

from whatsapp_backend.domain.events import Content, MessageSeen, Origin, Status
from whatsapp_backend.domain.states import MessageState, ThreadState
from whatsapp_backend.domain.writes import Document, Write
from whatsapp_backend.rules import landing, message_fields, messages, threads

SENT_AT_MS = 1_795_328_371_000
TS = datetime(2026, 9, 1, tzinfo=UTC)


def sighting(*, chat: str = ANA, sender: str | None = ANA, lid: str | None = None, **more: Any) -> MessageState:
    """A message that reached us."""
    seen = {
        "order": 70,
        "account": ACCOUNT,
        "client_jid": chat,
        "message_id": "M1",
        "sender": sender,
        "sender_lid": lid,
        "sender_name": "Ana",
        "sent_at_ms": SENT_AT_MS,
        "origin": Origin.LIVE,
        "sync_source": "realtime",
        "status": Status.DELIVERED,
        "failed": False,
        "content": Content(kind="text", body="hi"),
        "key": {"id": "M1", "remoteJid": chat, "fromMe": sender == "me"},
    }
    return messages.state_of(MessageSeen(**{**seen, **more}))


def legacy(**changes: Any) -> dict[str, Any]:
    """A document as the earlier generation wrote them; `...` leaves a field out."""
    fields = {
        "accountId": ACCOUNT,
        "clientJid": ANA,
        "direction": "inbound",
        "body": "hi",
        "messageType": "text",
        "status": "delivered",
        "tsClient": TS,
        "waMessageId": "M1",
        "key": {"id": "M1", "remoteJid": ANA, "fromMe": False},
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not ...}


def settled(fields: dict[str, Any], incoming: MessageState) -> landing.Slot | None:
    """A slot that found this document at its place; None where it has to move aside."""
    sent = {"sender": incoming.sender, "sender_lid": incoming.sender_lid}
    slot = landing.Slot(path="p", incoming=incoming, must_read=True, **sent)
    return slot if landing.settle(slot, Document(path="p", fields=fields, updated_at_ns=5)) else None


def patched(fields: dict[str, Any], incoming: MessageState) -> dict[str, Any]:
    """The document after landing."""
    slot = settled(fields, incoming)
    assert slot is not None
    write = landing.write_for(slot)
    assert isinstance(write, Write) and write.mask is not None
    return {name: value for name, value in fields.items() if name not in write.mask} | dict(write.fields)


WANTED = {"tsClient", "tsClientMs", "createdAtMs", "tsSort", "threadId", "providerMessageId", "senderJid", "clocks"}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tsClient": "2026-09-01T00:00:00.000Z"},
        {"tsClient": "yesterday"},
        {"tsClientMs": "1795328371000"},
        {"tsClientMs": True},
        {"tsClientMs": 1 << 62},
        {"senderJid": 4},
        {"senderName": 3},
        {"media": {"type": "image", "thumb": b"x", "at": TS, "nan": float("nan"), "mimeType": None}},
        {"media": b"x"},
        {"key": {"id": "M1", "t": b"1", "participant": 3, "at": TS}},
        {"key": "M1"},
        {"quoted": "M0"},
        {"clocks": "x"},
        {"clocks": {"first": "x", "content": None, "status": 99, "name": True}},
        {"clocks": {"first": -1, "status": True}},
        {"body": 3},
        {"body": b"3"},
        {"messageType": 3},
        {"waMessageId": 3},
        {"accountId": ...},
        {"clientJid": None},
        {"origin": "flutter"},
        {"origin": ["live"]},
        {"status": "processing"},
        {"status": ["read"]},
        {"direction": ["inbound"]},
        {"offlineSync": "no", "failed": "no"},
    ],
)
def test_a_document_of_another_shape_is_read_and_brought_up_to_date(changes: dict[str, Any]) -> None:
    """Nobody's odd field parks a message; the fields the app sorts by are there afterwards, with their types."""
    after = patched(legacy(**changes), sighting())
    assert after.keys() >= WANTED
    assert isinstance(after["tsClient"], datetime) and type(after["tsClientMs"]) is int
    assert (after["body"], after["messageType"], after["status"]) == ("hi", "text", "delivered")
    assert after["senderJid"] == ANA


def test_an_iso_time_counts_like_a_timestamp() -> None:
    """The earlier of both is when it was sent."""
    after = patched(legacy(tsClient="2026-09-01T00:00:00.000Z"), sighting())
    assert after["tsClient"] == TS
    assert after["tsClientMs"] == 1_788_220_800_000


@pytest.mark.parametrize("stub", [{}, {"status": "read"}, {"status": "read", "updatedAt": TS}])
def test_a_stub_of_a_receipt_becomes_the_whole_message(stub: dict[str, Any]) -> None:
    """Its status counts; all the rest is the message's."""
    after = patched(stub, sighting())
    assert after["status"] == stub.get("status", "delivered")
    assert {**after, "status": "delivered"}.items() >= {
        **message_fields.fields_of(sighting()),
        "clocks": after["clocks"],
    }.items()


def test_what_others_put_into_the_media_stays() -> None:
    """The address of an uploaded file is in the document and nowhere else."""
    image = Content(kind="image", media={"type": "image", "mediaKey": "SS8=", "mimetype": "image/png"})
    url = "https://files.example.com/1"
    fields = legacy(messageType="image", body=..., media={"url": url, "mimetype": "x/y", "thumb": b"x"}, mediaUrl=url)
    after = patched(fields, sighting(content=image))
    assert (after["mediaUrl"], after["media"]["url"]) == (url, url)
    assert (after["media"]["mediaKey"], after["media"]["mimetype"]) == ("SS8=", "image/png")
    assert after["media"]["thumb"] == "eA=="


def test_fields_of_others_are_not_touched() -> None:
    """Only names that are ours are in the mask."""
    after = patched(legacy(owner="u", tags=["a"], createdAt=TS), sighting())
    assert (after["owner"], after["tags"], after["createdAt"]) == ("u", ["a"], TS)


def test_a_document_that_is_up_to_date_is_not_written_again() -> None:
    """Once patched it is as if we had written it."""
    after = patched(legacy(tsClient="2026-09-01T00:00:00.000Z", media={"url": "u"}), sighting())
    slot = settled(after, sighting())
    assert slot is not None and landing.write_for(slot) is None


def test_a_sender_with_his_device_is_the_same_person() -> None:
    """He is canonicalised before he is compared."""
    after = patched(legacy(senderJid="15550001111:12@s.whatsapp.net"), sighting())
    assert after["senderJid"] == ANA


@pytest.mark.parametrize("direction", [..., "outbound", "out", None])
def test_an_own_message_is_known_by_its_key_too(direction: Any) -> None:
    """Without a direction, and whatever number stands there as the sender."""
    key = {"id": "M1", "fromMe": True, "remoteJid": ANA}
    fields = legacy(direction=direction, key=key, senderJid="15559999999@s.whatsapp.net")
    assert patched(fields, sighting(sender="me"))["direction"] == "outbound"
    assert settled(fields, sighting()) is None


def test_another_sender_is_known_by_the_key_of_a_document_without_a_sender() -> None:
    """Two LIDs are two people, whatever number stands beside one of them."""
    fields = legacy(clientJid=GROUP, key={"id": "M1", "remoteJid": GROUP, "participant": "99000000000001:2@lid"})
    assert settled(fields, sighting(chat=GROUP, sender="15550006666@s.whatsapp.net", lid="99000000000002@lid")) is None
    assert settled(fields, sighting(chat=GROUP, sender="15550006666@s.whatsapp.net", lid="99000000000001@lid"))


def test_a_document_that_breaks_everything_raises_nothing_but_value_errors() -> None:
    """It would be parked; anything else would end the daemon."""

    class Hostile:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no")

        __hash__ = object.__hash__

    with pytest.raises(ValueError, match="RuntimeError"):
        settled({"direction": Hostile()}, sighting())


VALUES = [
    None,
    True,
    -1,
    1 << 62,
    1.5,
    float("inf"),
    "",
    "x",
    b"\xff",
    TS,
    [],
    [[1]],
    {},
    {"a": b"x"},
    {"id": 3},
    "1:2@lid",
]


@pytest.mark.parametrize("seed", range(20))
def test_rubbish_in_any_field_is_read(seed: int) -> None:
    """Documents and threads."""
    rng = random.Random(seed)
    whole = message_fields.fields_of(sighting()) | {"media": {}, "quoted": {}, "contentKind": "x", "mediaUrl": "u"}
    clocks = ("first", "content", "status", "name", "last", "nameRank", "lastRichness")
    for _ in range(100):
        rubbish = {name: rng.choice(VALUES) if rng.random() < 0.4 else value for name, value in whole.items()}
        rubbish["clocks"] = {name: rng.choice(VALUES) for name in clocks} if rng.random() < 0.7 else rng.choice(VALUES)
        settled(rubbish, sighting())
        thread = threads.fields_of(OURS) | {name: rng.choice(VALUES) for name in threads.fields_of(OURS)}
        state = threads.merged(OURS, threads.state_in(thread | {"clocks": rubbish["clocks"]}, OURS))
        threads.fields_of(threads.loaded(threads.dumped(state)))


OURS = ThreadState(
    account=ACCOUNT,
    client_jid=ANA,
    last_at_ms=SENT_AT_MS,
    last_id="M1",
    last_order=70,
    last_preview="hi",
    last_direction="inbound",
    name="Ana",
    name_rank=1,
    name_clock=SENT_AT_MS,
)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Maria (contact)", "Maria (contact)"), ("", "Ana"), ("+1 555 000-1111", "Ana"), (None, "Ana"), (5, "Ana")],
)
def test_a_thread_keeps_the_name_it_had_unless_that_is_a_number(name: Any, shown: str) -> None:
    """A push name is not better than what somebody's address book says."""
    held = threads.state_in({"displayName": name, "ownerUid": "u"}, OURS)
    assert threads.fields_of(threads.merged(OURS, held))["displayName"] == shown


def test_the_activity_of_a_thread_without_our_clocks_is_not_believed() -> None:
    """It may be the time of a sync; ours comes from the messages."""
    fields = {"lastMessageAtMs": SENT_AT_MS * 2, "lastMessageId": "Z", "lastMessagePreview": "newer"}
    after = threads.merged(OURS, threads.state_in(fields, OURS))
    assert (after.last_at_ms, after.last_id, after.last_preview) == (SENT_AT_MS, "M1", "hi")
