"""What entries of every kind have in common: their moments, names and people, read strictly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from whatsapp_backend.domain.events import PARTS, IdentityTold
from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.domain.moments import YEAR_10000_MS
from whatsapp_backend.rules.identity import canonical_jid, is_lid, is_phone

ODD = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading the unexpected raises; quotes may be nested deeper than Python calls."""
LONGEST_BODY = 65_536
"""WhatsApp's own limit. A longer text comes from a liar, and would not fit into a document with its versions."""
_MILLISECONDS_SINCE = 10**12
_LONGEST_NAME = 200
_LONGEST_JID = 200
_NUMBER = re.compile(r"[\d\s()+.-]*")


def moment_ms(time: Any) -> int:
    """Milliseconds since 1970 of a time in seconds, or in milliseconds as some send it. Raises ValueError."""
    if isinstance(time, bool) or not isinstance(time, int) or time <= 0:
        raise ValueError("message without a time")
    ms = time if time >= _MILLISECONDS_SINCE else time * 1000
    if ms >= YEAR_10000_MS:
        raise ValueError("message from after the year 9999")
    return ms


def given_name(name: Any) -> str | None:
    """A name that says more than a number does."""
    text = name[: 10 * _LONGEST_NAME].strip()[:_LONGEST_NAME] if isinstance(name, str) else ""
    return None if _NUMBER.fullmatch(text) else text


def jid_of(raw: Any) -> str:
    """A JID in its one spelling. Raises ValueError for what is none."""
    if not isinstance(raw, str) or not raw or len(raw) > _LONGEST_JID:
        raise ValueError("a JID that is none")
    return canonical_jid(raw)


def listed(payload: Mapping[str, Any], field: str) -> Sequence[Any]:
    """What is listed there; what is no list is one thing that cannot be read, and costs nothing else."""
    value = payload.get(field) or ()
    return value if isinstance(value, list) else [value] if value else ()


_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def reason_of(error: Exception) -> str:
    """The kind of error and our own words only: an exception's text may quote a message."""
    ours = _QUOTED.sub("…", str(error)) if type(error) is ValueError else "unexpected shape"
    return f"{type(error).__name__}: {ours}"


def pair_of(one: Any, other: Any) -> tuple[str, str] | None:
    """A LID and a number that stand side by side, in this order."""
    if not isinstance(one, str) or not isinstance(other, str):
        return None
    jids = canonical_jid(one), canonical_jid(other if "@" in other else f"{other}@s.whatsapp.net")
    lid, pn = jids if is_lid(jids[0]) else jids[::-1]
    return (lid, pn) if is_lid(lid) and is_phone(pn) else None


def identity(entry: Entry, one: Any, other: Any, evidence: str) -> Iterator[IdentityTold]:
    """That both are one person, if one of them is a LID and the other a number."""
    pair = pair_of(one, other)
    if pair:
        yield IdentityTold(
            order=entry.seq * PARTS,
            account=entry.account,
            lid=pair[0],
            pn=pair[1],
            evidence=evidence,
            at_ms=entry.new.received_at_ms,
        )


def identities_of_key(entry: Entry, key: Mapping[str, Any]) -> Iterator[IdentityTold]:
    """What a message key says of who is who."""
    if "remoteJidAlt" in key:
        yield from identity(entry, key["remoteJid"], key["remoteJidAlt"], "key")
    if "participantAlt" in key:
        yield from identity(entry, key.get("participant"), key["participantAlt"], "key")
