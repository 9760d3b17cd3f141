"""Whatever bytes arrive, they are a frame or a ProtocolError named in docs/frames.md, never anything else."""

from __future__ import annotations

import copy
import json
from itertools import pairwise

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from whatsapp_backend.adapters.bridge.wire import Wire
from whatsapp_backend.domain.journal import Commit
from whatsapp_backend.errors import ProtocolError
from whatsapp_backend.rules.decode import decode

NAMES = {"too-long", "not-json", "not-an-object", "unknown-type", "bad-field", "unknown-account", "bad-part"}
ENTRY = {"kind": "message", "source": "s", "origin": "live", "at": 1, "payload": {"x": 1}, "raw": "aGk=", "form": "web"}
GOOD = [
    {"t": "hello", "protocol": 1, "engine": "e", "node": "v20", "pid": 1},
    {"t": "get", "account": "a", "id": "1", "type": "session", "ids": ["x"]},
    {"t": "commit", "account": "a", "id": "1", "keys": {"session": {"x": None}}, "creds": "c", "entries": [ENTRY]},
    {"t": "find", "account": "a", "id": "1", "source": "s"},
    {"t": "state", "account": "a", "status": "open", "me": {"id": "1@s"}, "at": 1},
    {"t": "state", "account": "a", "status": "closed", "code": 428, "reason": "r", "at": 1},
    {"t": "done", "id": "c1", "result": {}},
    {"t": "failed", "id": "c1", "error": {"code": "timeout", "message": "m"}},
    {"t": "log", "level": "info", "event": "e", "account": "a", "fields": {}},
    {"t": "part", "account": "a", "of": "p", "index": 0, "count": 2, "text": '{"t":'},
    {"t": "part", "account": "a", "of": "p", "index": 1, "count": 2, "text": '"x"}'},
]
TEXT = st.text(st.sampled_from('aü😀"\\\x00'), max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=4,
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


@st.composite
def nearly_good(draw):
    frame = copy.deepcopy(draw(st.sampled_from(GOOD)))
    path = draw(st.sampled_from(list(places(frame))[1:]))
    parent = frame
    for key in path[:-1]:
        parent = parent[key]
    if draw(st.booleans()):
        parent[path[-1]] = draw(JSON)
    else:
        del parent[path[-1]]
    return json.dumps(frame).encode()  # unlike orjson it writes NaN and integers of any size


@st.composite
def scarred(draw):
    line = bytearray(orjson.dumps(draw(st.sampled_from(GOOD))))
    for _ in range(draw(st.integers(1, 3))):
        line[draw(st.integers(0, len(line) - 1))] = draw(st.integers(0, 255))
    return bytes(line)


ANYTHING = st.binary(max_size=50) | nearly_good() | scarred() | st.sampled_from(GOOD).map(orjson.dumps)


@settings(deadline=None, max_examples=300)
@given(ANYTHING)
def test_any_bytes_are_a_frame_or_a_protocol_error(line):
    frame = read(line)
    if isinstance(frame, ProtocolError):
        assert frame.name in NAMES
        assert frame.account is None or 0 < len(frame.account) <= 200
    elif isinstance(frame, Commit):
        assert all(entry.payload is not None or entry.problem is not None for entry in frame.entries)


def read(line):
    try:
        return decode(line)
    except ProtocolError as error:
        return error


@settings(deadline=None)
@given(st.lists(ANYTHING, max_size=6), st.lists(st.integers(0, 1000), max_size=10))
def test_the_cuts_in_a_stream_change_nothing(lines, cuts):
    stream = b"\n".join([*lines, b""])
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    assert fed(stream[a:b] for a, b in pairwise(edges)) == fed([stream])
    assert fed(bytes([byte]) for byte in stream) == fed([stream])


def fed(pieces) -> list:
    wire = Wire()
    heard = [frame for piece in pieces for frame in wire.feed(piece)]
    return [(f.name, f.detail, f.account) if isinstance(f, ProtocolError) else f for f in heard]
