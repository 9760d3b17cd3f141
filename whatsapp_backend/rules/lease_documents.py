"""Documents of instances, terms and locks, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from whatsapp_backend.domain.leases import Instance, RunLock, Term
from whatsapp_backend.domain.moments import at_ms, ms_at
from whatsapp_backend.domain.writes import Write
from whatsapp_backend.rules.document_ids import encoded
from whatsapp_backend.rules.stored import typed

_NS_PER_MS = 1_000_000
_ERAS_PER_MS = 1_000


def instance_path(instance_id: str) -> str:
    """Where a heartbeat lies."""
    return f"whatsapp_instances/{encoded(instance_id)}"


def term_path(account: str) -> str:
    """Where a term lies."""
    return f"whatsapp_account_owners/{account}"


def lock_path(account: str) -> str:
    """Where the lock of an account's runs lies."""
    return f"whatsapp_backfill_locks/{account}"


def first_beat(instance: Instance) -> Write:
    """Make a heartbeat."""
    fields = {"instanceId": instance.id, "nonce": instance.nonce, "home": instance.home, "given": 0}
    return Write(path=instance_path(instance.id), fields=fields, server_times=("beatAt", "startedAt"))


def next_beat(instance: Instance) -> Write:
    """Renew it. The server's time makes it a change: a write that changes nothing leaves the update time as it was."""
    return Write(path=instance_path(instance.id), fields={}, mask=(), server_times=("beatAt",))


def count_given(instance: Instance, given: int) -> Write:
    """Say that accounts were given up, so often by now."""
    return Write(path=instance_path(instance.id), fields={"given": given}, mask=("given",))


def given_of(fields: Mapping[str, Any]) -> int:
    """How often it gave up accounts since it was made."""
    return typed(fields, "given", int) or 0


def era_of(fields: Mapping[str, Any]) -> int:
    """Another number whenever it was made anew, as it is after others took from it, or gave up accounts."""
    return (_ms(fields.get("startedAt")) or 0) * _ERAS_PER_MS + given_of(fields)


def term_write(term: Term) -> Write:
    """Begin a term, or end it."""
    fields = {
        "accountId": term.account,
        "holder": term.holder,
        "token": term.token,
        "nonce": term.nonce,
        "home": term.home,
    }
    return Write(path=term_path(term.account), fields=fields, server_times=("changedAt",))


def term_of(account: str, fields: Mapping[str, Any]) -> Term:
    """A term, whatever somebody has made of its document: what is no term is nobody's."""
    return Term(
        account=account,
        holder=typed(fields, "holder", str) or "",
        token=typed(fields, "token", int) or 0,
        nonce=typed(fields, "nonce", str) or "",
        home=typed(fields, "home", str) or "",
    )


def lock_write(lock: RunLock) -> Write:
    """Hold a lock."""
    fields = {
        "accountId": lock.account,
        "ownerId": lock.owner,
        "kind": lock.kind,
        "run": lock.run,
        "token": lock.token,
        "expiresAtMs": lock.expires_at_ms,
        "startedAt": at_ms(lock.started_at_ms),
    }
    return Write(path=lock_path(lock.account), fields=fields)


def lock_of(account: str, fields: Mapping[str, Any], *, updated_at_ns: int) -> RunLock:
    """A lock, also an older system's. One that does not say when it ends has ended."""
    return RunLock(
        account=account,
        owner=typed(fields, "ownerId", str) or "",
        kind=typed(fields, "kind", str) or "",
        run=typed(fields, "run", str) or "",
        token=typed(fields, "token", int),
        expires_at_ms=_ms(fields.get("expiresAtMs", fields.get("expiresAt"))) or 0,
        started_at_ms=_ms(fields.get("startedAt")) or updated_at_ns // _NS_PER_MS,
    )


def _ms(value: object) -> int | None:
    if isinstance(value, datetime):
        return ms_at(value)
    return value if isinstance(value, int) else None
