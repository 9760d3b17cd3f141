"""What logs may show of people."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp_backend.rules.redact import mask_account, redact_jid, redact_phone

KEY = b"a key of this installation"
digits = st.text("0123456789", min_size=6, max_size=15)
domains = st.sampled_from(["s.whatsapp.net", "c.us", "lid", "g.us", "hosted", "newsletter", "example.com"])


def without_mark(text: str) -> str:
    return re.sub(r"#[0-9a-f]{8}", "", text)


def test_a_number_shows_its_country_and_two_digits():
    assert without_mark(redact_phone("+15550001111", KEY)) == "+1…11"
    assert without_mark(redact_phone("+49 151 0000 0042", KEY)) == "+49…42"
    assert without_mark(redact_phone("+3725550042", KEY)) == "+372…42"


def test_every_spelling_of_a_person_has_the_same_mark():
    spellings = ["15550001111@s.whatsapp.net", "15550001111:12@s.whatsapp.net", " 15550001111@S.WhatsApp.net"]
    assert len({redact_jid(jid, KEY) for jid in spellings}) == 1
    assert redact_jid(spellings[0], KEY).startswith(redact_phone("+15550001111", KEY))


def test_two_people_and_two_keys_have_different_marks():
    assert redact_jid("15550001111@s.whatsapp.net", KEY) != redact_jid("15550002211@s.whatsapp.net", KEY)
    assert redact_phone("+15550001111", KEY) != redact_phone("+15550001111", b"another")


def test_a_lid_and_a_group_show_nothing_but_their_kind():
    assert without_mark(redact_jid("88000000000007@lid", KEY)) == "@lid"
    assert without_mark(redact_jid("15550001111-1700000000@g.us", KEY)) == "@g.us"


def test_status_updates_are_nobodys():
    assert redact_jid("status@broadcast", KEY) == "status@broadcast"


@given(digits, domains, st.sampled_from(["", ":12", ":0", "-1700000000"]))
def test_no_full_number_survives(number, domain, suffix):
    shown = without_mark(redact_jid(f"{number}{suffix}@{domain}", KEY))
    assert number not in shown
    assert sum(c.isdigit() for c in shown) <= 5


@given(digits, st.sampled_from(["{}", "+{}", "({})", "00{}", " {} ", "tel:{}", "{}@{}", "x@{}", "x@{}@y"]))
def test_no_full_number_survives_odd_spellings(number, form):
    text = form.replace("{}", number)
    shown = without_mark(redact_jid(text, KEY)) + without_mark(redact_phone(text, KEY))
    assert number not in shown


@given(st.text())
def test_anything_can_be_redacted(text):
    assert without_mark(redact_jid(text, KEY)) != text or not any(c.isdigit() for c in text)


@pytest.mark.parametrize(
    ("account", "shown"),
    [
        ("account_prod_0123456789abcdef0123456789abcdef", "account_prod_01234567…"),
        ("of_another_system", "of_anoth..."),
        ("account_demo", "account_demo"),
        ("", ""),
    ],
)
def test_account_ids_are_masked_as_operators_know_them(account, shown):
    assert mask_account(account) == shown
