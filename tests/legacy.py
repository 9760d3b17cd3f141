"""Documents as the three earlier generations of the system wrote them, by hand."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from world import ACCOUNT, ANA, AT, World, publishing
from written_down import moment

from whatsapp_backend.domain.writes import Result, Write
from whatsapp_backend.ports import DocumentStore

CREATED = datetime(2026, 1, 5, tzinfo=UTC)
URL = "https://files.example.com/1"


def iso(seconds: int) -> str:
    """A moment as JavaScript spells it."""
    return moment(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stable_key(id: str, *, chat: str = ANA) -> str:
    """How the second generation named its documents."""
    return hashlib.sha1(f"{ACCOUNT}|{chat}|{id}".encode()).hexdigest()[:24]


def request_id(client: str) -> str:
    """How the app's Functions name theirs."""
    return hashlib.sha256(f"{ACCOUNT}__{ANA}|uid|{client}".encode()).hexdigest()


def first(id: str = "M1", *, chat: str = ANA, text: str | None = "hi", **more: Any) -> tuple[str, dict[str, Any]]:
    """Of the first generation: the time is text, the media lie flat."""
    return id, {
        "accountId": ACCOUNT,
        "clientJid": chat,
        "direction": "inbound",
        "body": text,
        "status": "delivered",
        "tsClient": iso(AT),
        "tsServer": CREATED,
        "createdAt": CREATED,
        "waMessageId": id,
        "mediaType": None,
        "mediaUrl": None,
        **more,
    }


def second(id: str = "M1", *, chat: str = ANA, **more: Any) -> tuple[str, dict[str, Any]]:
    """Of the second: a hash for an id."""
    key = stable_key(id, chat=chat)
    return key, {**third(id, chat=chat)[1], "stableKeyHash": key, "fingerprintHash": key[::-1], **more}


def third(id: str = "M1", *, chat: str = ANA, **more: Any) -> tuple[str, dict[str, Any]]:
    """Of the third: a timestamp, nested media, a nested key."""
    return id, {
        "accountId": ACCOUNT,
        "clientJid": chat,
        "direction": "inbound",
        "body": "hi",
        "messageType": "text",
        "status": "delivered",
        "tsClient": moment(AT),
        "tsServer": CREATED,
        "createdAt": CREATED,
        "updatedAt": CREATED,
        "waMessageId": id,
        "providerMessageId": id,
        "key": {"id": id, "remoteJid": chat, "fromMe": False},
        "senderName": "Ana",
        **more,
    }


def sent_by_the_app(id: str | None, client: str = "c1", **more: Any) -> tuple[str, dict[str, Any]]:
    """What the app's Functions write before a message is sent; WhatsApp's id comes later."""
    return request_id(client), {
        "accountId": ACCOUNT,
        "clientJid": ANA,
        "direction": "outbound",
        "body": "hi",
        "status": "queued" if id is None else "sent",
        "tsClient": iso(AT),
        "createdAt": CREATED,
        "createdAtMs": AT * 1000,
        "clientMessageId": client,
        **({} if id is None else {"waMessageId": id, "providerMessageId": id}),
        **more,
    }


def thread(jid: str = ANA, **more: Any) -> dict[str, Any]:
    """A thread."""
    return {
        "accountId": ACCOUNT,
        "clientJid": jid,
        "isLid": jid.endswith("@lid"),
        "displayName": "Ana of the shop",
        "lastMessageAt": moment(AT),
        "lastMessageAtMs": AT * 1000,
        "lastMessagePreview": "hi",
        "ownerUid": "staff-1",
        **more,
    }


async def put(
    documents: DocumentStore,
    *messages: tuple[str, Mapping[str, Any]],
    jid: str = ANA,
    of: Mapping[str, Any] | None = None,
    account: str = ACCOUNT,
) -> None:
    """A thread under this JID as it is spelled, with these messages."""
    path = f"threads/{account}__{jid}"
    writes = [Write(path=path, fields=thread(jid) | {"accountId": account} | dict(of or {}))]
    writes += [Write(path=f"{path}/messages/{own_id}", fields=dict(fields)) for own_id, fields in messages]
    outcomes = await documents.write(writes)
    assert {outcome.result for outcome in outcomes} == {Result.LANDED}


def messages_in(world: World, jid: str = ANA) -> dict[str, dict[str, Any]]:
    """The message documents of a thread, by their ids."""
    prefix = f"threads/{ACCOUNT}__{jid}/messages/"
    found = world.documents.documents.items()
    return {path.removeprefix(prefix): dict(doc.fields) for path, doc in found if path.startswith(prefix)}


def shown(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """WhatsApp's ids of those that the app would show: its chat asks by `tsClient`."""
    return sorted(str(message.get("waMessageId")) for message in messages if message.get("tsClient") is not None)


async def publish_until(world: World, condition: Any) -> None:
    """Publish, and break off as a killed process does as soon as this is true."""
    async with publishing(world.publisher, timeout_s=30):
        while not condition():
            await asyncio.sleep(0)
