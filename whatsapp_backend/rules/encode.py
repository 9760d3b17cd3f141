"""What we say to the bridge -> lines (docs/frames.md, "From the daemon"). What is too long becomes `part` lines."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from whatsapp_backend.domain.journal import Entry, OpenNotice
from whatsapp_backend.errors import OurBug

MAX_LINE_BYTES: Final = 1024 * 1024
"""Including the newline."""
MAX_FRAME_BYTES: Final = 32 * 1024 * 1024
PART_BYTES: Final = 500_000
"""Of the frame, per part: quotes and backslashes double when JSON text becomes a JSON string, and a header is added."""

_CONTINUES: Final = 0b1100_0000
_CONTINUATION: Final = 0b1000_0000
"""The top bits of a byte inside a UTF-8 character: a piece must not begin there."""

Lines = tuple[bytes, ...]


def got(account: str, id: str, values: Mapping[str, str]) -> Lines:
    """The answer to `get`."""
    return _lines({"t": "got", "account": account, "id": id, "values": dict(values)})


def committed(account: str, id: str) -> Lines:
    """The answer to `commit`."""
    return _lines({"t": "committed", "account": account, "id": id})


def found(account: str, id: str, entry: Entry | None) -> Lines:
    """The answer to `find`."""
    raw = None if entry is None else entry.new.raw
    form = None if entry is None else entry.new.form
    frame: dict[str, object] = {"t": "found", "account": account, "id": id, "raw": _base64(raw), "form": form}
    if entry is not None and entry.new.envelope is not None:
        frame["envelope"] = orjson.Fragment(entry.new.envelope)
    return _lines(frame)


def halt(account: str, reason: str) -> Lines:
    """The end of an account's socket."""
    return _lines({"t": "halt", "account": account, "reason": reason})


def do(id: str, command: str, account: str | None, args: Mapping[str, object]) -> Lines:
    """A command. Raises OurBug when its arguments are no JSON or too long."""
    frame: dict[str, object] = {"t": "do", "id": id, "command": command}
    if account is not None:
        frame["account"] = account
    return _lines({**frame, "args": dict(args)})


def open_notice(notice: OpenNotice) -> Mapping[str, object]:
    """A history notice as the command `start` carries it in `open`."""
    envelope = None if notice.envelope is None else orjson.Fragment(notice.envelope)
    return {"source": notice.source, "raw": _base64(notice.raw), "envelope": envelope}


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def _lines(frame: Mapping[str, Any]) -> Lines:
    try:
        line = orjson.dumps(frame, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError as error:
        raise OurBug(f"a frame {frame['t']} is no JSON: {error}") from None
    if len(line) <= MAX_LINE_BYTES:
        return (line,)
    if len(line) > MAX_FRAME_BYTES:
        raise OurBug(f"a frame {frame['t']} of {len(line)} bytes cannot be sent")
    return tuple(_parts(frame, line[:-1]))


def _parts(frame: Mapping[str, Any], text: bytes) -> Iterator[bytes]:
    pieces = list(_pieces(text))
    # An account's frames go out in order and a frame's parts together: the frame's own id tells two of them apart.
    part = {"t": "part", "of": f"{frame['t']}-{frame.get('id', '')}"[:200], "count": len(pieces)}
    if "account" in frame:
        part["account"] = frame["account"]
    for index, piece in enumerate(pieces):
        yield orjson.dumps({**part, "index": index, "text": piece}, option=orjson.OPT_APPEND_NEWLINE)


def _pieces(text: bytes) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = min(start + PART_BYTES, len(text))
        while end < len(text) and text[end] & _CONTINUES == _CONTINUATION:
            end -= 1
        yield text[start:end].decode()
        start = end
