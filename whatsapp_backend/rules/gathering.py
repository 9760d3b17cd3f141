"""Documents that gather many events, threads and contacts, under one roof: which rules are whose, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from whatsapp_backend.domain.events import ChatNamed, ChatRead, Event, NameRank, PersonTold
from whatsapp_backend.domain.mirror import Gathered
from whatsapp_backend.domain.states import ContactState, MessageState, ThreadState
from whatsapp_backend.domain.writes import Document
from whatsapp_backend.rules import contacts, threads
from whatsapp_backend.rules.document_ids import contact_path, thread_id, thread_path
from whatsapp_backend.rules.identity import is_lid

State = ThreadState | ContactState


def rules_of(path: str) -> Any:
    """The module that knows how to merge, keep and write the document at this path."""
    return contacts if path.startswith("contacts/") else threads


def state_of_row(row: Gathered) -> State:
    """The merge state in a row."""
    state: State = rules_of(row.path).loaded(row.state)
    return state


def path_of(state: State) -> str:
    """Where the state's document lies."""
    if isinstance(state, ContactState):
        return contact_path(state.account, state.jid)
    return thread_path(thread_id(state.account, state.client_jid))


def states_told(events: Iterable[Event]) -> Iterable[State]:
    """What events tell of threads and contacts by themselves; messages tell of their threads once they have landed."""
    for event in events:
        if isinstance(event, ChatNamed | ChatRead):
            yield threads.state_of(event)
        elif isinstance(event, PersonTold):
            yield contacts.state_of(event)
            if pushed := event.names.get(NameRank.PUSHED):
                yield threads.named_by_push(event, pushed)


def gathered_by_path(states: Iterable[State]) -> dict[str, State]:
    """The states of each document as one."""
    by_path: dict[str, State] = {}
    for state in states:
        path = path_of(state)
        by_path[path] = rules_of(path).merged(by_path[path], state) if path in by_path else state
    return by_path


def changed(incoming: Mapping[str, State], known: Mapping[str, Gathered]) -> list[Gathered]:
    """The rows that change."""
    rows = []
    for path, state in incoming.items():
        rules, row = rules_of(path), known.get(path)
        before = rules.loaded(row.state) if row else None
        after = rules.merged(before, state) if before else state
        if after != before:
            rows.append(
                Gathered(
                    path=path,
                    account=after.account,
                    state=rules.dumped(after),
                    updated_at_ns=row.updated_at_ns if row else None,
                    dirty=(row is not None and row.dirty) or (is_document(after) and shows_otherwise(before, after)),
                )
            )
    return rows


def to_be_written(row: Gathered) -> Gathered:
    """The row, whose count of unread messages changed."""
    return replace(row, dirty=row.dirty or is_document(state_of_row(row)))


def is_ahead(row: Gathered, changed: Iterable[MessageState]) -> bool:
    """Whether a thread follows a message that turned out to be none, or older than it says."""
    thread = threads.loaded(row.state)
    return any(threads.is_ahead(thread, message) for message in changed)


def derived_anew(row: Gathered, newest: Iterable[MessageState]) -> Gathered:
    """A thread's row when its newest message turned out to be none, or older."""
    return replace(row, state=threads.dumped(threads.derived_anew(threads.loaded(row.state), newest)), dirty=True)


def is_document(state: State) -> bool:
    """Whether it has a document: a thread with a message, or one that leads elsewhere; a person with a number."""
    if isinstance(state, ContactState):
        return not is_lid(state.jid)
    return state.last_at_ms > 0 or bool(state.redirect_to)


def shows_otherwise(before: State | None, after: State) -> bool:
    """Whether the document says something else than before; that the same was said later is not worth a write."""
    if before is None:
        return True
    rules = contacts if isinstance(after, ContactState) else threads
    return bool(_told(rules.fields_of(before)) != _told(rules.fields_of(after)))


def _told(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "clocks"}


def fields_of(row: Gathered) -> dict[str, Any]:
    """The document, but for the server's times. Nobody reads where a thread leads to another one."""
    rules = rules_of(row.path)
    state: State = rules.loaded(row.state)
    fields: dict[str, Any] = rules.fields_of(state)
    if isinstance(state, ThreadState):
        fields["unreadCount"] = 0 if state.redirect_to else row.unread
    return fields


def deleted_when_absent(row: Gathered) -> frozenset[str]:
    """The fields that go from the document where ours lacks them."""
    rules = rules_of(row.path)
    gone: frozenset[str] = rules.deleted_when_absent(rules.loaded(row.state))
    return gone


def beside(row: Gathered, document: Document) -> State:
    """What our document becomes beside the one that is there."""
    rules = rules_of(row.path)
    ours: State = rules.loaded(row.state)
    theirs: State = rules.state_in(document.fields, ours)
    if isinstance(ours, ThreadState) and isinstance(theirs, ThreadState) and ours.anew:
        if row.updated_at_ns is None:  # we have forgotten that document: its count says nothing of ours
            ours = replace(ours, anew=ours.anew + theirs.anew)
        if theirs.anew < ours.anew:
            theirs = threads.without_activity(theirs)  # what we have taken back stands there still
    merged: State = rules.merged(ours, theirs)
    return merged
