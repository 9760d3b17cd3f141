"""What a window of the journal tells of each thread: messages that came, and what pieces of history prove."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from whatsapp_backend.domain.coverage import Chunk, Epoch, Held, Interval, Point, Proof
from whatsapp_backend.domain.events import PARTS, Event, MessageSeen, Origin, Owed
from whatsapp_backend.domain.journal import Entry, NewEntry
from whatsapp_backend.rules.content import NOTHING
from whatsapp_backend.rules.coverage.epochs import live_on
from whatsapp_backend.rules.coverage.pages import chunk_spans
from whatsapp_backend.rules.debts import is_owed
from whatsapp_backend.rules.document_ids import thread_id, thread_path
from whatsapp_backend.rules.history import HistoryEnd
from whatsapp_backend.rules.identity import canonical_jid, chat_of, is_lid, is_person
from whatsapp_backend.rules.landing import Slot
from whatsapp_backend.rules.told import ODD, listed, moment_ms

_WITH_US = frozenset({Origin.LIVE, Origin.SENT})
_NO_MESSAGES = frozenset({"event", "call", NOTHING})
"""What the server or the engine tells beside messages: no phone has these in its archive under our id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """A message that arrived. `new`: nothing was known of it before, nor has it just come another way."""

    held: Held
    received_at_ms: int
    new: bool


@dataclass(slots=True)
class News:
    """What happened to one thread."""

    account: str
    jid: str
    came: list[Came] = field(default_factory=list)
    chunks: list[Interval] = field(default_factory=list)
    owed: set[Point] = field(default_factory=set)
    paid: set[str] = field(default_factory=set)
    """Ids of messages that are owed no longer."""

    def only_live_on(self, epoch: int, since: int) -> bool:
        """Whether all of it came live on this connection, and is not from before the second since which it lives."""
        live = all(one.held.epoch == epoch and one.held.at.second >= since for one in self.came)
        return live and not (self.chunks or self.owed or self.paid)


def has_archive(jid: str) -> bool:
    """Whether a phone keeps this conversation and can be asked for it. It forgets statuses, and has no channels."""
    return is_person(jid) or jid.endswith("@g.us")


def came_in(
    events: Iterable[Event],
    entries: Mapping[int, Entry],
    slots: Mapping[int, Slot],
    epochs: Mapping[str, Sequence[Epoch]],
) -> dict[str, News]:
    """By thread, what landed. `slots` are by the orders of what is in them: what did not land is not there."""
    news: dict[str, News] = {}
    seen: set[str] = set()
    for event in events:
        slot = slots.get(event.order)
        if slot is None or not isinstance(event, MessageSeen | Owed) or not has_archive(event.client_jid):
            continue
        thread = thread_path(thread_id(event.account, event.client_jid))
        of_thread = news.setdefault(thread, News(event.account, event.client_jid))
        if isinstance(event, Owed):
            if is_owed(slot.outcome):
                of_thread.owed.add(Point(slot.outcome.sent_at_ms, event.message_id))
            continue
        if not is_owed(slot.outcome) and (is_owed(slot.before) or slot.read is not None):
            of_thread.paid.add(event.message_id)
        if _counts(event):
            received_at_ms = entries[event.order // PARTS].new.received_at_ms
            rows = epochs[event.account] if event.origin in _WITH_US else ()
            epoch = live_on(rows, received_at_ms, event.sent_at_ms)
            held = held_of(event, thread, epoch)
            new = not slot.known and slot.path not in seen
            seen.add(slot.path)
            of_thread.came.append(Came(held=held, received_at_ms=received_at_ms, new=new))
    return news


def held_of(event: MessageSeen, thread: str, epoch: int | None) -> Held:
    """A message that is here."""
    chat = str(event.key["remoteJid"])
    return Held(
        thread=thread,
        at=Point(event.sent_at_ms, event.message_id),
        from_me=bool(event.key["fromMe"]),
        chat=chat if chat != event.client_jid else None,
        epoch=epoch,
    )


def _counts(event: MessageSeen) -> bool:
    """Whether it is a message with a place in the phone's archive, of a time that can be believed."""
    content = event.content
    beside = content.kind in _NO_MESSAGES or (content.content_kind or "").startswith("stub:")
    return event.origin is not Origin.DERIVED and not beside and event.activity_at_ms is None


Carried = dict[str, tuple[str, Point]]
"""By the JID as a history spells it, the thread and the last message that it told of."""


def of_history(events: Iterable[MessageSeen], carried: Carried) -> Iterator[tuple[str, MessageSeen, Interval]]:
    """What one record of a history proves, with a message of the thread. A chat goes on where it was cut: `carried`."""
    chats: dict[str, list[MessageSeen]] = defaultdict(list)
    for event in events:
        if has_archive(event.client_jid) and event.activity_at_ms is None:
            chats[str(event.key["remoteJid"])].append(event)
    for jid, rows in chats.items():
        thread = thread_path(thread_id(rows[0].account, rows[0].client_jid))
        points = [Point(row.sent_at_ms, row.message_id) for row in rows]
        cut = [carried[jid][1]] if jid in carried else []
        for start, end in chunk_spans([*cut, *points]):
            yield thread, rows[0], Interval(start, end, Proof.HISTORY)
        carried[jid] = (thread, points[-1])


def request_of(entry: NewEntry) -> str | None:
    """Which request a record of history answers. Never raises."""
    session = _told(entry).get("session")
    return session if isinstance(session, str) else None


def page_in(entry: NewEntry, account: str, thread: str) -> tuple[Point, ...]:
    """All messages of a record of history that may be of this thread, oldest first. Never raises."""
    points = [point for row in listed(_told(entry), "messages") if (point := _point(row, account, thread))]
    if len(points) > 1 and points[0].second >= points[-1].second:
        points.reverse()  # the phone tells of its newest first
    return tuple(points)


def _told(entry: NewEntry) -> Mapping[str, Any]:
    try:
        payload = orjson.loads(entry.payload or b"")
    except ODD:
        return {}
    return payload if isinstance(payload, Mapping) else {}


def _point(row: Any, account: str, thread: str) -> Point | None:
    try:
        at_ms, message_id = moment_ms(row["messageTimestamp"]), row["key"]["id"]
        here = may_be_of(account, chat_of(row["key"]), thread)
    except ODD:
        return None
    return Point(at_ms, message_id) if here and isinstance(message_id, str) and message_id else None


def words_on(end: HistoryEnd, account: str, thread: str) -> HistoryEnd:
    """The end of a history without what it says of other conversations than this thread's."""
    return replace(end, ends={jid: word for jid, word in end.ends.items() if may_be_of(account, jid, thread)})


def may_be_of(account: str, jid: str, thread: str) -> bool:
    """Whether this may be the thread's conversation: a person may be told of under the number or a LID."""
    here = thread_path(thread_id(account, canonical_jid(jid)))
    return here == thread or (is_person(here) and is_person(thread) and is_lid(here) is not is_lid(thread))


def chunk_of(account: str, end: HistoryEnd) -> Chunk | None:
    """What is to be remembered of a numbered chunk."""
    if end.sync_type is None or end.chunk_order is None:
        return None
    return Chunk(
        account=account,
        sync_type=end.sync_type,
        order=end.chunk_order,
        progress=end.progress,
        failed=not end.downloaded,
    )
