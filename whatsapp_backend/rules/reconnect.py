"""What to do when WhatsApp, the network or the store ends a connection."""

from __future__ import annotations

from dataclasses import dataclass, replace

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_STABLE_S = 30.0
"""A connection that lasted this long starts the counting of failures anew."""
_REPLACED_WAIT_S = 60.0
_REPLACED_STABLE_S = 120.0
_REPLACED_LIMIT = 3
_OUTDATED_WAIT_S = 600.0

RESTART_REQUIRED, REPLACED, OUTDATED, TIMED_OUT = 515, 440, 405, 408
STORE, PROTOCOL = -1, -2
"""Endings of our own making, beside WhatsApp's codes: the store or the protocol halted the account."""
_STOPPING = {
    401: ("logged_out", "unlinked: WhatsApp removed this device. Pair the phone again"),
    403: ("disconnected", "refused: WhatsApp banned or blocked this account. Its credentials and data are kept"),
    411: ("logged_out", "the phone does not support linked devices. Pair it again after updating WhatsApp"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endings:
    """How the connections before this one ended."""

    failures: int = 0
    replaced: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Connect again after `wait_s`, or stop (None) until an operator acts. `status` is the account's meanwhile."""

    endings: Endings
    status: str
    wait_s: float | None
    reason: str | None = None


def decide(code: int, endings: Endings, *, lasted_s: float, had_opened: bool, pairing: bool, jitter: float) -> Decision:
    """Decide from the code a connection ended with and how long it was open. `jitter` is from 0 to 1."""
    if code in _STOPPING:
        status, reason = _STOPPING[code]
        return Decision(endings=Endings(), status=status, wait_s=None, reason=reason)
    if code == RESTART_REQUIRED:
        return Decision(endings=endings, status="connecting", wait_s=0.0)
    if code == REPLACED:
        return _replaced(endings, lasted_s)
    if pairing and code == TIMED_OUT and not had_opened:
        return Decision(
            endings=Endings(), status="needs_qr", wait_s=None, reason="nobody scanned the QR code: ask for a new one"
        )
    if had_opened and lasted_s >= _STABLE_S:
        endings = replace(endings, failures=0)
    if had_opened and lasted_s >= _REPLACED_STABLE_S:
        endings = replace(endings, replaced=0)
    outdated = code == OUTDATED
    wait_s = _OUTDATED_WAIT_S if outdated else min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(endings.failures, 10))
    return Decision(
        endings=replace(endings, failures=endings.failures + 1),
        status="reconnecting",
        wait_s=wait_s * (0.5 + jitter / 2),
        reason="WhatsApp refuses this version of the engine: update whatsapp-backend" if outdated else None,
    )


def _replaced(endings: Endings, lasted_s: float) -> Decision:
    """Somebody else uses our credentials: never fight him for the connection."""
    replaced = 1 if lasted_s >= _REPLACED_STABLE_S else endings.replaced + 1
    endings = replace(endings, replaced=replaced)
    if replaced >= _REPLACED_LIMIT:
        return Decision(
            endings=endings,
            status="disconnected",
            wait_s=None,
            reason="another process uses this account's credentials: stop it, then start the account again",
        )
    return Decision(
        endings=endings, status="disconnected", wait_s=_REPLACED_WAIT_S, reason="replaced by another session"
    )
