"""Identify: the people of a window's events under their numbers, before anything is made of the events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import structlog

from whatsapp_backend.domain.events import Event, IdentityTold
from whatsapp_backend.domain.mirror import Alias
from whatsapp_backend.ports import Identities
from whatsapp_backend.rules.aliases import lids_in, resolved

log = structlog.get_logger()


async def identified(events: Sequence[Event], identities: Identities) -> tuple[list[Event], tuple[Alias, ...]]:
    """The events under numbers, and what was learned of who is who. It applies to the whole window."""
    told = _told(events)
    wanted: dict[str, set[str]] = defaultdict(set)
    for event in events:
        for lid in lids_in(event):
            wanted[event.account].add(lid)
    for account, lid in told:
        wanted[account].add(lid)
    numbers = {account: await identities.aliases(account, lids) for account, lids in wanted.items()}
    learned = []
    for (account, lid), one in told.items():
        known = numbers[account].setdefault(lid, one.pn)
        if known != one.pn:
            log.warning("lid_with_two_numbers", account=account, evidence=one.evidence)  # the first word counts
        elif known is one.pn:
            learned.append(Alias(account=account, lid=lid, pn=one.pn, evidence=one.evidence, at_ms=one.at_ms))
    return [
        resolved(event, numbers[event.account].get) if numbers.get(event.account) else event for event in events
    ], tuple(learned)


def _told(events: Iterable[Event]) -> dict[tuple[str, str], IdentityTold]:
    first: dict[tuple[str, str], IdentityTold] = {}
    for event in events:
        if isinstance(event, IdentityTold):
            first.setdefault((event.account, event.lid), event)
    return first
