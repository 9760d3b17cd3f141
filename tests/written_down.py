"""Documents as the specification has them, written down for tests: the common part once, what differs by the test.

The field tables are those of the runbook's system (message, thread, contact) as the design settled them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_OF_HOW_IT_CAME = frozenset({"coverage", "lastBackfillAt"})
MESSAGE_TIMES = ("tsServer", "createdAt", "updatedAt", "syncedAt")
Fields = dict[str, Any]
Documents = dict[str, Fields]


def moment(seconds: float) -> datetime:
    """A time of WhatsApp's as Firestore gives it back."""
    return datetime.fromtimestamp(seconds, UTC)


def phone_of(jid: str) -> str:
    """The number a JID stands for."""
    return "+" + jid.partition("@")[0]


@dataclass(frozen=True, kw_only=True)
class Written:
    """Writes documents of one account down, by path."""

    account: str

    def message(
        self,
        id: str,
        *,
        chat: str,
        at: int,
        kind: str = "text",
        body: str | None = None,
        name: str | None = None,
        sender: str | None = None,
        lid: str | None = None,
        own: bool = False,
        key: Mapping[str, Any] | None = None,
        media: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Documents:
        """A message that came live. `sender`: in groups who wrote it; `key`: what it has beyond the plain one."""
        who = sender or chat
        fields: Fields = {
            "accountId": self.account,
            "clientJid": chat,
            "threadId": f"{self.account}__{chat}",
            "waMessageId": id,
            "providerMessageId": id,
            "direction": "outbound" if own else "inbound",
            "status": "sent" if own else "delivered",
            "messageType": kind,
            "body": body,
            "tsClient": moment(at),
            "tsSort": moment(at),
            "tsClientMs": at * 1000,
            "createdAtMs": at * 1000,
            "key": {"id": id, "remoteJid": chat, "fromMe": own, "timestamp": at, **(key or {})},
            "syncSource": "realtime",
            "origin": "live",
        }
        if own:
            fields["senderName"] = "me"
        else:
            fields |= {"senderJid": who, "senderId": who}
            fields |= {"senderName": name, "lastSenderName": name} if name else {}
            fields |= {"senderLid": lid} if lid else {}
        if media:
            fields |= media_fields(media)
        return {f"threads/{self.account}__{chat}/messages/{id}": fields | more}

    def thread(
        self,
        chat: str,
        *,
        id: str,
        at: int,
        preview: str,
        name: str | None = None,
        by: str | None = None,
        own: bool = False,
        inbound_at: int | None = None,
        unread: int = 0,
        **more: Any,
    ) -> Documents:
        """A thread whose newest message is `id`. `by`: the name of who wrote it."""
        is_phone = chat.endswith("@s.whatsapp.net")
        fields: Fields = {
            "accountId": self.account,
            "clientJid": chat,
            "isLid": chat.endswith("@lid"),
            "displayName": name or (phone_of(chat) if is_phone else chat.partition("@")[0]),
            "lastMessageAt": moment(at),
            "lastMessageAtMs": at * 1000,
            "lastMessageId": id,
            "lastMessagePreview": preview,
            "lastMessageText": preview,
            "lastMessageDirection": "outbound" if own else "inbound",
            "unreadCount": unread,
        }
        if is_phone:
            fields |= dict.fromkeys(("phone", "phoneE164", "phoneNumber"), phone_of(chat))
        if own or by:
            fields["lastMessageSenderName"] = "me" if own else by
        if not own or inbound_at:
            fields |= {"lastInboundAt": moment(inbound_at or at), "lastInboundAtMs": (inbound_at or at) * 1000}
        return {f"threads/{self.account}__{chat}": fields | more}

    def contact(self, jid: str, shown: str, /, **more: Any) -> Documents:
        """A person who shows under this name."""
        fields: Fields = {"accountId": self.account, "jid": jid, "displayName": shown, "phoneE164": phone_of(jid)}
        return {f"contacts/{self.account}__{jid}": fields | more}


def media_fields(media: Mapping[str, Any]) -> Fields:
    """A file nested and flat, as the app reads either; its type of content under both spellings."""
    flat = {"mediaType": "type", "mediaMimetype": "mimetype", "mediaFilename": "filename"}
    nested = {**media, "mimeType": media["mimetype"]}
    return {"media": nested, **{field: media[name] for field, name in flat.items() if name in media}}


def as_written(path: str, fields: Mapping[str, Any]) -> Fields:
    """A document without what only merging reads (`clocks`) and the server's times, which must be there, and without
    what is proven of its history: that is of how it came, not of what it says.
    """
    plain = {name: value for name, value in fields.items() if name not in _OF_HOW_IT_CAME}
    assert plain.pop("clocks", None) is not None, path
    for name in MESSAGE_TIMES if "/messages/" in path else ("updatedAt",):
        assert isinstance(plain.pop(name, None), datetime), f"{path} has no {name}"
    return plain


def all_as_written(documents: Mapping[str, Mapping[str, Any]]) -> Documents:
    """All of them, by path."""
    return {path: as_written(path, fields) for path, fields in documents.items()}


def differences(found: Documents, written: Documents) -> list[str]:
    """What is otherwise than it is written down, field by field; empty if nothing is."""
    told = [f"{path} is there" for path in sorted(found.keys() - written.keys())]
    told += [f"{path} is missing" for path in sorted(written.keys() - found.keys())]
    for path in sorted(found.keys() & written.keys()):
        for field in sorted(found[path].keys() | written[path].keys()):
            is_, should_be = (fields.get(field, "absent") for fields in (found[path], written[path]))
            if is_ != should_be:
                told.append(f"{path} {field}: is {is_!r}, should be {should_be!r}")
    return told
