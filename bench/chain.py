"""The whole chain, from the fake WhatsApp's socket to the document: how long one message takes, how many a second."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from google.cloud.firestore import AsyncClient
from google.cloud.firestore_v1.field_path import FieldPath

from bench.whole import PHONE, clock, running, until
from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.local_firestore import LocalFirestore

_CHATS = 50
_LONE_PAUSE_S = 0.1  # so that each message is one alone
_PATIENCE_S = 180.0
_COUNT_PAUSE_S = 0.5  # counting keeps the emulator busy


async def stanza_to_document(emulator: LocalFirestore, *, count: int, settle: int) -> dict[str, float]:
    """From the server's socket to the database's own create time, by the one clock of this machine.

    One message after another: the next is sent when the last has landed. The first `settle` make sessions and are not
    measured.
    """
    async with running(emulator) as whole, _client(emulator) as client:
        sent_at_ms = {}
        for number in range(settle + count):
            before = await whole.position()
            text = f"How is it going? This is number {number}."
            sent = await whole.server.op("message", account=PHONE, chat=_chat(number), id=f"L{number}", text=text)
            await whole.landed(beyond=before, patience_s=30)
            await clock.sleep(_LONE_PAUSE_S)
            sent_at_ms[f"L{number}"] = sent["at"]
        created_ms = await _created_ms(client)
    took_ms = [created_ms[name] - at for name, at in sent_at_ms.items()][settle:]
    return {
        "stanza_to_document_ms_p50": _percentile(took_ms, 50),
        "stanza_to_document_ms_p99": _percentile(took_ms, 99),
    }


async def end_to_end(emulator: LocalFirestore, *, count: int) -> dict[str, float]:
    """Encrypted messages a second, from the first one's encryption at the server to the last one's document."""
    chats = [_chat(number) for number in range(_CHATS)]
    async with running(emulator) as whole, _client(emulator) as client:
        before = await whole.position()
        start_ms = clock.wall_ms()
        await whole.server.op("messages", account=PHONE, chats=chats, count=count, prefix="E", text="is it there yet?")
        sent_ms = clock.wall_ms()
        await whole.landed(beyond=before + count - 1, patience_s=_PATIENCE_S)
        await until(lambda: _all_there(client, count), patience_s=_PATIENCE_S)
        created_ms = await _created_ms(client)
    if len(created_ms) != count:
        raise RuntimeError(f"{count} messages, {len(created_ms)} documents")
    return {
        "end_to_end_messages_per_s": count / (max(created_ms.values()) - start_ms) * 1000,
        "fake_server_sent_messages_per_s": count / (sent_ms - start_ms) * 1000,
    }


async def history(emulator: LocalFirestore, *, count: int) -> dict[str, float]:
    """The daemon's memory while a history of so many messages lands, and how long that takes."""
    async with running(emulator) as whole, _client(emulator) as client:
        idle_mb = whole.memory_mb()
        start_s = clock.monotonic_s()
        await whole.server.op("history", account=PHONE, conversations=count // 100, messages=count, as_="blob")
        await until(lambda: _all_there(client, count), patience_s=_PATIENCE_S)
        took_s = clock.monotonic_s() - start_s
        return {
            "idle_rss_mb": idle_mb,
            "peak_rss_mb": whole.memory_mb(),
            "rss_after_mb": whole.memory_mb("VmRSS"),
            "messages_per_s": count / took_s,
        }


@asynccontextmanager
async def _client(emulator: LocalFirestore) -> AsyncIterator[AsyncClient]:
    client = firestore_client(emulator.project, emulator_host=emulator.address)
    try:
        yield client
    finally:
        await close(client)


async def _all_there(client: AsyncClient, count: int) -> bool:
    await clock.sleep(_COUNT_PAUSE_S)
    ((found,),) = await client.collection_group("messages").count().get()  # type: ignore[call-arg]
    return bool(found.value >= count)


async def _created_ms(client: AsyncClient) -> dict[str, float]:
    """WhatsApp id → when its document came to be."""
    query = client.collection_group("messages").select([FieldPath.document_id()])
    return {document.id: document.create_time.ToNanoseconds() / 1e6 async for document in query.stream()}


def _chat(number: int) -> str:
    return f"1555100{number % _CHATS:04}"


def _percentile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
