"""What callers send: checked here, so that nothing odd gets further in."""

from __future__ import annotations

import re
from typing import Any

import orjson
from aiohttp import web

PHONE = re.compile(r"\s*\+?[0-9][0-9 ().-]{5,31}")
NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,200}")
_JID = re.compile(r"[^\s\x00-\x1f]{1,200}@[a-z.]{1,40}")
_MESSAGE_ID = re.compile(r"[^\x00-\x1f]{1,1500}")
_LIMITS = range(1, 501)
_PAGE = range(1, 51)
_SECONDS = range(1, 1 << 40)


async def json_object(request: web.Request) -> dict[str, Any]:
    """The body. orjson, unlike json, refuses NaN and lone surrogates, which nothing behind us could keep."""
    try:
        body = orjson.loads(await request.read())
    except ValueError as error:
        raise web.HTTPBadRequest(text="the body must be JSON") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body must be a JSON object")
    return body


def history_request(body: dict[str, Any]) -> dict[str, Any]:
    """What `Asker.fetch` wants: `chat`, `anchor` {id, fromMe, participant?}, `time` (s), `count` (1 to 50)."""
    anchor = body.get("anchor")
    anchor = anchor if isinstance(anchor, dict) else {}
    participant = anchor.get("participant")
    good = (
        _is_text(body.get("chat"), _JID)
        and _is_text(anchor.get("id"), _MESSAGE_ID)
        and isinstance(anchor.get("fromMe"), bool)
        and (participant is None or _is_text(participant, _JID))
        and _is_whole(body.get("time"), _SECONDS)
        and _is_whole(body.get("count"), _PAGE)
    )
    if not good:
        message = "`chat` (JID), `anchor` {id, fromMe, participant?}, `time` (seconds) and `count` (1 to 50) are needed"
        raise web.HTTPBadRequest(text=message)
    names = ("id", "fromMe", *(["participant"] if participant else []))
    return {
        "chat": body["chat"],
        "anchor": {name: anchor[name] for name in names},
        "time": body["time"],
        "count": body["count"],
    }


def limit_of(request: web.Request, *, orders: tuple[str, ...], default: int = 50) -> int:
    """The query's `limit`; `orderBy` must be one of the orders there are, and changes nothing."""
    order = request.query.get("orderBy", orders[0])
    if order not in orders:
        raise web.HTTPBadRequest(text=f"orderBy must be one of: {', '.join(orders)}")
    limit = request.query.get("limit", str(default))
    if not (re.fullmatch("[0-9]{1,5}", limit) and int(limit) in _LIMITS):
        raise web.HTTPBadRequest(text=f"limit must be a whole number from {_LIMITS[0]} to {_LIMITS[-1]}")
    return int(limit)


def _is_text(value: Any, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and bool(form.fullmatch(value))


def _is_whole(value: Any, allowed: range) -> bool:
    return type(value) is int and value in allowed  # True is an int, too
