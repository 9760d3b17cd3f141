"""Kinds that are a card: a place, people, a poll."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from whatsapp_backend.domain.events import Content
from whatsapp_backend.rules.kinds.media import thumbnail
from whatsapp_backend.rules.kinds.parts import (
    LABEL_CHARACTERS,
    OPTIONS,
    Details,
    Proto,
    first_of,
    fitting,
    flag,
    inner,
    label,
    lines,
    mapping,
    number,
    objects,
    shown,
    token,
    told,
    whole,
)

_VCARD_CHARACTERS: Final = 10_000
_NAME: Final = re.compile(r"^FN[^:\n]*:(.*)$", re.MULTILINE)
_WHATSAPP_NUMBER: Final = re.compile(r"waid=([1-9][0-9]{5,14})\b")


def location(_field: str, value: Any) -> Content:
    """A place."""
    part = mapping(value)
    place = place_of(part)
    comment = shown(part, "comment")
    return Content(kind="location", body=lines(_address(place), comment), details=told(location=place) or None)


def live_location(_field: str, value: Any) -> Content:
    """Where somebody was when he began to share it."""
    part = mapping(value)
    place = {**place_of(part), "live": True}
    return Content(kind="location", body=shown(part, "caption") or _address(place), details={"location": place})


def place_of(part: Proto) -> Details:
    """The details of a place."""
    latitude, longitude = number(part, "degreesLatitude"), number(part, "degreesLongitude")
    on_earth = latitude is not None and longitude is not None and abs(latitude) <= 90 and abs(longitude) <= 180  # noqa: PLR2004
    return told(
        latitude=latitude if on_earth else None,
        longitude=longitude if on_earth else None,
        name=label(part, "name"),
        address=label(part, "address"),
        url=token(part, "url"),
        accuracyMeters=whole(part, "accuracyInMeters"),
        live=flag(part, "isLive"),
        thumbBase64=thumbnail(part),
    )


def contact(_field: str, value: Any) -> Content:
    """Somebody's card."""
    return _contacts([mapping(value)])


def contacts(_field: str, value: Any) -> Content:
    """Several cards."""
    part = mapping(value)
    return _contacts(objects(part, "contacts"), otherwise=label(part, "displayName"))


def poll(_field: str, value: Any) -> Content:
    """A question with its options."""
    part = mapping(value)
    options, left_out = first_of(objects(part, "options"), OPTIONS)
    names = [name for option in options if (name := label(option, "optionName"))]
    question = label(part, "name")
    asked = told(
        question=question,
        options=names,
        selectable=whole(part, "selectableOptionsCount"),
        quiz=part.get("pollType") == 1,
        correct=label(inner(part, "correctAnswer"), "optionName"),
    )
    return _poll(lines(question, *names), asked, left_out)


def poll_results(_field: str, value: Any) -> Content:
    """What a poll had come to when somebody shared it."""
    part = mapping(value)
    options, left_out = first_of(objects(part, "pollVotes"), OPTIONS)
    votes = [
        {"option": name, "votes": whole(option, "optionVoteCount") or 0}
        for option in options
        if (name := label(option, "optionName"))
    ]
    question = label(part, "name")
    asked = told(question=question, results=votes)
    return _poll(lines(question, *(f"{vote['option']}: {vote['votes']}" for vote in votes)), asked, left_out)


def _poll(body: str | None, asked: Details, left_out: int) -> Content:
    details = told(poll=asked, leftOut=told(options=left_out or None))
    return Content(kind="poll", body=body or "Poll", details=details or None)


def _address(place: Details) -> str:
    if "name" in place or "address" in place:
        return lines(place.get("name"), place.get("address")) or ""
    if "latitude" in place:
        return f"{round(place['latitude'], 6)}, {round(place['longitude'], 6)}"
    return "Live location" if "live" in place else "Location"


def _contacts(cards: Iterable[Proto], *, otherwise: str | None = None) -> Content:
    people, left_out = fitting(filter(None, map(_person, cards)))
    names = [person.get("name") or next(iter(person.get("phones", ())), None) for person in people]
    return Content(
        kind="contact",
        body=lines(*names) or otherwise or "Contact",
        details=told(contacts=people, leftOut=told(contacts=left_out or None)) or None,
    )


def _person(card: Proto) -> Details:
    vcard = (shown(card, "vcard") or "")[:_VCARD_CHARACTERS]
    named = _NAME.search(vcard)
    return told(
        name=label(card, "displayName") or (named[1].strip()[:LABEL_CHARACTERS] if named else None),
        phones=list(dict.fromkeys(f"+{digits}" for digits in _WHATSAPP_NUMBER.findall(vcard)))[:OPTIONS],
        vcard=vcard,
    )
