"""The Flutter contract: with our rules on, the app's queries find what the daemon wrote, and people see it in order.

The documents come from the daemon's code, the questions from Google's client SDK (tests/flutter/).
"""

from datetime import UTC, datetime

import pytest
from daemon_writes import START_S, STATUS, message
from flutter_app import Refused
from inbox_people import DIRECTORY, PEOPLE, SHOP, SHOP_OWNER, STAFF, STRANGER
from world import ANA, BOB, GROUP

CLEO = "77700000000001@lid"
IMAGE = {"imageMessage": {"mimetype": "image/jpeg", "mediaKey": "SS8=", "fileLength": "4"}}


def thread(jid):
    return f"{SHOP}__{jid}"


def ids(seen):
    return [document["id"] for document in seen["documents"]]


def field(seen, name):
    return [document["fields"].get(name) for document in seen["documents"]]


@pytest.fixture
async def staff(app, daemon):
    """The app in the hand of an employee."""
    await daemon.others(DIRECTORY)
    return app.of(STAFF)


@pytest.fixture
def stranger(app):
    """The app in the hand of somebody who merely signed in."""
    return app.of(STRANGER)


async def refused(person, screen, **about):
    """The negative control: the same look, refused."""
    with pytest.raises(Refused) as no:
        await person.see(screen, **about)
    return no.value.code == "permission-denied"


async def test_the_inbox_is_in_the_order_in_which_people_wrote_whatever_order_it_arrived_in(staff, stranger, daemon):
    """History after live, groups, LIDs and people: one order, by the messages' own times."""
    await daemon.receive(
        SHOP,
        [
            message("B1", chat=BOB, at=30),
            message("G1", chat=GROUP, at=40, participant=ANA),
            message("A1", chat=ANA, at=10),
            message("C1", chat=CLEO, at=20),
        ],
    )
    await daemon.receive(SHOP, [message("A0", chat=ANA, at=5), message("B0", chat=BOB, at=1)], origin="history")
    seen = await staff.see("inbox", account=SHOP)
    assert seen["shown"] == ids(seen) == [thread(jid) for jid in (GROUP, BOB, CLEO, ANA)]
    assert field(seen, "lastMessageAt") == [{"timestampMs": (START_S + at) * 1000} for at in (40, 30, 20, 10)]
    assert field(seen, "lastMessageAtMs") == [(START_S + at) * 1000 for at in (40, 30, 20, 10)]
    assert field(seen, "lastMessagePreview") == ["G1", "B1", "C1", "A1"]
    assert field(seen, "isLid") == [False, False, True, False]
    assert set(field(seen, "accountId")) == {SHOP}
    assert await refused(stranger, "inbox", account=SHOP)


async def test_an_own_message_moves_its_thread_to_the_top_too(staff, daemon):
    """What was typed on the phone."""
    await daemon.receive(SHOP, [message("A1", chat=ANA), message("B1", chat=BOB, at=1)])
    await daemon.receive(SHOP, [message("A2", chat=ANA, at=2, fromMe=True)])
    seen = await staff.see("inbox", account=SHOP)
    assert seen["shown"] == [thread(ANA), thread(BOB)]
    assert field(seen, "lastMessageDirection") == ["outbound", "inbound"]


async def test_the_inbox_holds_the_newest_hundred_or_two_hundred_threads(staff, daemon):
    """More threads than a screen asks for: it gets those that matter."""
    people = [f"1555{n:07}@s.whatsapp.net" for n in range(205)]
    await daemon.receive(SHOP, [message("M", chat=jid, at=n) for n, jid in enumerate(people)])
    newest = [thread(jid) for jid in reversed(people)]
    assert (await staff.see("inbox", account=SHOP))["shown"] == newest[:100]
    assert (await staff.see("inbox", account=SHOP, limit=200))["shown"] == newest[:200]


async def test_the_inbox_hides_archived_and_redirected_threads_broadcasts_and_bad_ids(staff, daemon):
    """They are found, so that it is the app that hides them and not their absence."""
    hidden = {
        "15550004441@s.whatsapp.net": {"archived": True},
        "15550004442@s.whatsapp.net": {"hidden": True},
        "77700000000002@lid": {"redirectTo": thread(ANA), "canonicalThreadId": thread(ANA)},
    }
    await daemon.receive(SHOP, [message("M", chat=jid) for jid in (ANA, *hidden)])
    await daemon.receive(SHOP, [message("S", chat=STATUS, at=9, participant=ANA)])
    for jid, fields in hidden.items():
        await daemon.patch(f"threads/{thread(jid)}", **fields)
    bad = thread("[object Object]")
    await daemon.others({f"threads/{bad}": {"accountId": SHOP, "lastMessageAt": datetime.now(UTC)}})
    seen = await staff.see("inbox", account=SHOP)
    assert seen["shown"] == [thread(ANA)]
    assert set(ids(seen)) == {bad, *(thread(jid) for jid in (ANA, STATUS, *hidden))}


async def test_what_the_app_keeps_on_a_thread_survives_the_next_message(staff, daemon):
    """Archived, assigned, owned: other people's fields."""
    await daemon.receive(SHOP, [message("A1", chat=ANA), message("B1", chat=BOB)])
    await daemon.patch(f"threads/{thread(ANA)}", archived=True, assignedTo="staff-1", ownerUid="staff-1")
    await daemon.receive(SHOP, [message("A2", chat=ANA, at=5)])
    seen = await staff.see("inbox", account=SHOP)
    assert seen["shown"] == [thread(BOB)]
    assert field(seen, "ownerUid") == ["staff-1", None]
    assigned = await staff.see("assigned", account=SHOP, to="staff-1")
    assert (ids(assigned), field(assigned, "lastMessagePreview")) == ([thread(ANA)], ["A2"])


async def test_a_chat_shows_its_messages_newest_first_each_with_what_the_app_reads(staff, stranger, daemon):
    """Whatever order they came in; both directions; the types the app orders and shows by."""
    await daemon.receive(SHOP, [message("A3", chat=ANA, at=20), message("A1", chat=ANA, text="first", at=0)])
    await daemon.receive(SHOP, [message("A2", chat=ANA, text="ours", at=10, fromMe=True)], origin="history")
    seen = await staff.see("chat", thread=thread(ANA))
    assert seen["thread"]["id"] == thread(ANA)
    assert seen["shown"] == ids(seen) == ["A3", "A2", "A1"]
    assert field(seen, "body") == ["A3", "ours", "first"]
    assert field(seen, "direction") == ["inbound", "outbound", "inbound"]
    assert field(seen, "messageType") == ["text"] * 3
    times = [(START_S + at) * 1000 for at in (20, 10, 0)]
    assert field(seen, "tsClient") == field(seen, "tsSort") == [{"timestampMs": at} for at in times]
    assert field(seen, "createdAtMs") == field(seen, "tsClientMs") == times
    for name in ("createdAt", "tsServer", "updatedAt"):
        assert all(set(at) == {"timestampMs"} for at in field(seen, name)), name
    for name in ("providerMessageId", "waMessageId"):
        assert field(seen, name) == ids(seen)
    for name in ("stableKeyHash", "fingerprintHash", "isDuplicate"):
        assert field(seen, name) == [None] * 3, "the app would hide or confuse messages by it"
    assert await refused(stranger, "chat", thread=thread(ANA))


async def test_a_chat_shows_the_newest_two_hundred(staff, daemon):
    """A long history does not push out what was said last."""
    await daemon.receive(SHOP, [message(f"M{n}", chat=ANA, at=n) for n in range(210)], origin="history")
    seen = await staff.see("chat", thread=thread(ANA))
    assert seen["shown"] == [f"M{n}" for n in reversed(range(10, 210))]


async def test_an_image_without_a_caption_shows_and_can_be_told_to_be_one(staff, daemon):
    """The app hides what has neither a body nor media, and reads media nested and flat."""
    await daemon.receive(SHOP, [message("I1", chat=ANA, content=IMAGE)])
    seen = await staff.see("chat", thread=thread(ANA))
    assert seen["shown"] == ["I1"]
    (image,) = (document["fields"] for document in seen["documents"])
    assert image["messageType"] == image["media"]["type"] == image["mediaType"] == "image"
    assert image["media"]["mimeType"] == image["media"]["mimetype"] == image["mediaMimetype"] == "image/jpeg"


async def test_a_message_seen_twice_shows_once(staff, daemon):
    """Live and again in history, under both of a person's identities."""
    await daemon.receive(SHOP, [message("A1", chat=ANA)])
    await daemon.receive(SHOP, [message("A1", chat=CLEO, remoteJidAlt=ANA)], origin="history")
    seen = await staff.see("chat", thread=thread(ANA))
    assert seen["shown"] == ids(seen) == ["A1"]
    assert (await staff.see("inbox", account=SHOP))["shown"] == [thread(ANA)]


async def test_a_chat_that_was_merged_leads_to_the_one_it_became(staff, daemon):
    """Somebody has the old thread open, or in a notification."""
    await daemon.receive(SHOP, [message("A1", chat=ANA), message("C1", chat=CLEO)])
    await daemon.patch(f"threads/{thread(CLEO)}", redirectTo=thread(ANA), canonicalThreadId=thread(ANA))
    seen = await staff.see("chat", thread=thread(CLEO))
    assert (seen["thread"]["id"], seen["shown"]) == (thread(ANA), ["A1"])


async def test_messages_of_earlier_generations_take_their_place_among_ours(staff, daemon):
    """Times stored as text are found first by Firestore, which orders by type; people see them where they belong."""
    await daemon.receive(SHOP, [message("A1", chat=ANA, at=0), message("A2", chat=ANA, at=20)])
    between = datetime.fromtimestamp(START_S + 10, UTC).isoformat().replace("+00:00", "Z")
    old = {"accountId": SHOP, "body": "old", "direction": "inbound", "tsClient": between}
    copy = {"accountId": SHOP, "body": "A1", "direction": "inbound", "tsClient": between, "providerMessageId": "A1"}
    await daemon.others({f"threads/{thread(ANA)}/messages/OLD": old, f"threads/{thread(ANA)}/messages/00c0ffee": copy})
    seen = await staff.see("chat", thread=thread(ANA))
    assert set(ids(seen)[:2]) == {"OLD", "00c0ffee"}
    assert [at for at in seen["shown"] if at in ("A2", "OLD")] == ["A2", "OLD"]
    assert len(seen["shown"]) == 3, "the copy under a hashed id is one message with ours"


async def test_the_status_screen_shows_updates_newest_first_with_their_senders(staff, stranger, daemon):
    """Status updates are messages of one thread of their own, by `tsSort`."""
    await daemon.receive(
        SHOP,
        [
            message("S1", chat=STATUS, text="sunny", at=0, participant=ANA),
            message("S2", chat=STATUS, at=60, participant=BOB, content=IMAGE),
        ],
    )
    seen = await staff.see("status", account=SHOP)
    assert ids(seen) == ["S2", "S1"]
    assert field(seen, "senderJid") == [BOB, ANA]
    assert field(seen, "senderName") == ["Ana", "Ana"]
    assert field(seen, "tsSort") == [{"timestampMs": (START_S + at) * 1000} for at in (60, 0)]
    assert await refused(stranger, "status", account=SHOP)


async def test_the_diagnostics_screen_finds_what_came_in_last_over_all_threads(staff, stranger, daemon):
    """By `tsClientMs`, which every message has; own messages are another list."""
    await daemon.receive(SHOP, [message("A1", chat=ANA, at=1), message("B1", chat=BOB, at=3)])
    await daemon.receive(SHOP, [message("A2", chat=ANA, at=2, fromMe=True)])
    seen = await staff.see("diagnostics", account=SHOP)
    assert (seen["by"], ids(seen)) == ("tsClientMs", ["B1", "A1"])
    assert ids(await staff.see("diagnostics", account=SHOP, direction="outbound")) == ["A2"]
    assert await refused(stranger, "diagnostics", account=SHOP)


async def test_the_diagnostics_screen_finds_messages_of_an_earlier_generation_by_the_other_time(staff, daemon):
    """An account that only ever had those."""
    at = datetime.fromtimestamp(START_S, UTC)
    old = {"accountId": SHOP, "body": "old", "direction": "inbound", "tsClient": at}
    await daemon.others({"threads/t": {"accountId": SHOP}, "threads/t/messages/OLD": old})
    seen = await staff.see("diagnostics", account=SHOP)
    assert (seen["by"], ids(seen)) == ("tsClient", ["OLD"])


async def test_an_account_shows_as_connected_and_tells_no_secret(staff, stranger, daemon):
    """Whoever reads the pairing code links a device."""
    await daemon.connect(SHOP, "+15550003333")
    account = (await staff.see("open", path=f"accounts/{SHOP}"))["document"]["fields"]
    assert (account["accountId"], account["status"], account["phone"]) == (SHOP, "connected", "+15550003333")
    assert "a secret" not in str(account)
    assert await refused(stranger, "open", path=f"accounts/{SHOP}")


@pytest.mark.parametrize("name", ["staff", "owner of the shop's account", "super-admin"])
async def test_an_open_inbox_sees_a_message_arrive_and_its_thread_move_to_the_top(app, daemon, name):
    """Live, through a listener, for everybody who may look."""
    await daemon.others(DIRECTORY)
    await daemon.receive(SHOP, [message("A1", chat=ANA), message("B1", chat=BOB, at=10)])
    async with app.of(PEOPLE[name]).watching(account=SHOP) as screen:
        assert (await screen.change())["shown"] == [thread(BOB), thread(ANA)]
        await daemon.receive(SHOP, [message("A2", chat=ANA, at=20)])
        moved = await screen.change()
    assert moved["changes"] == [{"type": "modified", "id": thread(ANA), "from": 1, "to": 0}]
    assert moved["shown"] == [thread(ANA), thread(BOB)]
    assert field(moved, "lastMessagePreview") == ["A2", "B1"]


async def test_an_open_inbox_gets_a_new_conversation_and_keeps_its_order_when_history_arrives(staff, daemon):
    """A thread nobody knew comes in at its place; an old message moves nothing."""
    await daemon.receive(SHOP, [message("A1", chat=ANA, at=10)])
    async with staff.watching(account=SHOP) as screen:
        await screen.change()
        await daemon.receive(SHOP, [message("B0", chat=BOB, at=1)], origin="history")
        appeared = await screen.change()
        await daemon.receive(SHOP, [message("A0", chat=ANA, at=0)], origin="history")
        await daemon.receive(SHOP, [message("B2", chat=BOB, at=30)])
        shown = appeared["shown"]
        while shown == appeared["shown"]:
            shown = (await screen.change())["shown"]
    assert appeared["changes"] == [{"type": "added", "id": thread(BOB), "from": -1, "to": 1}]
    assert shown == [thread(BOB), thread(ANA)]


async def test_an_open_chat_gets_each_message_at_its_place(app, daemon):
    """What arrives late is put where it was said; nothing shows twice."""
    await daemon.others(DIRECTORY)
    await daemon.receive(SHOP, [message("A1", chat=ANA, at=10)])
    async with app.of(SHOP_OWNER).watching(thread=thread(ANA)) as screen:
        assert (await screen.change())["shown"] == ["A1"]
        await daemon.receive(SHOP, [message("A2", chat=ANA, at=20)])
        assert (await screen.change())["shown"] == ["A2", "A1"]
        await daemon.receive(SHOP, [message("A0", chat=ANA, at=0)], origin="history")
        late = await screen.change()
    assert late["changes"] == [{"type": "added", "id": "A0", "from": -1, "to": 2}]
    assert late["shown"] == ["A2", "A1", "A0"]


async def test_a_message_that_is_only_seen_again_disturbs_no_open_chat(staff, daemon):
    """The next thing that a listener hears of is the next message."""
    await daemon.receive(SHOP, [message("A1", chat=ANA)])
    async with staff.watching(thread=thread(ANA)) as screen:
        await screen.change()
        await daemon.receive(SHOP, [message("A1", chat=ANA)], origin="offline")
        await daemon.receive(SHOP, [message("A2", chat=ANA, at=1)])
        change = await screen.change()
    assert [one["id"] for one in change["changes"]] == ["A2"]


@pytest.mark.parametrize("name", ["stranger", "nobody", "owner of an account for admins only"])
async def test_a_listener_of_somebody_who_may_not_look_is_ended_at_once(app, daemon, name):
    """The control of the listeners above: the same screens."""
    await daemon.others(DIRECTORY)
    await daemon.receive(SHOP, [message("A1", chat=ANA)])
    for about in ({"account": SHOP}, {"thread": thread(ANA)}):
        async with app.of(PEOPLE[name]).watching(**about) as screen:
            with pytest.raises(Refused) as no:
                await screen.change()
        assert no.value.code == "permission-denied"
