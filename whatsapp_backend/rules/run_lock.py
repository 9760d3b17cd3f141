"""Locks of runs: whose they are, and when they hold nobody up."""

from __future__ import annotations

from dataclasses import replace

from whatsapp_backend.domain.leases import RunLock, Term

RENEWALS = 3
"""A lock is renewed so often within its life."""


def is_busy(lock: RunLock | None, term: Term, run: str, *, now_ms: int) -> bool:
    """Whether another run works on the account.

    A lock with the token of another term is that of an instance that owns the account no more: the run is dead, or
    must think so. A lock without one is of a system that knows no terms, and is waited for.
    """
    if lock is None or lock.run == run or lock.expires_at_ms <= now_ms:
        return False
    return lock.token is None or (lock.owner == term.holder and lock.token == term.token)


def is_own(lock: RunLock | None, own: RunLock) -> bool:
    """Whether the lock in force is still this one, however long it lives."""
    return lock is not None and (lock.run, lock.owner, lock.token) == (own.run, own.owner, own.token)


def renewed(lock: RunLock, *, life_s: float, now_ms: int) -> RunLock:
    """The same lock, to live so long from now on."""
    return replace(lock, expires_at_ms=now_ms + int(life_s * 1000))


def made(term: Term, current: RunLock | None, *, kind: str, run: str, life_s: float, now_ms: int) -> RunLock:
    """The lock of a run from now on; asked for again, it has begun when it began."""
    lock = RunLock(
        account=term.account,
        owner=term.holder,
        kind=kind,
        run=run,
        token=term.token,
        expires_at_ms=now_ms + int(life_s * 1000),
        started_at_ms=now_ms,
    )
    return replace(lock, started_at_ms=current.started_at_ms) if current and is_own(current, lock) else lock
