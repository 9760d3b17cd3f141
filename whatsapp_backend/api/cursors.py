"""Pages of lists: a cursor says where the page before ended, and the next one begins after it.

A place is what the list is sorted by, never a number of rows: nothing is lost or told twice when something comes in
between two pages. The cursor is JSON, `[list, …, place, …]`, in base64. It is no secret and gives nobody more than the
route does, so it is not signed; it is checked like everything that callers send.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson
from aiohttp import web

from whatsapp_backend.domain.pages import Place
from whatsapp_backend.domain.writes import Document
from whatsapp_backend.rules.limits import path_problem, value_problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_T = TypeVar("_T")


def cursor_of(scope: Sequence[str], place: Sequence[Any]) -> str:
    """The cursor of a place in a list, whose name and owners are the scope."""
    return base64.urlsafe_b64encode(orjson.dumps([*scope, *place])).decode().rstrip("=")


def place_of(request: web.Request, scope: Sequence[str], *kinds: type) -> tuple[Any, ...] | None:
    """The place that the query's `cursor` names, as values of these kinds; None without one."""
    text = request.query.get("cursor")
    if text is None:
        return None
    try:
        parts = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise _bad_cursor() from error
    if not isinstance(parts, list) or parts[: len(scope)] != [*scope] or len(parts) != len(scope) + len(kinds):
        raise _bad_cursor()
    place = tuple(parts[len(scope) :])
    if not all(kind is object or type(part) is kind for part, kind in zip(place, kinds, strict=True)):
        raise _bad_cursor()
    if any(value_problem(part) for part in place if type(part) in (int, str)):  # an integer over 64 bits, say
        raise _bad_cursor()
    return place


def document_place(request: web.Request, *scope: str) -> Place | None:
    """As `place_of`, in a list of documents."""
    found = place_of(request, scope, object, str)
    if found is None:
        return None
    try:
        place = Place(value=_plain(found[0]), id=found[1])
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _bad_cursor() from error
    if value_problem(place.value) or path_problem(f"threads/{place.id}"):
        raise _bad_cursor()
    return place


def document_cursor(found: Sequence[Document], limit: int, by: str, *scope: str) -> str | None:
    """The cursor after a page of documents that are sorted by a field; None where the page was not full."""
    if len(found) < limit:
        return None
    return cursor_of(scope, [_tagged(found[-1].fields[by]), found[-1].id])


def next_cursor(
    found: Sequence[_T], limit: int, scope: Sequence[str], place: Callable[[_T], Sequence[Any]]
) -> str | None:
    """The cursor after a page; None where the page was not full."""
    return cursor_of(scope, place(found[-1])) if len(found) == limit else None


def _bad_cursor() -> web.HTTPBadRequest:
    return web.HTTPBadRequest(
        text="`cursor` must be the `nextCursor` of an earlier page of this very list: begin again without one"
    )


def _tagged(value: Any) -> Any:
    """A value of a document as JSON that keeps its type: what JSON has no word for is a list with a letter."""
    match value:
        case datetime():
            return ["t", (value - _EPOCH) // _MICROSECOND]
        case bytes():
            return ["b", base64.b64encode(value).decode()]
        case float():
            return ["f", value.hex()]  # also what is no finite number
        case list():
            return ["l", [_tagged(item) for item in value]]
        case Mapping():
            return ["m", {name: _tagged(item) for name, item in value.items()}]
    return value


def _plain(value: Any) -> Any:
    match value:
        case ["t", int(microseconds)]:
            return _EPOCH + timedelta(microseconds=microseconds)
        case ["b", str(text)]:
            return base64.b64decode(text, validate=True)
        case ["f", str(text)]:
            return float.fromhex(text)
        case ["l", list(items)]:
            return [_plain(item) for item in items]
        case ["m", dict(items)]:
            return {name: _plain(item) for name, item in items.items()}
        case None | bool() | int() | str():
            return value
    raise ValueError("no value of a document")
