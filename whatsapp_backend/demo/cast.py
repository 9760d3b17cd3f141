"""Who writes what in the demo, and what must be in Firestore afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

PHONE = "15550001111"
ANA, BOB, MIA = "15550002222", "15550003333", "15550004444"
OLD = "15551000000"
"""A customer of whom there is history."""
GROUP = "120363001234567890@g.us"
OWN_EACH_FOURTH = 3
"""So the fake server makes its histories."""
NAMES = {ANA: "Ana", BOB: "Bob", MIA: "Mia"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One message that must be there, and how."""

    chat: str
    body: str | None
    outbound: bool = False
    kind: str = "text"
    offline: bool = False
    history: bool = False
    fetched: bool = False
    """It never came by itself: the phone had to be asked for it."""
    earlier: str | None = None
    """The text before it was edited."""
    revoked: bool = False
    reactions: tuple[tuple[str, str], ...] = ()
    """Who, and what."""
    status: str | None = None


@dataclass(slots=True)
class Cast:
    """Sends through the fake server and writes down what it sent."""

    server: FakeWhatsApp
    sent: dict[str, Sent] = field(default_factory=dict)

    async def introduce(self) -> None:
        """Give people names and a group."""
        for phone, name in NAMES.items():
            await self.server.op("person", phone=phone, name=name)
        await self.server.op("group", id=GROUP, subject="Team", members=[PHONE, ANA, BOB], addressing="lid")

    async def history(self) -> int:
        """Two months of conversations, in several chunks, inline and as a blob."""
        messages = 0
        for prefix, how, first in (("h1", "inline", OLD), ("h2", "blob", "15551000100")):
            recipe = await self.server.op(
                "history",
                account=PHONE,
                conversations=5,
                messages=400,
                chunk_messages=150,
                prefix=prefix,
                as_=how,
                first_contact=first,
            )
            messages += recipe["messages"]
            for chat in range(5):
                for number in range(80):
                    self.sent[f"{prefix}-{chat}-{number}"] = Sent(
                        chat=f"{int(first) + chat}@s.whatsapp.net",
                        body=f"{prefix} {chat} {number}",
                        outbound=number % 4 == OWN_EACH_FOURTH,
                        history=True,
                    )
        return messages

    async def lost(self, id: str, body: str, *, chat: str = ANA) -> None:
        """Somebody writes while we are away, and the server loses it: only the phone has it."""
        await self.text(id, body, chat=chat)
        self.sent[id] = replace(self.sent[id], fetched=True)
        await self.server.op("lose", account=PHONE, ids=[id])

    async def text(self, id: str, body: str, *, chat: str = ANA, offline: bool = False, **more: Any) -> None:
        """Somebody writes."""
        jid = chat if "@" in chat else f"{chat}@s.whatsapp.net"
        self.sent[id] = Sent(chat=jid, body=body, outbound=bool(more.get("from_me")), offline=offline)
        await self.server.op("message", account=PHONE, chat=chat, id=id, text=body, **more)

    async def image(self, id: str, caption: str, *, chat: str = MIA) -> None:
        """Somebody sends a picture."""
        self.sent[id] = Sent(chat=f"{chat}@s.whatsapp.net", body=caption, kind="image")
        await self.server.op("message", account=PHONE, chat=chat, id=id, kind="image", caption=caption)

    async def edit(self, id: str, body: str, *, chat: str = ANA) -> None:
        """Its sender says it otherwise."""
        self.sent[id] = replace(self.sent[id], earlier=self.sent[id].body, body=body)
        await self.server.op("message", account=PHONE, chat=chat, edit={"id": id, "text": body})

    async def revoke(self, id: str, *, chat: str, from_: str) -> None:
        """Its sender takes it back."""
        self.sent[id] = replace(self.sent[id], earlier=self.sent[id].body, body=None, revoked=True)
        await self.server.op("message", account=PHONE, chat=chat, from_=from_, revoke={"id": id})

    async def react(self, id: str, text: str, *, chat: str = ANA) -> None:
        """Somebody reacts to a message of ours."""
        self.sent[id] = replace(self.sent[id], reactions=((f"{chat}@s.whatsapp.net", text),))
        await self.server.op("message", account=PHONE, chat=chat, react={"id": id, "text": text})

    async def read(self, id: str, *, by: str = ANA) -> None:
        """Somebody reads a message of ours, and his device says so under his LID."""
        self.sent[id] = replace(self.sent[id], status="read")
        await self.server.op("receipt", account=PHONE, from_=by, ids=[id], type="read", addressing="lid")

    async def again(self, id: str) -> None:
        """The server delivers the same stanza once more."""
        await self.server.op("duplicate", account=PHONE, id=id)


def differences(
    sent: Mapping[str, Sent], documents: Mapping[str, Mapping[str, Any]], threads: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """What differs between what was sent and what is in Firestore: messages by path, threads by client JID."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for fields in documents.values():
        found.setdefault(str(fields.get("waMessageId")), []).append(fields)
    problems = [f"{message}: nobody sent it" for message in found.keys() - sent.keys()]
    for message, expected in sent.items():
        copies = found.get(message, [])
        if len(copies) != 1:
            problems.append(f"{message}: {len(copies)} documents instead of 1")
            continue
        problems += [f"{message}: {problem}" for problem in _compared(expected, copies[0])]
    newest: dict[str, int] = {}
    for fields in documents.values():
        newest[fields["clientJid"]] = max(newest.get(fields["clientJid"], 0), fields["tsClientMs"])
    told = {chat: fields.get("lastMessageAtMs") for chat, fields in threads.items()}
    problems += [
        f"thread {chat}: last activity {told.get(chat)}, not {at}"
        for chat, at in newest.items()
        if told.get(chat) != at
    ]
    return problems


def _compared(expected: Sent, fields: Mapping[str, Any]) -> list[str]:
    wanted: dict[str, Any] = {
        "clientJid": expected.chat,
        "body": expected.body,
        "direction": "outbound" if expected.outbound else "inbound",
        "messageType": expected.kind,
        "syncSource": "history_sync" if expected.history else "manual_sync" if expected.fetched else "realtime",
        "offlineSync": expected.offline or None,
        "revoked": expected.revoked or None,
    }
    found = dict(fields)
    if expected.reactions:
        wanted["reactions"] = expected.reactions
        found["reactions"] = tuple((one["by"], one["text"]) for one in fields.get("reactions", ()))
    if expected.status:
        wanted["status"] = expected.status
    if expected.earlier is not None:
        wanted["earlier"] = expected.earlier
        kept: Mapping[str, Any] = fields.get("kept") or next(iter(fields.get("versions", ())), {})
        found["earlier"] = kept.get("body")
    return [
        f"{name} is {found.get(name)!r}, not {value!r}" for name, value in wanted.items() if found.get(name) != value
    ]
