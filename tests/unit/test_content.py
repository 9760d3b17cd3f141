"""What a message shows: every kind that the engine knows, with expectations written down by hand."""

import json

import pytest
from engine import message_parts

from whatsapp_backend.domain.events import Content
from whatsapp_backend.rules.content import (
    DETAIL_FIELDS,
    NOT_SHOWN,
    NOTHING,
    WRAPPERS,
    call_content,
    content_of,
    placeholder,
    preview_of,
    richness,
    stub_content,
)
from whatsapp_backend.rules.limits import value_problem

ANA = "15551234567@s.whatsapp.net"
BOB = "15557654321@s.whatsapp.net"
VCARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ana Pop\r\nTEL;type=CELL;waid=15551234567:+1 555 123 4567\r\nEND:VCARD"
FILE = {"mimetype": "x/y", "mediaKey": "SS8=", "directPath": "/v/x.enc", "fileLength": 3}
TOLD = {"mimetype": "x/y", "mediaKey": "SS8=", "directPath": "/v/x.enc", "sizeBytes": 3}
ROW = ("title", "description", "rowId")
KEY = {"remoteJid": ANA, "fromMe": False, "id": "M0"}


def unknown(body=None, **details):
    return ("unknown", body, None, details or None)


def text(body, **details):
    return ("text", body, None, details or None)


def missed(*, video, group):
    return {"call": {"missed": True, "video": video, "group": group}}


EXAMPLES = [
    # field, what the engine says, (kind, body, media, details)
    ("conversation", "hi", text("hi")),
    ("conversation", "", text("")),
    ("extendedTextMessage", {"text": "hi"}, text("hi")),
    (
        "extendedTextMessage",
        {
            "text": "see https://shop.example.com/1",
            "matchedText": "https://shop.example.com/1",
            "title": "Shop",
            "description": "All of it",
            "jpegThumbnail": "AQID",
        },
        text(
            "see https://shop.example.com/1",
            link={"url": "https://shop.example.com/1", "title": "Shop", "description": "All of it"},
        ),
    ),
    (
        "imageMessage",
        {**FILE, "caption": "c", "height": 10, "width": 20, "jpegThumbnail": "AQID", "fileSha256": "AA=="},
        (
            "image",
            "c",
            TOLD
            | {"type": "image", "caption": "c", "height": 10, "width": 20, "thumbBase64": "AQID", "fileSha256": "AA=="},
            None,
        ),
    ),
    (
        "videoMessage",
        {**FILE, "seconds": 7, "gifPlayback": True},
        ("video", None, TOLD | {"type": "video", "seconds": 7, "gif": True}, None),
    ),
    ("ptvMessage", {**FILE, "seconds": 7}, ("video", None, TOLD | {"type": "video", "seconds": 7}, None)),
    (
        "audioMessage",
        {**FILE, "seconds": 7, "ptt": True},
        ("audio", None, TOLD | {"type": "audio", "seconds": 7, "ptt": True}, None),
    ),
    ("audioMessage", {**FILE, "ptt": False}, ("audio", None, TOLD | {"type": "audio"}, None)),
    (
        "documentMessage",
        {**FILE, "fileName": "a.pdf", "title": "A"},
        ("document", None, TOLD | {"type": "document", "filename": "a.pdf"}, None),
    ),
    (
        "stickerMessage",
        {**FILE, "isAnimated": True, "pngThumbnail": "AQID"},
        ("sticker", None, TOLD | {"type": "sticker", "animated": True, "thumbBase64": "AQID"}, None),
    ),
    (
        "locationMessage",
        {"degreesLatitude": 44.4, "degreesLongitude": 26},
        ("location", "44.4, 26.0", None, {"location": {"latitude": 44.4, "longitude": 26.0}}),
    ),
    (
        "locationMessage",
        {"degreesLatitude": 44.4, "degreesLongitude": 26.1, "name": "Café", "address": "1 High St", "comment": "here"},
        (
            "location",
            "Café\n1 High St\nhere",
            None,
            {"location": {"latitude": 44.4, "longitude": 26.1, "name": "Café", "address": "1 High St"}},
        ),
    ),
    ("locationMessage", {"degreesLatitude": 91, "degreesLongitude": 0}, ("location", "Location", None, None)),
    (
        "liveLocationMessage",
        {"degreesLatitude": -44.123456789, "degreesLongitude": 0.1, "accuracyInMeters": 5},
        (
            "location",
            "-44.123457, 0.1",
            None,
            {"location": {"latitude": -44.123456789, "longitude": 0.1, "accuracyMeters": 5, "live": True}},
        ),
    ),
    ("liveLocationMessage", {"caption": "on my way"}, ("location", "on my way", None, {"location": {"live": True}})),
    (
        "contactMessage",
        {"displayName": "Ana", "vcard": VCARD},
        ("contact", "Ana", None, {"contacts": [{"name": "Ana", "phones": ["+15551234567"], "vcard": VCARD}]}),
    ),
    ("contactMessage", {}, ("contact", "Contact", None, None)),
    (
        "contactsArrayMessage",
        {"displayName": "2 contacts", "contacts": [{"vcard": VCARD}, {"displayName": "Bob"}]},
        (
            "contact",
            "Ana Pop\nBob",
            None,
            {"contacts": [{"name": "Ana Pop", "phones": ["+15551234567"], "vcard": VCARD}, {"name": "Bob"}]},
        ),
    ),
    *(
        (
            field,
            {"name": "q", "options": [{"optionName": "a"}, {"optionName": "b"}], "selectableOptionsCount": 1},
            ("poll", "q\na\nb", None, {"poll": {"question": "q", "options": ["a", "b"], "selectable": 1}}),
        )
        for field in ("pollCreationMessage", "pollCreationMessageV2", "pollCreationMessageV3", "pollCreationMessageV5")
    ),
    (
        "pollCreationMessageV5",
        {"name": "q", "options": [{"optionName": "a"}], "pollType": 1, "correctAnswer": {"optionName": "a"}},
        ("poll", "q\na", None, {"poll": {"question": "q", "options": ["a"], "quiz": True, "correct": "a"}}),
    ),
    *(
        (
            field,
            {"name": "q", "pollVotes": [{"optionName": "a", "optionVoteCount": 2}, {"optionName": "b"}]},
            (
                "poll",
                "q\na: 2\nb: 0",
                None,
                {"poll": {"question": "q", "results": [{"option": "a", "votes": 2}, {"option": "b", "votes": 0}]}},
            ),
        )
        for field in ("pollResultSnapshotMessage", "pollResultSnapshotMessageV3")
    ),
    (
        "buttonsMessage",
        {
            "text": "Order 7",
            "contentText": "Is it right?",
            "footerText": "Shop",
            "buttons": [
                {"buttonId": "y", "buttonText": {"displayText": "Yes"}, "type": 1},
                {"buttonId": "n", "nativeFlowInfo": {"name": "quick_reply", "paramsJson": '{"display_text":"No"}'}},
            ],
        },
        text("Order 7\nIs it right?\nShop", choices=[{"text": "Yes", "id": "y"}, {"text": "No", "id": "n"}]),
    ),
    (
        "buttonsMessage",
        {"contentText": "Which?", "imageMessage": FILE, "buttons": [{"buttonText": {"displayText": "This"}}]},
        ("image", "Which?", TOLD | {"type": "image"}, {"choices": [{"text": "This"}]}),
    ),
    ("buttonsMessage", {"buttons": [{"buttonText": {"displayText": "Go"}}]}, text("Go", choices=[{"text": "Go"}])),
    ("buttonsMessage", {}, unknown()),
    (
        "buttonsResponseMessage",
        {"selectedButtonId": "y", "selectedDisplayText": "Yes"},
        text("Yes", chosen={"id": "y"}),
    ),
    ("buttonsResponseMessage", {"selectedButtonId": "y"}, text("y", chosen={"id": "y"})),
    (
        "listMessage",
        {
            "title": "Menu",
            "description": "Choose",
            "buttonText": "Open",
            "sections": [{"title": "Hot", "rows": [{"title": "Tea", "description": "green", "rowId": "t"}]}, {}],
        },
        text("Menu\nChoose", choices=[{"text": "Tea", "description": "green", "id": "t", "section": "Hot"}]),
    ),
    (
        "listResponseMessage",
        {"title": "Tea", "description": "green", "singleSelectReply": {"selectedRowId": "t"}},
        text("Tea\ngreen", chosen={"id": "t"}),
    ),
    (
        "templateMessage",
        {
            "hydratedTemplate": {
                "hydratedTitleText": "Shop",
                "hydratedContentText": "On its way",
                "hydratedFooterText": "Bye",
                "hydratedButtons": [
                    {"index": 1, "urlButton": {"displayText": "Track", "url": "https://shop.example.com/7"}},
                    {"index": 2, "callButton": {"displayText": "Call", "phoneNumber": "+15551234567"}},
                    {"index": 3, "quickReplyButton": {"displayText": "Stop", "id": "stop"}},
                ],
            }
        },
        text(
            "Shop\nOn its way\nBye",
            choices=[
                {"text": "Track", "url": "https://shop.example.com/7"},
                {"text": "Call", "phoneNumber": "+15551234567"},
                {"text": "Stop", "id": "stop"},
            ],
        ),
    ),
    (
        "templateMessage",
        {
            "hydratedFourRowTemplate": {
                "hydratedContentText": "Here",
                "locationMessage": {"degreesLatitude": 1, "degreesLongitude": 2},
            }
        },
        text("Here", location={"latitude": 1.0, "longitude": 2.0}),
    ),
    ("templateMessage", {"interactiveMessageTemplate": {"body": {"text": "Hello"}}}, text("Hello")),
    ("templateMessage", {"templateId": "1"}, unknown()),
    (
        "templateButtonReplyMessage",
        {"selectedId": "stop", "selectedDisplayText": "Stop"},
        text("Stop", chosen={"id": "stop"}),
    ),
    (
        "highlyStructuredMessage",
        {"hydratedHsm": {"hydratedTemplate": {"hydratedContentText": "Hello"}}},
        text("Hello"),
    ),
    ("highlyStructuredMessage", {"namespace": "n"}, unknown()),
    (
        "interactiveMessage",
        {
            "header": {"title": "Shop"},
            "body": {"text": "Pay?"},
            "footer": {"text": "Thanks"},
            "nativeFlowMessage": {
                "buttons": [
                    {"name": "quick_reply", "buttonParamsJson": '{"display_text":"Yes","id":"y"}'},
                    {"name": "cta_url", "buttonParamsJson": '{"display_text":"Go","url":"https://shop.example.com"}'},
                    {
                        "name": "single_select",
                        "buttonParamsJson": '{"sections":[{"title":"S","rows":[{"title":"Tea","id":"t"}]}]}',
                    },
                    {"name": "payment_info", "buttonParamsJson": "no JSON"},
                ]
            },
        },
        text(
            "Shop\nPay?\nThanks",
            choices=[
                {"text": "Yes", "id": "y"},
                {"text": "Go", "url": "https://shop.example.com"},
                {"text": "Tea", "id": "t", "section": "S"},
                {"text": "payment_info"},
            ],
        ),
    ),
    (
        "interactiveMessage",
        {
            "body": {"text": "New"},
            "carouselMessage": {
                "cards": [
                    {"header": {"title": "One"}, "body": {"text": "1st"}},
                    {"body": {"text": "2nd"}, "nativeFlowMessage": {"buttons": [{"name": "cta_copy"}]}},
                ]
            },
        },
        text("New\nOne\n1st\n2nd", choices=[{"text": "cta_copy"}]),
    ),
    (
        "interactiveMessage",
        {"header": {"documentMessage": {**FILE, "fileName": "bill.pdf"}}, "body": {"text": "Your bill"}},
        ("document", "Your bill", TOLD | {"type": "document", "filename": "bill.pdf"}, None),
    ),
    (
        "interactiveResponseMessage",
        {"body": {"text": "Yes"}, "nativeFlowResponseMessage": {"name": "quick_reply", "paramsJson": '{"id":"y"}'}},
        text("Yes", chosen={"id": "y"}),
    ),
    (
        "productMessage",
        {
            "product": {
                "productId": "p1",
                "title": "Tea",
                "description": "Green",
                "currencyCode": "EUR",
                "priceAmount1000": 12500,
                "url": "https://shop.example.com/tea",
                "productImage": FILE,
            },
            "businessOwnerJid": ANA,
            "footer": "Shop",
        },
        (
            "image",
            "Tea\n12.50 EUR\nGreen\nShop",
            TOLD | {"type": "image"},
            {
                "product": {
                    "id": "p1",
                    "title": "Tea",
                    "url": "https://shop.example.com/tea",
                    "seller": ANA,
                    "price": "12.50 EUR",
                }
            },
        ),
    ),
    ("productMessage", {"catalog": {"title": "Everything"}}, text("Everything")),
    (
        "orderMessage",
        {
            "orderId": "o1",
            "itemCount": 2,
            "orderTitle": "Shop",
            "message": "Soon please",
            "sellerJid": ANA,
            "totalAmount1000": 5,
            "totalCurrencyCode": "EUR",
        },
        text(
            "Shop\n2 items\n0.005 EUR\nSoon please",
            order={"id": "o1", "title": "Shop", "seller": ANA, "items": 2, "total": "0.005 EUR"},
        ),
    ),
    ("invoiceMessage", {"note": "For tea", "token": "x"}, text("For tea")),
    ("invoiceMessage", {"token": "x"}, unknown()),
    ("sendPaymentMessage", {"noteMessage": {"conversation": "For tea"}}, text("For tea")),
    ("sendPaymentMessage", {}, unknown()),
    (
        "requestPaymentMessage",
        {
            "noteMessage": {"extendedTextMessage": {"text": "For tea"}},
            "amount1000": 1000,
            "currencyCodeIso4217": "EUR",
            "requestFrom": ANA,
        },
        text("Payment request: 1.00 EUR\nFor tea", payment={"amount": "1.00 EUR", "requestedFrom": ANA}),
    ),
    ("declinePaymentRequestMessage", {"key": KEY}, unknown("Payment request declined")),
    ("cancelPaymentRequestMessage", {"key": KEY}, unknown("Payment request canceled")),
    ("paymentInviteMessage", {"serviceType": 3}, unknown("Invitation to payments")),
    ("requestPhoneNumberMessage", {}, unknown("Phone number requested")),
    (
        "groupInviteMessage",
        {
            "groupJid": "120363001234567890@g.us",
            "groupName": "Friends",
            "caption": "Come!",
            "inviteCode": "abc",
            "inviteExpiration": 1795328371,
            "jpegThumbnail": "AQID",
        },
        text(
            "Invitation to “Friends”\nCome!",
            invite={
                "jid": "120363001234567890@g.us",
                "name": "Friends",
                "code": "abc",
                "expiresAtMs": 1795328371000,
            },
        ),
    ),
    *(
        (
            field,
            {"newsletterJid": "120363@newsletter", "newsletterName": "News"},
            text("Invitation to “News”", invite={"jid": "120363@newsletter", "name": "News"}),
        )
        for field in ("newsletterAdminInviteMessage", "newsletterFollowerInviteMessageV2")
    ),
    (
        "eventMessage",
        {
            "name": "Dinner",
            "description": "With all",
            "startTime": 1795328371,
            "location": {"name": "Café", "degreesLatitude": 1.5, "degreesLongitude": 2.5},
            "joinLink": "https://call.example.com/x",
        },
        text(
            "Dinner\n2026-11-22 06:19 UTC\nCafé\nWith all",
            calendarEvent={
                "title": "Dinner",
                "startsAtMs": 1795328371000,
                "location": {"latitude": 1.5, "longitude": 2.5, "name": "Café"},
                "joinLink": "https://call.example.com/x",
            },
        ),
    ),
    (
        "eventMessage",
        {"name": "Dinner", "isCanceled": True},
        text("Canceled\nDinner", calendarEvent={"title": "Dinner", "canceled": True}),
    ),
    ("albumMessage", {"expectedImageCount": 3}, unknown(album={"images": 3})),
    ("stickerPackMessage", {"name": "Cats", "publisher": "Ana"}, text("Cats\nAna")),
    ("call", {"callKey": "AQID"}, ("call", "Call", None, {"call": {"missed": False}})),
    (
        "callLogMesssage",
        {"isVideo": True, "callOutcome": 0, "durationSecs": 65},
        (
            "call",
            "Video call (1:05)",
            None,
            {"call": {"missed": False, "video": True, "group": False, "outcome": "connected", "seconds": 65}},
        ),
    ),
    (
        "callLogMesssage",
        {"isVideo": False, "callOutcome": 1, "participants": [{"jid": ANA}, {"jid": BOB}]},
        ("call", "Missed group voice call", None, missed(video=False, group=True)),
    ),
    ("callLogMesssage", {"callOutcome": 7}, ("call", "Missed voice call", None, missed(video=False, group=False))),
    (
        "bcallMessage",
        {"mediaType": 2},
        (
            "call",
            "Group video call",
            None,
            {"call": {"missed": False, "video": True, "group": True, "outcome": "offer"}},
        ),
    ),
    (
        "scheduledCallCreationMessage",
        {"scheduledTimestampMs": 1795328371000, "callType": 1, "title": "Standup"},
        (
            "call",
            "Standup",
            None,
            {
                "call": {
                    "missed": False,
                    "video": False,
                    "group": True,
                    "outcome": "scheduled",
                    "scheduledAtMs": 1795328371000,
                }
            },
        ),
    ),
    (
        "scheduledCallEditMessage",
        {"key": KEY, "editType": 1},
        (
            "call",
            "Scheduled call canceled",
            None,
            {"call": {"missed": False, "outcome": "canceled", "scheduledBy": "M0"}},
        ),
    ),
    *(
        (field, {"key": KEY, "text": "Tea"}, text("Tea"))
        for field in ("questionResponseMessage", "statusQuestionAnswerMessage", "statusQuotedMessage")
    ),
    (
        "richResponseMessage",
        {"submessages": [{"messageType": 2, "messageText": "One"}, {"messageType": 1}, {"messageText": "Two"}]},
        text("One\nTwo"),
    ),
    ("richResponseMessage", {}, unknown()),
    (
        "placeholderMessage",
        {"type": 0},
        ("placeholder", "Waiting for this message", None, {"placeholder": {"reason": "shown on the phone only"}}),
    ),
    ("chat", {"displayName": "x"}, unknown()),
    ("encCommentMessage", {"encPayload": "AQID"}, unknown()),
    ("messageHistoryNotice", {}, unknown()),
    ("statusNotificationMessage", {"type": 1}, unknown()),
    ("somethingNew", {"text": "shown all the same"}, unknown("shown all the same")),
    ("somethingNew", {"caption": "also"}, unknown("also")),
    ("somethingNew", 7, unknown()),
    *((field, {}, unknown()) for field in sorted(WRAPPERS - {"editedMessage"})),
]


@pytest.mark.parametrize(("field", "value", "expected"), EXAMPLES)
def test_each_kind_shows_what_the_phone_shows(field, value, expected):
    """Kind, text, media and details, and no detail that documents have no field for."""
    content = content_of({"messageContextInfo": {"messageSecret": "AQ=="}, field: value})
    assert content is not None
    assert (content.kind, content.body, content.media, content.details) == expected
    assert content.content_kind == (field if content.kind == "unknown" else None)
    assert set(content.details or {}) <= DETAIL_FIELDS


def test_every_part_that_the_engine_knows_is_decided_upon():
    """A new version of the engine may bring new ones: each needs an expectation here, be it `unknown`."""
    fields = message_parts().keys()
    assert len(fields) > 90
    assert fields == ({field for field, _, _ in EXAMPLES} - {"somethingNew"}) | NOT_SHOWN | WRAPPERS


@pytest.mark.parametrize("field", sorted(NOT_SHOWN))
def test_what_is_no_message_of_its_own_is_not_shown(field):
    """It is in the journal, and others read it there."""
    assert content_of({field: {"text": "x", "caption": "x"}}) is None


@pytest.mark.parametrize("wrapper", sorted(WRAPPERS))
def test_a_wrapper_shows_what_is_inside(wrapper):
    """As if it came unwrapped."""
    content = content_of({"messageContextInfo": {}, wrapper: {"message": {"conversation": "hi"}}})
    assert (content.kind, content.body) == ("text", "hi")
    assert content.details == ({"viewOnce": True} if wrapper.startswith("viewOnce") else None)


def test_an_edit_is_no_message():
    """It changes one, however it is wrapped."""
    edit = {"protocolMessage": {"key": KEY, "type": 14, "editedMessage": {"conversation": "hi edited"}}}
    assert content_of({"editedMessage": {"message": edit}}) is None
    assert content_of({"editedMessage": {}}) is None
    assert content_of({"ephemeralMessage": {"message": {"editedMessage": {"message": edit}}}}) is None


def test_wrappers_nest_but_not_without_end():
    """Two or three deep in practice; a liar's nest is a ValueError."""
    message = {"imageMessage": FILE}
    for wrapper in ("viewOnceMessageV2", "ephemeralMessage", "deviceSentMessage"):
        message = {wrapper: {"message": message}}
    assert (content_of(message).kind, content_of(message).details) == ("image", {"viewOnce": True})
    for _ in range(8):
        message = {"ephemeralMessage": {"message": message}}
    with pytest.raises(ValueError, match="eight"):
        content_of(message)


def test_what_may_be_seen_once_says_so_without_a_wrapper_too():
    """The flag in the part means the same."""
    assert content_of({"imageMessage": {**FILE, "viewOnce": True}}).details == {"viewOnce": True}


def test_the_context_tells_of_mentions_forwarding_and_expiry():
    """Whatever the kind; JIDs in their one spelling, once each, and no rubbish."""
    context = {
        "mentionedJid": ["15551234567:3@c.us", ANA, "88000000000007@lid", 7, "x" * 200, "ü@lid"],
        "isForwarded": True,
        "forwardingScore": 2,
        "expiration": 86400,
    }
    for field, value in (("extendedTextMessage", {"text": "@15551234567"}), ("imageMessage", FILE), ("new", {})):
        assert content_of({field: {**value, "contextInfo": context}}).details == {
            "mentions": [ANA, "88000000000007@lid"],
            "forwarded": True,
            "ephemeralSeconds": 86400,
        }


@pytest.mark.parametrize(
    ("quoted", "preview"),
    [
        ({"conversation": "a\n b"}, "a b"),
        ({"pollCreationMessageV3": {"name": "q"}}, "[Poll]"),
        ({"ephemeralMessage": {"message": {"imageMessage": {}}}}, "[Image]"),
        ({"conversation": 7}, None),
        ({"protocolMessage": {}}, None),
        ("rubbish", None),
    ],
)
def test_an_answer_carries_what_it_answers(quoted, preview):
    """A quote that cannot be read costs its preview, not the answer."""
    context = {"stanzaId": "M0", "participant": "15551234567:3@c.us", "quotedMessage": quoted}
    content = content_of({"extendedTextMessage": {"text": "yes", "contextInfo": context}})
    assert content.quoted == {"id": "M0", "participant": ANA, "preview": preview}


def test_an_answer_to_another_chat_names_it():
    """As the answers to a status do."""
    context = {"stanzaId": "M0", "participant": ANA, "remoteJid": "status@broadcast"}
    content = content_of({"extendedTextMessage": {"text": "nice", "contextInfo": context}})
    assert content.quoted == {"id": "M0", "participant": ANA, "preview": None, "chat": "status@broadcast"}


def test_a_comment_says_what_it_is_about():
    """As if it quoted it."""
    message = {
        "commentMessage": {"message": {"conversation": "so true"}, "targetMessageKey": {**KEY, "participant": ANA}}
    }
    assert content_of(message) == Content(
        kind="text", body="so true", quoted={"id": "M0", "participant": ANA, "preview": None}
    )


def test_quotes_nested_without_end_are_not_followed():
    """Deeper than Python calls: the answer lands all the same."""
    message = {"conversation": "first"}
    for _ in range(5000):
        message = {"extendedTextMessage": {"text": "x", "contextInfo": {"stanzaId": "M0", "quotedMessage": message}}}
    assert content_of(message).quoted["preview"] == "x"


@pytest.mark.parametrize(
    ("message", "left_out"),
    [
        ({"pollCreationMessage": {"options": [{"optionName": f"{i}"} for i in range(103)]}}, {"options": 3}),
        ({"contactsArrayMessage": {"contacts": [{"displayName": f"{i}"} for i in range(103)]}}, {"contacts": 3}),
        ({"contactsArrayMessage": {"contacts": [{"vcard": "ü" * 9000}] * 12}}, {"contacts": 1}),
        ({"listMessage": {"sections": [{"rows": [{"title": "x"}] * 60}] * 2}}, {"choices": 20}),
        ({"listMessage": {"sections": [{"rows": [{"title": "😀" * 300}] * 300}]}}, {"choices": 200}),
        ({"listMessage": {"sections": [{"rows": [dict.fromkeys(ROW, "😀" * 300)] * 90}]}}, {"choices": 36}),
        (
            {"buttonsMessage": {"buttons": [{"buttonId": "x"}] * 101, "contextInfo": {"mentionedJid": [ANA] * 1007}}},
            {"choices": 1, "mentions": 7},
        ),
    ],
)
def test_what_is_too_much_for_a_document_is_counted(message, left_out):
    """The details stay far below the limit of a document, and say what is missing."""
    content = content_of(message)
    assert content.details["leftOut"] == left_out
    assert len(json.dumps(content.details, ensure_ascii=False).encode()) < 400_000


def test_lengths_have_an_end():
    """Keys that are too long are worthless and left out; texts are cut; the body is not copied."""
    long = "x" * 1_000_000
    media = content_of({"imageMessage": {"caption": long, "jpegThumbnail": long, "mediaKey": long, "mimetype": long}})
    assert media.media == {"type": "image", "caption": long[:10_000]}
    assert media.body is long, "no copy is made of a long text"
    card = content_of({"contactMessage": {"displayName": long, "vcard": long}})
    assert len(card.body) == 300
    assert len(card.details["contacts"][0]["vcard"]) == 10_000


@pytest.mark.parametrize(
    "message",
    [
        {"conversation": 5},
        {"extendedTextMessage": "x"},
        {"extendedTextMessage": {"text": ["x"]}},
        {"imageMessage": 7},
        {"locationMessage": []},
        {"ephemeralMessage": {"message": "x"}},
    ],
)
def test_what_no_engine_would_send_is_a_value_error(message):
    """It will be parked with its reason."""
    with pytest.raises(ValueError, match=r"message"):
        content_of(message)


ODD = [None, True, 0, -1, 7, 1 << 63, 1e300, "", " ", "x", [], [7], [[7]], [{}], {}, {"x": {"y": []}}]


def odd_versions(value):
    """The value with each place in it, itself included, replaced by each of the odd ones."""
    yield from ODD
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, inside in items:
        for odd in odd_versions(inside):
            changed = value.copy()
            changed[place] = odd
            yield changed


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, value, _ in EXAMPLES])
def test_whatever_is_odd_in_a_message_it_fits_a_document_or_is_a_value_error(field, value):
    """Nothing else is raised, and nothing gets through that Firestore would refuse."""
    context = {"stanzaId": "M0", "mentionedJid": [ANA], "quotedMessage": {"conversation": "x"}, "expiration": 1}
    value = {**value, "contextInfo": context} if isinstance(value, dict) else value
    for odd in odd_versions(value):
        try:
            content = content_of({field: odd})
        except ValueError:
            continue
        if content is not None:
            fields = [content.body, content.media, content.quoted, content.details, content.content_kind]
            assert [value_problem(each) for each in fields] == [None] * 5, odd
            assert isinstance(content.body, str | None)
            assert preview_of(content)


@pytest.mark.parametrize(
    ("content", "preview"),
    [
        (Content(kind="text", body=" a\n\tb "), "a b"),
        (Content(kind="text", body="x" * 200), "x" * 100),
        (Content(kind="text", body=""), "[Message]"),
        (Content(kind="text", body=" " * 2000 + "late"), "[Message]"),
        (Content(kind="image", body="c"), "c"),
        (Content(kind="image"), "[Image]"),
        (Content(kind="image", body=" \n"), "[Image]"),
        (Content(kind="video"), "[Video]"),
        (Content(kind="audio"), "[Audio]"),
        (Content(kind="document"), "[Document]"),
        (Content(kind="sticker"), "[Sticker]"),
        (Content(kind="location", body="Café"), "[Location]"),
        (Content(kind="contact", body="Ana"), "[Contact]"),
        (Content(kind="poll", body="q\na"), "[Poll]"),
        (Content(kind="event", body="Subject changed"), "Subject changed"),
        (Content(kind="call", body="Missed voice call"), "Missed voice call"),
        (Content(kind="call"), "[Call]"),
        (Content(kind="unknown", content_kind="albumMessage"), "[Message]"),
        (Content(kind="unknown", body="so", content_kind="new"), "so"),
        (placeholder("x"), "Waiting for this message"),
        (Content(kind="of an earlier generation"), "[Message]"),
    ],
)
def test_a_preview_is_one_line(content, preview):
    """Text as it is, else what it is; places, people and polls never tell more."""
    assert preview_of(content) == preview


def test_what_shows_more_is_richer():
    """Of several sightings of one message the richest is kept, so each step is one that can happen."""
    offer = call_content("offer", video=False, group=False)
    steps = [
        [placeholder("Key used already")],
        [Content(kind=NOTHING)],
        [content_of({"albumMessage": {}}), content_of({"new": {"text": "x"}})],
        [content_of({"imageMessage": {}}), offer, content_of({"call": {}})],
        [
            content_of({"imageMessage": FILE}),
            content_of({"conversation": "x"}),
            content_of({"locationMessage": {}}),
            stub_content(40, [], None),
            call_content("timeout", video=True, group=True),
            call_content("reject", video=True, group=True),
            content_of({"callLogMesssage": {}}),
            stub_content(27, [], None),
        ],
    ]
    assert [{richness(content) for content in step} for step in steps] == [{0}, {1}, {2}, {3}, {4}]


@pytest.mark.parametrize(
    ("what", "video", "group", "body", "call"),
    [
        ("offer", False, False, "Voice call", {"missed": False, "outcome": "offer"}),
        ("accept", True, False, "Video call", {"missed": False, "outcome": "accept"}),
        ("reject", False, True, "Group voice call", {"missed": False, "outcome": "reject"}),
        ("timeout", True, True, "Missed group video call", {"missed": True}),
    ],
)
def test_a_call_is_named_and_says_how_it_ended(what, video, group, body, call):
    """A timeout is the same missed call that a stub tells of."""
    assert call_content(what, video=video, group=group) == Content(
        kind="call", body=body, details={"call": {**call, "video": video, "group": group}}
    )
