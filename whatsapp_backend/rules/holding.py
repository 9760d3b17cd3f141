"""What a dry run holds back, and what landing it would do to the documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from whatsapp_backend.domain.events import Event, MessageSeen, PersonTold
from whatsapp_backend.domain.holding import Foreseen, HistoryPlan, Touched
from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.domain.mirror import Gathered, Mirrored
from whatsapp_backend.rules import gathering, landing, messages
from whatsapp_backend.rules.document_ids import contact_path, thread_id, thread_path
from whatsapp_backend.rules.identity import is_lid
from whatsapp_backend.rules.prices import cost_usd

_HISTORY = frozenset({"history", "history-end"})


def is_history(entry: Entry) -> bool:
    """Whether it is part of a history, whoever asked for it. A notice, which says that there is one, is not."""
    return entry.new.kind in _HISTORY


@dataclass(slots=True)
class Paths:
    """The documents that an entry's events touch: messages with their digests and threads, threads, contacts."""

    messages: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    contacts: set[str] = field(default_factory=set)

    @property
    def threads(self) -> set[str]:
        """Those of the messages."""
        return {thread for _, thread in self.messages.values()}


def paths_of(events: Iterable[Event]) -> Paths:
    """Which documents these events touch. A chat's name alone makes no document, nor does a person without a number."""
    paths = Paths()
    for event in events:
        if isinstance(event, MessageSeen):
            arrival = landing.arrival_of(event)
            if messages.is_here(arrival.state):
                thread = thread_path(thread_id(event.account, event.client_jid))
                paths.messages[arrival.path] = (messages.digest(arrival.state), thread)
        elif isinstance(event, PersonTold) and not is_lid(event.jid):
            paths.contacts.add(contact_path(event.account, event.jid))
    return paths


def foreseen(
    seq: int, paths: Paths, known: Mapping[str, Mirrored], adopted: Iterable[str], gathered: Mapping[str, Gathered]
) -> list[Foreseen]:
    """What landing an entry would do. A thread is written when one of its messages is."""
    there = {path for path, row in gathered.items() if gathering.is_document(gathering.state_of_row(row))}
    here = known.keys() | set(adopted)
    moved = {thread for path, (_, thread) in paths.messages.items() if path not in here}
    rows = [
        _foreseen(
            seq, path, Touched.MESSAGE, known=path in here, written=path not in known or known[path].digest != digest
        )
        for path, (digest, _) in paths.messages.items()
    ]
    rows += [_foreseen(seq, path, Touched.THREAD, known=path in there, written=path in moved) for path in paths.threads]
    rows += [
        _foreseen(seq, path, Touched.CONTACT, known=path in there, written=path not in there) for path in paths.contacts
    ]
    return rows


def _foreseen(seq: int, path: str, what: Touched, *, known: bool, written: bool) -> Foreseen:
    return Foreseen(seq=seq, path=path, what=what, known=known, written=written)


def shown(plan: HistoryPlan) -> dict[str, Any]:
    """The plan for people: counts, writes and what they would cost at most."""
    counts = {f"{what.value}s": {"new": plan.new.get(what, 0), "known": plan.known.get(what, 0)} for what in Touched}
    return {**counts, "heldBack": plan.entries, "writes": plan.writes, "costUsd": round(cost_usd(plan.writes), 4)}
