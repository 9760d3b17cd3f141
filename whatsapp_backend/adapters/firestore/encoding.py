"""From writes to Firestore's messages, serialised by hand.

Message objects cost 2.5 times as much as this, and it is what landing waits for: with them we reach 0.44 of what the
emulator takes. What a field has before its value depends only on its name and on the length of the value, so those
bytes are remembered. `tests/unit/test_firestore_encoding.py` holds this against Google's own classes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from whatsapp_backend.adapters.firestore.wire import signed, sized, varint
from whatsapp_backend.domain.writes import Fields, Write
from whatsapp_backend.rules.limits import MAX_DOCUMENT_BYTES, document_bytes, fields_problem, path_problem

FRAME_BYTES = 6
"""At most this many bytes are added to a write when it is put into a request."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIMPLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REMEMBERED = 2_000

# Field numbers and wire types, from google/firestore/v1/{write,document,common,firestore}.proto.
_UPDATE, _UPDATE_MASK, _CURRENT_DOCUMENT, _TRANSFORMS = b"\x0a", b"\x1a", b"\x22", b"\x3a"
_NAME, _FIELDS = b"\x0a", b"\x12"
_ENTRY_KEY, _ENTRY_VALUE = b"\x0a", b"\x12"
_INTEGER, _DOUBLE, _MAP, _ARRAY = b"\x10", b"\x19", b"\x32", b"\x4a"
_TIMESTAMP, _STRING, _BYTES = b"\x52", b"\x8a\x01", b"\x92\x01"
_MAP_FIELDS, _ARRAY_VALUES = b"\x0a", b"\x0a"
_SECONDS, _NANOS = b"\x08", b"\x10"
_MASK_PATHS = b"\x0a"
_TRANSFORM_PATH, _SET_TO_REQUEST_TIME = b"\x0a", b"\x10\x01"
_EXISTS_FALSE, _UPDATE_TIME = b"\x08\x00", b"\x12"
_DATABASE, _WRITES = b"\x0a", b"\x12"
_NULL_VALUE, _FALSE_VALUE, _TRUE_VALUE = b"\x58\x00", b"\x08\x00", b"\x08\x01"


class Unencodable(ValueError):
    """No document can hold this."""


class Encoder:
    """Encodes the writes of one database. `root` is what goes before a path to make a name."""

    def __init__(self, root: str) -> None:
        self._root = f"{root}/".encode()

    def encode(self, write: Write) -> bytes:
        """A serialised `Write`. Raises Unencodable."""
        problem = path_problem(write.path)
        if problem:
            raise Unencodable(problem)
        try:
            fields = _fields(write.fields, _DOCUMENT)
            tail = _tail(write.mask, write.server_times, write.must_not_exist)
        except (_OddValueError, UnicodeEncodeError, AttributeError, TypeError, RecursionError) as error:
            raise Unencodable(_reason(write, error)) from error
        if not write.must_not_exist and write.updated_at_ns is not None:
            tail += sized(_CURRENT_DOCUMENT, sized(_UPDATE_TIME, _timestamp(*divmod(write.updated_at_ns, 10**9))))
        name = self._root + write.path.encode()
        named = _NAME + varint(len(name)) + name
        encoded = b"".join((_UPDATE, varint(len(named) + len(fields)), named, fields, tail))
        # What Firestore counts is at most twice what is sent, so only large ones need counting.
        if len(encoded) > MAX_DOCUMENT_BYTES // 2 and document_bytes(write.path, write.fields) > MAX_DOCUMENT_BYTES:
            raise Unencodable(f"a document over {MAX_DOCUMENT_BYTES} bytes")
        return encoded


def batch_request(database: str, writes: Sequence[bytes]) -> bytes:
    """A serialised `BatchWriteRequest` of serialised writes."""
    parts = [sized(_DATABASE, database.encode())]
    for write in writes:
        parts += (_WRITES, varint(len(write)), write)
    return b"".join(parts)


@lru_cache(4096)
def field_path(name: str) -> str:
    """The path of a top-level field, quoted where it must be."""
    if _SIMPLE_NAME.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


class _OddValueError(ValueError):
    """A value of a type, or a size, that documents do not have."""


def encoded_value(value: Any) -> bytes:
    """A serialised `Value`. For one that `rules.limits.value_problem` has nothing against."""
    return _value(value)


class _Remembered(dict[Any, Any]):
    """A table that fills itself, and starts anew before it grows without end."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make

    def __missing__(self, key: Any) -> Any:
        if len(self) >= _REMEMBERED:
            self.clear()
        made = self[key] = self._make(key)
        return made


class _Level:
    """What fields have before their values. Fields of a document and fields of a map differ in the tag of an entry."""

    __slots__ = ("_tag", "falses", "nulls", "others", "strings", "trues")

    def __init__(self, tag: bytes) -> None:
        self._tag = tag
        self.strings = _Remembered(lambda name: _Remembered(lambda size: self._before_string(name, size)))
        self.others = _Remembered(lambda name: _Remembered(lambda size: self._before(name, size)))
        self.nulls = _Remembered(lambda name: self._constant(name, _NULL_VALUE))
        self.falses = _Remembered(lambda name: self._constant(name, _FALSE_VALUE))
        self.trues = _Remembered(lambda name: self._constant(name, _TRUE_VALUE))

    def _before(self, name: str, size: int) -> bytes:
        """All of a field but its serialised `Value`, which is so long."""
        entry = sized(_ENTRY_KEY, name.encode()) + _ENTRY_VALUE + varint(size)
        return self._tag + varint(len(entry) + size) + entry

    def _before_string(self, name: str, size: int) -> bytes:
        start = _STRING + varint(size)
        return self._before(name, len(start) + size) + start

    def _constant(self, name: str, value: bytes) -> bytes:
        return self._before(name, len(value)) + value


_DOCUMENT = _Level(_FIELDS)
_INNER = _Level(_MAP_FIELDS)


def _fields(fields: Fields, level: _Level) -> bytes:
    parts: list[bytes] = []
    add, strings, others, nulls = parts.append, level.strings, level.others, level.nulls
    for name, value in fields.items():
        if type(value) is str:
            data = value.encode()
            add(strings[name][len(data)] + data)
        elif value is None:
            add(nulls[name])
        elif type(value) is int:
            data = _integer(value)
            add(others[name][len(data)] + data)
        elif value is True:
            add(level.trues[name])
        elif value is False:
            add(level.falses[name])
        else:
            data = _value(value)
            add(others[name][len(data)] + data)
    return b"".join(parts)


def _value(value: Any) -> bytes:
    """A serialised `Value`."""
    encode = _ENCODERS.get(type(value))
    if encode is None:
        encode = next((way for kind, way in _ENCODERS.items() if isinstance(value, kind)), _odd)
    return encode(value)


def _integer(value: int) -> bytes:
    if 0 <= value < 1 << 63:
        return _INTEGER + varint(value)
    if -(1 << 63) <= value < 0:
        return _INTEGER + signed(value)
    raise _OddValueError


def _moment(value: datetime) -> bytes:
    since = value - _EPOCH
    return sized(_TIMESTAMP, _timestamp(since.days * 86_400 + since.seconds, since.microseconds * 1000))


def _timestamp(seconds: int, nanos: int) -> bytes:
    return _SECONDS + signed(seconds) + (_NANOS + varint(nanos) if nanos else b"")


def _array(value: list[Any]) -> bytes:
    return sized(_ARRAY, b"".join([sized(_ARRAY_VALUES, _value(item)) for item in value]))


def _odd(value: object) -> bytes:
    raise _OddValueError(f"a value of type {type(value).__name__}")


_ENCODERS: dict[type, Any] = {
    int: _integer,
    datetime: _moment,
    dict: lambda value: sized(_MAP, _fields(value, _INNER)),
    list: _array,
    str: lambda value: sized(_STRING, value.encode()),
    float: lambda value: _DOUBLE + struct.pack("<d", value),
    bytes: lambda value: sized(_BYTES, value),
    bool: lambda value: _TRUE_VALUE if value else _FALSE_VALUE,
    type(None): lambda _: _NULL_VALUE,
    Mapping: lambda value: sized(_MAP, _fields(value, _INNER)),
}


@lru_cache(1024)
def _tail(mask: tuple[str, ...] | None, server_times: tuple[str, ...], must_not_exist: bool) -> bytes:  # noqa: FBT001
    """All of a write but the document and the time it must have been updated at."""
    tail = b"".join(
        sized(_TRANSFORMS, sized(_TRANSFORM_PATH, field_path(name).encode()) + _SET_TO_REQUEST_TIME)
        for name in server_times
    )
    if mask is not None:
        tail += sized(_UPDATE_MASK, b"".join(sized(_MASK_PATHS, field_path(name).encode()) for name in mask))
    if must_not_exist:
        tail += sized(_CURRENT_DOCUMENT, _EXISTS_FALSE)
    return tail


def _reason(write: Write, error: Exception) -> str:
    try:
        return fields_problem(write.fields) or str(error)
    except RecursionError:
        return "nested too deeply"
