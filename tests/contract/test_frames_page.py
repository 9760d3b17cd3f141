"""docs/frames.md is binding: its examples are read, or written, exactly so; and nothing less than them is accepted."""

from __future__ import annotations

import base64
import copy
import re
from pathlib import Path

import orjson
import pytest

from whatsapp_backend.domain.frames import Part
from whatsapp_backend.domain.journal import Commit, Entry, NewEntry
from whatsapp_backend.errors import ProtocolError
from whatsapp_backend.rules import encode
from whatsapp_backend.rules.decode import decode

PAGE = Path(__file__).parents[2] / "docs" / "frames.md"
EXAMPLES = [
    orjson.loads(text) for text in re.findall(r"^```json\n(.*?)\n```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
]
FRAMES = [example for example in EXAMPLES if "t" in example]
MESSAGES = [example for example in EXAMPLES if "t" not in example]

FROM_THE_BRIDGE = {"hello", "get", "commit", "find", "state", "done", "failed", "log", "part"}
FROM_THE_DAEMON = {
    "got": lambda f: encode.got(f["account"], f["id"], f["values"]),
    "committed": lambda f: encode.committed(f["account"], f["id"]),
    "found": lambda f: encode.found(f["account"], f["id"], entry(raw=base64.b64decode(f["raw"]), form=f["form"])),
    "halt": lambda f: encode.halt(f["account"], f["reason"]),
    "do": lambda f: encode.do(f["id"], f["command"], f["account"], f["args"]),
}
OPTIONAL = {
    ("commit", ("keys",)),
    ("commit", ("entries",)),
    ("commit", ("entries", 0, "envelope")),
    ("log", ("account",)),
    ("log", ("fields",)),
    ("part", ("account",)),
}
FREE = ("payload", "envelope", "keys", "result", "fields")
"""What is inside of these the frame does not prescribe."""


def entry(**fields) -> Entry:
    new = NewEntry(kind="message", source="s", origin="live", received_at_ms=1, payload=b"{}", **fields)
    return Entry(seq=1, account="a", new=new)


def prescribed(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if isinstance(key, str):
            yield (*path, key)
        if key not in FREE:
            yield from prescribed(inner, (*path, key))


def without(frame, path):
    changed = copy.deepcopy(frame)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    return changed, parent, parent.pop(path[-1])


REQUIRED = [
    pytest.param(frame, path, id=f"{frame['t']}-{'.'.join(map(str, path))}")
    for frame in FRAMES
    if frame["t"] in FROM_THE_BRIDGE
    for path in prescribed(frame)
    if path != ("t",) and (frame["t"], path) not in OPTIONAL
]


def test_the_page_has_an_example_of_every_frame():
    assert {frame["t"] for frame in FRAMES} == FROM_THE_BRIDGE | set(FROM_THE_DAEMON)


@pytest.mark.parametrize("frame", [f for f in FRAMES if f["t"] in FROM_THE_BRIDGE], ids=lambda f: f["t"])
def test_an_example_from_the_bridge_is_read_as_it_says(frame):
    assert as_written(decode(orjson.dumps(frame))) == frame


def as_written(value):
    """The frame again, from the value."""
    names = {"received_at_ms": "at", "at_ms": "at"}
    kind = "commit" if isinstance(value, Commit) else type(value).__name__.lower()
    fields = {slot: getattr(value, slot) for slot in value.__slots__}
    if kind == "failed":
        fields["error"] = {"code": fields.pop("code"), "message": fields.pop("message")}
    if kind == "commit":
        fields["entries"] = [entry_as_written(each, names) for each in fields["entries"]]
    if kind == "get":
        fields["ids"] = list(fields["ids"])
    return {"t": kind, **{names.get(name, name): field for name, field in fields.items() if field is not None}}


def entry_as_written(new, names):
    fields = {names.get(slot, slot): getattr(new, slot) for slot in new.__slots__ if getattr(new, slot) is not None}
    fields["raw"] = base64.b64encode(fields["raw"]).decode()
    return {**fields, "payload": orjson.loads(new.payload), "envelope": orjson.loads(new.envelope)}


@pytest.mark.parametrize("frame", [f for f in FRAMES if f["t"] in FROM_THE_DAEMON], ids=lambda f: f["t"])
def test_an_example_from_the_daemon_is_written_exactly_so(frame):
    (line,) = FROM_THE_DAEMON[frame["t"]](frame)
    assert line.endswith(b"\n")
    assert orjson.loads(line) == frame


@pytest.mark.parametrize(("frame", "path"), REQUIRED)
def test_a_missing_renamed_or_mistyped_field_is_a_bad_field_that_names_it(frame, path):
    removed, _, _ = without(frame, path)
    renamed, parent, value = without(frame, path)
    parent[f"{path[-1]}_2"] = value
    mistyped, parent, value = without(frame, path)
    parent[path[-1]] = [{"not": "this"}]
    for changed in (removed, renamed, mistyped):
        with pytest.raises(ProtocolError) as caught:
            decode(orjson.dumps(changed))
        assert caught.value.name == "bad-field"
        assert caught.value.detail.endswith(path[-1])
        assert caught.value.account == (None if path == ("account",) else frame.get("account"))


@pytest.mark.parametrize(("kind", "path"), sorted(OPTIONAL, key=str))
def test_a_field_that_may_be_absent_may_also_be_null(kind, path):
    for frame in [each for each in FRAMES if each["t"] == kind]:
        absent, parent, _ = without(frame, path)
        read = decode(orjson.dumps(absent))
        parent[path[-1]] = None
        assert decode(orjson.dumps(absent)) == read


def test_without_its_type_a_frame_is_of_unknown_type():
    for frame in FRAMES:
        changed, _, _ = without(frame, ("t",))
        with pytest.raises(ProtocolError, match="unknown-type"):
            decode(orjson.dumps(changed))


@pytest.mark.parametrize("message", MESSAGES)
def test_an_example_message_is_kept_as_it_is(message):
    frame = copy.deepcopy(next(each for each in FRAMES if each["t"] == "commit"))
    frame["entries"][0]["payload"] = message
    commit = decode(orjson.dumps(frame))
    assert isinstance(commit, Commit)
    assert orjson.loads(commit.entries[0].payload) == message


def test_the_protocol_errors_of_the_page_are_the_ones_we_raise():
    (named,) = re.findall(r"^Protocol errors: (.*?)\n\n", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert {"too-long", "not-json", "not-an-object", "unknown-type", "bad-field", "bad-part"} <= set(
        re.findall(r"`([a-z-]+)`", named)
    )


def test_the_example_of_a_part_is_a_part():
    assert any(isinstance(decode(orjson.dumps(frame)), Part) for frame in FRAMES if frame["t"] == "part")
