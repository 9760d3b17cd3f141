"""Messages without content: what happened, in words, and what is not for showing."""

import json
import re

import pytest
from engine import protobuf

from whatsapp_backend.domain.events import Content
from whatsapp_backend.rules.content import placeholder, stub_content
from whatsapp_backend.rules.kinds.stubs import NOT_SHOWN

ANA = "15551234567@s.whatsapp.net"
BOB = "15557654321@s.whatsapp.net"
CAT = "88000000000007@lid"
ADMIN = "88000000000001@lid"
ANA_IN_JSON = json.dumps({"id": "99@lid", "phoneNumber": ANA, "admin": None})

EVENTS = [
    # number, parameters, body, event
    (20, ["Friends"], "Group “Friends” created", {"name": "group_created", "subject": "Friends"}),
    (21, ["New name"], "Subject changed to “New name”", {"name": "subject_changed", "subject": "New name"}),
    (21, ["{}"], "Subject changed to “{}”", {"name": "subject_changed", "subject": "{}"}),
    (21, [], "Subject changed", {"name": "subject_changed"}),
    (22, ["1700000000"], "Group icon changed", {"name": "icon_changed"}),
    (23, ["abc"], "Invitation link reset", {"name": "invite_link_reset"}),
    (24, ["For tea"], "Description changed to “For tea”", {"name": "description_changed", "description": "For tea"}),
    (25, ["on"], "Only admins can change the group now", {"name": "settings_restricted", "on": True}),
    (25, ["off"], "All participants can change the group now", {"name": "settings_restricted", "on": False}),
    (26, ["on"], "Only admins can send messages now", {"name": "messages_restricted", "on": True}),
    (26, ["off"], "All participants can send messages now", {"name": "messages_restricted", "on": False}),
    (26, [], "Group settings changed", {"name": "messages_restricted"}),
    (27, [ANA], "+15551234567 was added", {"name": "participants_added", "participants": [ANA]}),
    (27, [ANA_IN_JSON], "+15551234567 was added", {"name": "participants_added", "participants": [ANA]}),
    (27, [CAT], "Somebody was added", {"name": "participants_added", "participants": [CAT]}),
    (27, ["15551234567:3@c.us"], "+15551234567 was added", {"name": "participants_added", "participants": [ANA]}),
    (
        27,
        [ANA, CAT, BOB],
        "+15551234567, +15557654321 and somebody were added",
        {"name": "participants_added", "participants": [ANA, CAT, BOB]},
    ),
    (27, [CAT, "5@lid"], "2 people were added", {"name": "participants_added", "participants": [CAT, "5@lid"]}),
    (
        27,
        [ANA, *(f"1555000000{i}@s.whatsapp.net" for i in range(9))],
        "+15551234567, +15550000000, +15550000001 and 7 others were added",
        {
            "name": "participants_added",
            "participants": [ANA, *(f"1555000000{i}@s.whatsapp.net" for i in range(9))],
        },
    ),
    (27, [ADMIN], "Somebody joined", {"name": "participants_joined", "participants": [ADMIN]}),
    (27, [], "Somebody was added", {"name": "participants_added"}),
    (27, ["rubbish", "{", "[]"], "Somebody was added", {"name": "participants_added"}),
    (
        28,
        [ANA, BOB],
        "+15551234567 and +15557654321 were removed",
        {"name": "participants_removed", "participants": [ANA, BOB]},
    ),
    (29, [ANA], "+15551234567 is an admin now", {"name": "participants_promoted", "participants": [ANA]}),
    (30, [ANA], "+15551234567 is no longer an admin", {"name": "participants_demoted", "participants": [ANA]}),
    (31, [ANA], "+15551234567 joined", {"name": "participants_joined", "participants": [ANA]}),
    (32, [ANA_IN_JSON], "+15551234567 left", {"name": "participants_left", "participants": [ANA]}),
    (33, [ANA], "+15551234567 changed the phone number", {"name": "number_changed", "participants": [ANA]}),
    (42, [ANA, BOB], "+15551234567 changed to +15557654321", {"name": "number_changed", "participants": [ANA, BOB]}),
    (43, [], "Group ended", {"name": "group_ended"}),
    (72, ["86400"], "Disappearing messages turned on: 1 day", {"name": "ephemeral_changed", "seconds": 86400}),
    (72, ["7776000"], "Disappearing messages turned on: 90 days", {"name": "ephemeral_changed", "seconds": 7776000}),
    (72, ["0"], "Disappearing messages turned off", {"name": "ephemeral_changed", "seconds": 0}),
    (72, ["soon"], "Disappearing messages changed", {"name": "ephemeral_changed"}),
    (145, ["on"], "Admins must approve new participants now", {"name": "approval_changed", "on": True}),
    (171, ["all_member_add"], "All participants can add others now", {"name": "adding_changed", "on": True}),
    (171, ["admin_add"], "Only admins can add others now", {"name": "adding_changed", "on": False}),
    (
        172,
        [json.dumps({"lid": CAT, "pn": ANA}), "created", "invite_link"],
        "+15551234567 asked to join",
        {"name": "join_requested", "participants": [ANA]},
    ),
    (
        172,
        [json.dumps({"lid": CAT}), "rejected"],
        "Somebody may not join",
        {"name": "join_request_rejected", "participants": [CAT]},
    ),
    (
        172,
        [json.dumps({"lid": CAT}), "revoked"],
        "Somebody no longer asks to join",
        {"name": "join_request_withdrawn", "participants": [CAT]},
    ),
    (177, ["M0"], "Message pinned", {"name": "message_pinned"}),
]


@pytest.mark.parametrize(("number", "parameters", "body", "event"), EVENTS)
def test_a_group_event_is_a_sentence(number, parameters, body, event):
    """People by number where it is known; who did it in one spelling."""
    assert stub_content(number, parameters, "88000000000001:7@lid") == Content(
        kind="event", body=body, details={"event": {"by": ADMIN, **event}}
    )


@pytest.mark.parametrize(("actor", "by"), [(None, None), ("me", "me"), ("", None), ("15551234567@c.us", ANA)])
def test_who_did_it_is_said_where_it_is_known(actor, by):
    """Ourselves included."""
    assert stub_content(22, [], actor).details == {"event": {"name": "icon_changed", "by": by}}


@pytest.mark.parametrize(
    ("number", "body", "video", "group"),
    [
        (40, "Missed voice call", False, False),
        (41, "Missed video call", True, False),
        (45, "Missed group voice call", False, True),
        (46, "Missed group video call", True, True),
        (169, "Missed voice call", False, False),
        (170, "Missed video call", True, False),
    ],
)
def test_a_missed_call_is_a_call(number, body, video, group):
    """Also one that the phone did not ring for."""
    details = {"call": {"missed": True, "video": video, "group": group}}
    assert stub_content(number, [], ANA) == Content(kind="call", body=body, details=details)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [(["Message absent from node", "3EB0"], "Message absent from node"), ([], "undecryptable"), ([7], "undecryptable")],
)
def test_what_cannot_be_decrypted_is_waited_for(parameters, reason):
    """With the engine's reason."""
    expected = Content(kind="placeholder", body="Waiting for this message", details={"placeholder": {"reason": reason}})
    assert stub_content(2, parameters, None) == expected == placeholder(reason)


@pytest.mark.parametrize("number", [3, 44, 47, 68, 134, 9999])
def test_any_other_stub_is_named(number):
    """Never dropped."""
    assert stub_content(number, ["x"], None) == Content(kind="unknown", content_kind=f"stub:{number}")


def test_banners_and_revokes_are_not_shown():
    """The revokes are read elsewhere: what changes is the message that they name."""
    names = {int(number): name for name, number in re.findall(r"^        (\w+) = (\d+);", stub_types(), re.MULTILINE)}
    hidden = {names[number] for number in NOT_SHOWN}
    assert {"REVOKE", "ADMIN_REVOKE", "E2E_ENCRYPTED", "E2E_IDENTITY_CHANGED", "BIZ_PRIVACY_MODE_TO_BSP"} <= hidden
    assert not [
        name for name in hidden if re.match("GROUP_(PART|CHANGE|DELETE)|CALL_|CIPHER|FUTURE|PAYMENT|OVER", name)
    ]
    assert all(stub_content(number, ["x"], None) is None for number in NOT_SHOWN)


def test_every_stub_of_the_engine_gives_something_or_nothing_whatever_its_parameters():
    """And what it gives is short."""
    rubbish = ["", "{", "{}", '{"id":7}', "x" * 100_000, "1" * 5000, None, 7, "[" * 5000, ANA]
    for number in map(int, re.findall(r"= (\d+);", stub_types())):
        for parameters in ([], rubbish, rubbish[::-1]):
            content = stub_content(number, parameters, "x" * 5000)
            assert (content is None) == (number in NOT_SHOWN)
            assert content is None or len(repr(content)) < 10_000


def test_participants_beyond_a_thousand_are_counted():
    """A document has an end."""
    content = stub_content(27, [f"1555{i:07}@s.whatsapp.net" for i in range(1003)], None)
    assert len(content.details["event"]["participants"]) == 1000
    assert content.details["leftOut"] == {"participants": 3}
    assert content.body == "+15550000000, +15550000001, +15550000002 and 1000 others were added"


def stub_types() -> str:
    return re.search(r"^    enum StubType \{\n(.*?)^    \}", protobuf(), re.DOTALL | re.MULTILINE)[1]
