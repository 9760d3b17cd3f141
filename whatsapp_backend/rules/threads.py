"""Thread documents, by the same law as messages: any order, any repetition, the same document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

import orjson

from whatsapp_backend.domain.events import ChatNamed, ChatRead, NameRank, PersonTold
from whatsapp_backend.domain.moments import YEAR_10000_MS, at_ms
from whatsapp_backend.domain.states import MessageState, ThreadState
from whatsapp_backend.rules.content import preview_of, richness
from whatsapp_backend.rules.document_ids import thread_id
from whatsapp_backend.rules.identity import ME, is_lid, phone_of
from whatsapp_backend.rules.messages import FOREIGN, is_here
from whatsapp_backend.rules.shown import REVOKED_PREVIEW, shown_of
from whatsapp_backend.rules.stored import integer, typed

SERVER_TIMES = ("updatedAt",)
_NUMBER = re.compile(r"[\d\s()+.-]*")


def state_of(event: ChatNamed | ChatRead) -> ThreadState:
    """The thread after this one event."""
    thread = ThreadState(account=event.account, client_jid=event.client_jid)
    if isinstance(event, ChatRead):
        return replace(thread, read_at_ms=event.at_ms)
    return replace(thread, name=event.name, name_rank=int(event.rank), name_clock=event.clock)


def named_by_push(told: PersonTold, name: str) -> ThreadState:
    """The conversation with somebody who told his own name."""
    thread = ThreadState(account=told.account, client_jid=told.jid)
    return replace(thread, name=name, name_rank=int(NameRank.PUSHED), name_clock=told.clock)


def state_after(message: MessageState) -> ThreadState:
    """The thread after this one message, as it is now: a later edit moves its preview and nothing else."""
    own = message.sender == ME
    shown = shown_of(message)
    return ThreadState(
        account=message.account,
        client_jid=message.client_jid,
        last_at_ms=message.active_at_ms,
        last_id=message.message_id,
        last_version=shown.version,
        last_richness=richness(shown.original),
        last_order=message.content_order,
        last_preview=REVOKED_PREVIEW if shown.revoked else preview_of(shown.content),
        last_direction="outbound" if own else "inbound",
        last_sender_name=ME if own else message.name,
        last_name_order=message.name_order,
        last_inbound_at_ms=0 if own else message.active_at_ms,
    )


def is_ahead(state: ThreadState, message: MessageState) -> bool:
    """Whether the thread follows this message, which is none any more, or older than the thread says."""
    if state.last_id != message.message_id:
        return False
    return not is_here(message) or message.active_at_ms < state.last_at_ms


def without_activity(state: ThreadState) -> ThreadState:
    """Its name, and what else does not come from its newest message."""
    return ThreadState(
        account=state.account,
        client_jid=state.client_jid,
        name=state.name,
        name_rank=state.name_rank,
        name_clock=state.name_clock,
        read_at_ms=state.read_at_ms,
        anew=state.anew,
        redirect_to=state.redirect_to,
        backfilled_at_ms=state.backfilled_at_ms,
        coverage=state.coverage,
    )


def derived_anew(state: ThreadState, newest: Iterable[MessageState]) -> ThreadState:
    """The thread when its newest message turned out to be none, or older: it follows the newest that are there."""
    bare = replace(without_activity(state), anew=state.anew + 1)
    return reduce(merged, (state_after(message) for message in newest if is_here(message)), bare)


def merged(one: ThreadState, other: ThreadState) -> ThreadState:
    """The thread after both: the newest message by source time, of one message the version that shows most."""
    newest = max(one, other, key=_newness)
    named = max(one, other, key=lambda state: (state.name_rank, state.name_clock, state.name or ""))
    last_inbound_at_ms = max(one.last_inbound_at_ms, other.last_inbound_at_ms)
    read_at_ms = max(one.read_at_ms, other.read_at_ms)
    redirect_to = max(one.redirect_to, other.redirect_to)
    anew = max(one.anew, other.anew)
    backfilled_at_ms = max(one.backfilled_at_ms, other.backfilled_at_ms)
    coverage = one.coverage if other.coverage is None else other.coverage
    if named is newest and (last_inbound_at_ms, read_at_ms, redirect_to, anew, backfilled_at_ms, coverage) == (
        newest.last_inbound_at_ms,
        newest.read_at_ms,
        newest.redirect_to,
        newest.anew,
        newest.backfilled_at_ms,
        newest.coverage,
    ):
        return newest  # as in nearly all of a history: half the time of a window went into copies
    return replace(
        newest,
        last_inbound_at_ms=last_inbound_at_ms,
        name=named.name,
        name_rank=named.name_rank,
        name_clock=named.name_clock,
        read_at_ms=read_at_ms,
        redirect_to=redirect_to,
        anew=anew,
        backfilled_at_ms=backfilled_at_ms,
        coverage=coverage,
    )


def _newness(state: ThreadState) -> tuple[int, str, int, int, int, int]:
    """Of what is the same in all else, the one whose sender was named first: a name may come with a later sighting."""
    message = (state.last_at_ms, state.last_id)
    return (*message, state.last_version, state.last_richness, -state.last_order, -state.last_name_order)


def dumped(state: ThreadState) -> bytes:
    """The state as JSON text."""
    return orjson.dumps(state)


def loaded(text: bytes) -> ThreadState:
    """The state from JSON text."""
    return ThreadState(**orjson.loads(text))


def fields_of(state: ThreadState) -> dict[str, Any]:
    """The document, but for the server's times. One that only leads elsewhere keeps the activity others wrote."""
    identity: dict[str, Any] = {
        "accountId": state.account,
        "clientJid": state.client_jid,
        "isLid": is_lid(state.client_jid),
    }
    if state.redirect_to:
        identity["redirectTo"] = identity["canonicalThreadId"] = state.redirect_to
    return identity | _activity_fields(state) if state.last_at_ms else identity


def _activity_fields(state: ThreadState) -> dict[str, Any]:
    phone = phone_of(state.client_jid)
    fields: dict[str, Any] = {
        "displayName": state.name or phone or state.client_jid.partition("@")[0],
        "lastMessageAt": at_ms(state.last_at_ms),
        "lastMessageAtMs": state.last_at_ms,
        "lastMessageId": state.last_id,
        "lastMessagePreview": state.last_preview,
        "lastMessageText": state.last_preview,
        "lastMessageDirection": state.last_direction,
        "clocks": {
            "last": state.last_order,
            "lastVersion": state.last_version,
            "lastRichness": state.last_richness,
            "nameRank": state.name_rank,
            "name": state.name_clock,
        },
    }
    if state.anew:
        fields["clocks"]["anew"] = state.anew
    if phone:
        fields["phone"] = fields["phoneE164"] = fields["phoneNumber"] = phone
    if state.last_sender_name:
        fields["lastMessageSenderName"] = state.last_sender_name
        fields["clocks"]["lastName"] = state.last_name_order
    if state.coverage:
        fields["coverage"] = {**state.coverage}
        if state.coverage["contiguousFromMs"] is not None and state.coverage["contiguousToMs"] is None:
            fields["coverage"]["contiguousToMs"] = state.last_at_ms
    if state.backfilled_at_ms:
        fields["lastBackfillAt"] = at_ms(state.backfilled_at_ms)
    if state.last_inbound_at_ms:
        fields["lastInboundAt"] = at_ms(state.last_inbound_at_ms)
        fields["lastInboundAtMs"] = state.last_inbound_at_ms
    return fields


def redirected(state: ThreadState, client_jid: str) -> tuple[ThreadState, ThreadState]:
    """The thread of a LID whose number became known: what it is from now on, and what the other thread takes from it.

    The messages go their own way; they bring the last activity with them.
    """
    to = thread_id(state.account, client_jid)
    taken = ThreadState(
        account=state.account,
        client_jid=client_jid,
        name=state.name,
        name_rank=state.name_rank,
        name_clock=state.name_clock,
        read_at_ms=state.read_at_ms,
    )
    return replace(state, redirect_to=to), taken


_LACKED_BY_SOME = frozenset({"lastMessageSenderName"})
ACTIVITY = _LACKED_BY_SOME | {
    "lastMessageAt",
    "lastMessageAtMs",
    "lastMessageId",
    "lastMessagePreview",
    "lastMessageText",
    "lastMessageDirection",
    "lastInboundAt",
    "lastInboundAtMs",
}


def deleted_when_absent(state: ThreadState) -> frozenset[str]:
    """What a newer message may lack, and of a thread that lost its newest all activity: without any it is not shown.

    Other fields of the document (owner, archived, redirects) are other people's.
    """
    return ACTIVITY if state.anew else _LACKED_BY_SOME


def state_in(fields: Mapping[str, Any], ours: ThreadState) -> ThreadState:
    """The state that the document beside our own thread holds. Whatever lies there, it raises nothing.

    What an earlier generation wrote has none of our clocks. Its activity is left out: what it stored there could be the
    time of a sync instead of a message's, and would then hold the thread at the top. Ours comes from the messages. Its
    name counts like one of an address book, because it may be one; a number or nothing counts as none.
    """
    clocks = typed(fields, "clocks", dict) or {}
    last_order = _integer(clocks, "last")
    if last_order is None:
        name = _given_name(fields)
        rank = NameRank.CHAT if name else 0
        return ThreadState(account=ours.account, client_jid=ours.client_jid, name=name, name_rank=rank)
    rank = _integer(clocks, "nameRank") or 0
    return ThreadState(
        account=ours.account,
        client_jid=ours.client_jid,
        last_at_ms=_integer(fields, "lastMessageAtMs") or 0,
        last_id=typed(fields, "lastMessageId", str) or "",
        last_order=last_order,
        last_version=_integer(clocks, "lastVersion") or 0,
        last_richness=_integer(clocks, "lastRichness") or 0,
        last_preview=typed(fields, "lastMessagePreview", str) or "",
        last_direction=typed(fields, "lastMessageDirection", str) or "",
        last_sender_name=typed(fields, "lastMessageSenderName", str),
        last_name_order=FOREIGN if (name_order := _integer(clocks, "lastName")) is None else name_order,
        last_inbound_at_ms=_integer(fields, "lastInboundAtMs") or 0,
        name=typed(fields, "displayName", str) if rank else None,
        name_rank=rank,
        name_clock=_integer(clocks, "name") or 0,
        redirect_to=typed(fields, "redirectTo", str) or "",
        anew=_integer(clocks, "anew") or 0,
    )


def _integer(fields: Mapping[str, Any], field: str) -> int | None:
    return integer(fields, field, below=YEAR_10000_MS if field.endswith("AtMs") else 1 << 63)


def _given_name(fields: Mapping[str, Any]) -> str | None:
    name = (typed(fields, "displayName", str) or "").strip()
    return None if _NUMBER.fullmatch(name) else name
