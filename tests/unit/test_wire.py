from __future__ import annotations

import base64

import orjson
import pytest

from whatsapp_backend.adapters.bridge.wire import Lines, Wire
from whatsapp_backend.domain.frames import Done, Find, Log
from whatsapp_backend.domain.journal import Entry, NewEntry, OpenNotice
from whatsapp_backend.errors import OurBug, ProtocolError
from whatsapp_backend.rules import encode

FIND = {"t": "find", "account": "a", "id": "1", "source": "s"}
FOUND = Find(account="a", id="1", source="s")


def say(*frames) -> bytes:
    return b"".join(orjson.dumps(frame) + b"\n" for frame in frames)


def part(index, count, text, *, of="p1", account="a"):
    return {"t": "part", "account": account, "of": of, "index": index, "count": count, "text": text}


def heard(data: bytes) -> list:
    return [(e.name, e.account) if isinstance(e, ProtocolError) else e for e in Wire().feed(data)]


def test_lines_come_out_in_order_whatever_the_cuts():
    data = say(FIND, {**FIND, "id": "2"})
    wire = Wire()
    one_at_a_time = [frame for byte in data for frame in wire.feed(bytes([byte]))]
    assert one_at_a_time == heard(data) == [FOUND, Find(account="a", id="2", source="s")]


def test_rubbish_between_two_frames_costs_neither():
    assert heard(say(FIND) + b"\x00\xff\n\n" + say(FIND)) == [FOUND, ("not-json", None), ("not-json", None), FOUND]


def test_a_line_of_exactly_the_limit_is_read_and_one_byte_more_is_too_long():
    base = len(orjson.dumps({**FIND, "x": ""})) + 1
    fits, over = encode.MAX_LINE_BYTES - base, encode.MAX_LINE_BYTES - base + 1
    assert heard(say({**FIND, "x": "y" * fits}, FIND)) == [FOUND, FOUND]
    assert heard(say({**FIND, "x": "y" * over}, FIND)) == [("too-long", "a"), FOUND]


def test_of_an_endless_line_only_its_beginning_is_kept():
    lines = Lines(2048)
    for _ in range(100):
        assert list(lines.feed(b"x" * 1000)) == []
    assert len(lines._line) <= 1024
    assert [(len(line), whole) for line, whole in lines.feed(b"\nab\n")] == [(1024, False), (2, True)]


def test_an_unfinished_last_line_is_no_frame():
    assert heard(orjson.dumps(FIND)) == []


def test_parts_are_joined():
    text = orjson.dumps({**FIND, "source": "ü😀"}).decode()
    data = say(part(0, 3, text[:5]), part(1, 3, text[5:-3]), part(2, 3, text[-3:]), FIND)
    assert heard(data) == [Find(account="a", id="1", source="ü😀"), FOUND]


def test_frames_of_other_accounts_may_come_between_parts():
    text = orjson.dumps(FIND).decode()
    other = {**FIND, "account": "b"}
    log = {"t": "log", "level": "info", "event": "e"}
    data = say(part(0, 2, text[:9]), other, log, part(1, 2, text[9:]))
    assert heard(data) == [
        Find(account="b", id="1", source="s"),
        Log(level="info", event="e", account=None, fields={}),
        FOUND,
    ]


def test_a_frame_without_account_can_come_in_parts():
    text = orjson.dumps({"t": "done", "id": "c1", "result": {}}).decode()
    first, second = part(0, 2, text[:9]), part(1, 2, text[9:])
    del first["account"], second["account"]
    assert heard(say(first, second)) == [Done(id="c1", result={})]


TEXT = orjson.dumps(FIND).decode()


@pytest.mark.parametrize(
    "frames",
    [
        [part(1, 2, TEXT)],
        [part(0, 0, TEXT)],
        [part(0, -1, TEXT)],
        [part(0, 3, "{"), part(2, 3, "}")],
        [part(0, 2, "{"), part(1, 3, "}")],
        [part(0, 2, "{"), part(1, 2, "}", of="p2")],
        [part(0, 2, "{"), part(0, 2, "}")],
        [part(0, 2, TEXT[:5]), FIND],
        [part(0, 1, orjson.dumps({**FIND, "account": "b"}).decode())],
        [part(0, 1, orjson.dumps(part(0, 1, TEXT)).decode())],
    ],
)
def test_parts_that_do_not_fit_are_bad_and_the_next_frame_is_read(frames):
    assert heard(say(*frames, FIND)) == [("bad-part", "a"), FOUND]


def test_rubbish_inside_parts_is_named_and_blames_the_account():
    assert heard(say(part(0, 2, "{"), part(1, 2, "!"))) == [("not-json", "a")]
    assert heard(say(part(0, 1, "{}"))) == [("unknown-type", "a")]


def test_parts_of_more_than_32_mib_are_bad():
    text = "x" * 1_000_000
    wire = Wire()
    errors = []
    for index in range(34):
        errors += wire.feed(say(part(index, 100, text)))
        if errors:
            break
    assert index == 33
    assert [(e.name, e.account) for e in errors] == [("bad-part", "a")]


@pytest.mark.parametrize("character", ["x", '"', "\\", "😀", "\u0001"])
def test_what_is_too_long_for_a_line_goes_in_parts_that_make_it_again(character):
    values = {"k": character * 1_500_000}
    lines = encode.got("a", "7", values)
    assert len(lines) > 1
    assert all(len(line) <= encode.MAX_LINE_BYTES and line.endswith(b"\n") for line in lines)
    parts = [orjson.loads(line) for line in lines]
    assert [(p["t"], p["account"], p["index"], p["count"]) for p in parts] == [
        ("part", "a", index, len(lines)) for index in range(len(lines))
    ]
    assert len({p["of"] for p in parts}) == 1
    whole = orjson.loads("".join(p["text"] for p in parts))
    assert whole == {"t": "got", "account": "a", "id": "7", "values": values}


def test_a_command_that_cannot_be_sent_is_refused():
    with pytest.raises(OurBug):
        encode.do("c1", "send-text", "a", {"text": "\ud800"})
    with pytest.raises(OurBug):
        encode.do("c1", "start", "a", {"creds": "x" * (encode.MAX_FRAME_BYTES + 1)})


def test_an_open_notice_carries_base64_and_its_envelope_as_an_object():
    notice = OpenNotice(source="enc:1", raw=b"\x00\xff", envelope=b'{"id":"M1"}', crashes=0)
    (line,) = encode.do("c1", "start", "a", {"creds": None, "open": [encode.open_notice(notice)]})
    assert orjson.loads(line)["args"] == {
        "creds": None,
        "open": [{"source": "enc:1", "raw": "AP8=", "envelope": {"id": "M1"}}],
    }


def test_found_carries_the_bytes_or_nulls():
    new = NewEntry(kind="message", source="s", origin="live", received_at_ms=1, payload=b"{}", form="web", raw=b"hi")
    (line,) = encode.found("a", "9", Entry(seq=1, account="a", new=new))
    assert orjson.loads(line)["raw"] == base64.b64encode(b"hi").decode()
    (line,) = encode.found("a", "9", None)
    assert orjson.loads(line) == {"t": "found", "account": "a", "id": "9", "raw": None, "form": None}
