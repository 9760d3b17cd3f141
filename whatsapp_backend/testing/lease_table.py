"""Heartbeats, terms and locks in memory, each call at one moment of the server's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from whatsapp_backend.domain.leases import Heartbeat, Instance, RunLock, Sighting, Term
from whatsapp_backend.errors import LeaseLost
from whatsapp_backend.rules import lease, run_lock


@dataclass(slots=True)
class _Beating:
    updated_s: float
    era: int


class LeaseTable:
    """What a transaction of the store does, at the time it commits."""

    def __init__(self) -> None:
        self.terms: dict[str, Term] = {}
        self.locks: dict[str, RunLock] = {}
        self._beating: dict[str, _Beating] = {}
        self._eras = count(1)

    def beat(self, instance: Instance, *, register: bool, now_s: float) -> bool:
        """Renew the heartbeat, or make it."""
        if register:
            self._beating[instance.id] = _Beating(now_s, next(self._eras))
        elif instance.id in self._beating:
            self._beating[instance.id].updated_s = now_s
        else:
            return False
        return True

    def take(self, instance: Instance, accounts: Sequence[str], *, ttl_s: float, now_s: float) -> dict[str, Sighting]:
        """Begin a term of each account that is free."""
        before = {account: self.terms.get(account) for account in accounts}
        beats = self.look([term.holder for term in before.values() if term], now_s=now_s)
        taking = lease.taking(before, beats, instance, ttl_s=ttl_s)
        self.terms.update({term.account: term for term in taking.begun})
        for holder in taking.dead:
            del self._beating[holder]
        return taking.sightings

    def look(self, holders: Sequence[str], *, now_s: float) -> dict[str, Heartbeat]:
        """The heartbeats that are there."""
        seen = {holder: self._heartbeat(holder, now_s) for holder in holders}
        return {holder: beat for holder, beat in seen.items() if beat is not None}

    def give(self, instance: Instance, terms: Sequence[Term]) -> None:
        """End these terms where they are in force."""
        for term in terms:
            if self.terms.get(term.account) == term:
                self.terms[term.account] = lease.ended(term)
        if instance.id in self._beating:
            self._beating[instance.id].era = next(self._eras)

    def leave(self, instance: Instance) -> None:
        """End the heartbeat."""
        self._beating.pop(instance.id, None)

    def demand(self, term: Term) -> None:
        """Raise LeaseLost where the term is not in force."""
        if self.terms.get(term.account) != term:
            raise LeaseLost

    def lock(self, term: Term, *, kind: str, run: str, life_s: float, now_s: float) -> RunLock:
        """Lock the account for a run, or say who has."""
        self.demand(term)
        current, now_ms = self.locks.get(term.account), int(now_s * 1000)
        if current is not None and run_lock.is_busy(current, term, run, now_ms=now_ms):
            return current
        made = run_lock.made(term, current, kind=kind, run=run, life_s=life_s, now_ms=now_ms)
        self.locks[term.account] = made
        return made

    def renew(self, term: Term, lock: RunLock, *, life_s: float, now_s: float) -> RunLock:
        """Let it live longer."""
        self.demand(term)
        if not run_lock.is_own(self.locks.get(lock.account), lock):
            raise LeaseLost
        renewed = run_lock.renewed(lock, life_s=life_s, now_ms=int(now_s * 1000))
        self.locks[lock.account] = renewed
        return renewed

    def unlock(self, lock: RunLock) -> None:
        """Release it if it is its own."""
        if run_lock.is_own(self.locks.get(lock.account), lock):
            del self.locks[lock.account]

    def _heartbeat(self, holder: str, now_s: float) -> Heartbeat | None:
        beating = self._beating.get(holder)
        return Heartbeat(age_s=self._age_s(holder, beating.updated_s, now_s), era=beating.era) if beating else None

    def _age_s(self, holder: str, updated_s: float, now_s: float) -> float:  # noqa: ARG002 -- a worse store overrides it
        return now_s - updated_s
