"""Events with their people under their numbers, as far as those are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from whatsapp_backend.domain.events import Amended, Event, IdentityTold, MessageSeen, PersonTold, Unreadable
from whatsapp_backend.rules import amendments
from whatsapp_backend.rules.identity import is_lid

NumberOf = Callable[[str], str | None]
"""The number's JID that a LID is known to stand for."""


def lids_in(event: Event) -> Iterator[str]:
    """Every LID by which the event names somebody."""
    for jid in _people(event):
        if jid and is_lid(jid):
            yield jid


def _people(event: Event) -> Iterator[str | None]:
    match event:
        case Unreadable() | IdentityTold():
            return
        case PersonTold():
            yield event.jid
            return
    yield event.client_jid
    match event:
        case MessageSeen():
            yield event.sender
            yield from amendments.doers(event.amendments)
        case Amended():
            yield event.author
            yield from amendments.doers(event.amendments)


def resolved(event: Event, number_of: NumberOf) -> Event:
    """The event, its people under their numbers."""
    match event:
        case Unreadable() | IdentityTold():
            return event
        case PersonTold():
            number = number_of(event.jid)
            return replace(event, jid=number, lid=event.jid) if number else event
    chat = number_of(event.client_jid)
    event = replace(event, client_jid=chat) if chat else event
    match event:
        case MessageSeen():
            return _sent(event, number_of)
        case Amended():
            return _amended(event, number_of)
    return event


def _sent(event: MessageSeen, number_of: NumberOf) -> MessageSeen:
    number = number_of(event.sender) if event.sender else None
    if number:
        event = replace(event, sender=number, sender_lid=event.sender)
    return replace(event, amendments=amendments.identified(event.amendments, number_of)) if event.amendments else event


def _amended(event: Amended, number_of: NumberOf) -> Amended:
    number = number_of(event.author) if event.author else None
    if number:
        event = replace(event, author=number, author_lid=event.author)
    told = amendments.identified(event.amendments, number_of)
    return replace(event, amendments=told) if told else event
