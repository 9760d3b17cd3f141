"""The same history again over a database that an earlier generation filled: nothing twice, nothing lost."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from legacy import CREATED, URL, first, put, second, sent_by_the_app, third
from world import ACCOUNT, ANA, AT, GROUP, World, a_world, payload
from written_down import moment

from whatsapp_backend.domain.events import Status

CHATS = (ANA, "15550001111@c.us", GROUP, "88000000001111@lid")
CANONICAL = {CHATS[1]: ANA}
STATUSES = ("sent", "delivered", "read")

written = st.fixed_dictionaries(
    {
        "generation": st.sampled_from(["first", "second", "third", "app"]),
        "chat": st.sampled_from(CHATS),
        "own": st.booleans(),
        "status": st.sampled_from(STATUSES),
        "media": st.booleans(),
        "seen": st.lists(st.sampled_from(["live", "history", "receipt"]), max_size=3),
        "seen_status": st.integers(2, 4),
    }
)
database = st.lists(written, min_size=1, max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(existing=database, seed=st.integers(), lid_known=st.booleans())
def test_a_history_over_an_existing_database_makes_no_second_document_and_loses_nothing(
    existing: list[dict[str, Any]], seed: int, *, lid_known: bool
) -> None:
    """Statuses never fall, what others wrote stays, a file's address stays; threads lead where the messages went."""
    asyncio.run(_import(existing, random.Random(seed), lid_known=lid_known))


@settings(max_examples=10, deadline=None)
@given(status=st.sampled_from(STATUSES), chat=st.sampled_from([ANA, GROUP, CHATS[3]]), media=st.booleans())
def test_without_the_survey_there_would_be_second_documents(status: str, chat: str, *, media: bool) -> None:
    """The control: what the property looks for is seen."""
    told = {"own": False, "status": status, "media": media, "seen": ["live"], "seen_status": 2}
    existing = [{"generation": "second", "chat": chat, **told}]
    with pytest.raises(AssertionError, match="2 documents of one message"):
        asyncio.run(_import(existing, random.Random(1), lid_known=False, survey=False))


async def _import(existing: list[dict[str, Any]], rng: random.Random, *, lid_known: bool, survey: bool = True) -> None:
    async with a_world(survey=survey) as world:
        for chat in CHATS:
            mine = [(number, one) for number, one in enumerate(existing) if one["chat"] == chat]
            if mine:
                await put(world.documents, *(_written(number, one) for number, one in mine), jid=chat)
        before = {path: dict(doc.fields) for path, doc in world.documents.documents.items()}
        for content, kind, origin in _entries(existing, rng, lid_known=lid_known):
            await world.journal(content, kind=kind, origin=origin)
            if rng.random() < 0.3:
                await world.publish()
        await world.publish(wholly=True)
        _nothing_lost(before, world)
        for number, one in enumerate(existing):
            _one_document(world, number, one, lid_known=lid_known)


def _written(number: int, one: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    message_id, chat = f"3EB0{number}", one["chat"]
    own = {"direction": "outbound"} if one["own"] else {}
    key = {"key": {"id": message_id, "remoteJid": chat, "fromMe": one["own"]}}
    more: dict[str, Any] = {"status": one["status"], **own, "assignedTo": "staff-1"}
    nested = {"messageType": "image", "media": {"type": "image", "url": URL}} if one["media"] else {}
    match one["generation"]:
        case "first":
            flat = {"messageType": "image", "mediaType": "image", "mediaUrl": URL} if one["media"] else {}
            return first(message_id, chat=chat, **more, **flat)
        case "second":
            return second(message_id, chat=chat, **more, **key, **nested)
        case "third":
            return third(message_id, chat=chat, **more, **key, **nested)
    return sent_by_the_app(message_id, f"c{number}", clientJid=chat, **{**more, "direction": "outbound"}, **nested)


def _entries(
    existing: list[dict[str, Any]], rng: random.Random, *, lid_known: bool
) -> list[tuple[dict[str, Any], str, str]]:
    entries: list[tuple[dict[str, Any], str, str]] = [({"event": "none"}, "update", "live")]
    for number, one in enumerate(existing):
        own = one["own"] or one["generation"] == "app"
        chat = CANONICAL.get(one["chat"], one["chat"])
        who = {"fromMe": True} if own else {"participant": ANA} if chat == GROUP else {}
        seen = payload(f"3EB0{number}", chat=chat, **who) | ({"status": one["seen_status"]} if own else {})
        if one["media"]:
            seen["message"] = {"imageMessage": {"mediaKey": "SS8=", "caption": "hi"}}
        for how in one["seen"]:
            if how == "receipt":
                told = {"chat": chat, "ids": [f"3EB0{number}"], "type": "read", "time": AT + 9}
                entries.append((told | ({"participant": ANA} if chat == GROUP else {}), "receipt", "live"))
            elif how == "history":
                entries.append(({"syncType": 2, "messages": [seen]}, "history", "history"))
            else:
                entries.append((seen, "message", "live"))
    if lid_known:
        entries.append(({"event": "lid-mapping.update", "data": {"lid": CHATS[3], "pn": ANA}}, "update", "live"))
    rng.shuffle(entries)
    return entries


def _nothing_lost(before: dict[str, dict[str, Any]], world: World) -> None:
    for path, fields in before.items():
        after = world.documents.documents[path].fields
        assert after.keys() >= fields.keys(), path
        if "/messages/" in path:
            assert (after["createdAt"], after["assignedTo"]) == (CREATED, "staff-1")
            assert Status[str(after["status"]).upper()] >= Status[str(fields["status"]).upper()]


def _one_document(world: World, number: int, one: dict[str, Any], *, lid_known: bool) -> None:
    chat = CANONICAL.get(one["chat"], ANA if lid_known and one["chat"] == CHATS[3] else one["chat"])
    prefix = f"threads/{ACCOUNT}__{chat}/messages/"
    found = [
        doc.fields
        for path, doc in world.documents.documents.items()
        if path.startswith(prefix) and doc.fields.get("waMessageId") == f"3EB0{number}"
    ]
    assert len(found) == 1, f"{len(found)} documents of one message"
    (message,) = found
    assert Status[str(message["status"]).upper()] >= Status[one["status"].upper()]
    if one["media"]:
        assert (message.get("mediaUrl") or message["media"]["url"]) == URL
    if {"live", "history"} & {*one["seen"]} or chat != one["chat"]:
        assert message["tsClient"] == moment(AT)
        assert message["clientJid"] == chat
    if chat != one["chat"]:
        assert world.thread(one["chat"])["redirectTo"] == f"{ACCOUNT}__{chat}"
