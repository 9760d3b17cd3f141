"""A seeded conversation: journal entries of every kind, of few people, under both identities, with duplicates.

What a person is called (number, LID, or both) is drawn anew for every entry. Nobody uses another one's message id here,
and no LID is given two numbers: what becomes of that does depend on who comes first.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from world import ACCOUNT

from whatsapp_backend.domain.journal import Entry, NewEntry

BEGAN = 1795328371
_STRANGERS = 3
"""Of so many no entry tells the number."""
_ODDS_AGAIN = 0.12

Json = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """Somebody with a number and a LID."""

    pn: str
    lid: str
    name: str
    stranger: bool = False

    def alone(self, rng: random.Random) -> str:
        """One of his identities, as it is spelled somewhere."""
        if self.stranger:
            return self.lid
        return rng.choice([self.pn, self.pn, self.lid, self.lid, self.pn.replace("s.whatsapp.net", "c.us")])

    def keyed(self, rng: random.Random, field: str) -> Json:
        """A field of a key that names him, with the other identity beside it or not."""
        if self.stranger:
            return {field: self.lid}
        one, other = rng.choice([(self.pn, self.lid), (self.lid, self.pn)])
        device = one.replace("@", f":{rng.randrange(1, 30)}@") if rng.random() < 0.2 else one
        return {field: device} | ({f"{field}Alt": other} if rng.random() < 0.4 else {})


@dataclass(frozen=True)
class Sent:
    """A message that was sent: by whom (None: by us), where, and what it says."""

    id: str
    chat: Person | str
    sender: Person | None
    at: int
    content: Json

    @property
    def group(self) -> str | None:
        """The group it is in."""
        return self.chat if isinstance(self.chat, str) else None


@dataclass
class Conversation:
    """Draws entries until there are enough."""

    seed: int
    size: int
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.people = [
            Person(
                f"1555000{number:04}@s.whatsapp.net",
                f"88{number:012}@lid",
                f"Person {number}",
                stranger=number < _STRANGERS,
            )
            for number in range(15)
        ]
        self.groups = [f"12036300000000000{number}@g.us" for number in range(3)]
        self.sent: list[Sent] = []
        self._drawn = 0

    def drawn(self) -> list[Entry]:
        """All of it, in the order of the journal."""
        makers = [(getattr(self, f"_{name}"), weight) for name, weight in _WEIGHTS.items()]
        for _ in range(20):
            self._message()
        while len(self.entries) < self.size:
            maker: Callable[[], None] = self.rng.choices([one for one, _ in makers], [weight for _, weight in makers])[
                0
            ]
            maker()
            if self.rng.random() < _ODDS_AGAIN:
                again = self.rng.choice(self.entries).new
                self._journal(again.kind, orjson.loads(again.payload or b""), origin=again.origin)
        return self.entries

    def _journal(self, kind: str, payload: Any, *, origin: str = "live") -> None:
        seq = len(self.entries) + 1
        new = NewEntry(
            kind=kind,
            source=f"ev:seed:{seq}",
            origin=origin,
            received_at_ms=(BEGAN + seq) * 1000 + 500,
            payload=orjson.dumps(payload),
        )
        self.entries.append(Entry(seq=seq, account=ACCOUNT, new=new))

    def _id(self) -> str:
        self._drawn += 1
        return f"M{self._drawn:05}"

    def _now(self) -> int:
        return BEGAN + len(self.entries)

    # -- Messages -------------------------------------------------------------------------------------------------

    def _message(self) -> None:
        """A new message, seen once to three times."""
        rng = self.rng
        group = rng.random() < 0.5
        person = rng.choice(self.people)
        sender = None if rng.random() < 0.35 else person
        at = self._now() - rng.choice([0, 0, 1, 5, 400])
        sent = Sent(self._id(), rng.choice(self.groups) if group else person, sender, at, self._content())
        self.sent.append(sent)
        if sender and rng.random() < 0.1:
            self._owed(sent)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            self._seen(sent)

    def _seen(self, sent: Sent) -> None:
        rng = self.rng
        origin = rng.choice(["live", "live", "offline", "resend", "history", "ondemand", "sent"])
        if origin in ("history", "ondemand"):
            self._journal("history", self._record([sent], origin), origin=origin)
            return
        self._journal("message", self._row(sent), origin=origin)

    def _row(self, sent: Sent) -> Json:
        """One sighting of it."""
        rng = self.rng
        row: Json = {"key": self._key(sent), "messageTimestamp": sent.at}
        if sent.sender is None:
            row["status"] = rng.choice([0, 1, 2, 2, 2, 3, 4, 5])
        elif rng.random() < 0.7:
            row["pushName"] = rng.choice([sent.sender.name, sent.sender.name.upper(), "+1 555 000", ""])
        row["message"] = self._version_of(sent.content)
        return row

    def _key(self, sent: Sent) -> Json:
        key: Json = {"id": sent.id, "fromMe": sent.sender is None}
        if isinstance(sent.chat, Person):
            return key | sent.chat.keyed(self.rng, "remoteJid")
        key["remoteJid"] = sent.chat
        return key | (sent.sender.keyed(self.rng, "participant") if sent.sender else {})

    def _content(self) -> Json:
        rng = self.rng
        text = f"text {rng.randrange(1000)}"
        return rng.choice(
            [
                {"conversation": text},
                {"conversation": text},
                {"extendedTextMessage": {"text": text, "contextInfo": {"stanzaId": "Q1", "participant": "1@lid"}}},
                {"imageMessage": {"caption": text, "mimetype": "image/jpeg", "mediaKey": "SS8=", "fileLength": 3}},
                {"audioMessage": {"ptt": True, "seconds": 3, "mediaKey": "SS8="}},
                {"documentMessage": {"fileName": "f.pdf", "mediaKey": "SS8=", "title": text}},
                {"stickerMessage": {"mediaKey": "SS8="}},
                {"locationMessage": {"degreesLatitude": 1.5, "degreesLongitude": 2.5, "name": text}},
                {"contactMessage": {"displayName": text, "vcard": "BEGIN:VCARD\nEND:VCARD"}},
                {"pollCreationMessageV3": {"name": text, "options": [{"optionName": "a"}, {"optionName": "b"}]}},
                {"ephemeralMessage": {"message": {"conversation": text}}},
                {"viewOnceMessageV2": {"message": {"imageMessage": {"caption": text, "mediaKey": "SS8="}}}},
                {"listMessage": {"title": text, "sections": [{"rows": [{"title": "r"}]}]}},
                {"somethingNewMessage": {"x": 1}},
            ]
        )

    def _version_of(self, content: Json) -> Json:
        """As it is, or what another device makes of it."""
        chance = self.rng.random()
        if chance < 0.04:
            return {"somethingNewMessage": {"x": 1}}
        if chance < 0.1 and "imageMessage" in content:
            return {
                "imageMessage": {name: told for name, told in content["imageMessage"].items() if name != "mediaKey"}
            }
        return content

    def _owed(self, sent: Sent) -> None:
        told = {"key": self._key(sent), "reason": self.rng.choice(["undecryptable", "unavailable", "absent"])}
        self._journal("debt", told | {"messageTimestamp": sent.at, "pushName": sent.sender and sent.sender.name})

    def _debt(self) -> None:
        """The placeholder of a message that came or never comes."""
        inbound = [one for one in self.sent[-100:] if one.sender and one.content]
        if inbound:
            self._owed(self.rng.choice(inbound))

    def _again(self) -> None:
        """An older message, seen once more."""
        self._seen(self.rng.choice(self._written()))

    def _written(self) -> list[Sent]:
        """Messages that somebody wrote: events and calls are told once."""
        return [one for one in self.sent if one.content]

    # -- What happens to messages ---------------------------------------------------------------------------------

    def _target(self) -> Sent:
        """A message of the last ones, or one that comes only later, or never."""
        if self.rng.random() < 0.1:
            return self.rng.choice(self.sent)
        return self.rng.choice(self.sent[-60:])

    def _doer(self, sent: Sent, *, other: float) -> Person | None:
        """Its sender, or by these odds somebody else who can see it."""
        if self.rng.random() >= other:
            return sent.sender
        if isinstance(sent.chat, Person):
            return self.rng.choice([sent.chat, None])
        return self.rng.choice([*self.people, None])

    def _doing(self, sent: Sent, by: Person | None, message: Json) -> None:
        """A message that does something to another one, told once or twice."""
        doing = Sent(self._id(), sent.chat, by, self._now(), message)
        for _ in range(self.rng.choice([1, 1, 1, 2])):
            row = {"key": self._key(doing), "messageTimestamp": doing.at, "message": message}
            if by and self.rng.random() < 0.5:
                row["pushName"] = by.name
            origin = self.rng.choice(["live", "live", "offline", "history"])
            if origin == "history":
                self._journal("history", {"syncType": 3, "messages": [row]}, origin=origin)
            else:
                self._journal("message", row, origin=origin)

    def _edit(self) -> None:
        sent = self._target()
        # Whose message it is that somebody else edits has to become known: until then nobody can be sure.
        by = self._doer(sent, other=0.0 if sent.sender and sent.sender.stranger else 0.15)
        protocol = {
            "key": {"remoteJid": "x@s.whatsapp.net", "fromMe": True, "id": sent.id},
            "type": 14,
            "editedMessage": {"conversation": f"edited {self.rng.randrange(1000)}"},
            "timestampMs": self._now() * 1000 + self.rng.randrange(3),
        }
        self._doing(sent, by, {"editedMessage": {"message": {"protocolMessage": protocol}}})

    def _revoke(self) -> None:
        sent = self._target()
        by = self._doer(sent, other=0.4)
        mine = by == sent.sender
        key: Json = {"remoteJid": "x@s.whatsapp.net", "fromMe": mine, "id": sent.id}
        if not mine and sent.sender:
            key["participant"] = sent.sender.alone(self.rng)
        self._doing(sent, by, {"protocolMessage": {"key": key, "type": 0}})

    def _reaction(self) -> None:
        sent = self._target()
        by = self._doer(sent, other=0.8)
        key: Json = {"remoteJid": "x", "fromMe": sent.sender is None, "id": sent.id}
        if sent.group and sent.sender:
            key["participant"] = sent.sender.alone(self.rng)
        at_ms = self._now() * 1000 + self.rng.randrange(5)
        text = self.rng.choice(["👍", "🎉", "😀", ""])
        self._doing(sent, by, {"reactionMessage": {"key": key, "text": text, "senderTimestampMs": at_ms}})

    def _vote(self) -> None:
        polls = [one for one in self.sent if "pollCreationMessageV3" in one.content]
        if not polls:
            return
        sent = self.rng.choice(polls[-20:])
        key: Json = {"remoteJid": "x", "fromMe": sent.sender is None, "id": sent.id}
        if sent.group and sent.sender:
            key["participant"] = sent.sender.alone(self.rng)
        vote = {"pollCreationMessageKey": key, "senderTimestampMs": self._now() * 1000, "vote": {"encPayload": "SS8="}}
        self._doing(sent, self._doer(sent, other=0.9), {"pollUpdateMessage": vote})

    def _receipt(self) -> None:
        """Of one to four messages of a conversation; also before they come, and of those that are not ours."""
        rng, sent = self.rng, self._target()
        near = [one for one in self.sent[-200:] if one.chat == sent.chat and (one.sender is None or rng.random() < 0.1)]
        ids = [one.id for one in rng.sample(near, min(len(near), rng.randrange(1, 5)))]
        if rng.random() < 0.1:
            ids.append(f"M{self._drawn + rng.randrange(1, 20):05}")
        told: Json = {
            "ids": ids,
            "type": rng.choice(["delivery", "delivery", "read", "read", "played", "inactive", "sender", "retry"]),
            "time": self._now() + rng.randrange(60),
        }
        self._journal("receipt", told | self._heard_by(sent))

    def _heard_by(self, sent: Sent) -> Json:
        rng = self.rng
        if isinstance(sent.chat, Person):
            told = sent.chat.keyed(rng, "chat")
            return told | {"chat": told["chat"].replace(":", "@").split("@")[0] + "@" + told["chat"].split("@")[1]}
        if rng.random() < 0.3:
            heard = [
                {"jid": one.alone(rng), "time": self._now() + rng.randrange(9)} for one in rng.sample(self.people, 3)
            ]
            return {"chat": sent.chat, "users": heard}
        return {"chat": sent.chat, **rng.choice(self.people).keyed(rng, "participant")}

    def _reading(self) -> None:
        """We read a conversation on another device."""
        rng, sent = self.rng, self._target()
        chat = {"chat": sent.chat} if sent.group else sent.chat.keyed(rng, "chat")  # type: ignore[union-attr]
        own = rng.choice([{"type": "read-self"}, {"type": "read", "own": True}, {"type": "played-self"}])
        self._journal("receipt", {**chat, **own, "ids": [sent.id], "time": sent.at + rng.choice([-1, 0, 0, 1])})

    def _refusal(self) -> None:
        own = [one for one in self.sent[-60:] if one.sender is None]
        if own:
            told = {"key": self._key(self.rng.choice(own)), "update": {"status": 0, "messageStubParameters": ["463"]}}
            self._journal("update", {"event": "messages.update", "data": [told]}, origin="derived")

    # -- Groups, calls, people ------------------------------------------------------------------------------------

    def _event(self) -> None:
        """Something happens in a group: a stub of the engine."""
        rng = self.rng
        who = rng.choice([one for one in self.people if not one.stranger])
        people = orjson.dumps({"id": who.lid, "phoneNumber": who.pn}).decode()
        kind, parameters = rng.choice(
            [(27, [people]), (28, [people]), (21, ["New"]), (25, ["on"]), (24, []), (172, ["x"])]
        )
        sent = Sent(self._id(), rng.choice(self.groups), rng.choice(self.people), self._now(), {})
        self.sent.append(sent)
        stub = {"messageStubType": kind, "messageStubParameters": parameters}
        row = {"key": self._key(sent), "messageTimestamp": sent.at, **stub}
        self._journal("message", row, origin="derived")

    def _subject(self) -> None:
        rng = self.rng
        event = rng.choice(["groups.upsert", "groups.update"])
        members = [{"id": one.lid, "phoneNumber": one.pn} for one in rng.sample(self.people[_STRANGERS:], 2)]
        group = {"id": rng.choice(self.groups), "subject": f"Subject {rng.randrange(20)}", "participants": members}
        self._journal("update", {"event": event, "data": [group]}, origin="derived")

    def _chat(self) -> None:
        rng = self.rng
        chat = rng.choice([*self.groups, *(one.alone(rng) for one in self.people)])
        told = {"id": chat, "name": f"Chat {rng.randrange(20)}"}
        self._journal(
            "update", {"event": rng.choice(["chats.upsert", "chats.update"]), "data": [told]}, origin="derived"
        )

    def _call(self) -> None:
        """Offered, and missed or not told how it ended."""
        rng = self.rng
        who = rng.choice(self.people)
        sent = Sent(self._id(), who, who, self._now(), {})
        self.sent.append(sent)
        key = self._key(sent)
        told = {"from": key["remoteJid"], "chat": key["remoteJid"], "id": sent.id, "time": sent.at}
        told |= {"fromAlt": key["remoteJidAlt"]} if "remoteJidAlt" in key else {}
        for what in rng.sample(["offer", "accept", "terminate", "offer_notice"], 2):
            self._journal("call", {**told, "what": what, "video": True})
        if rng.random() < 0.5:
            missed = {"key": self._key(sent), "messageTimestamp": sent.at, "messageStubType": 41}
            self._journal("message", missed, origin="derived")

    def _contact(self) -> None:
        event = self.rng.choice(["contacts.upsert", "contacts.update"])
        self._journal("update", {"event": event, "data": [self._card()]}, origin="derived")

    def _card(self) -> Json:
        """What is told of a person, by one identity or by both."""
        rng, who = self.rng, self.rng.choice(self.people)
        card: Json = {"id": who.alone(rng)}
        if rng.random() < 0.4 and not who.stranger:
            card |= {"id": who.lid, "phoneNumber": who.pn} if rng.random() < 0.5 else {"id": who.pn, "lid": who.lid}
        for name in ("name", "notify", "verifiedName", "imgUrl", "status"):
            if rng.random() < 0.4:
                card[name] = (
                    f"https://pics.example.com/{rng.randrange(9)}" if name == "imgUrl" else f"{name} {rng.random()}"
                )
        return card

    def _mapping(self) -> None:
        who = self.rng.choice(self.people[_STRANGERS:])
        one: Json = {"lid": who.lid, "pn": who.pn}
        data = self.rng.choice([one, [one]])
        self._journal("update", {"event": "lid-mapping.update", "data": data}, origin="derived")

    # -- History --------------------------------------------------------------------------------------------------

    def _history(self) -> None:
        """A record of some older messages, names and mappings."""
        rows = self.rng.sample(self._written(), self.rng.randrange(1, 12))
        self._journal("history", self._record(rows, "history"), origin="history")

    def _record(self, sent: list[Sent], origin: str) -> Json:
        rng = self.rng
        record: Json = {"syncType": 6 if origin == "ondemand" else 3, "messages": [self._told(one) for one in sent]}
        if rng.random() < 0.3:
            record["contacts"] = [self._card()]
            record["chats"] = [{"id": rng.choice(self.people).alone(rng), "name": f"Chat {rng.randrange(9)}"}]
            who = rng.choice(self.people[_STRANGERS:])
            record["mappings"] = [{"lid": who.lid, "pn": who.pn}]
        return record

    def _told(self, sent: Sent) -> Json:
        """A row of a history: with what happened to the message, or what was left of it."""
        rng, row = self.rng, self._row(sent)
        chance = rng.random()
        if chance < 0.05:
            del row["message"]
            return row | {"messageStubType": 1}
        if chance < 0.2:
            key: Json = {"remoteJid": "x@s.whatsapp.net", "fromMe": False, "id": self._id()}
            who = rng.choice(self.people)
            key |= {"participant": who.alone(rng)} if sent.group else {"remoteJid": row["key"]["remoteJid"]}
            at_ms = self._now() * 1000
            row["reactions"] = [{"key": key, "text": rng.choice(["👍", "", "😀"]), "senderTimestampMs": at_ms}]
        if chance > 0.85 and sent.sender is None:
            whom = rng.choice(self.people) if sent.group else sent.chat
            row["userReceipt"] = [{"userJid": whom.alone(rng), "readTimestamp": self._now()}]  # type: ignore[union-attr]
        return row


_WEIGHTS = {
    "message": 30,
    "again": 8,
    "debt": 2,
    "edit": 9,
    "revoke": 4,
    "reaction": 14,
    "vote": 4,
    "receipt": 22,
    "reading": 3,
    "refusal": 1,
    "event": 2,
    "subject": 1,
    "chat": 1,
    "call": 2,
    "contact": 3,
    "mapping": 1,
    "history": 3,
}
