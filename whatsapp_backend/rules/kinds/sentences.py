"""Group events in words, as an inbox shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from whatsapp_backend.rules.kinds.people import Person

OfPeople = Callable[[Sequence[Person], int], str]

_NAMED: Final = 3
"""As many are named; the rest is counted."""
_UNITS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def added(people: Sequence[Person], more: int) -> str:
    """Others brought them in."""
    return _of(people, more, "was added", "were added")


def removed(people: Sequence[Person], more: int) -> str:
    """Others threw them out."""
    return _of(people, more, "was removed", "were removed")


def promoted(people: Sequence[Person], more: int) -> str:
    """They became admins."""
    return _of(people, more, "is an admin now", "are admins now")


def demoted(people: Sequence[Person], more: int) -> str:
    """They are admins no longer."""
    return _of(people, more, "is no longer an admin", "are no longer admins")


def joined(people: Sequence[Person], more: int) -> str:
    """They came by themselves."""
    return _of(people, more, "joined", "joined")


def left(people: Sequence[Person], more: int) -> str:
    """They went by themselves."""
    return _of(people, more, "left", "left")


def invited(people: Sequence[Person], more: int) -> str:
    """They were asked to come."""
    return _of(people, more, "was invited", "were invited")


def asked_to_join(people: Sequence[Person], more: int) -> str:
    """They want to come."""
    return _of(people, more, "asked to join", "asked to join")


def join_request_withdrawn(people: Sequence[Person], more: int) -> str:
    """They do not want to come after all."""
    return _of(people, more, "no longer asks to join", "no longer ask to join")


def join_request_rejected(people: Sequence[Person], more: int) -> str:
    """They may not come."""
    return _of(people, more, "may not join", "may not join")


def number_changed(people: Sequence[Person], more: int) -> str:
    """One person under another number: the old one and, where it is told, the new one."""
    numbers = [person.phone for person in people if person.phone]
    if len(people) == len(numbers) == 2 and not more:  # noqa: PLR2004
        return f"{numbers[0]} changed to {numbers[1]}"
    return _of(people[:1], 0, "changed the phone number", "")


def timer(seconds: int) -> str:
    """How long messages stay."""
    if not seconds:
        return "Disappearing messages turned off"
    length, unit = next((length, unit) for length, unit in _UNITS if seconds % length == 0)
    count = seconds // length
    return f"Disappearing messages turned on: {count} {unit}{'' if count == 1 else 's'}"


JOIN_REQUESTS: Final[dict[str, tuple[str, OfPeople]]] = {
    "created": ("join_requested", asked_to_join),
    "revoked": ("join_request_withdrawn", join_request_withdrawn),
    "rejected": ("join_request_rejected", join_request_rejected),
}


def _of(people: Sequence[Person], more: int, one: str, several: str) -> str:
    names = [person.phone for person in people if person.phone][:_NAMED]
    count = len(people) + more
    if count == 1:
        return f"{names[0] if names else 'Somebody'} {one}"
    if not names:
        return f"{count} people {several}"
    rest = count - len(names)
    if rest:
        names.append(("somebody" if count <= _NAMED else "1 other") if rest == 1 else f"{rest} others")
    return f"{', '.join(names[:-1])} and {names[-1]} {several}"
