"""Kinds that are text and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from whatsapp_backend.domain.events import Content
from whatsapp_backend.rules.kinds.parts import (
    OPTIONS,
    Proto,
    first_of,
    inner,
    label,
    lines,
    mapping,
    objects,
    shown,
    text,
    token,
    told,
)


def conversation(_field: str, value: Any) -> Content:
    """Text alone."""
    return Content(kind="text", body=text(value))


def extended_text(_field: str, value: Any) -> Content:
    """Text with a context, or with the preview of a link in it."""
    part = mapping(value)
    body = text(part.get("text") or "")
    if "title" not in part and "description" not in part:
        return Content(kind="text", body=body)
    link = told(url=token(part, "matchedText"), title=label(part, "title"), description=_description(part))
    return Content(kind="text", body=body, details=told(link=link) or None)


def plain_text(_field: str, value: Any) -> Content:
    """An answer to a question, and whatever else has a field `text`."""
    return Content(kind="text", body=text(mapping(value).get("text") or ""))


def rich_response(field: str, value: Any) -> Content:
    """What an assistant answered, its parts each on a line."""
    parts, _ = first_of(objects(mapping(value), "submessages"), OPTIONS)
    body = lines(*(shown(part, "messageText") for part in parts))
    return Content(kind="text", body=body) if body else unknown(field, value)


def unknown(field: str, value: Any) -> Content:
    """What we do not know, with its kind named and the text that it has in the usual places."""
    body = (shown(value, "text") or shown(value, "caption")) if isinstance(value, Mapping) else None
    return Content(kind="unknown", body=body, content_kind=field)


def named(body: str) -> Callable[[str, Any], Content]:
    """A kind that we only know the name of, in words."""
    return lambda field, _value: Content(kind="unknown", body=body, content_kind=field)


def note_of(part: Proto) -> str | None:
    """The text of a message that is a note to another."""
    return shown(part, "conversation") or shown(inner(part, "extendedTextMessage"), "text")


def _description(part: Proto) -> str | None:
    description = shown(part, "description")
    return description[:1000] if description else None
