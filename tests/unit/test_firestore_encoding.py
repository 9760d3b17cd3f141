"""Our encoder against Google's own message classes."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.cloud.firestore_v1 import types
from hypothesis import example, given
from hypothesis import strategies as st

from whatsapp_backend.adapters.firestore import decoding, encoding
from whatsapp_backend.adapters.firestore.wire import varint
from whatsapp_backend.domain.writes import Write

ROOT = "projects/p/databases/(default)/documents"
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
plain = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.binary()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
    | st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]))
)
values = st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=20)


def parsed(write):
    message = types.Write.pb()()
    message.ParseFromString(encoding.Encoder(ROOT).encode(write))
    return message


@given(fields=st.dictionaries(names, values, max_size=8))
@example(fields={"a": {"a": {"a": None}}, "b": [{}, [], ""]})
def test_what_is_encoded_is_decoded_as_it_was(fields):
    message = parsed(Write(path="a/b", fields=fields))
    assert message.update.name == f"{ROOT}/a/b"
    assert decoding.fields(message.update.fields) == fields
    assert not message.update_transforms
    assert not message.HasField("update_mask")
    assert not message.HasField("current_document")


@given(number=st.integers(0, 2**64 - 1))
@pytest.mark.parametrize("edge", [0, 127, 128, 16383, 16384, 2**21 - 1, 2**21, 2**28, 2**63, 2**64 - 1])
def test_numbers_on_the_wire_are_read_back(number, edge):
    for value in (number, edge):
        read = sum((digit & 127) << (7 * place) for place, digit in enumerate(varint(value)))
        assert read == value
        assert all(digit & 128 for digit in varint(value)[:-1])
        assert varint(value)[-1] < 128


def test_masks_server_times_and_preconditions_are_what_google_reads():
    message = parsed(
        Write(
            path="a/b",
            fields={},
            mask=("plain", "a b", "a.`\\"),
            server_times=("at", "ö"),
            updated_at_ns=1_700_000_000_123_456_789,
        )
    )
    assert list(message.update_mask.field_paths) == ["plain", "`a b`", "`a.\\`\\\\`"]
    assert [t.field_path for t in message.update_transforms] == ["at", "`ö`"]
    assert {t.set_to_server_value for t in message.update_transforms} == {1}
    assert decoding.nanoseconds(message.current_document.update_time) == 1_700_000_000_123_456_789


def test_an_empty_mask_is_not_the_same_as_none():
    assert parsed(Write(path="a/b", fields={}, mask=())).HasField("update_mask")


def test_a_create_demands_that_the_document_does_not_exist():
    message = parsed(Write(path="a/b", fields={}, must_not_exist=True))
    assert message.current_document.WhichOneof("condition_type") == "exists"
    assert message.current_document.exists is False


def test_a_request_holds_the_writes_in_order():
    encoder = encoding.Encoder(ROOT)
    writes = [encoder.encode(Write(path=f"a/{n}", fields={"n": n, "x": "y" * n * 50})) for n in range(20)]
    request = types.BatchWriteRequest.pb().FromString(encoding.batch_request("projects/p/databases/(default)", writes))
    assert request.database == "projects/p/databases/(default)"
    assert [write.update.fields["n"].integer_value for write in request.writes] == list(range(20))


def test_what_is_remembered_of_field_names_does_not_grow_without_end():
    for number in range(5000):
        parsed(Write(path="a/b", fields={f"reaction {number}": True, f"text {number}": "x"}))
    assert len(encoding._DOCUMENT.trues) <= encoding._REMEMBERED
    assert len(encoding._DOCUMENT.strings) <= encoding._REMEMBERED


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"v": "\ud800"}, "Unicode"),
        ({"v": 2**63}, "64 bits"),
        ({"v": datetime(2026, 1, 1)}, "time zone"),  # noqa: DTZ001 - the point
        ({"v": {"w": {1}}}, "type set"),
        ({1: 1}, "no text"),
        ({"v": "x" * 1_048_487, "w": "x" * 100}, "over 1048576"),
    ],
)
def test_the_reason_says_what_no_document_can_hold(fields, reason):
    with pytest.raises(encoding.Unencodable, match=reason):
        encoding.Encoder(ROOT).encode(Write(path="a/b", fields=fields))


def test_a_document_of_just_under_the_limit_is_left_to_firestore():
    assert encoding.Encoder(ROOT).encode(Write(path="a/b", fields={"v": "x" * 1_048_487}))


def test_a_value_that_contains_itself_is_refused():
    loop = {}
    loop["again"] = loop
    with pytest.raises(encoding.Unencodable):
        encoding.Encoder(ROOT).encode(Write(path="a/b", fields=loop))
