"""How fast documents land: ours, the library's AsyncWriteBatch, and the ceiling (already encoded), side by side."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from google.cloud.firestore import SERVER_TIMESTAMP, AsyncClient
from google.cloud.firestore_v1 import types as messages

from whatsapp_backend.adapters.firestore import encoding
from whatsapp_backend.adapters.firestore.client import Calls, close, firestore_client
from whatsapp_backend.adapters.firestore.documents import MAX_BATCH_WRITES, FirestoreDocuments
from whatsapp_backend.adapters.local_firestore import LocalFirestore
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.writes import Result, Write

_CLOCK = SystemClock()
_LIBRARY_SHAPES = [(size, concurrency) for size in (100, 500) for concurrency in (1, 2, 4)]
_IN_FLIGHT = 4

Way = Callable[[], Awaitable[int]]
"""Lands documents and says how many."""


async def landing(writes: Iterable[Write], *, rounds: int = 3, warm_up_rounds: int = 4) -> dict[str, float]:
    """Documents a second of ours, and how that compares. Medians; the emulator is warm and empty for each run."""
    writes = list(writes)
    async with LocalFirestore.started(project="demo-bench", heap="2g") as emulator:
        client = firestore_client("demo-bench", emulator_host=emulator.address)
        try:
            return await _compare(writes, client, emulator, rounds=rounds, warm_up_rounds=warm_up_rounds)
        finally:
            await close(client)


async def _compare(
    writes: list[Write], client: AsyncClient, emulator: LocalFirestore, *, rounds: int, warm_up_rounds: int
) -> dict[str, float]:
    async def timed(way: Way) -> float:
        await emulator.reset()
        start = _CLOCK.monotonic_s()
        landed = await way()
        return landed / (_CLOCK.monotonic_s() - start)

    requests = _encoded(writes, client)
    for _ in range(warm_up_rounds):
        await timed(partial(_ceiling, requests, client))
    some = writes[: max(2000, len(writes) // 5)]
    tried = {shape: await timed(partial(_library, some, client, *shape)) for shape in _LIBRARY_SHAPES}
    best = max(tried, key=lambda shape: tried[shape])
    ours, library, ceiling = [], [], []
    for _ in range(rounds):
        ours.append(await timed(partial(_ours, writes, client)))
        library.append(await timed(partial(_library, writes, client, *best)))
        ceiling.append(await timed(partial(_ceiling, requests, client)))
    docs_per_s = statistics.median(ours)
    return {
        "landing_docs_per_s": docs_per_s,
        "landing_vs_async_write_batch": docs_per_s / statistics.median(library),
        "landing_vs_ceiling": docs_per_s / statistics.median(ceiling),
        "async_write_batch_docs_per_s": statistics.median(library),
        "async_write_batch_size": float(best[0]),
        "async_write_batch_concurrency": float(best[1]),
        "ceiling_docs_per_s": statistics.median(ceiling),
    }


async def _ours(writes: Sequence[Write], client: AsyncClient) -> int:
    outcomes = await FirestoreDocuments(client, in_flight=_IN_FLIGHT).write(writes)
    return _all_landed(sum(outcome.result is Result.LANDED for outcome in outcomes), len(writes))


async def _library(writes: Sequence[Write], client: AsyncClient, size: int, concurrency: int) -> int:
    batches = iter([writes[start : start + size] for start in range(0, len(writes), size)])

    async def work() -> int:
        landed = 0
        for some in batches:
            batch = client.batch()
            for write in some:
                data = {**write.fields, **dict.fromkeys(write.server_times, SERVER_TIMESTAMP)}
                batch.set(client.document(write.path), data, merge=True)
            landed += len(await batch.commit())
        return landed

    return _all_landed(sum(await asyncio.gather(*(work() for _ in range(concurrency)))), len(writes))


async def _ceiling(requests: Sequence[bytes], client: AsyncClient) -> int:
    calls = Calls(client)
    send = calls.unary("BatchWrite", answer=messages.BatchWriteResponse.pb())
    waiting = iter(requests)

    async def work() -> list[int]:
        codes: list[int] = []
        for request in waiting:
            answer = await send(request, timeout=60, metadata=calls.metadata)
            codes.extend(status.code for status in answer.status)
        return codes

    done = await asyncio.gather(*(work() for _ in range(_IN_FLIGHT)))
    statuses = [code for codes in done for code in codes]
    return _all_landed(statuses.count(0), len(statuses))


def _encoded(writes: Sequence[Write], client: AsyncClient) -> list[bytes]:
    calls = Calls(client)
    encoder = encoding.Encoder(calls.documents)
    single = [encoder.encode(write) for write in writes]
    return [
        encoding.batch_request(calls.database, single[start : start + MAX_BATCH_WRITES])
        for start in range(0, len(single), MAX_BATCH_WRITES)
    ]


def _all_landed(landed: int, count: int) -> int:
    if landed != count:
        raise RuntimeError(f"{landed} of {count} landed: this measured something else")
    return landed


def sample(count: int) -> list[Write]:
    """Messages of realistic shape, in history order, 200 a thread."""
    return [_message(number) for number in range(count)]


def _message(number: int) -> Write:
    account = "account_demo_0123456789abcdef0123456789abcdef"
    chat = f"1555{number // 200:07}@s.whatsapp.net"
    id_ = f"3EB0{number * 2654435761 % 2**64:016X}"
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number * 7)
    at_s = int(at.timestamp())
    image = number % 8 == 0
    kind = "image/jpeg"
    media = {"type": "image", "url": None, "mimeType": kind, "mimetype": kind, "sizeBytes": 48_000 + number}
    inbound = number % 3 > 0
    fields = {
        "accountId": account,
        "clientJid": chat,
        "threadId": f"{account}__{chat}",
        "direction": "inbound" if inbound else "outbound",
        "body": f"This is message number {number}; it is about as long as what people write to each other.",
        "messageType": "image" if image else "text",
        "status": "delivered" if inbound else "read",
        "statusRank": 3 if inbound else 4,
        "tsClient": at,
        "tsSort": at,
        "tsClientMs": at_s * 1000,
        "createdAtMs": at_s * 1000,
        "waMessageId": id_,
        "providerMessageId": id_,
        "clientMessageId": None,
        "key": {"id": id_, "remoteJid": chat, "fromMe": not inbound, "timestamp": at_s},
        "senderJid": chat,
        "senderId": chat,
        "senderName": f"Ana {number // 200}" if inbound else "me",
        "lastSenderName": f"Ana {number // 200}" if inbound else "me",
        "media": media if image else None,
        "mediaType": "image" if image else None,
        "mediaUrl": None,
        "mediaMimetype": "image/jpeg" if image else None,
        "mediaFilename": None,
        "syncSource": "history_sync",
        "origin": 3,
        "seq": number + 1,
        "isDuplicate": False,
        "offlineSync": False,
    }
    path = f"threads/{account}__{chat}/messages/{id_}"
    return Write(path=path, fields=fields, server_times=("tsServer", "createdAt", "updatedAt"), must_not_exist=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    print(json.dumps(asyncio.run(landing(sample(parser.parse_args().count))), indent=1))
