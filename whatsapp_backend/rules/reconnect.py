"""What to do when WhatsApp, the network, the bridge or the store ends a connection."""

from __future__ import annotations

from dataclasses import dataclass, replace

_FIRST_WAIT_S = 2.0
_LONGEST_WAIT_S = 60.0
"""The most that is waited at first and in the end; jitter takes away up to half of it."""
_STABLE_S = 30.0
"""A connection that was open this long starts the counting of failures anew."""
_REPLACED_WAIT_S = 60.0
_REPLACED_STABLE_S = 120.0
_REPLACED_LIMIT = 3
_OUTDATED_WAIT_S = 600.0

RESTART_REQUIRED, REPLACED, OUTDATED, TIMED_OUT = 515, 440, 405, 408
STORE, PROTOCOL, BRIDGE, NOT_STARTED, WRONG_NUMBER, UNREADABLE, NOT_OWNED, DEAF = -1, -2, -3, -4, -5, -6, -7, -8
"""Endings of our own making, beside WhatsApp's codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why an account waits for its operator, in the words of its document. `anew`: it must be paired again."""

    status: str
    reason: str
    anew: bool = False


BY_OPERATOR = "by-operator"
STOPS = {
    "logged-out": Stop(
        status="logged_out", reason="unlinked: WhatsApp removed this device. Pair the phone again", anew=True
    ),
    "refused": Stop(
        status="disconnected",
        reason="refused: WhatsApp banned or blocked this account. Its credentials and data are kept",
    ),
    "no-linked-devices": Stop(
        status="logged_out",
        reason="the phone does not support linked devices. Pair it again after updating WhatsApp",
        anew=True,
    ),
    "not-scanned": Stop(status="needs_qr", reason="nobody scanned the QR code: ask for a new one", anew=True),
    "replaced": Stop(
        status="disconnected",
        reason="another process uses this account's credentials: stop it, then start the account again",
    ),
    "wrong-number": Stop(
        status="needs_qr",
        reason="the phone that scanned has another number than this account: scan with the right one",
        anew=True,
    ),
    BY_OPERATOR: Stop(status="disconnected", reason="disconnected by its operator: reconnect it to go on"),
    "credentials-unreadable": Stop(
        status="disconnected", reason="the account's credentials cannot be used: start it again to see why"
    ),
}
"""By the word that `DeclaredAccount.stopped` keeps."""

_STOPPING = {
    401: "logged-out",
    403: "refused",
    411: "no-linked-devices",
    WRONG_NUMBER: "wrong-number",
    UNREADABLE: "credentials-unreadable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endings:
    """How the connections before this one ended."""

    failures: int = 0
    replaced: int = 0
    restarts: int = 0
    outdated: int = 0
    """How often the version of the engine was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Connect again after `wait_s`; or not, until an operator acts, where `stopped` says why.

    `status` is the account's meanwhile. `reason` is None where the ending's own says it best.
    """

    endings: Endings
    status: str
    wait_s: float = 0.0
    stopped: str | None = None
    reason: str | None = None


def decide(code: int, endings: Endings, *, lasted_s: float, waited_for_scan: bool, jitter: float) -> Decision:
    """Decide from the code a connection ended with and how long it was open. `jitter` is from 0 to 1."""
    if lasted_s >= _STABLE_S:
        endings = replace(endings, failures=0, restarts=0, outdated=0)
    if lasted_s >= _REPLACED_STABLE_S:
        endings = replace(endings, replaced=0)
    word = _STOPPING.get(code) or ("not-scanned" if code == TIMED_OUT and waited_for_scan else None)
    if word:
        return _stop(word)
    if code == REPLACED:
        return _replaced(endings)
    if code == RESTART_REQUIRED and not endings.restarts:
        return Decision(endings=replace(endings, restarts=1), status="connecting")
    if code in (BRIDGE, NOT_OWNED):  # others do the waiting; not all accounts at one moment is all that is left to us
        return Decision(endings=endings, status="reconnecting", wait_s=jitter)
    return _again(code, endings, jitter)


def _stop(word: str) -> Decision:
    stop = STOPS[word]
    # What is wrong with credentials is best said by whoever read them.
    reason = None if word == _STOPPING[UNREADABLE] else stop.reason
    return Decision(endings=Endings(), status=stop.status, stopped=word, reason=reason)


def _again(code: int, endings: Endings, jitter: float) -> Decision:
    longest_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(endings.failures, 10))
    reason = None
    if code == OUTDATED:
        # The bridge asks WhatsApp for the version in use before it connects again. That it helps is not certain.
        reason = "WhatsApp refuses this version of the engine: update whatsapp-backend"
        longest_s = _OUTDATED_WAIT_S if endings.outdated else longest_s
        endings = replace(endings, outdated=endings.outdated + 1)
    return Decision(
        endings=replace(endings, failures=endings.failures + 1),
        status="reconnecting",
        wait_s=longest_s * (0.5 + jitter / 2),
        reason=reason,
    )


def _replaced(endings: Endings) -> Decision:
    """Somebody else uses our credentials: never fight him for the connection."""
    endings = replace(endings, replaced=endings.replaced + 1)
    if endings.replaced >= _REPLACED_LIMIT:
        return _stop("replaced")
    return Decision(
        endings=endings, status="disconnected", wait_s=_REPLACED_WAIT_S, reason="replaced by another session"
    )
