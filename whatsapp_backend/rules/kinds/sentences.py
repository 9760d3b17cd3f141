"""Group events in words, as an inbox shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from whatsapp_backend.rules.kinds.people import Person

OfPeople = Callable[[Sequence[Person], int], str]

_NAMED: Final = 3
"""As many are named; the rest is counted."""
_UNITS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def _sentence(one: str, several: str) -> OfPeople:
    """What people did; of one of them, and of several."""
    return lambda people, more: _of(people, more, one, several)


ADDED: Final = _sentence("was added", "were added")
"""Others brought them in."""
REMOVED: Final = _sentence("was removed", "were removed")
"""Others threw them out."""
PROMOTED: Final = _sentence("is an admin now", "are admins now")
"""They became admins."""
DEMOTED: Final = _sentence("is no longer an admin", "are no longer admins")
"""They are admins no longer."""
JOINED: Final = _sentence("joined", "joined")
"""They came by themselves."""
LEFT: Final = _sentence("left", "left")
"""They went by themselves."""
INVITED: Final = _sentence("was invited", "were invited")
"""They were asked to come."""
ASKED_TO_JOIN: Final = _sentence("asked to join", "asked to join")
"""They want to come."""
JOIN_REQUEST_WITHDRAWN: Final = _sentence("no longer asks to join", "no longer ask to join")
"""They do not want to come after all."""
JOIN_REQUEST_REJECTED: Final = _sentence("may not join", "may not join")
"""They may not come."""


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
    "created": ("join_requested", ASKED_TO_JOIN),
    "revoked": ("join_request_withdrawn", JOIN_REQUEST_WITHDRAWN),
    "rejected": ("join_request_rejected", JOIN_REQUEST_REJECTED),
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
