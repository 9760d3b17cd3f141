"""The last line of defence: what looks like a number, a JID or an account id in any text of a log line is masked.

The same thing always looks the same, so lines still correlate. Names and bodies look like nothing: they must never get
into a line, and of exceptions only what is surely no value of somebody's is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import TracebackType

from whatsapp_backend.errors import WhatsAppBackendError
from whatsapp_backend.rules.redact import mask_account, redact_jid, redact_phone

_DOMAINS = r"s\.whatsapp\.net|c\.us|g\.us|lid|hosted\.lid|hosted|newsletter|broadcast|bot"
_JID = re.compile(rf"(?<![0-9])([0-9]+(?:[-:.][0-9]+)*)(?:@|%40)({_DOMAINS})\b", re.IGNORECASE)
_ACCOUNT = re.compile(r"account_[a-z0-9][a-z0-9_-]{0,31}_[0-9a-f]{32}(?![0-9a-f])")
_SPACED = re.compile(r"\+[0-9][0-9 ().-]{5,24}[0-9]")
_LEAD = r"\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\[a-z]|%[0-9A-Fa-f]{2}"
"""What `repr` and URLs write before a number, and what looks like a part of it."""
_WORD = re.compile(rf"({_LEAD})|([0-9A-Za-z…#]+)")
_HEX = re.compile(r"(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]+")
_DIGITS = re.compile(r"[0-9]{8,}")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_TELL_OF_TYPES = (TypeError, AttributeError, NameError)
"""Their texts name types and attributes, and values only in quotes."""
_WITHHELD = "(its text is withheld: it may quote somebody)"


def masked(text: str, key: bytes) -> str:
    """The text without numbers, JIDs and account ids. Masking it again changes nothing."""
    text = _ACCOUNT.sub(lambda found: mask_account(found[0]), text)
    text = _JID.sub(lambda found: redact_jid(f"{found[1]}@{found[2]}", key), text)
    text = _SPACED.sub(lambda found: redact_phone(found[0], key), text)
    return _WORD.sub(lambda found: found[1] or _without_numbers(found[2], key), text)


def _without_numbers(word: str, key: bytes) -> str:
    # Hashes and message ids are hexadecimal and have long runs of digits, too; a number has no letter beside it.
    if "#" in word or _HEX.fullmatch(word):
        return word
    return _DIGITS.sub(lambda found: redact_phone(found[0], key), word)


def told_of(error: BaseException) -> str:
    """What may be told of an exception: its class, and its text where that is ours or quotes nobody."""
    name = type(error).__name__
    if isinstance(error, WhatsAppBackendError):
        return f"{name}: {error}"
    if isinstance(error, OSError):
        return f"{name}: {error.strerror}" if error.strerror else name
    if isinstance(error, _TELL_OF_TYPES):
        return f"{name}: {_QUOTED.sub('…', str(error))}"
    return f"{name} {_WITHHELD}" if error.args else name


def told_chain(error: BaseException) -> list[tuple[str, TracebackType | None]]:
    """The exception, what caused it, what caused that: the first cause first, each with where it was raised."""
    chain: list[tuple[str, TracebackType | None]] = []
    seen: set[int] = set()
    for one in _causes(error, seen):
        chain.insert(0, (told_of(one), one.__traceback__))
    return chain


def _causes(error: BaseException | None, seen: set[int]) -> Iterable[BaseException]:
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from _causes(one, seen)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
