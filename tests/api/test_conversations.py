"""Threads, messages and requests for history, in the shapes the runbook's callers know."""

import asyncio

import orjson
import pytest
from backend import OTHER, SHOP, THREAD, at, raw, refused

from whatsapp_backend.domain.journal import NewEntry
from whatsapp_backend.errors import CommandFailed, CommandTimedOut
from whatsapp_backend.testing.memory_documents import Fault

THREADS = f"/api/whatsapp/threads/{SHOP}"
MESSAGES = f"/api/whatsapp/messages/{SHOP}/{THREAD}"
HISTORY = f"/api/whatsapp/fetch-history/{SHOP}"


async def put_thread(backend, jid, *, account=SHOP, seconds=1, **more):
    fields = {"accountId": account, "clientJid": jid, "lastMessageAt": at(seconds)} | more
    await backend.put(f"threads/{account}__{jid}", **fields)


async def put_message(backend, id, *, thread=THREAD, seconds=1, **more):
    await backend.put(f"threads/{thread}/messages/{id}", **{"accountId": SHOP, "tsClient": at(seconds)} | more)


async def json_of(api, path):
    async with api.get(path) as answer:
        assert answer.status == 200
        return await answer.json()


async def test_threads_come_with_the_last_activity_first_and_only_of_this_account(api, backend):
    await put_thread(backend, "15550002222@s.whatsapp.net", seconds=1)
    await put_thread(backend, "15550003333@s.whatsapp.net", seconds=3)
    await put_thread(backend, "15550004444@s.whatsapp.net", seconds=2, account=OTHER)
    answer = await json_of(api, THREADS)
    assert (answer["success"], answer["count"]) == (True, 2)
    assert [thread["clientJid"][:11] for thread in answer["threads"]] == ["15550003333", "15550002222"]
    assert answer["threads"][1]["id"] == THREAD


async def test_archived_threads_those_that_moved_and_the_chat_with_oneself_are_left_out(api, backend):
    await put_thread(backend, "15550002222@s.whatsapp.net")
    await put_thread(backend, "15550003333@s.whatsapp.net", archived=True)
    await put_thread(backend, "1@lid", redirectTo=THREAD)
    await put_thread(backend, "15550001111@s.whatsapp.net")
    assert [thread["id"] for thread in (await json_of(api, THREADS))["threads"]] == [THREAD]


async def test_messages_come_newest_first_with_their_thread(api, backend):
    await put_thread(backend, "15550002222@s.whatsapp.net")
    await put_message(backend, "M1", seconds=1, body="first")
    await put_message(backend, "M2", seconds=2, body="second")
    answer = await json_of(api, MESSAGES)
    assert (answer["success"], answer["count"], answer["thread"]["id"]) == (True, 2, THREAD)
    assert [(message["id"], message["body"]) for message in answer["messages"]] == [("M2", "second"), ("M1", "first")]


async def test_values_of_documents_have_their_shape_in_json(api, backend):
    await put_thread(backend, "15550002222@s.whatsapp.net", seconds=1_795_328_371)
    await put_message(
        backend,
        "M1",
        tsClient=at(1_795_328_371, 250_000),
        tsServer=at(1_795_328_371, 999_999),
        createdAt=at(-1, 750_000),
        media={"mediaKey": b"\x00\xff", "at": at(1), "sizes": [1, 2.5, None, float("nan"), float("-inf")]},
        tsClientMs=1_795_328_371_250,
    )
    answer = await json_of(api, MESSAGES)
    assert answer["thread"]["lastMessageAt"] == {"_seconds": 1_795_328_371, "_nanoseconds": 0}
    (message,) = answer["messages"]
    assert message["tsClient"] == "2026-11-22T06:19:31.250Z"
    assert message["tsServer"] == {"_seconds": 1_795_328_371, "_nanoseconds": 999_999_000}
    assert message["createdAt"] == {"_seconds": -1, "_nanoseconds": 750_000_000}
    assert message["media"] == {
        "mediaKey": "AP8=",
        "at": {"_seconds": 1, "_nanoseconds": 0},
        "sizes": [1, 2.5, None, None, None],
    }
    assert message["tsClientMs"] == 1_795_328_371_250


async def test_older_documents_keep_their_iso_string(api, backend):
    await put_thread(backend, "15550002222@s.whatsapp.net")
    await put_message(backend, "M1", tsClient="2025-01-01T00:00:00.000Z")
    assert (await json_of(api, MESSAGES))["messages"][0]["tsClient"] == "2025-01-01T00:00:00.000Z"


async def test_a_field_called_id_does_not_hide_the_id(api, backend):
    await put_thread(backend, "15550002222@s.whatsapp.net", id="mine")
    assert (await json_of(api, THREADS))["threads"][0]["id"] == THREAD


@pytest.mark.parametrize("path", [THREADS, MESSAGES])
async def test_as_many_come_as_are_asked_for(api, backend, path):
    for number in range(60):
        await put_thread(backend, f"1555000{number:04}@s.whatsapp.net", seconds=number)
        await put_message(backend, f"M{number}", seconds=number)
    await put_thread(backend, "15550002222@s.whatsapp.net")
    assert (await json_of(api, path))["count"] == 50
    assert (await json_of(api, f"{path}?limit=7"))["count"] == 7
    assert (await json_of(api, f"{path}?limit=500"))["count"] >= 60


@pytest.mark.parametrize("path", [THREADS, MESSAGES])
@pytest.mark.parametrize(
    "limit", ["0", "501", "-1", "1.5", "x", "", "1e2", "%2B5", "%205", "%D9%A5", "9" * 5000, "5%00"]
)
async def test_a_limit_that_is_none_is_refused_by_name(api, path, limit):
    status, answer = await raw(api, f"GET {path}?limit={limit} HTTP/1.1")
    assert (status, answer["error"]) == (400, "bad_request")
    assert "limit must be a whole number from 1 to 500" in answer["message"]


@pytest.mark.parametrize(
    ("path", "good"), [(THREADS, "lastMessageAt"), (MESSAGES, "createdAt"), (MESSAGES, "tsClient")]
)
async def test_an_order_that_is_unknown_is_refused_by_name(api, backend, path, good):
    await put_thread(backend, "15550002222@s.whatsapp.net")
    await json_of(api, f"{path}?orderBy={good}")
    message = await refused(await api.get(f"{path}?orderBy=body"), 400, "bad_request")
    assert "orderBy" in message
    assert good in message


async def test_the_thread_of_another_account_is_refused(api, backend):
    await put_thread(backend, "15550002222@s.whatsapp.net", account=OTHER)
    answer = await api.get(f"/api/whatsapp/messages/{SHOP}/{OTHER}__15550002222@s.whatsapp.net")
    await refused(answer, 403, "wrong_account")


@pytest.mark.parametrize(
    "thread",
    [
        "unknown",
        f"{SHOP}__nobody",
        "..",
        ".",
        "%2e%2e",
        "%2F",
        f"{THREAD}%2Fmessages%2FM1",
        "..%2Faccounts%2Fx",
        "%00",
        f"{THREAD}%00",
        "%FF%FE",
        "%ED%A0%80",
        "__reserved__",
        "a" * 1501,
        "%C3%A9",
        "%",
        "*",
    ],
)
async def test_an_unknown_thread_is_a_404_however_it_is_written(api, backend, thread):
    await put_thread(backend, "15550002222@s.whatsapp.net")
    await put_message(backend, "M1")
    await backend.put("accounts/x", accountId=SHOP)
    status, answer = await raw(api, f"GET /api/whatsapp/messages/{SHOP}/{thread} HTTP/1.1")
    assert (status, answer["success"]) == (404, False)


@pytest.mark.parametrize("path", [THREADS, MESSAGES])
async def test_firestore_being_down_is_said(api, backend, path):
    backend.documents.inject(Fault.UNAVAILABLE)
    await refused(await api.get(path), 503, "firestore_unavailable")


WANTED = {
    "chat": "15550002222@s.whatsapp.net",
    "anchor": {"id": "M1", "fromMe": False},
    "time": 1_795_328_371,
    "count": 50,
}


async def answer_of_the_phone(backend):
    while not backend.bridge.asked:
        await asyncio.sleep(0)
    request = backend.bridge.asked[0].args["id"]
    payload = {"session": request, "messages": 12, "result": "complete", "chats": [{"id": WANTED["chat"], "end": 1}]}
    entry = NewEntry(kind="history-end", source="s", origin="ondemand", received_at_ms=0, payload=orjson.dumps(payload))
    backend.asker.on_journaled(SHOP, (entry,))


async def test_older_messages_are_asked_for(api, backend):
    backend.bridge.come_up(Silent())
    more = WANTED | {"anchor": {"id": "M1", "fromMe": False, "participant": "1@lid", "odd": 1}, "odd": 1}
    answer, _ = await asyncio.gather(api.post(HISTORY, json=more), answer_of_the_phone(backend))
    (asked,) = backend.bridge.asked
    page = {"request": asked.args["id"], "messages": 12, "result": "complete", "end": 1}
    assert await answer.json() == {"success": True, **page}
    wanted = WANTED | {"anchor": {"id": "M1", "fromMe": False, "participant": "1@lid"}}
    assert asked.args == wanted | {"id": asked.args["id"]}


@pytest.mark.parametrize(
    "change",
    [
        {"chat": None},
        {"chat": "nobody"},
        {"chat": "x@y\n"},
        {"anchor": None},
        {"anchor": []},
        {"anchor": {"fromMe": True}},
        {"anchor": {"id": "", "fromMe": True}},
        {"anchor": {"id": "M1"}},
        {"anchor": {"id": "M1", "fromMe": 1}},
        {"anchor": {"id": "M1", "fromMe": True, "participant": 5}},
        {"time": "1"},
        {"time": True},
        {"time": 1.5},
        {"time": 0},
        {"time": 1 << 60},
        {"count": 0},
        {"count": 51},
        {"count": True},
        {"count": "5"},
    ],
)
async def test_a_request_for_history_that_says_too_little_is_refused(api, backend, change):
    message = await refused(await api.post(HISTORY, json=WANTED | change), 400, "bad_request")
    assert "`anchor`" in message
    assert backend.bridge.asked == []


@pytest.mark.parametrize(
    ("trouble", "status", "error"),
    [
        (CommandFailed("not-started", "the account is not connected"), 409, "invalid_state"),
        (CommandTimedOut(), 504, "phone_unreachable"),
    ],
)
async def test_what_keeps_history_from_being_fetched_is_said(api, backend, trouble, status, error):
    def fail(_):
        raise trouble

    backend.bridge.come_up(Silent())
    backend.bridge.scripts["fetch-history"] = fail
    await refused(await api.post(HISTORY, json=WANTED), status, error)


async def test_a_bridge_that_is_down_is_said(api):
    await refused(await api.post(HISTORY, json=WANTED), 503, "bridge_down")


async def test_a_phone_that_is_off_is_no_success(api, backend, monkeypatch):
    monkeypatch.setattr(backend.asker, "_timeout_s", 0.05)
    backend.bridge.come_up(Silent())
    message = await refused(await api.post(HISTORY, json=WANTED), 504, "phone_unreachable")
    assert "may be off" in message


class Silent:
    """Hears that the bridge is up, and nothing else."""

    def on_bridge(self, *, up):
        pass
