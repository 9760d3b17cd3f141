"""Document ids: safe for Firestore, and two message ids never share one."""

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from whatsapp_backend.rules.document_ids import encoded, is_document_id, other_sender

ids = st.text(min_size=1, max_size=60)


@given(ids)
@example("a/b")
@example(".")
@example("..")
@example("__x__")
@example("____")
@example("~")
@example("%2F")
@example("\ud800")
@example("3EB0" * 375)
@example("é" * 750)
def test_an_encoded_id_is_one_firestore_takes(raw: str) -> None:
    """No slash, not `.` or `..`, not `__x__`, at most 1,500 bytes with room for another sender's suffix."""
    made = other_sender(encoded(raw), "15550001111@s.whatsapp.net")
    for document_id in (encoded(raw), made):
        assert re.fullmatch(r"[A-Za-z0-9._@:+=~%-]+", document_id)
        assert document_id not in (".", "..")
        assert not re.fullmatch(r"__.*__", document_id)
        assert len(document_id) <= 1500
        assert is_document_id(document_id)


@given(ids, ids)
@example("a/b", "a%2Fb")
@example(".", "%2E")
@example("__x__", "%5F_x__")
@example("x" * 1495, "x" * 1495 + "y")
def test_two_ids_never_share_a_document(one: str, other: str) -> None:
    """The encoding is one to one."""
    assert (encoded(one) == encoded(other)) == (one == other)


@given(ids, ids, st.sampled_from(["me", "15550001111@s.whatsapp.net"]))
def test_what_lies_aside_never_meets_a_plain_id(one: str, other: str, sender: str) -> None:
    """`~` does not come out of the encoding except doubled, for what is too long."""
    assert other_sender(encoded(one), sender) != encoded(other)


def test_an_id_of_a_megabyte_is_cheap() -> None:
    """Only what is kept of it is encoded."""
    began = time.process_time()
    made = encoded("/" * 1_000_000)
    assert time.process_time() - began < 0.1  # it took half a second
    assert made.startswith("%2F" * 400) and len(made) <= 1492
    assert encoded("/" * 1_000_001) != made


@pytest.mark.parametrize("text", [".", "..", "", "__x__", "a/b", "x" * 1501])
def test_what_is_no_document_id_is_refused(text: str) -> None:
    """Firestore would."""
    assert not is_document_id(text)


def test_an_ordinary_id_is_itself() -> None:
    """The app finds a message by the id WhatsApp gave it."""
    assert encoded("3EB0F00DCAFE") == "3EB0F00DCAFE"
    assert encoded("account_prod_ab__15550001111@s.whatsapp.net") == "account_prod_ab__15550001111@s.whatsapp.net"
