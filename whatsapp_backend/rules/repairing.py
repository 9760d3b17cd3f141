"""Whether a thread's document tells of its newest message, and what it should say where it does not.

Of a thread that we have gathered the mirror's row is made right, and the document follows the row. Of one that only
others wrote the document is corrected and stays theirs. What leads to another thread is left alone, what is archived
is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce
from typing import Any

from whatsapp_backend.domain.mirror import Gathered
from whatsapp_backend.domain.moments import YEAR_10000_MS, at_ms, ms_at
from whatsapp_backend.domain.repairs import Correction
from whatsapp_backend.domain.states import MessageState, ThreadState
from whatsapp_backend.domain.writes import Document, Fields, Write
from whatsapp_backend.rules import gathering, threads
from whatsapp_backend.rules.messages import is_here
from whatsapp_backend.rules.stored import integer
from whatsapp_backend.rules.surveying import THREAD_FIELDS, FoundThread, thread_found

LOOKED_AT = (*THREAD_FIELDS, "lastInboundAt", "lastMessageAt", "lastMessageText", "lastMessageTimestamp")
"""What has to be read of a thread."""
MUST = ("lastMessageAt", "lastMessageAtMs")
"""Without them a thread with messages is not shown, or not in its place."""
_TOLD = (*MUST, "lastMessagePreview", "lastMessageText", "lastMessageDirection")
"""What is wrong where it differs, also in a document of others."""
_IN_SECONDS = 100_000_000_000
"""A number of seconds is below this, one of milliseconds is not: both from 1973 to 5138."""


def looked_into(account: str, document: Document, row: Gathered | None) -> FoundThread | None:
    """The thread, if what its document tells is for us to correct."""
    found = thread_found(account, document)
    leads = found is None or found.leads_to is not None or (row is not None and _state(row).redirect_to)
    return None if leads else found


def owned(row: Gathered | None) -> Gathered | None:
    """The row, if its document is ours: we have gathered a message of the thread."""
    return row if row is not None and _state(row).last_at_ms else None


def lacks(fields: Fields) -> list[str]:
    """Which of the fields that a thread with messages must have are missing, zero, or of another type."""
    at = fields.get("lastMessageAt")
    told = (isinstance(at, datetime) and ms_at(at) > 0, bool(_moment(fields, "lastMessageAtMs")))
    return [name for name, there in zip(MUST, told, strict=True) if not there]


def lost(row: Gathered, fields: Fields) -> list[str]:
    """As `lacks`, for any gathered document that was read again: of a contact, or without messages, nothing."""
    state = gathering.state_of_row(row)
    return lacks(fields) if isinstance(state, ThreadState) and state.last_at_ms and not state.redirect_to else []


def follows(row: Gathered, message: MessageState) -> bool:
    """Whether the row's newest message is this one, at its time."""
    return is_here(message) and _place(_state(row)) == (message.active_at_ms, message.message_id)


def followed(row: Gathered) -> str:
    """The id of the row's newest message."""
    return _state(row).last_id


def goes_back(row: Gathered, newest: Iterable[MessageState]) -> bool:
    """Whether the row's newest message is newer than these."""
    return _place(_state(row)) > _place(threads.derived_anew(_state(row), newest))


def correction(row: Gathered, document: Document, newest: Sequence[MessageState] | None) -> Correction | None:
    """What the row is to become when these are the thread's newest messages; None for `newest`: it follows them.

    Nothing when row and document are right. A document that we have written since it was read is not looked at.
    """
    before = _state(row)
    after = before if newest is None else _derived(before, newest)
    since = row.dirty or (row.updated_at_ns or 0) > document.updated_at_ns
    if after == before and (since or not _differs(row, document.fields)):
        return None
    theirs = threads.without_activity(threads.state_in(document.fields, after))
    after = threads.merged(after, theirs)
    ahead = (_moment(document.fields, "lastMessageAtMs") or 0) > after.last_at_ms
    if ahead and after.anew == max(before.anew, theirs.anew):
        after = replace(after, anew=after.anew + 1)  # or a conflict would bring back what stands there
    updated_at_ns = row.updated_at_ns if since else document.updated_at_ns
    return Correction(
        before=row, after=replace(row, state=threads.dumped(after), updated_at_ns=updated_at_ns, dirty=True)
    )


def write_for(found: FoundThread, newest: Sequence[MessageState]) -> Write | None:
    """What corrects a document that only others wrote, when these are its newest messages; None when it is right."""
    thread = _derived(ThreadState(account=found.account, client_jid=found.jid), newest)
    told = {name: value for name, value in threads.fields_of(thread).items() if name in threads.ACTIVITY}
    if not told or not _wrong(found.document.fields, {name: told[name] for name in _TOLD}):
        return None
    return _write(found.document, told, threads.deleted_when_absent(thread))


def write_without_messages(found: FoundThread) -> Write | None:
    """As `write_for`, for a thread without any message: the phone's word on its last one, else nothing at all."""
    fields = found.document.fields
    said_ms = _chat_moment_ms(fields)
    if said_ms is not None:
        told = {"lastMessageAt": at_ms(said_ms), "lastMessageAtMs": said_ms}
        return _write(found.document, told, frozenset()) if _wrong(fields, told) else None
    there = frozenset(name for name in threads.ACTIVITY if name in fields)
    return _write(found.document, {}, there) if there else None


def _write(document: Document, fields: dict[str, Any], gone: frozenset[str]) -> Write:
    mask = tuple(sorted(fields.keys() | gone))
    server_times, guard = threads.SERVER_TIMES, document.updated_at_ns
    return Write(path=document.path, fields=fields, mask=mask, server_times=server_times, updated_at_ns=guard)


def _derived(state: ThreadState, newest: Sequence[MessageState]) -> ThreadState:
    """The thread that follows these: itself if it does, else merged with them, or anew if it was ahead of them."""
    anew = threads.derived_anew(state, newest)
    if _place(anew) == _place(state):
        return state
    if _place(anew) < _place(state):
        return anew
    return reduce(threads.merged, (threads.state_after(message) for message in newest if is_here(message)), state)


def _differs(row: Gathered, fields: Fields) -> bool:
    """Whether the document tells another activity than the row."""
    ours = gathering.fields_of(row)
    gone = gathering.deleted_when_absent(row) & threads.ACTIVITY
    told = {name: value for name, value in ours.items() if name in threads.ACTIVITY}
    return _wrong(fields, told) or any(name in fields and name not in told for name in gone)


def _wrong(fields: Fields, told: Mapping[str, Any]) -> bool:
    return any(not _same(fields.get(name), value) for name, value in told.items())


def _same(theirs: Any, ours: Any) -> bool:
    """Times to the millisecond: others kept more of them."""
    if isinstance(theirs, datetime) and isinstance(ours, datetime):
        return ms_at(theirs) == ms_at(ours)
    return bool(theirs == ours)


def _chat_moment_ms(fields: Fields) -> int | None:
    said = _moment(fields, "lastMessageTimestamp")
    return said * 1000 if said and said < _IN_SECONDS else said or None


def _moment(fields: Fields, name: str) -> int | None:
    """A number from 0 on, also where JavaScript stored a whole one as a float."""
    value = fields.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return integer({name: value}, name, below=YEAR_10000_MS)


def _state(row: Gathered) -> ThreadState:
    return threads.loaded(row.state)


def _place(state: ThreadState) -> tuple[int, str]:
    return state.last_at_ms, state.last_id
