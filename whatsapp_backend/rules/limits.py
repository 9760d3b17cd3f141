"""What Firestore takes as a document: its limits, so that what breaks them is told apart before it is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from whatsapp_backend.domain.writes import Fields

MAX_DOCUMENT_BYTES = 1_048_576
MAX_VALUE_BYTES = 1_048_487
MAX_NAME_BYTES = 1500
MAX_DEPTH = 20
_RESERVED = re.compile(r"__.*__", re.DOTALL)
_FIXED_BYTES: dict[type, int] = {bool: 1, type(None): 1, int: 8, float: 8, datetime: 8}


def path_problem(path: str) -> str | None:
    """Why no document can have this path, or None."""
    parent, _, document_id = path.rpartition("/")
    return _collection_problem(parent) or _id_problem(document_id)


def document_bytes(path: str, fields: Fields) -> int:
    """The size Firestore counts against its limit of 1 MiB a document (as its documentation defines it)."""
    return sum(_text_bytes(part) for part in path.split("/")) + 16 + 32 + _value_bytes(fields)


def fields_problem(fields: Fields, *, depth: int = 0) -> str | None:
    """Why no document can hold these fields, or None."""
    for name, value in fields.items():
        problem = _name_problem(name) or value_problem(value, depth=depth + 1)
        if problem:
            return problem
    return None


def value_problem(value: object, *, depth: int = 1, in_list: bool = False) -> str | None:
    """Why no field can hold this value, or None."""
    if depth > MAX_DEPTH:
        return f"nested deeper than {MAX_DEPTH}"
    if isinstance(value, Mapping):
        return fields_problem(value, depth=depth)
    if isinstance(value, list):
        if in_list:
            return "a list directly in a list"
        return next(filter(None, (value_problem(item, depth=depth + 1, in_list=True) for item in value)), None)
    return _plain_problem(value)


def _plain_problem(value: object) -> str | None:
    match value:
        case str():
            return _text_problem(value)
        case bytes() if len(value) > MAX_VALUE_BYTES:
            return f"a value over {MAX_VALUE_BYTES} bytes"
        case int() if not -(1 << 63) <= value < 1 << 63:
            return "an integer over 64 bits"
        case datetime() if value.tzinfo is None:
            return "a time without a time zone"
        case None | bool() | int() | float() | bytes() | datetime():
            return None
    return f"a value of type {type(value).__name__}"


def _text_problem(text: str) -> str | None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "text that is no valid Unicode"
    return f"a value over {MAX_VALUE_BYTES} bytes" if size > MAX_VALUE_BYTES else None


def _name_problem(name: object) -> str | None:
    if not isinstance(name, str):
        return "a field name that is no text"
    if not name:
        return "an empty field name"
    return _text_problem(name) or _long_or_reserved(name, "field name")


@lru_cache(4096)
def _collection_problem(path: str) -> str | None:
    parts = path.split("/")
    if len(parts) % 2 == 0:
        return "a path with an odd number of parts"
    return next(filter(None, map(_id_problem, parts)), None)


def _id_problem(part: str) -> str | None:
    if part in ("", ".", ".."):
        return f"a path with the part {part!r}"
    return _text_problem(part) or _long_or_reserved(part, "id")


def _long_or_reserved(text: str, what: str) -> str | None:
    if len(text.encode()) > MAX_NAME_BYTES:
        return f"{'an' if what == 'id' else 'a'} {what} over {MAX_NAME_BYTES} bytes"
    return f"a reserved {what}" if text.startswith("__") and _RESERVED.fullmatch(text) else None


def _value_bytes(value: object) -> int:
    if isinstance(value, str):
        return _text_bytes(value)
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_text_bytes(name) + _value_bytes(inner) for name, inner in value.items())
    if isinstance(value, list):
        return sum(map(_value_bytes, value))
    return _FIXED_BYTES.get(type(value), 8)


def _text_bytes(text: str) -> int:
    return len(text.encode()) + 1
