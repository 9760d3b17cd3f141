"""What a journal entry tells of."""

from typing import Any

import orjson
import pytest

from whatsapp_backend.domain.events import (
    PARTS,
    ChatNamed,
    Event,
    IdentityTold,
    MessageSeen,
    Origin,
    PersonTold,
    Status,
    Unreadable,
)
from whatsapp_backend.domain.jobs import Kind
from whatsapp_backend.domain.journal import Entry, NewEntry
from whatsapp_backend.rules.content import preview_of
from whatsapp_backend.rules.interpret import events_of
from whatsapp_backend.rules.request_ids import request_id

CHAT = "15550001111@s.whatsapp.net"


RECEIVED_AT_MS = 1795328372000


def entry(payload: Any, *, kind: str = "message", origin: str = "live", problem: str | None = None) -> Entry:
    """An entry at place 7."""
    text = None if payload is None else orjson.dumps(payload)
    new = NewEntry(kind=kind, source="s", origin=origin, received_at_ms=RECEIVED_AT_MS, payload=text, problem=problem)
    return Entry(seq=7, account="account_demo_0a", new=new)


def message(content: Any, **more: Any) -> dict[str, Any]:
    """A payload with this content."""
    key = {"remoteJid": CHAT, "fromMe": False, "id": "M1", **more.pop("key", {})}
    return {"key": key, "messageTimestamp": 1795328371, "pushName": "Ana", "message": content, **more}


def told(of: Entry) -> list[Event]:
    """Its events, but for who is who and who is called what."""
    return [event for event in events_of(of) if not isinstance(event, PersonTold | IdentityTold)]


def only(payload: Any, **more: Any) -> MessageSeen:
    """The one message that the entry tells of."""
    (seen,) = told(entry(payload, **more))
    assert isinstance(seen, MessageSeen)
    return seen


def test_a_text_is_seen_with_its_chat_sender_and_time() -> None:
    """As the fixtures of the engine show it."""
    seen = only(message({"conversation": "hi"}))
    assert (seen.client_jid, seen.sender, seen.sender_name) == (CHAT, CHAT, "Ana")
    assert (seen.content.kind, seen.content.body) == ("text", "hi")
    assert seen.sent_at_ms == 1795328371000
    assert (seen.origin, seen.sync_source, seen.status) == (Origin.LIVE, "realtime", Status.DELIVERED)
    assert seen.order == 7 * PARTS


def test_a_reply_carries_what_it_answers() -> None:
    """Id, author and a preview of the quoted message."""
    context = {"stanzaId": "M0", "participant": CHAT, "quotedMessage": {"imageMessage": {"mimetype": "image/jpeg"}}}
    seen = only(message({"extendedTextMessage": {"text": "yes", "contextInfo": context}}))
    assert seen.content.body == "yes"
    assert seen.content.quoted == {"id": "M0", "participant": CHAT, "preview": "[Image]"}


@pytest.mark.parametrize(
    ("field", "kind", "preview"),
    [
        ("imageMessage", "image", "[Image]"),
        ("videoMessage", "video", "[Video]"),
        ("audioMessage", "audio", "[Audio]"),
        ("documentMessage", "document", "[Document]"),
        ("stickerMessage", "sticker", "[Sticker]"),
    ],
)
def test_media_carry_their_details_and_a_placeholder(field: str, kind: str, preview: str) -> None:
    """What is needed to fetch them later is kept."""
    part = {"mimetype": "x/y", "mediaKey": "SS8=", "directPath": "/v/x.enc", "fileLength": 3, "fileName": "a.pdf"}
    seen = only(message({field: part}))
    assert seen.content.kind == kind
    assert seen.content.media is not None
    assert seen.content.media["mediaKey"] == "SS8="
    assert seen.content.media["sizeBytes"] == 3
    assert preview_of(seen.content) == preview


def test_a_caption_is_the_body_and_the_preview() -> None:
    """Also inside the wrapper that documents with captions come in."""
    wrapped = {"documentWithCaptionMessage": {"message": {"documentMessage": {"caption": "the\n  contract"}}}}
    seen = only(message(wrapped))
    assert seen.content.body == "the\n  contract"
    assert preview_of(seen.content) == "the contract"


def test_what_we_do_not_know_lands_as_unknown_with_its_kind_named() -> None:
    """Never dropped, and with a body: the app hides what has neither body nor media."""
    seen = only(message({"messageContextInfo": {"messageSecret": "AQ=="}, "somethingNewMessage": {"name": "q"}}))
    assert (seen.content.kind, seen.content.content_kind) == ("unknown", "somethingNewMessage")
    assert (seen.content.body, preview_of(seen.content)) == ("[Message]", "[Message]")


@pytest.mark.parametrize(
    "content",
    [
        {"protocolMessage": {"type": 3}},
        {"senderKeyDistributionMessage": {"groupId": "120363001234567890@g.us"}},
        {"messageContextInfo": {}},
        {},
    ],
)
def test_protocol_only_messages_are_not_shown(content: Any) -> None:
    """They are in the journal; one that sets something says that nothing is owed under its id."""
    assert [event.content.kind for event in told(entry(message(content)))] in ([], ["nothing"])


def test_an_offline_message_is_realtime_and_marked() -> None:
    """It was sent while we were away."""
    seen = only(message({"conversation": "hi"}), origin="offline")
    assert (seen.origin, seen.sync_source) == (Origin.OFFLINE, "realtime")


@pytest.mark.parametrize(("code", "status"), [(1, "QUEUED"), (2, "SENT"), (3, "DELIVERED"), (4, "READ"), (5, "READ")])
def test_status_codes_of_own_messages_are_not_off_by_one(code: int, status: str) -> None:
    """2 is the server, 3 delivery, 4 read, 5 played."""
    seen = only(message({"conversation": "hi"}, status=code, key={"fromMe": True}))
    assert seen.status is Status[status]


def test_a_history_record_tells_of_each_message_and_name_in_order() -> None:
    """One that cannot be read is in nobody's way."""
    payload = {
        "notice": "enc:1",
        "syncType": 3,
        "messages": [message({"conversation": "a"}), {"key": {}}, message({"conversation": "b"}, key={"id": "M2"})],
        "chats": [{"id": CHAT, "name": "Ana Pop"}, {"id": "120363001234567890@g.us"}],
    }
    one, broken, two, named = told(entry(payload, kind="history", origin="history"))
    assert isinstance(one, MessageSeen) and isinstance(two, MessageSeen)
    assert (one.sync_source, one.origin) == ("history_sync", Origin.HISTORY)
    assert isinstance(broken, Unreadable) and broken.order == 7 * PARTS + 1
    assert isinstance(named, ChatNamed) and named.name == "Ana Pop"
    assert [event.order for event in (one, broken, two, named)] == [7 * PARTS + part for part in range(4)]


DIGITS = "0123456789ABCDEF0"


@pytest.mark.parametrize(
    ("session", "source"),
    [
        (request_id(Kind.RECENT_SYNC, DIGITS), "recent_sync"),
        (request_id(Kind.BACKFILL, DIGITS.lower()), "backfill"),
        (request_id(Kind.RESYNC, DIGITS + "77"), "manual_sync"),
        (request_id(None, DIGITS), "manual_sync"),
        (f"3EB0{DIGITS}0", "manual_sync"),
        (f"3EB0{DIGITS[1:]}1", "manual_sync"),
        (f"3EB0{DIGITS}1\n", "manual_sync"),
        (None, "manual_sync"),
        (5, "manual_sync"),
    ],
)
def test_what_the_phone_was_asked_for_says_who_asked(session: Any, source: str) -> None:
    """By what is in the record alone: it may be replayed when nobody knows of the request any more."""
    messages = [message({"conversation": "a"}), message({"protocolMessage": {"type": 3}}, key={"id": "M2"})]
    record = {"notice": "enc:1", "syncType": 6, "session": session, "messages": messages}
    (seen,) = told(entry(record, kind="history", origin="ondemand"))
    assert isinstance(seen, MessageSeen)
    assert (seen.sync_source, seen.origin) == (source, Origin.ONDEMAND)


def test_a_history_that_nobody_asked_for_is_none_of_ours_whatever_it_names() -> None:
    """Only answers do."""
    record = {"syncType": 3, "session": request_id(Kind.BACKFILL, DIGITS), "messages": [message({"conversation": "a"})]}
    (seen,) = told(entry(record, kind="history", origin="history"))
    assert isinstance(seen, MessageSeen)
    assert seen.sync_source == "history_sync"


@pytest.mark.parametrize("chat", [None, 5, "x", [], {"id": CHAT, "name": "Ana", "pnJid": "\ufffe"}])
def test_a_chat_that_cannot_be_read_costs_only_itself(chat: Any) -> None:
    """Never the messages of its record, nor the names after it."""
    chats = [chat, {"id": CHAT, "name": "Ana Pop"}]
    payload = {"syncType": 2, "messages": [message({"conversation": "a"})], "chats": chats}
    seen, *odd, named = told(entry(payload, kind="history", origin="history"))
    assert isinstance(seen, MessageSeen)
    assert isinstance(named, ChatNamed) and (named.name, named.order) == ("Ana Pop", 7 * PARTS + 2)
    assert all(isinstance(event, Unreadable) and event.order == 7 * PARTS + 1 for event in odd) or chat


@pytest.mark.parametrize(("field", "value"), [("chats", 5), ("chats", "x"), ("messages", 5), ("messages", {"a": 1})])
def test_a_list_that_is_none_costs_only_itself(field: str, value: Any) -> None:
    """What stands beside it is read."""
    good = {"messages": [message({"conversation": "a"})], "chats": [{"id": CHAT, "name": "Ana Pop"}]}
    events = told(entry({"syncType": 2, **good, field: value}, kind="history", origin="history"))
    assert sorted(type(event).__name__ for event in events) == sorted(
        ["Unreadable", "ChatNamed" if field == "messages" else "MessageSeen"]
    )


def test_a_message_of_a_history_that_the_bridge_could_not_decode_is_parked_alone() -> None:
    """Only its raw bytes are there."""
    messages = [{"raw": "aGk="}, message({"conversation": "a"})]
    odd, seen = told(entry({"syncType": 2, "messages": messages}, kind="history", origin="history"))
    assert isinstance(odd, Unreadable) and "decoded" in odd.reason
    assert isinstance(seen, MessageSeen)


@pytest.mark.parametrize("kind", ["message", "history", "receipt", "update", "history-notice", "debt", "something new"])
def test_what_could_not_be_decoded_is_parked_whatever_it_is(kind: str) -> None:
    """Its kind may be projected one day."""
    (event,) = told(entry(None, kind=kind, problem="bad protobuf"))
    assert isinstance(event, Unreadable) and event.reason == "bad protobuf"


def test_quotes_nested_without_end_cost_nothing() -> None:
    """Deeper than Python calls, though not deeper than JSON goes: only the first is read."""
    head = orjson.dumps(message({}))
    inner = b'{"x":{"contextInfo":{"stanzaId":"M0","quotedMessage":' * 330 + b"{}" + b"}}}" * 330
    nested = head.replace(b'"message":{}', b'"message":' + inner)
    new = NewEntry(kind="message", source="s", origin="live", received_at_ms=1, payload=nested)
    (event,) = told(Entry(seq=7, account="account_demo_0a", new=new))
    assert isinstance(event, MessageSeen)
    assert event.content.quoted == {"id": "M0", "participant": None, "preview": "[Message]"}


@pytest.mark.parametrize(("length", "kept"), [(200_000, True), (200_001, False)])
def test_a_thumbnail_that_would_fill_the_document_is_left_out(length: int, kept: bool) -> None:
    """The message lands without it; the journal has it."""
    seen = only(message({"imageMessage": {"mimetype": "image/jpeg", "jpegThumbnail": "A" * length}}))
    assert seen.content.media is not None
    assert ("thumbBase64" in seen.content.media) is kept


@pytest.mark.parametrize(("ahead_ms", "activity"), [(0, None), (86_400_000, None), (86_401_000, 86_400_000)])
def test_a_time_far_ahead_moves_the_thread_a_day_at_most(ahead_ms: int, activity: int | None) -> None:
    """The message keeps the time it claims."""
    seen = only(message({"conversation": "hi"}, messageTimestamp=RECEIVED_AT_MS + ahead_ms))
    assert seen.sent_at_ms == RECEIVED_AT_MS + ahead_ms
    assert seen.activity_at_ms == (None if activity is None else RECEIVED_AT_MS + activity)


def test_both_identities_of_a_sender_are_kept() -> None:
    """By them two senders of one id are told apart."""
    key = {"remoteJid": "120363001234567890@g.us", "participant": "88000000000007:3@lid", "participantAlt": CHAT}
    seen = only(message({"conversation": "hi"}, key=key))
    assert (seen.sender, seen.sender_lid) == (CHAT, "88000000000007@lid")


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "text",
        {"key": None},
        message({"conversation": 5}),
        message({"conversation": "hi"}, messageTimestamp=0),
        message({"conversation": "hi"}, messageTimestamp=True),
        message({"conversation": "hi"}, messageTimestamp=10**17),
        message({"conversation": "hi"}, key={"id": ""}),
        message({"imageMessage": "not an object"}),
    ],
)
def test_what_cannot_be_read_says_so_and_raises_nothing(payload: Any) -> None:
    """It will be parked with its reason."""
    (event,) = told(entry(payload, problem="bad protobuf" if payload is None else None))
    assert isinstance(event, Unreadable)
    assert event.reason


def test_the_reason_for_parking_quotes_no_message() -> None:
    """Logs and diagnostics may be shown to strangers."""
    (event,) = told(entry({"key": {"remoteJid": CHAT, "id": ["secret body"]}}))
    assert isinstance(event, Unreadable)
    assert "secret" not in event.reason and "1555" not in event.reason


def test_kinds_that_are_no_messages_tell_of_nothing_yet() -> None:
    """Receipts, notifications and calls wait in the journal."""
    assert told(entry({"chat": CHAT}, kind="receipt")) == []
