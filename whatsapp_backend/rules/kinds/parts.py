"""Reading one part of a message, whatever it holds.

What a message lives by (its text) raises ValueError where it is of another type. Everything else counts as absent then:
an odd caption must not cost the picture. Every length has an end here, as a document of Firestore has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

import orjson

from whatsapp_backend.rules.identity import canonical_jid

Proto = Mapping[str, Any]
Details = dict[str, Any]
T = TypeVar("T")

LABEL_CHARACTERS: Final = 300
"""Of a name, a title, an option. WhatsApp's own limits are below it."""
OPTIONS: Final = 100
_OPTIONS_BYTES: Final = 200_000
"""Of all of them: a hundred in full length would be no document."""
_TOKEN_CHARACTERS: Final = 1000
_JID_CHARACTERS: Final = 100
_PARAMETER_CHARACTERS: Final = 20_000
_INTEGERS: Final = 1 << 63
_NOTHING: Final[Proto] = {}


def mapping(value: Any) -> Proto:
    """The object. Raises ValueError."""
    if not isinstance(value, Mapping):
        raise ValueError("part of the message is not an object")
    return value


def text(value: Any) -> str:
    """The text. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("text of the message is not text")
    return value


def inner(of: Proto, name: str) -> Proto:
    """The object in it, empty where there is none."""
    value = of.get(name)
    return value if isinstance(value, Mapping) else _NOTHING


def shown(of: Proto, name: str) -> str | None:
    """A text to be shown, of any length, or None where it shows nothing."""
    value = of.get(name)
    return value if isinstance(value, str) and value and not value.isspace() else None


def label(of: Proto, name: str) -> str | None:
    """A short text to be shown, cut where it is not short."""
    value = shown(of, name)
    return value[:LABEL_CHARACTERS] if value else None


def token(of: Proto, name: str, longest: int = _TOKEN_CHARACTERS) -> str | None:
    """A text that is worthless when cut: a key, an address, an id."""
    value = of.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= longest else None


def whole(of: Proto, name: str) -> int | None:
    """An integer from 0 on. A bool is none."""
    value = of.get(name)
    return value if type(value) is int and 0 <= value < _INTEGERS else None


def number(of: Proto, name: str) -> float | None:
    """A finite number."""
    value = of.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if -_INTEGERS < value < _INTEGERS else None


def flag(of: Proto, name: str) -> bool:
    """Whether it is set."""
    return of.get(name) is True


def jid(value: Any) -> str | None:
    """The one spelling of a JID."""
    if not isinstance(value, str) or not 0 < len(value) <= _JID_CHARACTERS or not value.isascii():
        return None
    return canonical_jid(value) or None


def listed(of: Proto, name: str) -> list[Any]:
    """What is listed there, nothing where it is no list."""
    value = of.get(name)
    return value if isinstance(value, list) else []


def objects(of: Proto, name: str) -> Iterator[Proto]:
    """The objects listed there."""
    return (item for item in listed(of, name) if isinstance(item, Mapping))


def first_of(items: Iterable[T], most: int) -> tuple[list[T], int]:
    """The first items, and how many more there are."""
    rest = iter(items)
    kept = list(islice(rest, most))
    return kept, sum(1 for _ in rest)


def fitting(items: Iterable[Details]) -> tuple[list[Details], int]:
    """The first options that a document has room for, and how many more there are."""
    kept: list[Details] = []
    left_out, room = 0, _OPTIONS_BYTES
    for item in items:
        room -= len(repr(item).encode()) if room > 0 else 0
        if room > 0 and len(kept) < OPTIONS:
            kept.append(item)
        else:
            left_out += 1
    return kept, left_out


def parameters(json: Any) -> Proto:
    """The object in a parameter that is JSON text, empty where it holds none."""
    if not isinstance(json, str) or len(json) > _PARAMETER_CHARACTERS:
        return _NOTHING
    try:
        value = orjson.loads(json)
    except ValueError:
        return _NOTHING
    return value if isinstance(value, dict) else _NOTHING


def lines(*texts: str | None) -> str | None:
    """The texts that there are, each on a line of its own."""
    return "\n".join(filter(None, texts)) or None


def told(**details: Any) -> Details:
    """The details that say something: not those that are None, False or empty."""
    return {name: detail for name, detail in details.items() if (detail or detail == 0) and detail is not False}
