from __future__ import annotations

import base64

import orjson
import pytest

from whatsapp_backend.domain.frames import Done, Failed, Find, Get, Hello, Log, Me, Part, State, Status
from whatsapp_backend.domain.journal import Commit
from whatsapp_backend.errors import ProtocolError
from whatsapp_backend.rules.decode import decode

ENTRY = {"kind": "message", "source": "enc:1", "origin": "live", "at": 5, "payload": {"a": 1}}


def line(**fields):
    return orjson.dumps(fields)


def commit(**fields):
    return line(t="commit", account="a", id="1", **fields)


def refused(data: bytes) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        decode(data)
    return caught.value


def test_each_kind_of_frame_becomes_its_value():
    assert decode(line(t="hello", protocol=1, engine="e", node="v20", pid=3)) == Hello(
        protocol=1, engine="e", node="v20", pid=3
    )
    assert decode(line(t="get", account="a", id="1", type="session", ids=["x"])) == Get(
        account="a", id="1", type="session", ids=("x",)
    )
    assert decode(line(t="find", account="a", id="1", source="s")) == Find(account="a", id="1", source="s")
    assert decode(line(t="done", id="c1", result={"x": 1})) == Done(id="c1", result={"x": 1})
    assert decode(line(t="failed", id="c1", error={"code": "timeout", "message": ""})) == Failed(
        id="c1", code="timeout", message=""
    )
    assert decode(line(t="log", level="warn", event="e")) == Log(level="warn", event="e", account=None, fields={})
    assert decode(line(t="part", of="p", index=0, count=2, text="x")) == Part(
        account=None, of="p", index=0, count=2, text="x"
    )
    assert decode(commit()) == Commit(account="a", id="1")


def test_a_payload_is_kept_as_json_text_and_raw_as_bytes():
    entry = {
        **ENTRY,
        "payload": {"key": {"id": "ü\u0000"}},
        "raw": "CgJoaQ==",
        "form": "padded",
        "envelope": {"t": "1"},
    }
    frame = decode(commit(entries=[entry]))
    assert isinstance(frame, Commit)
    (new,) = frame.entries
    assert orjson.loads(new.payload) == entry["payload"]
    assert new.raw == base64.b64decode("CgJoaQ==")
    assert new.envelope == b'{"t":"1"}'
    assert (new.kind, new.source, new.origin, new.received_at_ms, new.form) == ("message", "enc:1", "live", 5, "padded")


def test_null_means_absent():
    assert decode(commit(keys=None, creds=None, entries=None, begin=None)) == Commit(account="a", id="1")


def test_an_entry_that_could_not_be_decoded_has_a_problem_instead_of_a_payload():
    frame = decode(commit(entries=[{**ENTRY, "payload": None, "problem": "why"}]))
    assert isinstance(frame, Commit)
    assert (frame.entries[0].payload, frame.entries[0].problem) == (None, "why")
    assert refused(commit(entries=[{**ENTRY, "payload": None}])).detail == "entries[0].payload"


@pytest.mark.parametrize(
    ("status", "details", "read"),
    [
        ("connecting", {}, {}),
        ("qr", {"qr": "2@x"}, {"qr": "2@x"}),
        ("paired", {}, {}),
        ("open", {"me": {"id": "1@s"}}, {"me": Me(id="1@s")}),
        ("open", {"me": {"id": "1@s", "lid": "2@lid", "name": "n"}}, {"me": Me(id="1@s", lid="2@lid", name="n")}),
        ("offline", {"announced": 3}, {"announced": 3}),
        ("caught-up", {"received": 0}, {"received": 0}),
        ("closed", {"code": 428, "reason": ""}, {"code": 428, "reason": ""}),
    ],
)
def test_a_state_carries_what_belongs_to_its_status(status, details, read):
    frame = line(t="state", account="a", status=status, at=1, **details)
    assert decode(frame) == State(account="a", status=Status(status), at_ms=1, **read)
    for missing in details:
        without = {key: value for key, value in details.items() if key != missing}
        assert refused(line(t="state", account="a", status=status, at=1, **without)).detail == missing


@pytest.mark.parametrize(
    ("data", "name", "account"),
    [
        (b"", "not-json", None),
        (b"NaN", "not-json", None),
        (b'{"a":1e999}', "not-json", None),
        (b'{"account":"a","x":"\\ud800"}', "not-json", "a"),
        (b'{"account":"a","x":"\xff"}', "not-json", "a"),
        (b"\xef\xbb\xbf{}", "not-json", None),
        (b"[" * 100_000, "not-json", None),
        (b'{"t":"commit","account":"a","id":"1","entr', "not-json", "a"),
        (b'{"t":"log","x":"\\"account\\":\\"a\\"', "not-json", None),
        (b"[]", "not-an-object", None),
        (b"7", "not-an-object", None),
        (b"{}", "unknown-type", None),
        (b'{"t":["get"],"account":"a"}', "unknown-type", "a"),
        (b'{"t":"dance","account":"a"}', "unknown-type", "a"),
        (b'{"t":"dance","account":""}', "unknown-type", None),
        (b'{"t":"dance","account":7}', "unknown-type", None),
        (b'{"t":"get","account":"a"}', "bad-field", "a"),
    ],
)
def test_rubbish_has_a_name_and_blames_the_account_it_names(data, name, account):
    error = refused(data)
    assert (error.name, error.account) == (name, account)


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"account": ""}, "account"),
        ({"account": "x" * 201}, "account"),
        ({"id": "x" * 201}, "id"),
        ({"id": 7}, "id"),
        ({"keys": []}, "keys"),
        ({"keys": {"session": {"a": 1}}}, "keys"),
        ({"keys": {"session": "a"}}, "keys"),
        ({"creds": {}}, "creds"),
        ({"begin": ""}, "begin"),
        ({"entries": {}}, "entries"),
        ({"entries": [ENTRY] * 1001}, "entries"),
        ({"entries": [ENTRY, 7]}, "entries[1]"),
        ({"entries": [{**ENTRY, "kind": "wish"}]}, "entries[0].kind"),
        ({"entries": [{**ENTRY, "origin": "moon"}]}, "entries[0].origin"),
        ({"entries": [{**ENTRY, "source": ""}]}, "entries[0].source"),
        ({"entries": [{**ENTRY, "at": True}]}, "entries[0].at"),
        ({"entries": [{**ENTRY, "at": 1.5}]}, "entries[0].at"),
        ({"entries": [{**ENTRY, "at": 2**63}]}, "entries[0].at"),
        ({"entries": [{**ENTRY, "payload": []}]}, "entries[0].payload"),
        ({"entries": [{**ENTRY, "raw": "!", "form": "web"}]}, "entries[0].raw"),
        ({"entries": [{**ENTRY, "raw": "CgJoaQ", "form": "web"}]}, "entries[0].raw"),
        ({"entries": [{**ENTRY, "raw": "é===", "form": "web"}]}, "entries[0].raw"),
        ({"entries": [{**ENTRY, "raw": "CgJoaQ=="}]}, "entries[0].form"),
        ({"entries": [{**ENTRY, "form": "web"}]}, "entries[0].raw"),
        ({"entries": [{**ENTRY, "raw": "", "form": "gif"}]}, "entries[0].form"),
        ({"entries": [{**ENTRY, "envelope": "x"}]}, "entries[0].envelope"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(fields, detail):
    error = refused(line(**{"t": "commit", "account": "a", "id": "1", **fields}))
    assert (error.name, error.detail) == ("bad-field", detail)


def test_a_payload_nested_deeper_than_can_be_written_again_is_refused_by_name():
    deep = b'{"a":' * 300 + b"1" + b"}" * 300
    data = commit(entries=[ENTRY]).replace(b'{"a":1}', deep)
    error = refused(data)
    assert (error.name, error.detail, error.account) == ("bad-field", "entries[0].payload", "a")


def test_extra_fields_are_ignored():
    assert decode(commit(colour="red")) == Commit(account="a", id="1")


def test_ids_chosen_by_senders_may_be_long():
    frame = decode(line(t="find", account="a", id="1", source="sent:x:" + "y" * 1500))
    assert isinstance(frame, Find)
