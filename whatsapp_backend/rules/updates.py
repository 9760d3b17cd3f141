"""What the engine derived and no other entry holds: names, pictures, subjects, who is who, sends that were refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from whatsapp_backend.domain.amendments import Amendments
from whatsapp_backend.domain.events import (
    PARTS,
    Amended,
    ChatNamed,
    Event,
    NameRank,
    PersonTold,
    Unreadable,
)
from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.rules.identity import ME, chat_of, is_person, lid_among
from whatsapp_backend.rules.told import ODD, given_name, identity, jid_of, listed, pair_of, reason_of

_LONGEST_URL = 2000
_NAME_FIELDS = {
    NameRank.PHONE_BOOK: "name",
    NameRank.NOTIFIED: "notify",
    NameRank.VERIFIED: "verifiedName",
}

Reader = Callable[[Entry, int, Mapping[str, Any]], Iterator[Event]]


def update_events(entry: Entry, payload: Mapping[str, Any]) -> Iterator[Event]:
    """What an update tells, item by item; one that cannot be read costs nothing else."""
    reader = _READERS.get(str(payload.get("event")))
    if reader:
        yield from each(entry, entry.seq * PARTS, listed(payload, "data"), reader)


def each(entry: Entry, order: int, items: Any, reader: Reader) -> Iterator[Event]:
    """The events of each item, which stands at its own place."""
    for place, item in enumerate(items, order):
        try:
            yield from list(reader(entry, place, item))
        except ODD as error:
            yield Unreadable(order=place, account=entry.account, reason=reason_of(error))


def contact_told(entry: Entry, order: int, contact: Mapping[str, Any]) -> Iterator[Event]:
    """A person's names, number and LID; the names are those of the conversation with him, too."""
    raw = contact["id"]
    other = contact.get("phoneNumber") or contact.get("lid")
    pair = pair_of(raw, other)
    jid = pair[1] if pair else jid_of(raw)
    if not is_person(jid):
        return
    yield from identity(entry, raw, other, "contact")
    names = {rank: name for rank, field in _NAME_FIELDS.items() if (name := given_name(contact.get(field)))}
    picture = contact.get("imgUrl")
    about = contact.get("status")
    clock = entry.new.received_at_ms
    yield PersonTold(
        order=order,
        account=entry.account,
        jid=jid,
        lid=lid_among(raw, other),
        clock=clock,
        names=names,
        picture_url=picture
        if isinstance(picture, str) and picture.startswith("http") and len(picture) < _LONGEST_URL
        else None,
        about=about[:_LONGEST_URL] if isinstance(about, str) else None,
    )
    for rank, name in names.items():
        yield ChatNamed(order=order, account=entry.account, client_jid=jid, name=name, rank=rank, clock=clock)


def chat_told(entry: Entry, order: int, chat: Mapping[str, Any]) -> Iterator[Event]:
    """What the phone calls a conversation."""
    raw = jid_of(chat["id"])
    other = chat.get("pnJid") or chat.get("lidJid") or chat.get("accountLid")
    yield from identity(entry, raw, other, "chat")
    jid = chat_of({"remoteJid": raw, "remoteJidAlt": other})
    name = given_name(chat.get("name")) or given_name(chat.get("displayName"))
    if name:
        rank = NameRank.CHAT if is_person(jid) else NameRank.SUBJECT
        yield ChatNamed(
            order=order, account=entry.account, client_jid=jid, name=name, rank=rank, clock=entry.new.received_at_ms
        )


def mapping_told(entry: Entry, _order: int, mapping: Mapping[str, Any]) -> Iterator[Event]:
    """Which number a LID has."""
    if not pair_of(mapping["lid"], mapping["pn"]):
        raise ValueError("a mapping that maps nothing")
    yield from identity(entry, mapping["lid"], mapping["pn"], "mapping")


def _group_told(entry: Entry, order: int, group: Mapping[str, Any]) -> Iterator[Event]:
    jid = jid_of(group["id"])
    subject = group.get("subject")
    if isinstance(subject, str) and subject.strip():
        yield ChatNamed(
            order=order,
            account=entry.account,
            client_jid=jid,
            name=subject.strip()[:200],
            rank=NameRank.SUBJECT,
            clock=entry.new.received_at_ms,
        )
    yield from _participants(entry, group)


def _participants(entry: Entry, group: Mapping[str, Any]) -> Iterator[Event]:
    for one in listed(group, "participants"):
        if isinstance(one, Mapping):
            yield from identity(entry, one.get("id"), one.get("phoneNumber") or one.get("lid"), "group")


def _participants_told(entry: Entry, _order: int, group: Mapping[str, Any]) -> Iterator[Event]:
    yield from _participants(entry, group)


def _message_told(entry: Entry, order: int, told: Mapping[str, Any]) -> Iterator[Event]:
    """Of messages only refused sends are journaled here: everything else comes as a stanza of its own."""
    key, update = told["key"], told["update"]
    if key.get("fromMe") and update.get("status") == 0:
        yield Amended(
            order=order,
            account=entry.account,
            client_jid=chat_of(key),
            message_id=str(key["id"]),
            amendments=Amendments(),
            author=ME,
            failed=True,
        )


_READERS: dict[str, Reader] = {
    "contacts.upsert": contact_told,
    "contacts.update": contact_told,
    "chats.upsert": chat_told,
    "chats.update": chat_told,
    "groups.upsert": _group_told,
    "groups.update": _group_told,
    "group-participants.update": _participants_told,
    "lid-mapping.update": mapping_told,
    "messages.update": _message_told,
}
