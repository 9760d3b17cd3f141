"""The last line of defence: whatever a line quotes, no number, no JID and no account id is in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.rules.identity import account_id
from whatsapp_backend.rules.masking import masked, told_chain, told_of
from whatsapp_backend.rules.redact import redact_jid, redact_phone

KEY = b"a key of this installation"
NUMBER = "15550001111"
ACCOUNT = account_id(NUMBER, "test")
FORMS = [
    "{}",
    "+{}",
    "00{}",
    "tel:{}.",
    "of {}: no",
    "threads/x__{}@s.whatsapp.net/messages",
    "wa_{}_x",
    "called{}z",
    "{}:12@s.whatsapp.net",
    "%2B{}",
    "{}%40s.whatsapp.net",
    "\\n{}",
    "\\x0b{}",
    "\\u200e{}",
]


@pytest.mark.parametrize("form", FORMS)
def test_a_number_is_found_in_every_spelling_and_looks_the_same(form):
    shown = masked(form.replace("{}", NUMBER), KEY)
    assert NUMBER not in shown
    if not form.startswith("00"):
        assert redact_phone(NUMBER, KEY).partition("#")[2] in shown


@pytest.mark.parametrize("number", ["+1 555 000 1111", "+1 (555) 000-1111", "+49-151-0000.0042", "+4915100000042"])
def test_a_number_is_found_also_when_it_is_spaced(number):
    shown = masked(f"call {number} now", KEY)
    assert shown == f"call {redact_phone(number, KEY)} now"


@pytest.mark.parametrize(
    "jid", [f"{NUMBER}@c.us", "88000000000007@lid", "15550001111-1700000000@g.us", "120363001@G.us"]
)
def test_a_jid_looks_as_redacted(jid):
    assert masked(f"<{jid}>", KEY) == f"<{redact_jid(jid, KEY)}>"


def test_an_account_keeps_what_tells_it_apart():
    assert masked(f"threads/{ACCOUNT}__x", KEY) == f"threads/{ACCOUNT[:21]}…__x"


@pytest.mark.parametrize(
    "text",
    [
        "3EB0123456789012345A",
        "sha256:0f00000000000000e1",
        "port 65535 and 1234567 bytes",
        "2026-11-24T18:20:02.123456Z",
        "http://127.0.0.1:8080/ready",
        "host-1-4321",
    ],
)
def test_what_is_no_number_stays(text):
    assert masked(text, KEY) == text


@given(st.text(), st.sampled_from([NUMBER, f"{NUMBER}@s.whatsapp.net", f"+{NUMBER}"]), st.text())
def test_masking_again_changes_nothing(before, number, after):
    once = masked(f"{before} {number} {after}", KEY)
    assert masked(once, KEY) == once


@given(st.text(alphabet="gz _-+:./\\n\"'", max_size=5), st.text("0123456789", min_size=8, max_size=15))
def test_no_number_survives(around, number):
    shown = re.sub(r"#[0-9a-f]{8}", "", masked(f"{around}{number}{around}", KEY))
    assert number not in shown


def test_of_an_exception_only_what_quotes_nobody_is_told():
    assert told_of(StoreUnwell("the disk is full")) == "StoreUnwell: the disk is full"
    assert told_of(OSError(28, "No space left on device", "/of/canary")) == "OSError: No space left on device"
    assert told_of(TypeError("'canary' has type str, but expected one of: int")) == (
        "TypeError: … has type str, but expected one of: int"
    )
    for error in (ValueError("canary"), KeyError("canary"), RuntimeError("canary"), AssertionError("canary")):
        assert "canary" not in told_of(error)
        assert type(error).__name__ in told_of(error)
    assert told_of(ValueError()) == "ValueError"


def test_a_chain_is_told_from_its_first_cause_and_ends():
    try:
        try:
            raise KeyError("canary")
        except KeyError as first:
            raise StoreUnwell("second") from first
    except StoreUnwell as error:
        caught = error
        caught.__cause__.__context__ = caught  # a ring
    assert [text.split()[0].rstrip(":") for text, _ in told_chain(caught)] == ["KeyError", "StoreUnwell"]


def test_a_group_tells_of_each_of_its_exceptions():
    group = ExceptionGroup("of canary", [ValueError("canary"), OSError(5, "Input/output error")])
    told = " ".join(text for text, _ in told_chain(group))
    assert "canary" not in told
    assert "Input/output error" in told
    assert "ValueError" in told
