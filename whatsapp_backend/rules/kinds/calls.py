"""Calls: offered, missed, logged, planned."""

from __future__ import annotations

from typing import Any, Final

from whatsapp_backend.domain.events import Content
from whatsapp_backend.rules.kinds.parts import Details, flag, label, listed, mapping, shown, token, whole

_MISSED: Final = "timeout"
"""The engine's word for a call that nobody took."""
_BEFORE_THE_END: Final = frozenset({"offer", "ringing"})
_OUTCOMES: Final = (
    "connected",
    "missed",
    "failed",
    "rejected",
    "accepted elsewhere",
    "ongoing",
    "silenced",
    "silenced",
)
_NOT_TAKEN: Final = frozenset({"missed", "silenced"})
_VIDEO: Final = 2


def call_content(what: str, *, video: bool, group: bool) -> Content:
    """A call as the engine told of it: `what` is its word (offer, ringing, accept, reject, terminate, timeout)."""
    if what == _MISSED:
        return missed_call(video=video, group=group)
    return _call(_name(video=video, group=group), missed=False, video=video, group=group, outcome=what)


def missed_call(*, video: bool, group: bool) -> Content:
    """A call that nobody took."""
    name = _name(video=video, group=group)
    return _call(f"Missed {name[0].lower()}{name[1:]}", missed=True, video=video, group=group)


def is_over(call: Any) -> bool:
    """Whether the details of a call say how it ended."""
    if not isinstance(call, dict):
        return False
    outcome = call.get("outcome", "offer")
    return call.get("missed") is True or (isinstance(outcome, str) and outcome not in _BEFORE_THE_END)


def call_key(_field: str, value: Any) -> Content:
    """The bare offer of a call: its key, and not a word of what kind."""
    mapping(value)
    return Content(kind="call", body="Call", details={"call": {"missed": False}})


def call_log(_field: str, value: Any) -> Content:
    """A call that is over."""
    part = mapping(value)
    code = whole(part, "callOutcome") or 0
    outcome = _OUTCOMES[code] if code < len(_OUTCOMES) else "ended"
    video, group = flag(part, "isVideo"), len(listed(part, "participants")) > 1
    if outcome in _NOT_TAKEN:
        return missed_call(video=video, group=group)
    seconds = whole(part, "durationSecs") or None
    name = _name(video=video, group=group)
    body = f"{name} ({_duration(seconds)})" if seconds else name
    return _call(body, missed=False, video=video, group=group, outcome=outcome, seconds=seconds)


def planned_call(_field: str, value: Any) -> Content:
    """A call that was planned."""
    part = mapping(value)
    video = part.get("callType") == _VIDEO
    body = label(part, "title") or f"Scheduled {'video' if video else 'voice'} call"
    at_ms = whole(part, "scheduledTimestampMs")
    return _call(body, missed=False, video=video, group=True, outcome="scheduled", scheduledAtMs=at_ms)


def planned_call_changed(_field: str, value: Any) -> Content:
    """A planned call that was given up."""
    key = mapping(value).get("key")
    planned = token(key, "id") if isinstance(key, dict) else None
    return _call("Scheduled call canceled", missed=False, outcome="canceled", scheduledBy=planned)


def conference(_field: str, value: Any) -> Content:
    """A call to many at once."""
    part = mapping(value)
    video = part.get("mediaType") == _VIDEO
    body = shown(part, "caption") or _name(video=video, group=True)
    return _call(body, missed=False, video=video, group=True, outcome="offer")


def _call(body: str, *, missed: bool, **more: Any) -> Content:
    details: Details = {name: detail for name, detail in more.items() if detail is not None}
    return Content(kind="call", body=body, details={"call": {"missed": missed, **details}})


def _name(*, video: bool, group: bool) -> str:
    medium = "video" if video else "voice"
    return f"Group {medium} call" if group else f"{medium.capitalize()} call"


def _duration(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
