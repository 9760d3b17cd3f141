"""Fields of a parsed JSON object, with their types made sure of. Every one raises ProtocolError `bad-field`.

`null` means the same as absent. Limits exist where a wild value would do harm later: integers are those a JavaScript
number holds exactly (and SQLite can store), accounts and ids are short. Other strings have none: message sources hold
ids that are chosen by senders.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import orjson

from whatsapp_backend.errors import ProtocolError

MAX_ID_CHARS: Final = 200
MAX_INTEGER: Final = 2**53 - 1

Object = Mapping[str, Any]


def bad(field: str) -> ProtocolError:
    """The error for a field that is missing or of the wrong type."""
    return ProtocolError("bad-field", field)


def is_id(value: object) -> bool:
    """Whether it may be an account or an id."""
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARS


def an_id(of: Object, field: str) -> str:
    """A required account or id."""
    value = of.get(field)
    if not isinstance(value, str) or not is_id(value):
        raise bad(field)
    return value


def text(of: Object, field: str) -> str:
    """A required string."""
    value = of.get(field)
    if not isinstance(value, str):
        raise bad(field)
    return value


def name(of: Object, field: str) -> str:
    """A required string that is not empty."""
    value = text(of, field)
    if not value:
        raise bad(field)
    return value


def text_or_none(of: Object, field: str) -> str | None:
    """A string that may be absent."""
    return None if of.get(field) is None else text(of, field)


def integer(of: Object, field: str) -> int:
    """A required integer."""
    value = of.get(field)
    if type(value) is not int or abs(value) > MAX_INTEGER:  # a bool is an int to isinstance
        raise bad(field)
    return value


def an_object(of: Object, field: str) -> Object:
    """A required object."""
    value = of.get(field)
    if not isinstance(value, dict):
        raise bad(field)
    return value


def one_of(of: Object, field: str, allowed: frozenset[str]) -> str:
    """A required string out of a closed list."""
    value = text(of, field)
    if value not in allowed:
        raise bad(field)
    return value


def json_text(of: Object, field: str) -> bytes | None:
    """An object that may be absent, as the JSON text it is kept as."""
    if of.get(field) is None:
        return None
    value = an_object(of, field)
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # nested deeper than orjson writes (254), though it reads 1024
        raise bad(field) from None


def some_bytes(of: Object, field: str) -> bytes | None:
    """Base64 that may be absent."""
    text = text_or_none(of, field)
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise bad(field) from None
