"""Owning accounts: what an instance asks next, and what it may believe.

One call at a time, in this order: renew the heartbeat, give up what is not wanted, take what seems free, look at those
who hold the rest. docs/leases.md tells the whole of it. Three things must stay as they are:

* Trust counts from the *start* of a renewal, and an answer that comes after trust has ended renews nothing: another
  instance may own the accounts by then. They are taken anew, which shows whose they are.
* A call that failed changes nothing. It may have taken effect; asking again tells.
* Ownership ends before a call that ends it is made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from whatsapp_backend.domain.leases import (
    SPREAD,
    Action,
    Beat,
    Beaten,
    Failed,
    Give,
    Given,
    Heartbeat,
    Instance,
    Leave,
    Look,
    Looked,
    Mode,
    Observation,
    Sighting,
    Take,
    Taken,
    Term,
    Timings,
    Wait,
)

NEVER = -math.inf
_AT_ONCE = 100
"""Accounts in one call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What an instance knows. Accounts that are wanted and in none of the maps are to be taken."""

    instance: Instance
    timings: Timings
    wanted: frozenset[str] = frozenset()
    owned: Mapping[str, Term] = field(default_factory=dict)
    others: Mapping[str, Sighting] = field(default_factory=dict)
    giving: Mapping[str, Term] = field(default_factory=dict)
    """Not owned any more, and the others do not know it yet."""
    registered: bool = False
    began: bool = False
    """Whether there may be a heartbeat."""
    trusted_until_s: float = NEVER
    beat_at_s: float = NEVER
    ask_at_s: float = NEVER
    stopping: bool = False
    left: bool = False


def want(state: State, accounts: Iterable[str]) -> State:
    """These are the accounts that it could own from now on."""
    wanted = frozenset(accounts)
    owned = {account: term for account, term in state.owned.items() if account in wanted}
    others = {account: seen for account, seen in state.others.items() if account in wanted}
    giving = {account: term for account, term in state.owned.items() if account not in wanted}
    return replace(state, wanted=wanted, owned=owned, others=others, giving={**state.giving, **giving}, ask_at_s=NEVER)


def disproved(state: State, term: Term) -> State:
    """A fenced write, or WhatsApp, says that this term has ended: see whose the account is."""
    if state.owned.get(term.account) != term:
        return state
    owned = {account: other for account, other in state.owned.items() if account != term.account}
    return replace(state, owned=owned, ask_at_s=NEVER)


def stop(state: State) -> State:
    """Own nothing any more, and let the others know."""
    return replace(state, stopping=True, owned={}, trusted_until_s=NEVER, ask_at_s=NEVER)


def mode(state: State, now_s: float, *, before: Mode) -> Mode:
    """Whether it may work: it is trusted, and owns something or has nothing to own. While it asks, all stays as it was:
    the first account of a lone instance must not make it passive for a moment."""
    if now_s >= state.trusted_until_s or state.stopping:
        return Mode.PASSIVE
    if state.owned or not state.wanted:
        return Mode.ACTIVE
    return before if state.wanted - state.others.keys() else Mode.PASSIVE


def step(state: State, now_s: float, seen: Observation | None = None) -> tuple[State, Action]:
    """What to know and what to do now that a call has come to this, or that the time waited for has come."""
    state = lapse(state, now_s)
    if seen is not None:
        state = _heard(state, seen, now_s)
    return _next(state, now_s)


def lapse(state: State, now_s: float) -> State:
    """Own nothing once trust has ended."""
    if now_s < state.trusted_until_s or not state.owned:
        return state
    return replace(state, owned={})


# -- What is free, as the stores decide it inside their transactions ---------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """What comes of a taking: whose the accounts are now, the terms to be written, and whose heartbeats end."""

    sightings: dict[str, Sighting]
    begun: tuple[Term, ...]
    dead: frozenset[str]


def taking(
    terms: Mapping[str, Term | None], beats: Mapping[str, Heartbeat], instance: Instance, *, ttl_s: float
) -> Taking:
    """Begin a term of each account that is free. `beats` are the heartbeats of the terms' holders, where there are."""
    sightings: dict[str, Sighting] = {}
    begun: list[Term] = []
    dead: set[str] = set()
    for account, term in terms.items():
        beat = beats.get(term.holder) if term else None
        if term and (is_own(term, instance) or not is_free(term, beat, instance, ttl_s=ttl_s)):
            sightings[account] = Sighting(term=term, era=beat.era if beat else 0)
            continue
        if term and beat:
            dead.add(term.holder)
        begun.append(next_term(account, term, instance))
        sightings[account] = Sighting(term=begun[-1])
    return Taking(sightings=sightings, begun=tuple(begun), dead=frozenset(dead))


def is_free(term: Term | None, heartbeat: Heartbeat | None, instance: Instance, *, ttl_s: float) -> bool:
    """Whether an instance may take an account that is not its own already."""
    if term is None or heartbeat is None or heartbeat.age_s > ttl_s:
        return True
    return bool(instance.home) and term.home == instance.home


def is_own(term: Term | None, instance: Instance) -> bool:
    """Whether it is the instance's own. The nonce tells this after a call whose outcome nobody knows."""
    return term is not None and term.holder == instance.id and term.nonce == instance.nonce


def next_term(account: str, term: Term | None, instance: Instance) -> Term:
    """The term that an instance begins after another's."""
    token = term.token + 1 if term else 1
    return Term(account=account, holder=instance.id, token=token, nonce=instance.nonce, home=instance.home)


def ended(term: Term) -> Term:
    """What stands where a term was given up: nobody's, and the token stays."""
    return replace(term, holder="", nonce="", home="")


# -- Hearing ----------------------------------------------------------------------------------------------------------


def _heard(state: State, seen: Observation, now_s: float) -> State:
    again_s = _later(state, now_s, seen.jitter)
    match seen.said:
        case Failed() if isinstance(seen.call, Beat):
            heard = replace(state, beat_at_s=again_s)
        case Failed():
            heard = replace(state, ask_at_s=again_s)
        case Beaten(alive=False):
            heard = replace(state, registered=False, owned={}, trusted_until_s=NEVER, beat_at_s=now_s)
        case Beaten():
            heard = _renewed(state, seen.started_s, now_s)
        case Taken():
            heard = _taken(state, seen.said, again_s, now_s)
        case Looked():
            heard = _looked(state, seen.said, again_s)
        case Given():
            gone = seen.call.terms if isinstance(seen.call, Give) else ()
            heard = replace(state, giving={name: term for name, term in state.giving.items() if term not in gone})
        case _:  # Left
            heard = replace(state, left=True)
    return heard


def _renewed(state: State, started_s: float, now_s: float) -> State:
    timings = state.timings
    return replace(
        state,
        registered=True,
        trusted_until_s=started_s + timings.ttl_s - timings.margin_s,
        beat_at_s=max(now_s, started_s + timings.renew_s),
    )


def _taken(state: State, said: Taken, again_s: float, now_s: float) -> State:
    if now_s >= state.trusted_until_s:
        return state  # they are taken anew when there is trust again
    owned, others, giving = dict(state.owned), dict(state.others), dict(state.giving)
    for account, sighting in said.sightings.items():
        if not is_own(sighting.term, state.instance):
            if account in state.wanted:
                others[account] = sighting
        elif account in state.wanted:
            owned[account] = sighting.term
        else:
            giving[account] = sighting.term  # not wanted any more by the time of the answer
    ask_at_s = now_s if giving or _unknown(state, owned, others) else again_s
    return replace(state, owned=owned, others=others, giving=giving, ask_at_s=ask_at_s)


def _looked(state: State, said: Looked, again_s: float) -> State:
    alive = {name: beat.era for name, beat in said.heartbeats.items() if beat.age_s <= state.timings.ttl_s}
    others = {
        account: sighting
        for account, sighting in state.others.items()
        if alive.get(sighting.term.holder) == sighting.era
    }
    return replace(state, others=others, ask_at_s=NEVER if _unknown(state, state.owned, others) else again_s)


# -- Asking -----------------------------------------------------------------------------------------------------------


def _next(state: State, now_s: float) -> tuple[State, Action]:
    if state.stopping:
        return _leaving(state, now_s)
    if now_s >= state.beat_at_s:
        return replace(state, began=True), Beat(register=not state.registered)
    if now_s >= state.trusted_until_s:
        return state, Wait(until_s=state.beat_at_s)
    wait_s = min(state.beat_at_s, state.trusted_until_s)
    ask = _question(state)
    if ask is None:
        return state, Wait(until_s=wait_s)
    return state, ask if now_s >= state.ask_at_s else Wait(until_s=min(wait_s, state.ask_at_s))


def _question(state: State) -> Action | None:
    """None for a lone instance, or the only one with accounts: it reads nothing."""
    if state.giving:
        return Give(terms=tuple(state.giving.values())[:_AT_ONCE])
    if unknown := _unknown(state, state.owned, state.others):
        return Take(accounts=tuple(sorted(unknown)[:_AT_ONCE]))
    if state.others:
        return Look(holders=tuple(sorted({sighting.term.holder for sighting in state.others.values()})))
    return None


def _leaving(state: State, now_s: float) -> tuple[State, Action]:
    state = replace(state, owned={}, trusted_until_s=NEVER, left=state.left or not state.began)
    if state.left:
        return state, Wait(until_s=math.inf)
    return state, Leave() if now_s >= state.ask_at_s else Wait(until_s=state.ask_at_s)


def _unknown(state: State, owned: Mapping[str, Term], others: Mapping[str, Sighting]) -> frozenset[str]:
    return state.wanted - owned.keys() - others.keys() - state.giving.keys()


def _later(state: State, now_s: float, jitter: float) -> float:
    return now_s + state.timings.retry_s * (1 + SPREAD * jitter)
