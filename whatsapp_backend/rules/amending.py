"""What a message does to another one: edits it, takes it back, reacts to it, votes in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from whatsapp_backend.domain.amendments import Amendments, Edit, Handled, Mark
from whatsapp_backend.domain.events import Amended, Content
from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.domain.moments import YEAR_10000_MS
from whatsapp_backend.rules.amendments import bounded, edit_key
from whatsapp_backend.rules.content import content_of, unwrapped
from whatsapp_backend.rules.identity import ME, chat_of, is_person, sender_lid_of, sender_of
from whatsapp_backend.rules.stored import integer
from whatsapp_backend.rules.told import LONGEST_BODY, ODD, jid_of, listed, moment_ms

_REVOKE = 0
_EDIT = 14
_LONGEST_REACTION = 100
_LONGEST_ID = 1500

_Told = tuple[str, Amendments, str | None, str | None]
"""The id of the message it is about, what happened, and its author and his LID, where that is said."""


def amended_by(entry: Entry, order: int, message: Mapping[str, Any], sent_at_ms: int) -> Iterator[Amended]:
    """What this message does to another one, if anything. Raises ValueError and the like for the odd."""
    told = _told(message, sent_at_ms)
    if told is None:
        return
    message_id, amendments, author, author_lid = told
    yield Amended(
        order=order,
        account=entry.account,
        client_jid=chat_of(message["key"]),
        message_id=message_id,
        amendments=amendments,
        author=author,
        author_lid=author_lid,
    )


def _told(message: Mapping[str, Any], sent_at_ms: int) -> _Told | None:
    key = message["key"]
    by, lid = sender_of(key), sender_lid_of(key)
    if not by:
        return None
    content = unwrapped(message.get("message") or {})
    protocol = content.get("protocolMessage")
    if isinstance(protocol, Mapping):
        return _protocol(protocol, key, by, lid, sent_at_ms)
    reaction = content.get("reactionMessage")
    if isinstance(reaction, Mapping):
        author = _author(reaction["key"], key)
        text = reaction.get("text") or ""
        at_ms = _ms(reaction, "senderTimestampMs") or sent_at_ms
        mark = Mark(at_ms=at_ms, lid=lid, of=author, text=str(text)[:_LONGEST_REACTION])
        return _id(reaction["key"]), Amendments(reactions={by: mark}), author, None
    vote = content.get("pollUpdateMessage")
    if isinstance(vote, Mapping):
        author = _author(vote["pollCreationMessageKey"], key)
        at_ms = _ms(vote, "senderTimestampMs") or sent_at_ms
        mark = Mark(at_ms=at_ms, lid=lid, of=author)
        return _id(vote["pollCreationMessageKey"]), Amendments(votes={by: mark}), author, None
    return None


def _protocol(
    protocol: Mapping[str, Any], key: Mapping[str, Any], by: str, lid: str | None, sent_at_ms: int
) -> _Told | None:
    kind = protocol.get("type", _REVOKE if protocol.keys() == {"key"} else None)
    if kind == _REVOKE:
        target = protocol["key"]
        # Its own words: from the revoker's side. An admin names another author, and is not believed for it.
        author = by if target.get("fromMe") or not target.get("participant") else jid_of(target["participant"])
        mark = Mark(at_ms=sent_at_ms, lid=lid, of=author)
        return _id(target), Amendments(revokes={by: mark}), author, lid if author == by else None
    if kind == _EDIT:
        shown = content_of(protocol.get("editedMessage") or {})
        if shown is None:
            return None
        edit = Edit(
            at_ms=_ms(protocol, "timestampMs") or sent_at_ms,
            by=by,
            lid=lid,
            body=shown.body[:LONGEST_BODY] if shown.body else shown.body,
        )
        return _id(protocol["key"]), Amendments(edits={edit_key(_id(key), by): edit}), by, lid
    return None


def as_edited(message: Mapping[str, Any]) -> Content | None:
    """What a message shows that is told by its last edit alone: a history puts that where the message was."""
    protocol = unwrapped(message.get("message") or {}).get("protocolMessage")
    if not isinstance(protocol, Mapping) or protocol.get("type") != _EDIT:
        return None
    if protocol["key"].get("id") != message["key"]["id"]:
        return None
    shown = content_of(protocol.get("editedMessage") or {})
    return replace(shown, details={**(shown.details or {}), "asEdited": True}) if shown else None


def edit_of_itself(message: Mapping[str, Any], sent_at_ms: int) -> Amendments | None:
    """The edit in a message that is told so."""
    told = _told(message, sent_at_ms)
    return told[1] if told else None


def told_by_history(row: Mapping[str, Any], chat: str, sent_at_ms: int) -> Amendments | None:
    """What a row of a history says happened to its message: who reacted, who voted, who had it when."""
    reactions = dict(_each(row, "reactions", lambda told: _reaction_in(told, chat, sent_at_ms)))
    votes = dict(_each(row, "pollUpdates", lambda told: _vote_in(told, chat, sent_at_ms)))
    receipts = dict(_each(row, "userReceipt", _receipt_in))
    told = Amendments(reactions=reactions, votes=votes, receipts=receipts)
    return bounded(told) if reactions or votes or receipts else None


def _reaction_in(told: Mapping[str, Any], chat: str, sent_at_ms: int) -> tuple[str, Mark] | None:
    key = {"remoteJid": chat, **told["key"]}
    by = sender_of(key)
    text = told.get("text")
    if not by or not isinstance(text, str):
        return None
    at_ms = _ms(told, "senderTimestampMs") or sent_at_ms
    return by, Mark(at_ms=at_ms, lid=sender_lid_of(key), of=None, text=text[:_LONGEST_REACTION])


def _vote_in(told: Mapping[str, Any], chat: str, sent_at_ms: int) -> tuple[str, Mark] | None:
    key = {"remoteJid": chat, **told["pollUpdateMessageKey"]}
    by = sender_of(key)
    at_ms = _ms(told, "senderTimestampMs") or sent_at_ms
    return (by, Mark(at_ms=at_ms, lid=sender_lid_of(key), of=None)) if by else None


def _receipt_in(told: Mapping[str, Any]) -> tuple[str, Handled] | None:
    times = {
        name: moment_ms(told[field])
        for name, field in (
            ("delivered_at_ms", "receiptTimestamp"),
            ("read_at_ms", "readTimestamp"),
            ("played_at_ms", "playedTimestamp"),
        )
        if told.get(field)
    }
    return (jid_of(told["userJid"]), Handled(lid=None, **times)) if times else None


def _each(row: Mapping[str, Any], field: str, read: Any) -> Iterator[Any]:
    """What can be read of a list; the rest is not worth a message."""
    for told in listed(row, field):
        try:
            one = read(told)
        except ODD:
            continue
        if one:
            yield one


def _author(target: Mapping[str, Any], key: Mapping[str, Any]) -> str | None:
    """Whose message a target key names, seen from us."""
    if target.get("fromMe"):
        return ME
    if target.get("participant"):
        return jid_of(target["participant"])
    chat = chat_of(key)
    return chat if is_person(chat) else None


def _id(key: Mapping[str, Any]) -> str:
    message_id = key["id"]
    if not isinstance(message_id, str) or not 0 < len(message_id) <= _LONGEST_ID:
        raise ValueError("an amendment of no message")
    return message_id


def _ms(told: Mapping[str, Any], field: str) -> int | None:
    return integer(told, field, below=YEAR_10000_MS)
