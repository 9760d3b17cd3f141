"""What callers send: checked here, so that nothing odd gets further in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from whatsapp_backend.api.schemas import Schema
from whatsapp_backend.domain.jobs import Bounds
from whatsapp_backend.rules.identity import canonical_jid
from whatsapp_backend.rules.since import moment_of

_PHONE = r" *\+?[1-9](?:[ ().-]*[0-9]){5,14}[ ().-]*"
_PRINTED = r"[^\x00-\x1f\x7f-\x9f]"
_NAME = rf"{_PRINTED}*[^\s\x00-\x1f\x7f-\x9f]{_PRINTED}*"
_JID_FORM = r"[^\s\x00-\x1f]{1,200}@[a-z.]{1,40}"
_MESSAGE_ID_FORM = r"[^\x00-\x1f]{1,1500}"
_JOB_ID_FORM = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_MOMENT_FORM = (
    r"[0-9]{1,40}[smhd]|[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_JID = re.compile(_JID_FORM)
_MESSAGE_ID = re.compile(_MESSAGE_ID_FORM)
_LONGEST_NAME, _LONGEST_PHONE = 200, 40
_LIMITS = range(1, 501)
_PAGE = range(1, 51)
_SECONDS = range(1, 1 << 40)
_JOB_ID = re.compile(_JOB_ID_FORM)
_MOST_CHATS = 1000
_SINCE, _NOW = "2h", "0s"
_OF_RUNS = ("dryRun", "jobId")
_OF_RESYNCS = ("since", "until", "chats", *_OF_RUNS)


_PHONE_TEXT = {"type": "string", "pattern": f"^{_PHONE}$", "maxLength": _LONGEST_PHONE}
_NAME_TEXT = {"type": "string", "pattern": f"^{_NAME}$", "maxLength": _LONGEST_NAME}
_JID_TEXT = {"type": "string", "pattern": f"^{_JID_FORM}$"}
_MOMENT_TEXT = {"type": ["string", "null"], "pattern": f"^({_MOMENT_FORM})$"}
_RUN = {
    "dryRun": {"type": ["boolean", "null"], "description": "Do nothing, and answer what would be done."},
    "jobId": {
        "type": ["string", "null"],
        "pattern": f"^{_JOB_ID_FORM}$",
        "description": "Asking again starts none.",
    },
}
NEW_ACCOUNT: Schema = {
    "type": "object",
    "required": ["phone", "name"],
    "properties": {"phone": _PHONE_TEXT, "name": _NAME_TEXT},
}
NEW_NAME: Schema = {"type": "object", "required": ["name"], "properties": {"name": _NAME_TEXT}}
BACKFILL: Schema = {"type": "object", "properties": _RUN}
RESYNC: Schema = {
    "type": "object",
    "properties": {
        "since": {**_MOMENT_TEXT, "description": "`2h` (the default): so long ago; or ISO 8601."},
        "until": {**_MOMENT_TEXT, "description": "Later than `since`; without it, now."},
        "chats": {"type": ["array", "null"], "items": _JID_TEXT, "minItems": 1, "maxItems": _MOST_CHATS},
        **_RUN,
    },
    "additionalProperties": False,
}
HISTORY: Schema = {
    "type": "object",
    "required": ["chat", "anchor", "time", "count"],
    "properties": {
        "chat": _JID_TEXT,
        "anchor": {
            "type": "object",
            "required": ["id", "fromMe"],
            "properties": {
                "id": {"type": "string", "pattern": f"^{_MESSAGE_ID_FORM}$"},
                "fromMe": {"type": "boolean"},
                "participant": {"type": ["string", "null"], "pattern": f"^{_JID_FORM}$"},
            },
        },
        "time": {"type": "integer", "minimum": _SECONDS[0], "maximum": _SECONDS[-1]},
        "count": {"type": "integer", "minimum": _PAGE[0], "maximum": _PAGE[-1]},
    },
}
"""What the bodies of these routes may be. The functions below refuse everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRun:
    """A run that a caller wants. `job_id` is of his choice, so that asking again does not start another one."""

    bounds: Bounds = field(default_factory=Bounds)
    dry_run: bool = False
    job_id: str | None = None


async def json_object(request: web.Request) -> dict[str, Any]:
    """The body. orjson, unlike json, refuses NaN and lone surrogates, which nothing behind us could keep."""
    text = await request.read()
    try:
        body = orjson.loads(text)
        json.loads(text, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise web.HTTPBadRequest(text="the body must be JSON, no name twice in one object") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body must be a JSON object")
    return body


async def optional_json_object(request: web.Request) -> dict[str, Any]:
    """The body, where there is one."""
    return await json_object(request) if await request.read() else {}


def only(body: dict[str, Any], *names: str) -> None:
    """Refuse a body in which there is anything else."""
    if unknown := sorted(body.keys() - {*names}):
        raise web.HTTPBadRequest(text=f"`{unknown[0][:50]}` means nothing here: use {', '.join(names)}")


def whole(value: Any, allowed: range) -> int | None:
    """A whole number of these, None for anything else. JSON has one kind of number: 5.0 is a whole one. True is none,
    though it is an int here."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # before a range is asked: it would count through all of itself for a float
    return value if type(value) is int and value in allowed else None


def name_in(body: dict[str, Any]) -> str | None:
    """The `name` of something, without blanks around it; None where it cannot be one."""
    name = body.get("name")
    if not isinstance(name, str) or len(name) > _LONGEST_NAME or not re.fullmatch(_NAME, name):
        return None
    return name.strip()


def is_phone(text: str) -> bool:
    """Whether somebody meant a phone number by this."""
    return len(text) <= _LONGEST_PHONE and bool(re.fullmatch(_PHONE, text))


def backfill_request(body: dict[str, Any]) -> AskedRun:
    """`dryRun` and `jobId`. What else there is has never had a meaning: callers of the Node system may send it."""
    return AskedRun(dry_run=_dry_run(body), job_id=_job_id(body))


def resync_request(body: dict[str, Any], now_ms: int) -> AskedRun:
    """`since` (2h), `until` (now), `chats` (all), `dryRun`, `jobId`."""
    only(body, *_OF_RESYNCS)  # a misspelt `chats` would mean all of them
    since_ms = _moment("since", body.get("since"), now_ms, default=_SINCE)
    until_ms = min(_moment("until", body.get("until"), now_ms, default=_NOW), now_ms)
    if since_ms > now_ms:
        raise web.HTTPBadRequest(text="`since` lies in the future: name a moment that has been")
    if since_ms >= until_ms:
        raise web.HTTPBadRequest(text="`until` must be later than `since`: name an earlier `since`, or no `until`")
    bounds = Bounds(since_ms=since_ms, until_ms=until_ms, chats=_chats(body))
    return AskedRun(bounds=bounds, dry_run=_dry_run(body), job_id=_job_id(body))


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
        and whole(body.get("time"), _SECONDS) is not None
        and whole(body.get("count"), _PAGE) is not None
    )
    if not good:
        message = "`chat` (JID), `anchor` {id, fromMe, participant?}, `time` (seconds) and `count` (1 to 50) are needed"
        raise web.HTTPBadRequest(text=message)
    names = ("id", "fromMe", *(["participant"] if participant else []))
    return {
        "chat": body["chat"],
        "anchor": {name: anchor[name] for name in names},
        "time": int(body["time"]),
        "count": int(body["count"]),
    }


def limit_of(request: web.Request, *, orders: tuple[str, ...] = (), default: int = 50) -> int:
    """The query's `limit`; `orderBy` must be one of the orders there are, if it is looked at, and changes nothing."""
    if orders and request.query.get("orderBy", orders[0]) not in orders:
        raise web.HTTPBadRequest(text=f"orderBy must be one of: {', '.join(orders)}")
    limit = request.query.get("limit", str(default))
    if not (re.fullmatch("[0-9]{1,5}", limit) and int(limit) in _LIMITS):
        raise web.HTTPBadRequest(text=f"limit must be a whole number from {_LIMITS[0]} to {_LIMITS[-1]}")
    return int(limit)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object with these. Of a name that comes twice a proxy may look at the one and we at the other."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError
    return dict(pairs)


def _moment(name: str, text: Any, now_ms: int, *, default: str = "") -> int:
    text = default if text is None else text
    try:
        return moment_of(text if isinstance(text, str) else "", now_ms)
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"`{name}` {error}") from error


def _chats(body: dict[str, Any]) -> tuple[str, ...]:
    chats = body.get("chats")
    if chats is None:
        return ()
    good = isinstance(chats, list) and 0 < len(chats) <= _MOST_CHATS and all(_is_text(one, _JID) for one in chats)
    if not good:
        message = f"`chats` must be a list of 1 to {_MOST_CHATS} JIDs, as 15550002222@s.whatsapp.net; without it, all"
        raise web.HTTPBadRequest(text=message)
    return tuple(dict.fromkeys(map(canonical_jid, chats)))


def _dry_run(body: dict[str, Any]) -> bool:
    wanted = body.get("dryRun")
    if wanted is not None and not isinstance(wanted, bool):
        raise web.HTTPBadRequest(text="`dryRun` must be true or false")
    return bool(wanted)


def _job_id(body: dict[str, Any]) -> str | None:
    job_id = body.get("jobId")
    if job_id is not None and not _is_text(job_id, _JOB_ID):
        raise web.HTTPBadRequest(text="`jobId` must be 1 to 64 letters, digits, dots, dashes and underscores")
    return job_id


def _is_text(value: Any, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and bool(form.fullmatch(value))
