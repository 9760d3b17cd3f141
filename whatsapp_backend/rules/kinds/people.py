"""The people in the parameters of a group event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from whatsapp_backend.rules.identity import is_lid, is_person, phone_of
from whatsapp_backend.rules.kinds.parts import jid, parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody: every JID that was told, first the one by phone number, and the number."""

    jids: tuple[str, ...]
    phone: str | None

    @property
    def jid(self) -> str:
        """The JID to know the person by."""
        return self.jids[0]


SOMEBODY: Final = Person(jids=("",), phone=None)


def person_in(parameter: str) -> Person | None:
    """The person that a parameter names, as a JID or as JSON with several of them."""
    if parameter.startswith("{"):
        named = parameters(parameter)
        jids = [jid(named.get(field)) for field in ("id", "phoneNumber", "pn", "lid")]
    else:
        jids = [jid(parameter)]
    people = sorted({each for each in jids if each and is_person(each)}, key=lambda each: (is_lid(each), each))
    return Person(jids=tuple(people), phone=phone_of(people[0])) if people else None
