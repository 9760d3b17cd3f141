"""Exports: all of it, line by line, at the pace of the client, and never a part that looks like the whole."""

import asyncio
import json
import tracemalloc

import aiohttp
import pytest
from backend import OTHER, SHOP, THREAD, at, refused

from whatsapp_backend.errors import DocumentsUnavailable
from whatsapp_backend.testing.memory_documents import Fault

WHOLE = f"/api/whatsapp/export/{SHOP}"
ONE = f"{WHOLE}/{THREAD}"


async def furnish(backend, *, threads=3, messages=2, body="x"):
    for number in range(threads):
        path = f"threads/{SHOP}__1555000{number + 2}222@s.whatsapp.net"
        await backend.put(path, accountId=SHOP, lastMessageAt=at(number))
        for message in range(messages):
            await backend.put(f"{path}/messages/M{message:05}", tsClient=at(message), body=body)
    await backend.put(f"threads/{OTHER}__1@lid", accountId=OTHER)


async def lines(api, path):
    async with api.get(path) as answer:
        assert (answer.status, answer.content_type) == (200, "application/x-ndjson")
        assert answer.headers["X-Request-ID"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        return [json.loads(line) for line in (await answer.text()).splitlines()]


async def test_an_account_comes_thread_by_thread_each_with_its_messages(api, backend):
    await furnish(backend)
    found = await lines(api, WHOLE)
    assert [(one["kind"], one["id"].rpartition("__")[2][:8]) for one in found] == [
        (kind, name)
        for number in (2, 3, 4)
        for kind, name in [("thread", f"1555000{number}"), ("message", "M00000"), ("message", "M00001")]
    ]
    assert found[1] == {"kind": "message", "id": "M00000", "tsClient": "1970-01-01T00:00:00.000Z", "body": "x"}


async def test_a_thread_comes_with_its_messages_only(api, backend):
    await furnish(backend)
    assert [one["id"] for one in await lines(api, ONE)] == [THREAD, "M00000", "M00001"]


@pytest.mark.parametrize("count", [0, 99, 100, 101, 200])
async def test_pages_join_without_a_seam_and_documents_without_times_are_there_too(api, backend, count):
    await backend.put(f"threads/{THREAD}", accountId=SHOP)
    for number in range(count):
        await backend.put(f"threads/{THREAD}/messages/M{number:05}", n=number)
    before = backend.documents.operations.reads
    assert [one.get("n") for one in await lines(api, WHOLE)] == [None, *range(count)]
    empty_last_page = 1 if count % 100 == 0 else 0
    assert backend.documents.operations.reads - before == 1 + count + empty_last_page, "what docs/api.md says it costs"


async def test_an_empty_account_is_no_line(api):
    assert await lines(api, WHOLE) == []


async def test_what_is_not_there_or_anothers_is_refused(api, backend):
    await furnish(backend)
    await refused(await api.get("/api/whatsapp/export/account_test_0"), 404, "account_not_found")
    await refused(await api.get(f"{WHOLE}/nothing"), 404, "thread_not_found")
    await refused(await api.get(f"{WHOLE}/{OTHER}__1@lid"), 403, "wrong_account")


async def test_what_fails_at_once_is_an_ordinary_failure(api, backend):
    await furnish(backend)
    backend.documents.inject(Fault.UNAVAILABLE)
    for path in (WHOLE, ONE):
        await refused(await api.get(path), 503, "firestore_unavailable")


async def test_what_fails_on_the_way_says_so_and_does_not_end_like_the_whole(api, backend):
    await furnish(backend)
    real, asked = backend.documents.list_messages, []

    async def failing(thread, **how):
        asked.append(thread)
        if len(asked) == 3:
            raise DocumentsUnavailable("it went away")
        return await real(thread, **how)

    backend.documents.list_messages = failing
    got = []

    async def read(answer):
        async for chunk in answer.content.iter_any():
            got.append(chunk)  # noqa: PERF401 - what came before the failure counts

    async with api.get(WHOLE) as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await read(answer)
    *good, last = [json.loads(line) for line in b"".join(got).splitlines()]
    assert [one["kind"] for one in good] == ["thread", "message", "message"] * 2
    assert (last["error"], last["message"]) == ("firestore_unavailable", "it went away")


async def test_memory_stays_flat_and_a_client_that_goes_away_ends_it(api, backend):
    """A slow client is waited for: no more is read than the socket takes; and when he is gone nothing more is read."""
    thread = {"accountId": SHOP}
    await backend.put(f"threads/{THREAD}", **thread)
    documents = backend.documents
    await backend.put(f"threads/{THREAD}/messages/M", body="x" * 10_000)
    template = documents.documents[f"threads/{THREAD}/messages/M"]
    asked, gone = [0], asyncio.Event()

    async def endless(_thread, *, limit, **_how):
        asked[0] += 1
        if asked[0] == 100:
            gone.set()
        return [template] * limit  # a megabyte a page, for ever

    async def read(answer, megabytes):
        tracemalloc.reset_peak()
        for _ in range(megabytes):
            await answer.content.readexactly(1_000_000)
        return tracemalloc.get_traced_memory()[1]

    documents.list_messages = endless
    tracemalloc.start()
    try:
        async with api.get(WHOLE) as answer:
            first = await read(answer, 5)
            assert await read(answer, 40) < first + 5_000_000
            assert asked[0] < 60, "no further than the client has come"
            answer.close()
    finally:
        tracemalloc.stop()
    read_by_then = asked[0]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await gone.wait()
    assert asked[0] <= read_by_then + 2
