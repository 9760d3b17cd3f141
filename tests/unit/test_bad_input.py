"""Bad input lands within Firestore's limits or is parked with its reason, and never stops what comes after it.

MemoryDocuments refuses what Firestore would. tests/integration/test_largest_input.py asks the real emulator.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from test_projection import doing, edit, own, react, receipt
from world import ACCOUNT, ANA, AT, GROUP, RECEIVED_AT_MS, World, payload

from whatsapp_backend.domain.journal import Commit, NewEntry

MIB = 1 << 20
RESERVED = "__x__"
LONG_JID = "1" * MIB + "@s.whatsapp.net"
TEN_YEARS_S = 10 * 365 * 86_400

MESSAGES: dict[str, Any] = {
    "text of 1 MiB": payload("B", text="a" * MIB),
    "text of a million emojis": payload("B", text="😀" * MIB),
    "text with zeros": payload("B", text="\x00\x01\ufeff\u202e"),
    "time of 0": payload("B", at=0),
    "no time": {**payload("B"), "messageTimestamp": None},
    "negative time": payload("B", at=-5),
    "time in milliseconds": payload("B", at=AT * 1000),
    "time in ten years": payload("B", at=AT + TEN_YEARS_S),
    "time after the year 9999": payload("B", at=1 << 53),
    "time as text": payload("B") | {"messageTimestamp": "1795328371"},
    "time as a fraction": payload("B") | {"messageTimestamp": 1795328371.5},
    "empty key": {**payload("B"), "key": {}},
    "no key": {"messageTimestamp": AT, "message": {"conversation": "x"}},
    "key that is a list": {**payload("B"), "key": ["a"]},
    "empty id": payload(""),
    "id that is a number": payload("B") | {"key": {"remoteJid": ANA, "id": 7}},
    "id of 1,500 bytes": payload("é" * 750),
    "id of 1 MiB": payload("i" * MIB),
    "id reserved": payload(RESERVED),
    "empty chat": payload("B", chat=""),
    "chat that is a number": payload("B") | {"key": {"remoteJid": 7, "id": "B"}},
    "chat of 1 MiB": payload("B", chat=LONG_JID),
    "chat reserved": payload("B", chat=RESERVED),
    "chat with slashes": payload("B", chat="a/b/../c@g.us", participant=ANA),
    "participant that is a number": payload("B", chat=GROUP, participant=7),
    "participant of 1 MiB": payload("B", chat=GROUP, participant=LONG_JID),
    "alternative of 1 MiB": payload("B", chat="1@lid", remoteJidAlt=LONG_JID),
    "alternative that is a number": payload("B", chat="1@lid", remoteJidAlt=7),
    "fromMe that is text": payload("B", fromMe="no"),
    "name of 1 MiB": payload("B") | {"pushName": "n" * MIB},
    "name that is an object": payload("B") | {"pushName": {"a": 1}},
    "no message": payload("B") | {"message": None},
    "message that is text": payload("B") | {"message": "hi"},
    "content that is a number": payload("B") | {"message": {"imageMessage": 7}},
    "reserved names": payload("B") | {"message": {RESERVED: {RESERVED: 1}, "imageMessage": {RESERVED: 1}}},
    "reserved names alone": payload("B") | {"message": {RESERVED: {RESERVED: 1}}},
    "field name of 1 MiB": payload("B") | {"message": {"f" * MIB: {"a": 1}}},
    "mimetype of 1 MiB": payload("B") | {"message": {"imageMessage": {"mimetype": "m" * MIB, "url": "u" * MIB}}},
    "key of a file of 1 MiB": payload("B") | {"message": {"imageMessage": {"mediaKey": "m" * MIB, "caption": "c"}}},
    "quote of 1 MiB": payload("B")
    | {
        "message": {
            "extendedTextMessage": {"text": "t", "contextInfo": {"stanzaId": "s" * MIB, "participant": LONG_JID}}
        }
    },
    "a thousand options": payload("B")
    | {"message": {"pollCreationMessageV3": {"name": "q" * MIB, "options": [{"optionName": "o" * 2000}] * 1000}}},
    "a thousand contacts": payload("B")
    | {"message": {"contactsArrayMessage": {"contacts": [{"displayName": "d" * 999, "vcard": "v" * 9999}] * 1000}}},
    "mentions without end": payload("B")
    | {"message": {"extendedTextMessage": {"text": "t", "contextInfo": {"mentionedJid": [ANA] * 100_000}}}},
    "an integer of 64 bits": payload("B") | {"message": {"locationMessage": {"degreesLatitude": (1 << 64) - 1}}},
    "wrapped without end": payload("B") | {"message": {"ephemeralMessage": {"message": {}}}},
    "stub of 1 MiB": payload("B", chat=GROUP, participant=ANA)
    | {"message": None, "messageStubType": 21, "messageStubParameters": ["s" * MIB, 7, None]},
    "stub that is text": payload("B") | {"message": None, "messageStubType": "21"},
    "status that is text": own("B") | {"status": "READ"},
    "status out of range": own("B") | {"status": 99},
    "reactions that are text": payload("B") | {"reactions": "x", "userReceipt": 7},
    "reactions of liars": payload("B")
    | {
        "reactions": [
            {"key": {"fromMe": False, "participant": LONG_JID, "remoteJid": GROUP}, "text": "x" * MIB},
            {"key": {"fromMe": False, "participant": RESERVED, "remoteJid": GROUP}, "text": "x"},
            {"key": 7, "text": 7},
            None,
        ],
        "userReceipt": [{"userJid": LONG_JID, "readTimestamp": AT}, {"userJid": RESERVED, "readTimestamp": -1}, []],
    },
    "50,000 reactions in one row": payload("B", chat=GROUP, participant=ANA)
    | {
        "reactions": [
            {
                "key": {"fromMe": False, "participant": f"1555{number:07}@s.whatsapp.net", "remoteJid": GROUP},
                "text": "👍",
                "senderTimestampMs": AT * 1000 + number,
            }
            for number in range(50_000)
        ]
    },
    "a reaction by 1 MiB": react("👍", "G", chat=GROUP, participant=LONG_JID),
    "a reaction of 1 MiB": react("👍" * MIB, "G"),
    "a reaction to 1 MiB": react("👍", "i" * MIB),
    "a reaction to a number": doing({"reactionMessage": {"key": {"id": 7}, "text": 7}}),
    "a reaction at odd times": react("👍", "G", at_ms=1 << 60),
    "a reaction to reserved": react("👍", RESERVED),
    "an edit of 1 MiB": edit("G", "e" * MIB),
    "an edit with an id of 1 MiB": edit("G", "e", id="i" * MIB),
    "an edit of nothing": doing({"editedMessage": {"message": {"protocolMessage": {"type": 14, "key": {}}}}}),
    "a revoke of a number": doing({"protocolMessage": {"type": 0, "key": {"id": 7}}}),
    "a revoke of another's of 1 MiB": doing(
        {"protocolMessage": {"type": 0, "key": {"id": "G", "participant": LONG_JID}}}
    ),
    "a protocol message that is text": doing({"protocolMessage": "x"}),
    "a vote of a number": doing({"pollUpdateMessage": {"pollCreationMessageKey": 7}}),
}

OTHERS: dict[str, tuple[str, Any]] = {
    "receipt by 1 MiB": ("receipt", receipt("read", "G", chat=LONG_JID)),
    "receipt in a group by 1 MiB": ("receipt", receipt("read", "G", chat=GROUP, participant=LONG_JID)),
    "receipt by reserved": ("receipt", receipt("read", "G", chat=GROUP, participant=RESERVED)),
    "receipt of odd ids": ("receipt", receipt("read", chat=ANA) | {"ids": [7, None, "", "i" * MIB, RESERVED, ["x"]]}),
    "receipt of ids that are text": ("receipt", receipt("read", chat=ANA) | {"ids": "G"}),
    "receipt at no time": ("receipt", receipt("read", "G") | {"time": 0}),
    "receipt in milliseconds": ("receipt", receipt("read", "G", at=AT * 1000)),
    "receipt of odd users": ("receipt", receipt("read", "G", chat=GROUP) | {"users": [7, {"jid": LONG_JID}, {}]}),
    "receipt of many": ("receipt", receipt("read", *[f"X{number}" for number in range(20_000)])),
    "receipt of an odd type": ("receipt", receipt("read", "G") | {"type": ["read"]}),
    "reading of 1 MiB": ("receipt", receipt("read-self", "G", chat=LONG_JID)),
    "call by nobody": ("call", {"what": "offer", "id": "C", "chat": ANA}),
    "call by a number": ("call", {"what": "offer", "id": 7, "chat": 7, "from": 7}),
    "call whose id is a number": ("call", {"what": "offer", "id": 7, "chat": ANA, "from": ANA, "time": AT}),
    "debt whose id is a number": ("debt", {"key": {"remoteJid": ANA, "id": 7}, "reason": "absent"}),
    "call by 1 MiB": ("call", {"what": "offer", "id": "C", "chat": LONG_JID, "from": LONG_JID, "time": AT}),
    "call at an odd time": ("call", {"what": "offer", "id": "C", "chat": ANA, "from": ANA, "time": "now"}),
    "debt of nothing": ("debt", {"key": {}, "reason": "absent"}),
    "debt for an odd reason": ("debt", {"key": payload("B")["key"], "reason": {"a": "r" * MIB}}),
    "debt by 1 MiB": ("debt", {"key": payload("B", chat=GROUP, participant=LONG_JID)["key"], "reason": "absent"}),
    "contacts that are text": ("update", {"event": "contacts.upsert", "data": "x"}),
    "contact of 1 MiB": ("update", {"event": "contacts.upsert", "data": [{"id": LONG_JID, "name": "n" * MIB}]}),
    "contact with names of 1 MiB": (
        "update",
        {
            "event": "contacts.upsert",
            "data": [{"id": ANA, **dict.fromkeys(("name", "notify", "status", "imgUrl"), "n" * MIB)}],
        },
    ),
    "contact reserved": ("update", {"event": "contacts.upsert", "data": [{"id": RESERVED, "name": "n", "lid": 7}]}),
    "contact with a LID of 1 MiB": (
        "update",
        {"event": "contacts.upsert", "data": [{"id": ANA, "lid": "1" * MIB + "@lid"}]},
    ),
    "group reserved": ("update", {"event": "groups.upsert", "data": [{"id": RESERVED, "subject": "s" * MIB}]}),
    "group of odd members": (
        "update",
        {"event": "groups.upsert", "data": [{"id": GROUP, "participants": [7, None, {"id": 7}, {"id": LONG_JID}]}]},
    ),
    "chat of odd names": ("update", {"event": "chats.upsert", "data": [{"id": GROUP, "name": ["n"]}, 7, None]}),
    "mapping of 1 MiB": (
        "update",
        {"event": "lid-mapping.update", "data": {"lid": "1" * MIB + "@lid", "pn": LONG_JID}},
    ),
    "mapping of numbers": ("update", {"event": "lid-mapping.update", "data": {"lid": 7, "pn": 7}}),
    "refusal of a number": ("update", {"event": "messages.update", "data": [{"key": {"id": 7, "fromMe": True}}]}),
    "event that is a list": ("update", {"event": ["x"], "data": {}}),
    "update that is a list": ("update", [1]),
    "record that is a list": ("history", [1]),
    "record of odd rows": (
        "history",
        {"syncType": "x", "messages": [7, None, "x", [], {}], "contacts": 7, "chats": [[]]},
    ),
    "record whose rows are text": ("history", {"messages": "x", "mappings": {"lid": "x"}}),
}


async def journal(world: World, new: NewEntry) -> None:
    """Commit it as it is."""
    await world.store.commit(Commit(account=ACCOUNT, id=new.source, entries=(new,)))


async def lands_or_is_parked(world: World, seq: int) -> None:
    """And the good message after it is there, under the thread of one who said nothing odd."""
    good = "15550009999@s.whatsapp.net"
    await world.journal(payload("AFTER", chat=good))
    await world.publish(wholly=True)
    assert world.message("AFTER", chat=good)["body"] == "hi"
    assert await world.store.cursor("documents") == await world.store.end()
    for one in await world.store.parked():
        assert one.seq == seq
        assert 0 < len(one.reason) < 200


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_bad_message_stops_nothing(world: World, name: str) -> None:
    """Alone and as a row of a history, beside a good row."""
    await world.journal(payload("G"))
    await world.journal(MESSAGES[name])
    await lands_or_is_parked(world, 2)
    rows = [MESSAGES[name], payload("ROW", at=AT + 1)]
    await world.journal({"syncType": 3, "messages": rows}, kind="history", origin="history")
    await world.publish(wholly=True)
    assert world.message("ROW")["body"] == "hi"


@pytest.mark.parametrize("name", OTHERS)
async def test_a_bad_event_stops_nothing(world: World, name: str) -> None:
    """Of any kind."""
    kind, told = OTHERS[name]
    await world.journal(payload("G"))
    await world.journal(told, kind=kind)
    await lands_or_is_parked(world, 2)


@pytest.mark.parametrize("kind", ["message", "history", "debt", "receipt", "call", "update"])
@pytest.mark.parametrize("told", [None, 7, "x", [], {}, [[]], {"key": 1}, True])
async def test_an_entry_that_is_nothing_stops_nothing(world: World, kind: str, told: Any) -> None:
    """JSON, and no more."""
    await world.journal(payload("G"))
    await world.journal(told, kind=kind)
    await lands_or_is_parked(world, 2)


@pytest.mark.parametrize("text", [b"", b"{", b'"\\ud800"', b'{"key":{"id":"\\ud800","remoteJid":"1@lid"}}', b"\xff"])
@pytest.mark.parametrize("problem", [None, "could not be decoded: invalid wire type 7"])
async def test_json_with_odd_escapes_and_what_the_bridge_could_not_decode_stop_nothing(
    world: World, text: bytes, problem: str | None
) -> None:
    """The bridge sends neither; a store of an earlier version may hold both."""
    await world.journal(payload("G"))
    new = NewEntry(
        kind="message",
        source="enc:odd",
        origin="live",
        received_at_ms=RECEIVED_AT_MS,
        payload=None if problem else text,
        problem=problem,
    )
    await journal(world, new)
    await lands_or_is_parked(world, 2)
    assert [one.reason for one in await world.store.parked()] == [problem] if problem else True


def reactions_of(count: int) -> Iterator[dict[str, Any]]:
    """So many people react to one message of a group."""
    for number in range(count):
        yield react(
            "👍",
            "G",
            chat=GROUP,
            participant=f"1555{number:07}@s.whatsapp.net",
            id=f"R{number}",
            at_ms=AT * 1000 + number,
        )


async def test_fifty_thousand_reactions_to_one_message_take_seconds(world: World) -> None:
    """The newest thousand are kept. One after the other they took minutes."""
    await world.journal(payload("G", chat=GROUP, participant=ANA))
    for reaction in reactions_of(50_000):
        await world.journal(reaction)
    began = time.process_time()
    await lands_or_is_parked(world, 0)
    assert time.process_time() - began < 25  # 5 s on an idle machine
    kept = world.message("G", chat=GROUP)["reactions"]
    assert (len(kept), kept[-1]["by"]) == (1000, "15550049999@s.whatsapp.net")
    assert await world.store.parked() == []


async def test_a_message_with_the_most_of_everything_fits_into_its_document(world: World) -> None:
    """A longest text, edited until there is no room, reactions and receipts of everybody, then taken back."""
    longest = "😀" * 65_536
    await world.journal(own("G", chat=GROUP, text=longest))
    for number in range(60):
        text = longest[: 16_000 - number] if number < 59 else longest
        await world.journal(edit("G", text, chat=GROUP, fromMe=True, id=f"E{number}", at_ms=AT * 1000 + number))
    for number in range(2500):
        who = f"1555{number:07}@s.whatsapp.net"
        await world.journal(receipt("read", "G", chat=GROUP, participant=who), kind="receipt")
        text = "👍" * 100
        await world.journal(react(text, "G", of_us=True, chat=GROUP, participant=who, id=f"R{number}"))
    await world.publish(wholly=True)
    shown = world.message("G", chat=GROUP)
    assert shown["body"] == longest
    assert (shown["status"], shown["leftOut"]) == ("read", ["reactions"])
    assert shown["versions"][0]["body"] == longest
    key = {"remoteJid": GROUP, "fromMe": True, "id": "G"}
    await world.journal(
        payload("D", chat=GROUP, fromMe=True) | {"message": {"protocolMessage": {"key": key, "type": 0}}}
    )
    await lands_or_is_parked(world, 0)
    assert await world.store.parked() == []
    assert (world.message("G", chat=GROUP)["revoked"], world.message("G", chat=GROUP)["body"]) == (True, None)
    assert world.message("G", chat=GROUP)["kept"]["body"] == longest


async def test_what_is_parked_quotes_nothing(world: World) -> None:
    """A reason is read by people who may not read messages."""
    for told in MESSAGES.values():
        await world.journal(told)
    await world.publish(wholly=True)
    for one in await world.store.parked():
        assert "conversation" not in one.reason
        assert "hi" not in one.reason.split()
    assert orjson.dumps([one.reason for one in await world.store.parked()])
