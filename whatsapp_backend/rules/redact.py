"""What may be shown of a number, a JID or an account id: enough to correlate lines, too little to call anybody."""

from __future__ import annotations

import hashlib
import hmac
import re

_SHOWN_ACCOUNT = 8
_LONGER_THAN_MASKED = 12
_ONE_DIGIT_CODES = "17"
_TWO_DIGIT_CODES = re.compile(r"2[07]|3[0123469]|4[013456789]|5[12345678]|6[0123456]|8[1246]|9[0123458]")
_SHORTEST_SHOWN = 8
_OUR_ACCOUNT = re.compile(r"(account_.*_[0-9a-f]{8})[0-9a-f]{24}…?")
_PERSONS = frozenset({"s.whatsapp.net", "c.us", "hosted"})
_ONE_FOR_ALL = frozenset({"status@broadcast"})


def redact_phone(phone: str, key: bytes) -> str:
    """The country prefix, the last two digits and a keyed hash: `+1…11#5f3a9c02`."""
    return f"{masked_phone(phone)}#{_mark(_digits(phone) or phone, key)}"


def masked_phone(phone: str) -> str:
    """The country prefix and the last two digits: `+1…11`. For people, who know which number they mean."""
    digits = _digits(phone)
    # A short number would be all but given away by three digits of it.
    return f"+{_country(digits)}…{digits[-2:]}" if len(digits) >= _SHORTEST_SHOWN else "…"


def redact_jid(jid: str, key: bytes) -> str:
    """As redact_phone for a phone's JID, a hash and the domain for any other. Devices of one person look the same."""
    user, at, domain = jid.strip().lower().partition("@")
    if not at:
        return redact_phone(user, key)
    if f"{user}@{domain}" in _ONE_FOR_ALL:
        return f"{user}@{domain}"
    user = user.partition(":")[0]
    if domain in _PERSONS:
        return f"{redact_phone(user, key)}@{domain}"
    # A group's old-style name begins with its founder's number, a LID is as good as a name: nothing of them is shown.
    return f"#{_mark(user, key)}@{_known(domain, key)}"


def mask_account(account: str) -> str:
    """An account id in log lines: its name space and the beginning of its hash; of any other id the first eight."""
    if own := _OUR_ACCOUNT.fullmatch(account):
        return f"{own[1]}…"
    return f"{account[:_SHOWN_ACCOUNT]}..." if len(account) > _LONGER_THAN_MASKED else account


def _digits(phone: str) -> str:
    return "".join(c for c in phone if c.isascii() and c.isdigit())


def _known(domain: str, key: bytes) -> str:
    # What stands after the @ is a server's name, unless somebody made it up.
    return domain if domain in {"g.us", "lid", "newsletter", "broadcast", "hosted.lid"} else f"#{_mark(domain, key)}"


def _country(digits: str) -> str:
    if digits[0] in _ONE_DIGIT_CODES:
        return digits[0]
    return digits[:2] if _TWO_DIGIT_CODES.match(digits) else digits[:3]


def _mark(text: str, key: bytes) -> str:
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:8]
