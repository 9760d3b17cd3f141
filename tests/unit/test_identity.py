"""JIDs and senders."""

import pytest

from whatsapp_backend.rules.identity import (
    ME,
    account_id,
    canonical_jid,
    certainly_differ,
    chat_of,
    phone_of,
    sender_lid_of,
    sender_of,
)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("15550001111@s.whatsapp.net", "15550001111@s.whatsapp.net"),
        (" 15550001111:12@S.WhatsApp.net ", "15550001111@s.whatsapp.net"),
        ("+15550001111@c.us", "15550001111@s.whatsapp.net"),
        ("88000000000007:3@lid", "88000000000007@lid"),
        ("88000000000007:99@hosted.lid", "88000000000007@lid"),
        ("120363001234567890@g.us", "120363001234567890@g.us"),
        ("status@broadcast", "status@broadcast"),
        ("no jid at all", "no jid at all"),
        ("a@b@c", "a@b@c"),
    ],
)
def test_every_spelling_of_a_jid_becomes_one(raw: str, canonical: str) -> None:
    """The device goes before the digits are read: 1555:12 never becomes 155512."""
    assert canonical_jid(raw) == canonical


def test_a_lid_chat_is_its_phone_number_once_the_key_tells_it() -> None:
    """The thread of a person is the one of the phone number."""
    key = {"remoteJid": "88000000000007@lid", "remoteJidAlt": "15550001111:4@s.whatsapp.net"}
    assert chat_of(key) == "15550001111@s.whatsapp.net"
    assert chat_of({"remoteJid": "88000000000007@lid"}) == "88000000000007@lid"


def test_a_phone_chat_stays_a_phone_chat_whatever_else_the_key_tells() -> None:
    """The LID beside a phone number changes nothing."""
    key = {"remoteJid": "15550001111@s.whatsapp.net", "remoteJidAlt": "88000000000007@lid"}
    assert chat_of(key) == "15550001111@s.whatsapp.net"


def test_the_sender_in_a_group_is_the_participant_by_phone_number_where_known() -> None:
    """Both identities of a participant are one sender."""
    key = {
        "remoteJid": "120363001234567890@g.us",
        "participant": "88000000000007@lid",
        "participantAlt": "15550001111@s.whatsapp.net",
    }
    assert sender_of(key) == "15550001111@s.whatsapp.net"
    assert sender_of({**key, "fromMe": True}) == ME
    assert sender_of({"remoteJid": "120363001234567890@g.us"}) is None


def test_a_lid_and_a_phone_number_may_be_one_person_but_two_numbers_are_not() -> None:
    """Unknown is not different."""
    assert not certainly_differ("88000000000007@lid", "15550001111@s.whatsapp.net")
    assert certainly_differ("15550002222@s.whatsapp.net", "15550001111@s.whatsapp.net")
    assert certainly_differ(ME, "88000000000007@lid")
    assert not certainly_differ(ME, ME)


@pytest.mark.parametrize(
    ("one", "one_lid", "other", "other_lid", "differ"),
    [
        ("88000000000001@lid", None, "15550006666@s.whatsapp.net", "88000000000002@lid", True),
        ("88000000000001@lid", None, "15550006666@s.whatsapp.net", "88000000000001@lid", False),
        ("88000000000001@lid", "88000000000001@lid", "15550006666@s.whatsapp.net", None, False),
        ("15550001111@s.whatsapp.net", "88000000000001@lid", "15550006666@s.whatsapp.net", None, True),
        ("15550006666@s.whatsapp.net", "88000000000001@lid", "15550006666@s.whatsapp.net", None, False),
        (ME, None, "15550006666@s.whatsapp.net", "88000000000001@lid", True),
    ],
)
def test_senders_differ_when_either_of_their_identities_does(
    one: str, one_lid: str | None, other: str, other_lid: str | None, differ: bool
) -> None:
    """Whatever else is not known."""
    assert certainly_differ(one, other, one_lid, other_lid) is differ
    assert certainly_differ(other, one, other_lid, one_lid) is differ


def test_the_lid_of_a_sender_is_found_on_either_side_of_his_number() -> None:
    """In a conversation of two it is the chat's."""
    lid, phone, group = "88000000000007@lid", "15550001111@s.whatsapp.net", "120363001234567890@g.us"
    assert sender_lid_of({"remoteJid": phone, "remoteJidAlt": "88000000000007:2@LID"}) == lid
    assert sender_lid_of({"remoteJid": lid, "remoteJidAlt": phone}) == lid
    assert sender_lid_of({"remoteJid": group, "participant": phone, "participantAlt": lid}) == lid
    assert sender_lid_of({"remoteJid": group, "participant": phone}) is None
    assert sender_lid_of({"remoteJid": lid, "fromMe": True}) is None


def test_digits_of_a_lid_are_never_a_phone_number() -> None:
    """Only a phone JID has a number."""
    assert phone_of("15550001111@s.whatsapp.net") == "+15550001111"
    assert phone_of("88000000000007@lid") is None
    assert phone_of("120363001234567890@g.us") is None


def test_the_account_id_depends_on_the_number_alone() -> None:
    """However it is written."""
    assert account_id("+1 (555) 000-1111", "demo") == account_id("15550001111", "demo")
    assert account_id("15550001111", "demo").startswith("account_demo_")
    assert len(account_id("15550001111", "demo")) == len("account_demo_") + 32


@pytest.mark.parametrize("phone", ["", "abc", "12", "0015550001111", "1" * 16])
def test_what_is_no_international_number_is_refused(phone: str) -> None:
    """National spellings would make a second account of the same phone."""
    with pytest.raises(ValueError, match="international"):
        account_id(phone, "demo")
