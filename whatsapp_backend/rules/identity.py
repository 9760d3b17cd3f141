"""One spelling for every JID, and which conversation and which sender a message key names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

ME = "me"
"""The sender of our own messages: our number and our LID are one person whatever the key says."""

_DIGITS = re.compile(r"\+?([0-9]+)")
_E164 = re.compile(r"[1-9][0-9]{5,14}")
_DOMAINS = {"c.us": "s.whatsapp.net", "hosted": "s.whatsapp.net", "hosted.lid": "lid"}


def account_id(phone: str, namespace: str) -> str:
    """The id of the account declared for a number (E.164 or any spelling of it). Raises ValueError."""
    return f"account_{namespace}_{hashlib.sha256(e164(phone).encode()).hexdigest()[:32]}"


def e164(phone: str) -> str:
    """The one spelling of a phone number, `+` and digits. Raises ValueError."""
    digits = "".join(c for c in phone if c.isascii() and c.isdigit())
    if not _E164.fullmatch(digits):
        raise ValueError("not an international phone number: 6 to 15 digits with the country code, as in +15550001111")
    return f"+{digits}"


@lru_cache(1024)
def canonical_jid(raw: str) -> str:
    """The one spelling of a JID. Device suffixes go before digits are looked at, or `1555:12` would become `155512`."""
    jid = raw.strip().lower()
    user, at, domain = jid.partition("@")
    if not at or "@" in domain:
        return jid
    user = user.partition(":")[0]
    if digits := _DIGITS.fullmatch(user):
        user = digits[1]
    return f"{user}@{_DOMAINS.get(domain, domain)}"


def is_phone(jid: str) -> bool:
    """Whether the JID names a person by phone number."""
    return jid.endswith("@s.whatsapp.net")


def is_lid(jid: str) -> bool:
    """Whether the JID names a person by LID. Its digits are never a phone number."""
    return jid.endswith("@lid")


def is_person(jid: str) -> bool:
    """Whether the JID names one person, so that who writes there is known from the chat alone."""
    return is_phone(jid) or is_lid(jid)


def phone_of(jid: str) -> str | None:
    """The E.164 number a phone JID stands for."""
    user = jid.partition("@")[0]
    return f"+{user}" if is_phone(jid) and _E164.fullmatch(user) else None


def certainly_differ(one: str, other: str, one_lid: str | None = None, other_lid: str | None = None) -> bool:
    """Whether two senders are certainly two people: two phone numbers, or, where a number is not known, two LIDs.

    A LID against a phone number may be one person, and one number with two LIDs is one.
    """
    if ME in (one, other) or (is_phone(one) and is_phone(other)):
        return one != other
    lids = (one if is_lid(one) else one_lid, other if is_lid(other) else other_lid)
    if all(lids) and lids[0] != lids[1]:
        return True
    return one != other and not (is_lid(one) or is_lid(other)) and is_phone(one) == is_phone(other)


def same_person(one: str | None, other: str | None, one_lid: str | None = None, other_lid: str | None = None) -> bool:
    """Whether two senders are certainly one person. A LID against a number may be one, and is not certain to be."""
    if not one or not other:
        return False
    if one == other:
        return True
    lids = (one if is_lid(one) else one_lid, other if is_lid(other) else other_lid)
    return ME not in (one, other) and lids[0] is not None and lids[0] == lids[1]


def chat_of(key: Mapping[str, Any]) -> str:
    """The canonical client JID of a message key: the phone number once the key tells it, else what the key says."""
    return _person(key.get("remoteJid"), key.get("remoteJidAlt"))


def sender_of(key: Mapping[str, Any]) -> str | None:
    """Who sent it: ME, a canonical JID, or None where the key does not say."""
    if key.get("fromMe"):
        return ME
    chat = chat_of(key)
    if is_person(chat):
        return chat
    return _person(key["participant"], key.get("participantAlt")) if key.get("participant") else None


def sender_lid_of(key: Mapping[str, Any]) -> str | None:
    """The sender's LID, where the key tells it."""
    if key.get("fromMe"):
        return None
    chat = key.get("remoteJid")
    if isinstance(chat, str) and is_person(canonical_jid(chat)):
        return lid_among(chat, key.get("remoteJidAlt"))
    return lid_among(key.get("participant"), key.get("participantAlt"))


def lid_among(*jids: Any) -> str | None:
    """The first of them that is a LID."""
    for jid in jids:
        if isinstance(jid, str) and "lid" in jid.lower() and is_lid(canonical := canonical_jid(jid)):
            return canonical
    return None


def _person(jid: Any, alternative: Any) -> str:
    canonical = canonical_jid(jid)
    if is_lid(canonical) and isinstance(alternative, str):
        other = canonical_jid(alternative)
        if is_phone(other):
            return other
    return canonical
