"""Contact documents: a person's names by who gave them. The phone book's counts before what he calls himself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from whatsapp_backend.domain.events import NameRank, PersonTold
from whatsapp_backend.domain.states import ContactState
from whatsapp_backend.rules.identity import phone_of
from whatsapp_backend.rules.stored import integer, typed

SERVER_TIMES = ("updatedAt",)
_FIELDS = {
    "name": NameRank.PHONE_BOOK,
    "notify": NameRank.NOTIFIED,
    "verifiedName": NameRank.VERIFIED,
    "pushName": NameRank.PUSHED,
}
_CLOCKS_BELOW = 1 << 62


def state_of(told: PersonTold) -> ContactState:
    """The contact after this one event."""
    clock = told.clock
    return ContactState(
        account=told.account,
        jid=told.jid,
        lid=told.lid,
        names={rank.name: (clock, name) for rank, name in told.names.items()},
        picture=(clock, told.picture_url) if told.picture_url else None,
        about=(clock, told.about) if told.about else None,
    )


def merged(one: ContactState, other: ContactState) -> ContactState:
    """The contact after both: of each rank the newest name."""
    names = dict(one.names)
    for rank, given in other.names.items():
        names[rank] = max(names[rank], given) if rank in names else given
    return ContactState(
        account=one.account,
        jid=one.jid,
        lid=min(filter(None, (one.lid, other.lid)), default=None),
        names=names,
        picture=max(filter(None, (one.picture, other.picture)), default=None),
        about=max(filter(None, (one.about, other.about)), default=None),
    )


def best_name(state: ContactState) -> tuple[NameRank, int, str] | None:
    """The name that shows: its rank, its clock, and itself."""
    known = [(NameRank[rank], *given) for rank, given in state.names.items()]
    return max(known, default=None)


def dumped(state: ContactState) -> bytes:
    """The state as JSON text."""
    return orjson.dumps(state, option=orjson.OPT_SORT_KEYS)


def loaded(text: bytes) -> ContactState:
    """The state from JSON text."""
    data = orjson.loads(text)
    data["names"] = {rank: tuple(given) for rank, given in data["names"].items()}
    for name in ("picture", "about"):
        data[name] = tuple(data[name]) if data[name] else None
    return ContactState(**data)


def fields_of(state: ContactState) -> dict[str, Any]:
    """The document, but for the server's times. A push name shows where there is nothing better."""
    phone = phone_of(state.jid)
    best = best_name(state)
    fields: dict[str, Any] = {
        "accountId": state.account,
        "jid": state.jid,
        "displayName": best[2] if best else phone,
        "clocks": {rank: clock for rank, (clock, _) in sorted(state.names.items())},
    }
    if phone:
        fields["phoneE164"] = phone
    if state.lid:
        fields["lid"] = state.lid
    for field, rank in _FIELDS.items():
        if rank.name in state.names:
            fields[field] = state.names[rank.name][1]
    for field, given in (("imgUrl", state.picture), ("status", state.about)):
        if given:
            fields["clocks"][field], fields[field] = given
    return fields


def deleted_when_absent(_state: ContactState) -> frozenset[str]:
    """Nothing: who has told his name keeps it."""
    return frozenset()


def state_in(fields: Mapping[str, Any], ours: ContactState) -> ContactState:
    """The state that the document beside our own contact holds. What an earlier generation wrote has clock 0."""
    clocks = typed(fields, "clocks", dict) or {}

    def given(field: str, clock: str) -> tuple[int, str] | None:
        text = typed(fields, field, str)
        return (integer(clocks, clock, below=_CLOCKS_BELOW) or 0, text) if text else None

    return ContactState(
        account=ours.account,
        jid=ours.jid,
        lid=typed(fields, "lid", str),
        names={rank.name: told for field, rank in _FIELDS.items() if (told := given(field, rank.name))},
        picture=given("imgUrl", "imgUrl"),
        about=given("status", "status"),
    )
