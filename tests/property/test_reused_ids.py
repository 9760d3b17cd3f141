"""Two senders use one message id: whatever order things come in, each one's message is his own, and nobody's else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import ANA, AT, BOB, GROUP, World, a_world, payload

from whatsapp_backend.rules.identity import ME
from whatsapp_backend.testing.memory_store import MemoryStore

ANA_LID, BOB_LID = "88000000001111@lid", "88000000002222@lid"
ID = "X"
IN_HIS_NAME = "revoke in the other's name"


@dataclass(frozen=True)
class Sender:
    """As his keys name him, and as documents do."""

    name: str
    key: tuple[tuple[str, Any], ...]
    known_as: str

    @property
    def named(self) -> str:
        """As the members of the group name him."""
        return dict(self.key).get("participant", ME)

    @property
    def target(self) -> dict[str, Any]:
        """A key that names his message, seen from us."""
        of_us = self.known_as == ME
        return {"remoteJid": GROUP, "fromMe": of_us, "id": ID} | ({} if of_us else {"participant": self.named})


def sender(name: str, known_as: str, **key: Any) -> Sender:
    """Who it is."""
    return Sender(name, tuple(key.items()), known_as)


US = sender("we", ME, fromMe=True)
PAIRS = {
    "two numbers": (sender("ana", ANA, participant=ANA), sender("bob", BOB, participant=BOB)),
    "two LIDs": (sender("ana", ANA_LID, participant=ANA_LID), sender("bob", BOB_LID, participant=BOB_LID)),
    "a LID, and a LID with its number": (
        sender("ana", ANA_LID, participant=ANA_LID),
        sender("bob", BOB, participant=BOB_LID, participantAlt=BOB),
    ),
    "we and another": (US, sender("bob", BOB, participant=BOB)),
    "another under his LID and we": (sender("ana", ANA_LID, participant=ANA_LID), US),
}
ACTS = ("message", "edit", "revoke", "react")


def entry(act: str, who: Sender, other: Sender) -> dict[str, Any]:
    """What he does: with his own message, or with the other one's, in his own name or in the other's."""
    key = dict(who.key)
    at_ms = (AT + 60) * 1000
    own = {"remoteJid": GROUP, "fromMe": True, "id": ID}
    match act:
        case "message":
            return payload(ID, chat=GROUP, text=f"{who.name} wrote", **key)
        case "edit":
            told = {
                "key": own,
                "type": 14,
                "editedMessage": {"conversation": f"{who.name} edited"},
                "timestampMs": at_ms,
            }
            return doing({"protocolMessage": told}, id=f"E-{who.name}", **key)
        case "revoke":
            return doing({"protocolMessage": {"key": own, "type": 0}}, id=f"R-{who.name}", **key)
        case "revoke in the other's name":
            theirs = {**own, "fromMe": False, "participant": other.named}
            return doing({"protocolMessage": {"key": theirs, "type": 0}}, id=f"V-{who.name}", **key)
        case _:
            told = {"key": other.target, "text": f"by {who.name}", "senderTimestampMs": at_ms}
            return doing({"reactionMessage": told}, id=f"L-{who.name}", **key)


def doing(message: dict[str, Any], *, id: str, **key: Any) -> dict[str, Any]:
    """A message that does something to another one."""
    return payload(id, chat=GROUP, at=AT + 60, **key) | {"message": message}


async def shown_after(entries: list[Any], cuts: set[int], lost: int | None) -> list[dict[str, Any]]:
    """The message documents when all of it was published, in pieces; `lost`: when the mirror was."""
    async with a_world() as world:
        for place, told in enumerate(entries):
            if place == lost:
                await world.publish(wholly=True)
                world = World(MemoryStore(), world.documents)  # noqa: PLW2901
            await world.journal(told, source=f"enc:{place}")
            if place in cuts:
                await world.publish()
        await world.publish(wholly=True)
        return [dict(one.fields) for path, one in world.documents.documents.items() if "/messages/" in path]


def sender_in(fields: dict[str, Any]) -> str:
    """Whose document it is."""
    return ME if fields["direction"] == "outbound" else fields["senderJid"]


@st.composite
def interleavings(draw: st.DrawFn) -> tuple[list[tuple[str, int]], set[int]]:
    """Both do all of it or some of it, in any order, published at any moments."""
    acts = [(act, who) for who in (0, 1) for act in (*ACTS, IN_HIS_NAME)]
    messages = [("message", 0), ("message", 1)]
    others = [one for one in acts if one not in messages]
    # Of one who takes back both messages under one id one word is kept.
    some = draw(st.lists(st.sampled_from(others), unique_by=lambda one: (one[0][:6], one[1])))
    order = draw(st.permutations([*messages, *some]))
    return order, draw(st.sets(st.integers(0, len(order))))


@pytest.mark.parametrize("pair", PAIRS)
@settings(max_examples=60, deadline=None)
@given(told=interleavings())
def test_each_ones_text_is_shown_in_one_document_of_his_own(pair: str, told: Any) -> None:
    """Edited and taken back by him alone, with the reactions that were meant for it."""
    order, cuts = told
    people = PAIRS[pair]
    entries = [entry(act, people[who], people[1 - who]) for act, who in order]
    found = asyncio.run(shown_after(entries, cuts, None))
    assert sorted(map(sender_in, found)) == sorted(one.known_as for one in people)
    for fields in found:
        number = [one.known_as for one in people].index(sender_in(fields))
        acts = [{act for act, who in order if who == side} for side in (number, 1 - number)]
        expected(fields, people[number], people[1 - number], *acts)


def expected(fields: dict[str, Any], his: Sender, other: Sender, acts: set[str], others_acts: set[str]) -> None:
    """What his document shows. Our phone lets us take back what we may, so of us it is believed."""
    if "revoke" in acts or (other is US and IN_HIS_NAME in others_acts):
        assert (fields["body"], fields["kept"]["body"]) == (None, f"{his.name} wrote")
    else:
        assert fields["body"] == (f"{his.name} edited" if "edit" in acts else f"{his.name} wrote")
    reacted = [one["by"] for one in fields.get("reactions", [])]
    if "react" in others_acts and his.named == his.known_as:  # else it may wait for a message under his LID
        assert reacted == [other.known_as]
    assert set(reacted) <= ({other.known_as} if "react" in others_acts else set())
    assert {version.get("by", his.known_as) for version in fields.get("versions", [])} <= {his.known_as}


@pytest.mark.parametrize("pair", PAIRS)
@settings(max_examples=60, deadline=None)
@given(told=interleavings(), lost=st.integers(0, 8))
def test_nobody_touches_the_others_message_also_when_the_mirror_is_lost(pair: str, told: Any, lost: int) -> None:
    """What had waited for a message may be forgotten with it; nothing is shown in another one's name."""
    order, cuts = told
    people = PAIRS[pair]
    entries = [entry(act, people[who], people[1 - who]) for act, who in order]
    found = asyncio.run(shown_after(entries, cuts, lost))
    assert sorted(map(sender_in, found)) == sorted(one.known_as for one in people)
    for fields in found:
        his = next(one for one in people if one.known_as == sender_in(fields))
        texts = [
            fields["body"],
            (fields.get("kept") or {}).get("body"),
            *(v["body"] for v in fields.get("versions", [])),
        ]
        assert {text.split()[0] for text in texts if text} == {his.name}
