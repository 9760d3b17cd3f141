"""Every list comes in pages by cursor; and what the inbox and the debts tell."""

import pytest
from backend import NOW_MS, OTHER, SHOP, THREAD, at, refused

from whatsapp_backend.domain.mirror import Debt, Progress

LISTS = {
    "threads": f"/api/whatsapp/threads/{SHOP}",
    "inbox": f"/api/whatsapp/inbox/{SHOP}",
    "messages": f"/api/whatsapp/messages/{SHOP}/{THREAD}",
    "jobs": f"/api/whatsapp/jobs/{SHOP}",
    "gaps": f"/api/whatsapp/gaps/{SHOP}",
    "debts": f"/api/whatsapp/debts/{SHOP}",
}


async def json_of(api, path, **query):
    async with api.get(path, params=query) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def pages(api, path, name, **query):
    """All pages; whoever begins anew for ever fails."""
    found, cursor = [], {}
    for _ in range(99):
        page = await json_of(api, path, **query, **cursor)
        assert page["count"] == len(page[name])
        found.append(page[name])
        if page["nextCursor"] is None:
            return found
        cursor = {"cursor": page["nextCursor"]}
    raise AssertionError("it never ends")


async def owe(backend, *debts):
    await backend.store.advance(Progress(consumer="documents", debts=debts))


def debt(id="M1", *, account=SHOP, since=NOW_MS, **more):
    known = {"reason": "absent", "key": b'{"remoteJid": "15550002222@s.whatsapp.net"}', "opened_at_ms": since}
    return Debt(path=f"threads/{account}__15550002222@s.whatsapp.net/messages/{id}", account=account, **known | more)


async def test_threads_and_inbox_go_on_behind_threads_of_the_same_moment(api, backend):
    for number in range(7):
        await backend.put(f"threads/{SHOP}__{number}@g.us", accountId=SHOP, lastMessageAt=at(number // 3))
    for name in ("threads", "inbox"):
        found = await pages(api, LISTS[name], "threads", limit="2")
        assert [thread["id"][-6] for page in found for thread in page] == list("6543210")
        assert [len(page) for page in found] == [2, 2, 2, 1]


async def test_a_page_that_shows_less_than_was_asked_for_is_not_the_last(api, backend):
    for number in range(4):
        await backend.put(
            f"threads/{SHOP}__{number}@g.us", accountId=SHOP, lastMessageAt=at(number), archived=number in (2, 3)
        )
    found = await pages(api, LISTS["threads"], "threads", limit="2")
    assert [[thread["id"][-6] for thread in page] for page in found] == [[], ["1", "0"], []]


async def test_the_inbox_tells_what_a_list_of_conversations_shows_and_reads_no_message(api, backend):
    shown = {"clientJid": "x", "displayName": "Ana", "unreadCount": 2, "lastMessagePreview": "hi", "assignedTo": "u1"}
    await backend.put(f"threads/{THREAD}", accountId=SHOP, lastMessageAt=at(1), clocks={"a": 1}, **shown)
    await backend.put(f"threads/{THREAD}/messages/M1", accountId=SHOP, tsClient=at(1), body="secret")
    before = backend.documents.operations.reads
    (thread,) = (await json_of(api, LISTS["inbox"]))["threads"]
    when = {"_seconds": 1, "_nanoseconds": 0}
    assert thread == {"id": THREAD, "accountId": SHOP, "lastMessageAt": when} | shown
    assert backend.documents.operations.reads == before + 1


async def test_messages_of_the_same_moment_come_once_in_pages(api, backend):
    await backend.put(f"threads/{THREAD}", accountId=SHOP)
    for number in range(5):
        await backend.put(f"threads/{THREAD}/messages/M{number}", tsClient=at(1))
    found = await pages(api, LISTS["messages"], "messages", limit="2")
    assert [message["id"] for page in found for message in page] == ["M4", "M3", "M2", "M1", "M0"]


async def test_debts_come_the_longest_owed_first_without_a_body(api, backend):
    await owe(backend, debt("M2", since=NOW_MS + 1, asked=3, next_at_ms=NOW_MS + 60_000), debt("M1"))
    await owe(backend, debt("M3", account=OTHER), debt("M4", closed="arrived"))
    answer = await json_of(api, LISTS["debts"])
    assert answer == {
        "success": True,
        "accountId": SHOP,
        "debts": [
            {
                "threadId": THREAD,
                "messageId": "M1",
                "kind": "absent",
                "since": "2026-11-22T06:19:31.000Z",
                "tries": 0,
                "nextAt": None,
            },
            {
                "threadId": THREAD,
                "messageId": "M2",
                "kind": "absent",
                "since": "2026-11-22T06:19:31.001Z",
                "tries": 3,
                "nextAt": "2026-11-22T06:20:31.000Z",
            },
        ],
        "count": 2,
        "nextCursor": None,
    }
    found = await pages(api, LISTS["debts"], "debts", limit="1")
    assert [one["messageId"] for page in found for one in page] == ["M1", "M2"]


@pytest.mark.parametrize("path", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("cursor", ["", "x", "W10", "bm8", "WyJ0aHJlYWRzIiwgIm90aGVyIiwgMSwgImEiXQ", "é", "=" * 9])
async def test_a_cursor_that_is_none_or_anothers_is_refused_by_name(api, backend, path, cursor):
    await backend.put(f"threads/{THREAD}", accountId=SHOP)
    assert "`nextCursor` of an earlier page" in await refused(
        await api.get(path, params={"cursor": cursor}), 400, "bad_request"
    )


async def test_the_cursor_of_one_list_is_no_place_in_another(api, backend):
    for number in range(2):
        await backend.put(f"threads/{SHOP}__{number}@g.us", accountId=SHOP, lastMessageAt=at(number))
        await backend.put(f"threads/{OTHER}__{number}@g.us", accountId=OTHER, lastMessageAt=at(number))
    cursor = (await json_of(api, LISTS["threads"], limit="1"))["nextCursor"]
    for path in (f"/api/whatsapp/threads/{OTHER}", LISTS["jobs"], LISTS["debts"]):
        await refused(await api.get(path, params={"cursor": cursor}), 400, "bad_request")
