"""What surrounds a message of any kind: whom it mentions, whether it was forwarded, when it disappears."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from whatsapp_backend.rules.kinds.parts import Details, Proto, first_of, flag, inner, jid, listed, told, whole

_MENTIONS: Final = 1000
_LONGEST_TIMER_S: Final = 1 << 31


def context_of(part: Any) -> Proto:
    """The context of a part, empty where it has none."""
    return inner(part, "contextInfo") if type(part) is not str and isinstance(part, Mapping) else {}


def context_details(context: Proto) -> Details:
    """Its details, as they lie in the document."""
    mentioned, left_out = first_of(listed(context, "mentionedJid"), _MENTIONS)
    expires_s = whole(context, "expiration")
    return told(
        mentions=list(dict.fromkeys(filter(None, map(jid, mentioned)))),
        forwarded=flag(context, "isForwarded"),
        ephemeralSeconds=expires_s if expires_s and expires_s < _LONGEST_TIMER_S else None,
        leftOut=told(mentions=left_out or None),
    )
