"""Who writes what in the demo, and what must be in Firestore afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

PHONE = "15550001111"
ANA, BOB, MIA = "15550002222", "15550003333", "15550004444"
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
        for prefix, how, first in (("h1", "inline", "15551000000"), ("h2", "blob", "15551000100")):
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

    async def text(self, id: str, body: str, *, chat: str = ANA, offline: bool = False, **more: Any) -> None:
        """Somebody writes."""
        jid = chat if "@" in chat else f"{chat}@s.whatsapp.net"
        self.sent[id] = Sent(chat=jid, body=body, outbound=bool(more.get("from_me")), offline=offline)
        await self.server.op("message", account=PHONE, chat=chat, id=id, text=body, **more)

    async def image(self, id: str, caption: str, *, chat: str = MIA) -> None:
        """Somebody sends a picture."""
        self.sent[id] = Sent(chat=f"{chat}@s.whatsapp.net", body=caption, kind="image")
        await self.server.op("message", account=PHONE, chat=chat, id=id, kind="image", caption=caption)

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
    wanted = {
        "clientJid": expected.chat,
        "body": expected.body,
        "direction": "outbound" if expected.outbound else "inbound",
        "messageType": expected.kind,
        "syncSource": "history_sync" if expected.history else "realtime",
        "offlineSync": expected.offline or None,
    }
    return [
        f"{name} is {fields.get(name)!r}, not {value!r}" for name, value in wanted.items() if fields.get(name) != value
    ]
