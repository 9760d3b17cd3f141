"""Receipts: who had our message when, and up to where we have read a conversation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from whatsapp_backend.domain.amendments import Amendments, Handled
from whatsapp_backend.domain.events import PARTS, Amended, ChatRead, Event
from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.rules.identity import ME, chat_of, is_person, lid_among
from whatsapp_backend.rules.told import identity, jid_of, listed, moment_ms

_DELIVERED = frozenset({"delivery", "inactive"})
_READ = frozenset({"read", "read-self"})
_PLAYED = frozenset({"played", "played-self"})
_BY_US = frozenset({"read-self", "played-self"})
_END_OF_SECOND_MS = 999
_MOST_IDS = 10_000


def receipt_events(entry: Entry, payload: Mapping[str, Any]) -> Iterator[Event]:
    """What a receipt tells; nothing for those between devices (retries, our own device's delivery, history)."""
    kind = payload.get("type")
    if kind not in _DELIVERED | _READ | _PLAYED:
        return
    chat = chat_of({"remoteJid": jid_of(payload["chat"]), "remoteJidAlt": payload.get("chatAlt")})
    yield from identity(entry, payload["chat"], payload.get("chatAlt"), "receipt")
    yield from identity(entry, payload.get("participant"), payload.get("participantAlt"), "receipt")
    for user in listed(payload, "users"):
        yield from identity(entry, user["jid"], user.get("alt"), "receipt")
    if payload.get("own") or kind in _BY_US:
        if kind not in _DELIVERED:
            at_ms = moment_ms(payload.get("time")) + _END_OF_SECOND_MS
            yield ChatRead(order=entry.seq * PARTS, account=entry.account, client_jid=chat, at_ms=at_ms)
        return
    for part, (message_id, receipts) in enumerate(_by_message(payload, chat, kind).items()):
        yield Amended(
            order=entry.seq * PARTS + part,
            account=entry.account,
            client_jid=chat,
            message_id=message_id,
            amendments=Amendments(receipts=receipts),
            author=ME,
        )


def _by_message(payload: Mapping[str, Any], chat: str, kind: str) -> dict[str, dict[str, Handled]]:
    """Who had which message. In a group the participant says it, or several people are told of in one receipt."""
    told: dict[str, dict[str, Handled]] = {}
    for user in listed(payload, "users")[:_MOST_IDS]:
        at_ms = moment_ms(user.get("time") or payload.get("time"))
        by, lid = _person(user["jid"], user.get("alt"))
        told.setdefault(str(user["id"]), {})[by] = _at(kind, at_ms, lid)
    who = payload.get("participant") or (payload["chat"] if is_person(chat) else None)
    alt = payload.get("participantAlt" if payload.get("participant") else "chatAlt")
    if who and not told:
        by, lid = _person(who, alt)
        handled = _at(kind, moment_ms(payload.get("time")), lid)
        ids = [one for one in listed(payload, "ids")[:_MOST_IDS] if isinstance(one, str) and one]
        told = {message_id: {by: handled} for message_id in ids}
    return told


def _person(jid: Any, alt: Any) -> tuple[str, str | None]:
    """Under the number if it is told, and the LID."""
    return chat_of({"remoteJid": jid_of(jid), "remoteJidAlt": alt}), lid_among(jid, alt)


def _at(kind: str, at_ms: int, lid: str | None) -> Handled:
    if kind in _PLAYED:
        return Handled(lid=lid, played_at_ms=at_ms)
    return Handled(lid=lid, read_at_ms=at_ms) if kind in _READ else Handled(lid=lid, delivered_at_ms=at_ms)
