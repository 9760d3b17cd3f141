"""What a conversation looks like in documents: versions, receipts, one thread a person, names, unread, debts."""

from typing import Any

import pytest
from world import ACCOUNT, ANA, AT, BOB, GROUP, RECEIVED_AT_MS, World, a_world, payload

from whatsapp_backend.testing.memory_documents import Fault

ANA_LID = "88000000001111@lid"
BOB_LID = "88000000002222@lid"


def own(id: str = "M1", **more: Any) -> dict[str, Any]:
    """A message that we sent."""
    told = payload(id, fromMe=True, **more) | {"status": 2}
    del told["pushName"]
    return told


def doing(message: dict[str, Any], *, id: str = "D1", at: int = AT + 60, chat: str = ANA, **key: Any) -> dict[str, Any]:
    """A message that does something to another one."""
    return payload(id, chat=chat, at=at, **key) | {"message": message}


def edit(target: str = "M1", text: str = "hi edited", *, at_ms: int = (AT + 60) * 1000, **more: Any) -> dict[str, Any]:
    """Its sender says it otherwise."""
    protocol = {
        "key": {"remoteJid": ANA, "fromMe": True, "id": target},
        "type": 14,
        "editedMessage": {"conversation": text},
        "timestampMs": at_ms,
    }
    return doing({"editedMessage": {"message": {"protocolMessage": protocol}}}, **more)


def revoke(target: str = "M1", *, of: str | None = None, **more: Any) -> dict[str, Any]:
    """Its sender takes it back, or an admin another one's."""
    key = {"remoteJid": ANA, "fromMe": of is None, "id": target} | ({"participant": of} if of else {})
    return doing({"protocolMessage": {"key": key, "type": 0}}, **more)


def react(
    text: str, target: str = "M1", *, at_ms: int = (AT + 60) * 1000, of_us: bool = False, **more: Any
) -> dict[str, Any]:
    """Somebody reacts, or takes his reaction back."""
    key = {"remoteJid": more.get("chat", ANA), "fromMe": of_us, "id": target}
    return doing({"reactionMessage": {"key": key, "text": text, "senderTimestampMs": at_ms}}, **more)


def receipt(kind: str, *ids: str, at: int = AT + 5, chat: str = ANA, **more: Any) -> dict[str, Any]:
    """Somebody's device says what it did."""
    return {"chat": chat, "ids": list(ids), "type": kind, "time": at, **more}


def reactions(document: dict[str, Any]) -> dict[str, str]:
    """Who reacted, and what."""
    return {one["by"]: one["text"] for one in document.get("reactions", [])}


# -- Versions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["message", "edit"])
async def test_an_edit_shows_and_keeps_the_earlier_text_whichever_comes_first(world: World, first: str) -> None:
    """With the time of each; the thread's preview follows, its activity does not."""
    entries = [payload(), edit()] if first == "message" else [edit(), payload()]
    for entry in entries:
        await world.journal(entry)
        await world.publish()
    message = world.message()
    assert (message["body"], message["edited"], message["editedAtMs"]) == ("hi edited", True, (AT + 60) * 1000)
    assert message["versions"] == [
        {"body": "hi", "atMs": AT * 1000},
        {"id": "D1", "by": ANA, "atMs": (AT + 60) * 1000, "body": "hi edited"},
    ]
    assert world.thread()["lastMessagePreview"] == "hi edited"
    assert world.thread()["lastMessageAtMs"] == AT * 1000
    assert len(world.documents.documents) == 3  # message, thread, contact: an edit is no message of its own


async def test_of_several_edits_the_last_one_shows_in_any_order(world: World) -> None:
    """By the sender's own times."""
    await world.journal(edit(text="third", at_ms=3_000, id="D3"))
    await world.journal(payload())
    await world.journal(edit(text="second", at_ms=2_000, id="D2"))
    await world.publish()
    assert world.message()["body"] == "third"
    assert [version["body"] for version in world.message()["versions"]] == ["hi", "second", "third"]


async def test_an_edited_caption_leaves_its_media_alone(world: World) -> None:
    """And the media still opens."""
    await world.journal(payload() | {"message": {"imageMessage": {"caption": "c", "mediaKey": "SS8="}}})
    await world.journal(edit(text="better"))
    await world.publish()
    message = world.message()
    assert (message["body"], message["messageType"], message["media"]["mediaKey"]) == ("better", "image", "SS8=")


@pytest.mark.parametrize("first", ["message", "revoke"])
async def test_a_revoke_hides_and_keeps_whichever_comes_first(world: World, first: str) -> None:
    """The app shows nothing of it; nothing is destroyed."""
    picture = payload() | {"message": {"imageMessage": {"caption": "c", "mediaKey": "SS8="}}}
    for entry in [picture, revoke()] if first == "message" else [revoke(), picture]:
        await world.journal(entry)
        await world.publish()
    message = world.message()
    assert (message["revoked"], message["revokedBy"], message["revokedAtMs"]) == (True, ANA, (AT + 60) * 1000)
    assert message["body"] is None
    assert not message.keys() & {"media", "mediaType", "details"}
    assert (message["kept"]["body"], message["kept"]["media"]["mediaKey"]) == ("c", "SS8=")
    assert world.thread()["lastMessagePreview"] == "[Deleted]"


async def test_an_edit_and_a_revoke_of_one_message_lose_nothing(world: World) -> None:
    """Also when the document is all that is left of it."""
    await world.journal(payload())
    await world.journal(edit())
    await world.journal(revoke(id="D2", at=AT + 90))
    await world.publish()
    before = world.message()
    assert before["kept"]["body"] == "hi"
    assert [version["body"] for version in before["versions"]] == ["hi", "hi edited"]
    async with a_world(world.documents) as other:
        await other.journal(payload())
        await other.journal(react("👍", id="D3"))
        await other.publish()
        assert reactions(other.message()) == {ANA: "👍"}
        assert {name: other.message()[name] for name in ("kept", "versions", "revoked", "body")} == {
            name: before[name] for name in ("kept", "versions", "revoked", "body")
        }


async def test_reactions_tell_who_and_what_and_may_be_taken_back(world: World) -> None:
    """The latest of each person; they do not move the thread."""
    await world.journal(payload(chat=GROUP, participant=ANA))
    await world.journal(react("👍", chat=GROUP, participant=BOB))
    await world.journal(react("😀", chat=GROUP, participant=ANA, id="D2"))
    await world.publish()
    assert reactions(world.message(chat=GROUP)) == {BOB: "👍", ANA: "😀"}
    await world.journal(react("", chat=GROUP, participant=BOB, id="D4", at_ms=(AT + 90) * 1000))
    await world.journal(react("🎉", chat=GROUP, participant=BOB, id="D3", at_ms=(AT + 80) * 1000))
    await world.publish()
    message = world.message(chat=GROUP)
    assert reactions(message) == {ANA: "😀"}
    assert [one["by"] for one in message["reactionsRemoved"]] == [BOB]
    assert world.thread(GROUP)["lastMessageAtMs"] == AT * 1000


async def test_a_vote_is_kept_with_its_poll_and_is_no_message(world: World) -> None:
    """Who voted and when; what for is encrypted."""
    await world.journal(
        payload() | {"message": {"pollCreationMessageV3": {"name": "q", "options": [{"optionName": "a"}]}}}
    )
    vote = {
        "pollCreationMessageKey": {"remoteJid": ANA, "fromMe": False, "id": "M1"},
        "senderTimestampMs": AT * 1000 + 9,
    }
    await world.journal(doing({"pollUpdateMessage": vote}))
    await world.publish()
    assert world.message()["votes"] == [{"by": ANA, "atMs": AT * 1000 + 9, "of": ANA}]
    assert world.thread()["lastMessagePreview"] == "[Poll]"


@pytest.mark.parametrize("made_by", [edit, revoke])
async def test_a_member_of_a_group_cannot_edit_or_revoke_in_anothers_name(world: World, made_by: Any) -> None:
    """Whether he says that it is his or that he is an admin. It is kept, and told not to count."""
    await world.journal(payload(chat=GROUP, participant=ANA))
    await world.journal(made_by(chat=GROUP, participant=BOB))
    await world.journal(revoke(of=ANA, id="D2", chat=GROUP, participant=BOB))
    await world.publish()
    message = world.message(chat=GROUP)
    assert (message["body"], message.get("edited"), message.get("revoked")) == ("hi", None, None)
    assert world.thread(GROUP)["lastMessagePreview"] == "hi"


async def test_nobody_reacts_in_anothers_name(world: World) -> None:
    """The reaction is the sender's of the stanza, whatever it says inside."""
    await world.journal(payload(chat=GROUP, participant=ANA))
    key = {"remoteJid": GROUP, "fromMe": False, "id": "M1", "participant": ANA}
    forged = {"reactionMessage": {"key": key, "text": "👎", "sender": ANA, "participant": ANA}}
    await world.journal(doing(forged, chat=GROUP, participant=BOB))
    await world.publish()
    assert reactions(world.message(chat=GROUP)) == {BOB: "👎"}


async def test_an_edit_by_somebody_who_uses_anothers_message_id_changes_his_own_message_only(world: World) -> None:
    """Both have their documents; neither can touch the other's."""
    await world.journal(payload("X", chat=GROUP, participant=ANA, text="first"))
    await world.journal(payload("X", chat=GROUP, participant=BOB, text="second"))
    await world.publish()
    await world.journal(edit("X", "changed", chat=GROUP, participant=BOB))
    await world.publish()
    assert sorted(world.bodies().values()) == ["changed", "first"]


@pytest.mark.parametrize("first", ["message", "amendments"])
async def test_what_is_about_another_senders_message_is_in_no_document_whichever_comes_first(
    world: World, first: str
) -> None:
    """It was, when it had waited for the message; and the other sender's message, when it came, went without it."""
    about = [
        (edit("X", "evil", chat=GROUP, participant=BOB), "message"),
        (revoke("X", chat=GROUP, participant=BOB, id="D2"), "message"),
        (receipt("read", "X", chat=GROUP, participant=BOB), "receipt"),
    ]
    message = (payload("X", chat=GROUP, participant=ANA), "message")
    for content, kind in [message, *about] if first == "message" else [*about, message]:
        await world.journal(content, kind=kind)
        await world.publish()
    assert not world.message("X", chat=GROUP).keys() & {"versions", "revokes", "receipts", "edited", "revoked"}
    await world.journal(payload("X", chat=GROUP, participant=BOB, text="his"))
    await world.publish()
    (his,) = (doc.fields for doc in world.documents.documents.values() if doc.fields.get("senderJid") == BOB)
    assert (his["revoked"], his["kept"]["body"], [version["body"] for version in his["versions"]]) == (
        True,
        "his",
        ["his", "evil"],
    )


async def test_a_strangers_edit_takes_nobodys_revoke_along_to_another_document(world: World) -> None:
    """Both in one window, about a message that only its document knows: the revoke went where the edit belongs."""
    await world.journal(payload(chat=GROUP, participant=ANA, participantAlt=ANA_LID))
    await world.publish(wholly=True)
    world.store._messages.clear()
    await world.journal(edit(chat=GROUP, participant=BOB_LID))
    await world.journal(revoke(chat=GROUP, participant=ANA, id="D2"))
    await world.publish(wholly=True)
    assert world.message(chat=GROUP)["revoked"]
    assert "versions" not in world.message(chat=GROUP)


async def test_a_strangers_revoke_takes_no_receipts_along_that_waited(world: World) -> None:
    """They waited for others of a message that only its document knows, and went where the revoke belongs."""
    await world.journal(own(chat=GROUP))
    await world.journal(receipt("read", "M1", chat=GROUP, participant=ANA), kind="receipt")
    await world.publish(wholly=True)
    world.store._messages.clear()
    await world.journal(receipt("read", "M1", chat=GROUP, participant=ANA_LID), kind="receipt")
    await world.publish()
    await world.journal(revoke(chat=GROUP, participant=BOB, id="D2"))
    await world.publish(wholly=True)
    assert [one["by"] for one in world.message(chat=GROUP)["receipts"]] == [ANA, ANA_LID]
    assert "revokes" not in world.message(chat=GROUP)
    await _his_is_revoked(world)


async def test_what_only_reading_tells_to_be_about_another_message_waits_for_that(world: World) -> None:
    """A stranger's revoke and a receipt in one window: it was dropped when the document turned out to be ours."""
    await world.journal(own(chat=GROUP))
    await world.publish(wholly=True)
    world.store._messages.clear()
    await world.journal(receipt("read", "M1", chat=GROUP, participant=ANA), kind="receipt")
    await world.journal(revoke(chat=GROUP, participant=BOB, id="D2"))
    await world.publish(wholly=True)
    assert [one["by"] for one in world.message(chat=GROUP)["receipts"]] == [ANA]
    await _his_is_revoked(world)


async def _his_is_revoked(world: World) -> None:
    await world.journal(payload(chat=GROUP, participant=BOB, text="his"))
    await world.publish(wholly=True)
    (his,) = (doc.fields for doc in world.documents.documents.values() if doc.fields.get("senderJid") == BOB)
    assert (his["revoked"], his["kept"]["body"]) == (True, "his")


async def test_what_happens_to_a_message_that_never_comes_makes_no_document(world: World) -> None:
    """It waits in the mirror, and costs one look, once."""
    await world.journal(react("👍", "never"))
    await world.publish()
    reads = world.documents.operations.reads
    await world.journal(react("🎉", "never", id="D2", at_ms=(AT + 90) * 1000))
    await world.publish()
    assert not [path for path in world.documents.documents if "/messages/" in path]
    assert (reads, world.documents.operations.reads) == (1, 1)
    await world.journal(payload("never"))
    await world.publish()
    assert reactions(world.message("never")) == {ANA: "🎉"}


async def test_a_history_tells_reactions_receipts_votes_and_revokes_with_the_message(world: World) -> None:
    """A row of it holds the last word."""
    rows = [
        own()
        | {
            "status": 4,
            "reactions": [
                {"key": {"remoteJid": ANA, "fromMe": False, "id": "D1"}, "text": "👍", "senderTimestampMs": 7}
            ],
            "userReceipt": [{"userJid": ANA, "receiptTimestamp": AT + 1, "readTimestamp": AT + 2}, {"userJid": 5}],
            "pollUpdates": [
                {"pollUpdateMessageKey": {"remoteJid": ANA, "fromMe": False, "id": "V1"}, "senderTimestampMs": 8},
                {"pollUpdateMessageKey": {"remoteJid": ANA, "fromMe": True, "id": "V2"}, "senderTimestampMs": 9},
                {"vote": {}},
            ],
        },
        {"key": {"remoteJid": ANA, "fromMe": False, "id": "M2"}, "messageTimestamp": AT, "messageStubType": 1},
    ]
    await world.journal({"syncType": 3, "messages": rows}, kind="history", origin="history")
    await world.publish()
    message = world.message()
    assert (message["status"], reactions(message)) == ("read", {ANA: "👍"})
    assert message["receipts"] == [{"by": ANA, "deliveredAtMs": (AT + 1) * 1000, "readAtMs": (AT + 2) * 1000}]
    assert message["votes"] == [{"by": ANA, "atMs": 8}, {"by": "me", "atMs": 9}]
    assert (world.message("M2")["revoked"], world.message("M2")["body"]) == (True, None)


@pytest.mark.parametrize("first", ["message", "history"])
async def test_an_edited_message_of_a_history_is_there_and_gives_way_to_the_first_text(
    world: World, first: str
) -> None:
    """A history tells its last edit alone, in the place of the message; read back from the document, too."""
    row = edit("M1", "hi edited", id="M1", at=AT)
    history = {"syncType": 3, "messages": [row]}
    kinds = {"message": (payload(), "message", "live"), "history": (history, "history", "history")}
    for kind in [first, *(kinds.keys() - {first})]:
        content, entry_kind, origin = kinds[kind]
        await world.journal(content, kind=entry_kind, origin=origin)
        await world.publish()
        if kind == "history":
            assert (world.message()["body"], world.message()["edited"]) == ("hi edited", True)
        await world.store.prune(landed_before_ms=0, state_before_ms=1 << 50)
    edited = {"id": "M1", "by": ANA, "atMs": (AT + 60) * 1000, "body": "hi edited"}
    assert world.message()["body"] == "hi edited"
    assert world.message()["versions"] == [{"body": "hi", "atMs": AT * 1000}, edited]
    assert "details" not in world.message()


# -- Receipts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (["delivery"], "delivered"),
        (["delivery", "read"], "read"),
        (["read", "delivery"], "read"),
        (["played"], "read"),
        (["inactive"], "delivered"),
        (["retry", "peer_msg", "hist_sync", "sender", "nonsense"], "sent"),
    ],
)
async def test_a_receipt_makes_a_status_climb_and_never_fall(world: World, kinds: list[str], status: str) -> None:
    """Whatever order they come in."""
    await world.journal(own())
    for number, kind in enumerate(kinds):
        await world.journal(receipt(kind, "M1", at=AT + number), kind="receipt")
        await world.publish()
    assert world.message()["status"] == status


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2]])
async def test_receipts_that_come_before_their_message_are_kept(world: World, order: list[int]) -> None:
    """With the times they tell."""
    entries = [
        (own(), "message"),
        (receipt("delivery", "M1", at=AT + 1), "receipt"),
        (receipt("read", "M1", "M0", at=AT + 9), "receipt"),
    ]
    for place in order:
        await world.journal(entries[place][0], kind=entries[place][1])
        await world.publish()
    message = world.message()
    assert message["status"] == "read"
    assert message["deliveredAt"].timestamp() == AT + 1
    assert message["readAt"].timestamp() == AT + 9


async def test_a_receipt_finds_its_message_under_either_identity(world: World) -> None:
    """The message went to the number, the receipt comes from the LID."""
    await world.journal(own())
    await world.mapped(ANA_LID, ANA)
    await world.journal(receipt("read", "M1", chat=ANA_LID), kind="receipt")
    await world.publish(wholly=True)
    assert world.message()["status"] == "read"


async def test_nobodys_receipt_says_anything_of_a_message_that_is_not_ours(world: World) -> None:
    """He may have chosen the id."""
    await world.journal(payload())
    await world.journal(receipt("read", "M1"), kind="receipt")
    await world.publish(wholly=True)
    assert (world.message()["status"], world.message().get("receipts")) == ("delivered", None)


async def test_receipts_of_a_group_are_kept_for_each_participant_and_written_together(world: World) -> None:
    """The status says that somebody has it; who, the list does."""
    await world.journal(own(chat=GROUP))
    await world.publish()
    people = [f"1555000{number:04}@s.whatsapp.net" for number in range(50)]
    writes = world.documents.operations.writes
    for number, person in enumerate(people):
        await world.journal(receipt("delivery", "M1", chat=GROUP, participant=person, at=AT + number), kind="receipt")
        await world.publish()
    assert world.message(chat=GROUP)["status"] == "delivered"
    await world.publish(wholly=True)
    assert [one["by"] for one in world.message(chat=GROUP)["receipts"]] == people
    assert world.documents.operations.writes <= writes + 3


async def test_several_people_may_be_told_of_in_one_receipt(world: World) -> None:
    """Each with the message he had, and when."""
    for number in (1, 2):
        await world.journal(own(f"M{number}", chat=GROUP))
    users = [
        {"jid": ANA_LID, "alt": ANA, "id": "M1", "time": AT + 1},
        {"jid": BOB, "id": "M1", "time": AT + 2},
        {"jid": BOB, "id": "M2", "time": AT + 3},
    ]
    await world.journal(receipt("read", "M1", "M2", chat=GROUP, users=users), kind="receipt")
    await world.publish(wholly=True)
    assert world.message("M1", chat=GROUP)["receipts"] == [
        {"by": ANA, "lid": ANA_LID, "readAtMs": (AT + 1) * 1000},
        {"by": BOB, "readAtMs": (AT + 2) * 1000},
    ]
    assert world.message("M2", chat=GROUP)["receipts"] == [{"by": BOB, "readAtMs": (AT + 3) * 1000}]


async def test_receipts_that_firestore_refuses_are_given_up_and_hold_nothing_up(world: World) -> None:
    """The document may be full."""
    await world.journal(own(chat=GROUP))
    await world.journal(receipt("read", "M1", chat=GROUP, participant=ANA), kind="receipt")
    await world.publish()
    await world.journal(receipt("read", "M1", chat=GROUP, participant=BOB), kind="receipt")
    world.documents.inject(Fault.INVALID, paths={f"threads/{ACCOUNT}__{GROUP}/messages/M1"})
    await world.publish(wholly=True)
    world.documents.heal()
    await world.journal(payload("M2"))
    await world.publish(wholly=True)
    assert world.message("M2")
    assert await world.store.waiting_due(1 << 60, 9) == []


async def test_receipts_of_a_group_reach_a_message_that_only_its_document_knows(world: World) -> None:
    """With a new mirror over an older database: they waited for ever, and a LID in it never got its number."""
    await world.journal(own(chat=GROUP))
    await world.journal(receipt("delivery", "M1", chat=GROUP, participant=ANA_LID), kind="receipt")
    await world.publish(wholly=True)
    world.store._messages.clear()
    await world.journal(receipt("delivery", "M1", chat=GROUP, participant=BOB), kind="receipt")
    await world.mapped(ANA_LID, ANA)
    await world.publish(wholly=True)
    assert [one["by"] for one in world.message(chat=GROUP)["receipts"]] == [BOB, ANA_LID]


async def test_a_refused_send_is_failed_unless_somebody_got_it(world: World) -> None:
    """WhatsApp says so in an update of its own."""
    refused = {"key": {"remoteJid": ANA, "fromMe": True, "id": "M1"}, "update": {"status": 0}}
    await world.journal({"event": "messages.update", "data": [refused]}, kind="update")
    await world.journal(own())
    await world.publish()
    assert world.message()["status"] == "failed"
    await world.journal(receipt("delivery", "M1"), kind="receipt")
    await world.publish()
    assert world.message()["status"] == "delivered"


# -- Unread -------------------------------------------------------------------------------------------------------


async def test_unread_messages_are_counted_once_and_reset_by_our_own_reading(world: World) -> None:
    """On whatever device we read; redelivery and history count nothing."""
    for number in range(3):
        await world.journal(payload(f"M{number}", at=AT + number))
    await world.journal(own("O1", at=AT + 1))
    await world.journal({"syncType": 3, "messages": [payload("H1", at=AT)]}, kind="history", origin="history")
    await world.journal(payload("M1", at=AT + 1), source="again", origin="offline")
    await world.publish()
    assert world.thread()["unreadCount"] == 3
    await world.journal(receipt("read-self", "M1", at=AT + 1), kind="receipt")
    await world.publish()
    assert world.thread()["unreadCount"] == 1
    await world.journal(receipt("read", "M2", at=AT + 9, own=True), kind="receipt")
    await world.publish()
    assert world.thread()["unreadCount"] == 0


async def test_a_reading_that_comes_before_its_messages_counts_for_them(world: World) -> None:
    """Order does not matter here either."""
    await world.journal(receipt("read-self", "M1", at=AT + 5), kind="receipt")
    await world.journal(payload("M1", at=AT))
    await world.journal(payload("M2", at=AT + 60))
    await world.publish()
    assert world.thread()["unreadCount"] == 1


async def test_what_was_read_under_the_number_stays_read_when_the_thread_of_the_lid_joins_it(world: World) -> None:
    """It was counted again."""
    await world.journal(payload(chat=ANA_LID))
    await world.publish(wholly=True)
    assert world.thread(ANA_LID)["unreadCount"] == 1
    await world.journal(receipt("read-self", "M1", chat=ANA, chatAlt=ANA_LID), kind="receipt")
    await world.publish(wholly=True)
    assert world.thread()["unreadCount"] == 0


# -- Identity -----------------------------------------------------------------------------------------------------


async def test_a_person_seen_by_lid_and_then_by_number_has_one_thread(world: World) -> None:
    """What was under the LID moves; the old thread leads there, and nothing is deleted."""
    await world.journal(payload("M1", chat=ANA_LID, text="by lid"))
    await world.journal(react("👍", "M1", chat=ANA_LID))
    await world.journal(react("🎉", "M9", chat=ANA_LID, id="D9"))
    await world.publish()
    assert world.thread(ANA_LID)["unreadCount"] == 1
    await world.journal(payload("M2", chat=ANA_LID, remoteJidAlt=ANA, at=AT + 1, text="by both"))
    await world.journal(payload("M9", at=AT + 2, text="by number"))
    await world.publish(wholly=True)
    assert world.message("M1")["body"] == "by lid"
    assert (world.message("M1")["senderJid"], world.message("M1")["clientJid"]) == (ANA, ANA)
    assert reactions(world.message("M1")) == {ANA: "👍"}
    assert reactions(world.message("M9")) == {ANA: "🎉"}
    assert world.thread()["unreadCount"] == 3
    assert world.thread()["lastMessagePreview"] == "by number"
    old = world.thread(ANA_LID)
    assert old["redirectTo"] == old["canonicalThreadId"] == f"{ACCOUNT}__{ANA}"
    assert f"threads/{ACCOUNT}__{ANA_LID}/messages/M1" in world.documents.documents


async def test_a_participant_known_by_lid_gets_his_number_wherever_he_is_named(world: World) -> None:
    """Once it is known: as a sender, with his reactions. Receipts stay as they were told."""
    await world.journal(payload("M1", chat=GROUP, participant=ANA_LID))
    await world.journal(own("M2", chat=GROUP))
    await world.journal(react("👍", "M2", of_us=True, chat=GROUP, participant=ANA_LID))
    await world.journal(receipt("read", "M2", chat=GROUP, participant=ANA_LID), kind="receipt")
    await world.publish(wholly=True)
    assert world.message("M1", chat=GROUP)["senderJid"] == ANA_LID
    await world.mapped(ANA_LID, ANA)
    await world.journal(react("🎉", "M2", of_us=True, chat=GROUP, participant=ANA, id="D2", at_ms=(AT + 99) * 1000))
    await world.publish(wholly=True)
    assert world.message("M1", chat=GROUP)["senderJid"] == ANA
    assert world.message("M1", chat=GROUP)["senderLid"] == ANA_LID
    assert reactions(world.message("M2", chat=GROUP)) == {ANA: "🎉"}
    assert [one["by"] for one in world.message("M2", chat=GROUP)["receipts"]] == [ANA_LID], "as it was told"


async def test_an_edit_under_the_lid_counts_once_it_is_known_whose_it_is(world: World) -> None:
    """Until then nobody can be sure that it is not another one's."""
    await world.journal(payload(chat=GROUP, participant=ANA))
    await world.journal(edit(chat=GROUP, participant=ANA_LID))
    await world.publish()
    assert world.message(chat=GROUP)["body"] == "hi"
    await world.mapped(ANA_LID, ANA)
    await world.publish(wholly=True)
    assert world.message(chat=GROUP)["body"] == "hi edited"


async def test_uniting_goes_on_where_it_stopped(world: World) -> None:
    """More documents than are moved at once, and a new life in the middle."""
    for number in range(250):
        await world.journal(payload(f"M{number}", chat=ANA_LID, at=AT + number))
    await world.publish()
    await world.mapped(ANA_LID, ANA)
    await world.publish()
    again = World(world.store, world.documents)
    await again.publish(wholly=True)
    moved = [path for path in world.documents.documents if path.startswith(f"threads/{ACCOUNT}__{ANA}/messages/")]
    assert len(moved) == 250
    assert again.thread()["unreadCount"] == 250
    assert again.thread(ANA_LID)["redirectTo"]


async def test_what_was_under_the_lid_is_read_where_the_mirror_has_forgotten_it(world: World) -> None:
    """The document is all that is left."""
    await world.journal(payload("M1", chat=ANA_LID))
    await world.publish()
    await world.store.prune(landed_before_ms=0, state_before_ms=1 << 50)
    await world.journal({"event": "lid-mapping.update", "data": [{"lid": ANA_LID, "pn": ANA}]}, kind="update")
    await world.publish(wholly=True)
    assert world.message("M1")["body"] == "hi"


async def test_a_mapping_applies_to_the_messages_of_the_same_frame(world: World) -> None:
    """Also when it stands behind them."""
    rows = [payload("H1", chat=ANA_LID)]
    mapping = [{"lid": ANA_LID, "pn": ANA}]
    await world.journal({"syncType": 3, "messages": rows, "mappings": mapping}, kind="history", origin="history")
    await world.publish(wholly=True)
    assert world.message("H1")["clientJid"] == ANA
    assert not [path for path in world.documents.documents if "@lid" in path]


# -- Names --------------------------------------------------------------------------------------------------------


async def test_the_phone_book_names_a_person_before_he_names_himself(world: World) -> None:
    """Phone book, then what WhatsApp was notified of, then verified, then a push name, then the number."""
    contact = f"contacts/{ACCOUNT}__{ANA}"

    def shown() -> tuple[str, str]:
        return world.documents.documents[contact].fields["displayName"], world.thread()["displayName"]

    await world.journal(payload() | {"pushName": "+1 555 000 1111"})
    await world.publish()
    assert world.thread()["displayName"] == "+15550001111"
    for told, name in [
        (payload("M2", at=AT + 1), "Ana"),
        ({"event": "contacts.update", "data": [{"id": ANA, "verifiedName": "Ana Ltd"}]}, "Ana Ltd"),
        ({"event": "contacts.update", "data": [{"id": ANA, "notify": "Ana B."}]}, "Ana B."),
        ({"event": "contacts.upsert", "data": [{"id": ANA, "name": "Ana Baker"}]}, "Ana Baker"),
        (payload("M3", at=AT + 2) | {"pushName": "Zoe"}, "Ana Baker"),
        ({"event": "contacts.update", "data": [{"id": ANA, "notify": "Z"}]}, "Ana Baker"),
    ]:
        await world.journal(told, kind="update" if "event" in told else "message")
        await world.publish()
        assert shown() == (name, name)
    fields = world.documents.documents[contact].fields
    assert (fields["name"], fields["notify"], fields["verifiedName"], fields["pushName"]) == (
        "Ana Baker",
        "Z",
        "Ana Ltd",
        "Zoe",
    )
    assert (fields["accountId"], fields["jid"], fields["phoneE164"]) == (ACCOUNT, ANA, "+15550001111")


@pytest.mark.parametrize("first", ["nameless", "named"])
async def test_the_last_senders_name_is_on_the_thread_whichever_sighting_tells_it(world: World, first: str) -> None:
    """A history often lacks it; who heard the name second did not show it."""
    nameless = {name: told for name, told in payload(chat=GROUP, participant=ANA).items() if name != "pushName"}
    sightings = [nameless, payload(chat=GROUP, participant=ANA)]
    entries = [(place, sighting) for place, sighting in enumerate(sightings)]
    for place, sighting in entries if first == "nameless" else entries[::-1]:
        await world.journal(sighting, source=f"enc:{place}")
        await world.publish()
    assert world.thread(GROUP)["lastMessageSenderName"] == "Ana"


async def test_push_names_without_messages_are_contacts(world: World) -> None:
    """A PUSH_NAME batch has nothing else; of people with a LID only nothing is written until their number is known."""
    contacts = [{"id": ANA, "notify": "Ana"}, {"id": BOB_LID, "notify": "Bob"}]
    await world.journal({"syncType": 4, "messages": [], "contacts": contacts}, kind="history", origin="history")
    await world.publish(wholly=True)
    assert set(world.documents.documents) == {f"contacts/{ACCOUNT}__{ANA}"}
    await world.mapped(BOB_LID, BOB)
    await world.journal(payload(chat=BOB) | {"pushName": None})
    await world.publish(wholly=True)
    bob = world.documents.documents[f"contacts/{ACCOUNT}__{BOB}"].fields
    assert (bob["displayName"], bob["lid"]) == ("Bob", BOB_LID)
    assert world.thread(BOB)["displayName"] == "Bob"


async def test_a_group_has_its_subject_whoever_writes_in_it(world: World) -> None:
    """The newest; a member's name is no name of the group."""
    await world.journal(payload(chat=GROUP, participant=ANA))
    await world.journal({"event": "groups.upsert", "data": [{"id": GROUP, "subject": "Family"}]}, kind="update")
    await world.publish()
    assert world.thread(GROUP)["displayName"] == "Family"


async def test_a_name_that_is_told_again_costs_nothing(world: World) -> None:
    """Only its clock moves, in the mirror."""
    await world.journal(payload())
    await world.publish()
    await world.journal({"event": "contacts.update", "data": [{"id": ANA, "notify": "Ana"}]}, kind="update")
    await world.publish()
    writes = world.documents.operations.writes
    await world.journal({"event": "contacts.update", "data": [{"id": ANA, "notify": "Ana"}]}, kind="update")
    await world.publish()
    assert world.documents.operations.writes == writes


# -- Debts --------------------------------------------------------------------------------------------------------


def debt(id: str = "M1", *, reason: str = "undecryptable", **key: Any) -> dict[str, Any]:
    """A message that came so that it could not be read."""
    return {"key": payload(id, **key)["key"], "messageTimestamp": AT, "pushName": "Ana", "reason": reason}


@pytest.mark.parametrize("first", ["placeholder", "message"])
@pytest.mark.parametrize("reason", ["undecryptable", "unavailable", "absent"])
async def test_a_placeholder_gives_way_to_the_message_whichever_comes_first(
    world: World, first: str, reason: str
) -> None:
    """And the debt is closed, with the reason."""
    entries = [(debt(reason=reason), "debt", "live"), (payload(), "message", "resend")]
    for content, kind, origin in entries if first == "placeholder" else entries[::-1]:
        await world.journal(content, kind=kind, origin=origin)
        await world.publish()
        if kind == "debt" and first == "placeholder":
            assert (world.message()["messageType"], world.message()["body"]) == (
                "placeholder",
                "Waiting for this message",
            )
            stats = await world.store.stats()
            assert (stats.open_debts, stats.oldest_debt_at_ms) == (1, RECEIVED_AT_MS)
    assert (world.message()["messageType"], world.message()["body"]) == ("text", "hi")
    assert "details" not in world.message()
    stats = await world.store.stats()
    assert (stats.open_debts, stats.closed_debts) == (0, {"arrived": 1})
    assert world.thread()["lastMessagePreview"] == "hi"


@pytest.mark.parametrize("later", [react("👍"), edit(), revoke("M0"), doing({"protocolMessage": {"type": 3}})])
@pytest.mark.parametrize("order", [1, -1])
async def test_the_placeholder_of_what_turns_out_to_be_no_message_goes_away(
    world: World, later: dict[str, Any], order: int
) -> None:
    """A reaction, an edit or a setting that could not be read at first: it is as if it had never stood there."""
    await world.journal(payload())
    await world.publish()
    thread = world.thread()
    entries = [(debt("D1") | {"messageTimestamp": AT + 60}, "debt", "live"), (later, "message", "live")]
    for content, kind, origin in entries[::order]:
        await world.journal(content, kind=kind, origin=origin)
        await world.publish()
    assert world.thread()["lastMessageId"] == "M1"
    told = ("lastMessageAtMs", "lastInboundAtMs", "unreadCount", "displayName")
    assert {name: world.thread()[name] for name in told} == {name: thread[name] for name in told}
    left = world.documents.documents.get(f"threads/{ACCOUNT}__{ANA}/messages/D1")
    assert left is None or (left.fields["body"], left.fields["messageType"]) == (None, "nothing")
    assert (await world.store.stats()).open_debts == 0


async def test_what_turned_out_to_be_no_message_costs_nothing_where_nothing_was_owed(world: World) -> None:
    """Neither a read nor a write for itself: a reaction changes its message and that is all."""
    await world.journal(payload())
    await world.publish()
    before = (world.documents.operations.writes, world.documents.operations.reads)
    await world.journal(react("👍"))
    await world.publish()
    after = (world.documents.operations.writes, world.documents.operations.reads)
    assert (after[0] - before[0], after[1] - before[1]) == (1, 0)


async def test_keys_that_come_before_their_message_do_not_say_that_there_is_none(world: World) -> None:
    """A group's first message comes in two parts; if the second cannot be read it is owed."""
    keys = {"senderKeyDistributionMessage": {"groupId": GROUP, "axolotlSenderKeyDistributionMessage": "AQ=="}}
    await world.journal(payload("M1", chat=GROUP, participant=ANA) | {"message": keys})
    await world.journal(debt("M1", chat=GROUP, participant=ANA), kind="debt")
    await world.publish()
    assert world.message(chat=GROUP)["messageType"] == "placeholder"
    assert (await world.store.stats()).open_debts == 1


async def test_a_thread_follows_its_newest_message_back_to_an_earlier_time(world: World) -> None:
    """A second sighting may tell one; then another message may be the newest."""
    await world.journal(payload("M2", at=AT + 30, text="second"))
    await world.journal(payload("M1", at=AT + 60, text="first"))
    await world.publish()
    assert world.thread()["lastMessagePreview"] == "first"
    await world.journal(payload("M1", at=AT, text="first"), source="again")
    await world.publish()
    assert (world.thread()["lastMessagePreview"], world.thread()["lastMessageAtMs"]) == ("second", (AT + 30) * 1000)


async def test_a_debt_and_its_message_in_one_window_are_even(world: World) -> None:
    """Nothing is asked for."""
    await world.journal(payload(), origin="resend")
    await world.journal(debt(), kind="debt")
    await world.publish()
    assert (await world.store.stats()).closed_debts == {"arrived": 1}
    assert world.message()["body"] == "hi"


async def test_what_may_be_seen_once_only_is_no_debt(world: World) -> None:
    """The phone never sends it again."""
    await world.journal(debt(isViewOnce=True, reason="unavailable"), kind="debt")
    await world.publish()
    assert world.message()["messageType"] == "placeholder"
    assert (await world.store.stats()).open_debts == 0


async def test_a_debt_goes_along_when_its_thread_moves(world: World) -> None:
    """It is still owed, under the number."""
    await world.journal(debt(chat=ANA_LID), kind="debt")
    await world.publish()
    await world.mapped(ANA_LID, ANA)
    await world.publish(wholly=True)
    (owed,) = await world.store.debts_due(ACCOUNT, 1 << 50, 10)
    assert owed.path == f"threads/{ACCOUNT}__{ANA}/messages/M1"
    await world.journal(payload(), origin="resend")
    await world.publish()
    assert (await world.store.stats()).closed_debts == {"arrived": 1}


# -- Calls and events of groups -----------------------------------------------------------------------------------


async def test_a_call_is_one_message_that_tells_how_it_ended(world: World) -> None:
    """Offered, then missed: the engine tells the end under the same id."""
    await world.journal({"from": ANA, "chat": ANA, "id": "CALL1", "time": AT, "what": "offer"}, kind="call")
    await world.journal({"from": ANA, "chat": ANA, "id": "CALL1", "time": AT + 30, "what": "terminate"}, kind="call")
    await world.publish()
    assert world.message("CALL1")["messageType"] == "call"
    missed = {"key": {"remoteJid": ANA, "fromMe": False, "id": "CALL1"}, "messageTimestamp": AT, "messageStubType": 40}
    await world.journal(missed, origin="derived")
    await world.publish()
    assert world.message("CALL1")["body"] == "Missed voice call"
    assert world.thread()["lastMessagePreview"] == "Missed voice call"


async def test_a_call_of_a_group_is_told_in_the_group(world: World) -> None:
    """Where the engine's own words for it would put it into the caller's conversation."""
    call = {"from": ANA, "chat": GROUP, "id": "CALL1", "time": AT, "group": True}
    await world.journal(call | {"what": "offer"}, kind="call")
    await world.journal(call | {"what": "timeout"}, kind="call")
    key = {"remoteJid": ANA, "fromMe": False, "id": "CALL1"}
    await world.journal(
        {"key": key, "messageTimestamp": AT, "message": {"call": {"callKey": "AA=="}}}, origin="derived"
    )
    await world.journal({"key": key, "messageTimestamp": AT, "messageStubType": 45}, origin="derived")
    await world.publish()
    assert world.message("CALL1", chat=GROUP)["body"] == "Missed group voice call"
    assert world.message("CALL1", chat=GROUP)["senderJid"] == ANA
    assert [path for path in world.documents.documents if "/messages/" in path] == [
        f"threads/{ACCOUNT}__{GROUP}/messages/CALL1"
    ]


async def test_what_happens_in_a_group_is_told_in_it(world: World) -> None:
    """As a sentence for people and as fields for programs."""
    stub = {
        "key": {"remoteJid": GROUP, "fromMe": False, "id": "N1", "participant": ANA},
        "messageTimestamp": AT,
        "messageStubType": 21,
        "messageStubParameters": ["New name"],
    }
    await world.journal(stub, origin="derived")
    await world.publish()
    message = world.message("N1", chat=GROUP)
    assert message["messageType"] == "event"
    assert "New name" in message["body"]
    assert world.thread(GROUP)["unreadCount"] == 0
