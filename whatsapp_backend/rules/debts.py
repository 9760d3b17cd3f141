"""When to ask for a message that is owed to us, and when to give it up."""

from __future__ import annotations

from dataclasses import replace

import orjson

from whatsapp_backend.domain.events import Owed
from whatsapp_backend.domain.mirror import Debt
from whatsapp_backend.domain.states import MessageState

_MINUTE_MS = 60_000
_DAY_MS = 24 * 60 * _MINUTE_MS
GIVEN_UP_AFTER_MS = 14 * _DAY_MS
"""The phone sends nothing older again."""
_PAUSES_MS = (2 * _MINUTE_MS, 10 * _MINUTE_MS, 60 * _MINUTE_MS, 6 * 60 * _MINUTE_MS, _DAY_MS)
"""Between two times of asking; the last one again and again. The engine itself asks within the first minute."""
ARRIVED = "arrived"
EXPIRED = "expired"


def debt_of(owed: Owed, path: str) -> Debt:
    """The debt as it begins."""
    return Debt(
        path=path,
        account=owed.account,
        reason=owed.reason,
        key=orjson.dumps(owed.key),
        opened_at_ms=owed.at_ms,
        next_at_ms=owed.at_ms + _PAUSES_MS[0],
    )


def is_too_old(debt: Debt, now_ms: int) -> bool:
    """Whether it is to be given up."""
    return now_ms - debt.opened_at_ms >= GIVEN_UP_AFTER_MS


def asked(debt: Debt, now_ms: int) -> Debt:
    """The debt after it was asked for."""
    pause_ms = _PAUSES_MS[min(debt.asked + 1, len(_PAUSES_MS) - 1)]
    next_at_ms = min(now_ms + pause_ms, debt.opened_at_ms + GIVEN_UP_AFTER_MS)
    return replace(debt, asked=debt.asked + 1, next_at_ms=next_at_ms)


def given_up(debt: Debt, now_ms: int) -> Debt:
    """The debt when nothing more will come of it."""
    return replace(debt, closed=EXPIRED, closed_at_ms=now_ms)


def is_owed(state: MessageState | None) -> bool:
    """Whether only its placeholder is there."""
    return state is not None and state.content is not None and state.content.kind == "placeholder"
