"""Messages without content, which stand for something that happened: group events, missed calls, what cannot be read.

The numbers are `WebMessageInfo.StubType` of the engine's protobuf.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from whatsapp_backend.domain.events import Content
from whatsapp_backend.rules.identity import ME
from whatsapp_backend.rules.kinds import sentences
from whatsapp_backend.rules.kinds.calls import missed_call
from whatsapp_backend.rules.kinds.parts import LABEL_CHARACTERS, Details, first_of, jid, told
from whatsapp_backend.rules.kinds.people import SOMEBODY, person_in

_CIPHERTEXT: Final = 2
_PEOPLE: Final = 1000
_ON: Final = frozenset({"on", "true", "1", "all_member_add"})
_OFF: Final = frozenset({"off", "false", "0", "admin_add"})
_TIMER: Final = re.compile("[0-9]{1,10}")
_DESCRIPTION_CHARACTERS: Final = 2000

Shower = Callable[[Sequence[str], str | None], Content]


def stub_content(stub_type: int, parameters: Sequence[object], actor: str | None) -> Content | None:
    """What a message without content stands for, or None where that is not for showing."""
    if stub_type in NOT_SHOWN:
        return None
    told_by = [parameter for parameter in parameters if isinstance(parameter, str)]
    if stub_type == _CIPHERTEXT:
        return placeholder(told_by[0] if told_by else "undecryptable")
    if shower := _SHOWN.get(stub_type):
        return shower(told_by, ME if actor == ME else jid(actor))
    return Content(kind="unknown", content_kind=f"stub:{stub_type}")


def placeholder(reason: str) -> Content:
    """What stands where a message is known to be missing, until it comes."""
    details = {"placeholder": {"reason": reason[:LABEL_CHARACTERS]}}
    return Content(kind="placeholder", body="Waiting for this message", details=details)


def seen_once() -> Content:
    """What stands where a message was for the phone alone: nothing will come."""
    return replace(placeholder("view-once"), body="View-once message: it opens on the phone only")


def _people_event(name: str, sentence: sentences.OfPeople, parameters: Sequence[str], by: str | None) -> Content:
    kept, left_out = first_of(parameters, _PEOPLE)
    people = [person for parameter in kept if (person := person_in(parameter))]
    if name == "participants_added" and len(people) == 1 and by in people[0].jids:
        name, sentence = "participants_joined", sentences.JOINED
    participants = list(dict.fromkeys(person.jid for person in people))
    more = told(participants=participants)
    return _event(name, sentence(people or [SOMEBODY], left_out), by, more, left_out=left_out)


def _text_event(name: str, field: str, words: tuple[str, str], parameters: Sequence[str], by: str | None) -> Content:
    bare, full = words
    value = parameters[0][:_DESCRIPTION_CHARACTERS].strip() if parameters else ""
    body = full.format(value[:LABEL_CHARACTERS]) if value else bare
    return _event(name, body, by, told(**{field: value}))


def _switch_event(name: str, on: str, off: str, parameters: Sequence[str], by: str | None) -> Content:
    word = parameters[0] if parameters else None
    if word in _ON or word in _OFF:
        return _event(name, on if word in _ON else off, by, {"on": word in _ON})
    return _event(name, "Group settings changed", by, {})


def _plain_event(name: str, body: str, _parameters: Sequence[str], by: str | None) -> Content:
    return _event(name, body, by, {})


def _timer_event(parameters: Sequence[str], by: str | None) -> Content:
    digits = parameters[0] if parameters else ""
    if not _TIMER.fullmatch(digits):
        return _event("ephemeral_changed", "Disappearing messages changed", by, {})
    return _event("ephemeral_changed", sentences.timer(int(digits)), by, {"seconds": int(digits)})


def _join_request(parameters: Sequence[str], by: str | None) -> Content:
    state = parameters[1] if len(parameters) > 1 else "created"
    name, sentence = sentences.JOIN_REQUESTS.get(state, sentences.JOIN_REQUESTS["created"])
    return _people_event(name, sentence, parameters[:1], by)


def _event(name: str, body: str, by: str | None, more: Details, *, left_out: int = 0) -> Content:
    event = {"name": name, "by": by, **more}
    details = told(event=event, leftOut=told(participants=left_out or None))
    return Content(kind="event", body=body, details=details)


def _people(name: str, sentence: sentences.OfPeople) -> Shower:
    return partial(_people_event, name, sentence)


def _missed(*, video: bool, group: bool) -> Shower:
    return lambda _parameters, _by: missed_call(video=video, group=group)


def _renamed(name: str, what: str, field: str) -> Shower:
    return partial(_text_event, name, field, (f"{what} changed", f"{what} changed to “{{}}”"))


def _created(name: str, what: str) -> Shower:
    return partial(_text_event, name, "subject", (f"{what} created", f"{what} “{{}}” created"))


def _plain(name: str, body: str) -> Shower:
    return partial(_plain_event, name, body)


_SHOWN: Final[dict[int, Shower]] = {
    20: _created("group_created", "Group"),
    21: _renamed("subject_changed", "Subject", "subject"),
    22: _plain("icon_changed", "Group icon changed"),
    23: _plain("invite_link_reset", "Invitation link reset"),
    24: _renamed("description_changed", "Description", "description"),
    25: partial(
        _switch_event,
        "settings_restricted",
        "Only admins can change the group now",
        "All participants can change the group now",
    ),
    26: partial(
        _switch_event,
        "messages_restricted",
        "Only admins can send messages now",
        "All participants can send messages now",
    ),
    27: _people("participants_added", sentences.ADDED),
    28: _people("participants_removed", sentences.REMOVED),
    29: _people("participants_promoted", sentences.PROMOTED),
    30: _people("participants_demoted", sentences.DEMOTED),
    31: _people("participants_joined", sentences.JOINED),
    32: _people("participants_left", sentences.LEFT),
    33: _people("number_changed", sentences.number_changed),
    34: _plain("broadcast_created", "Broadcast list created"),
    35: _people("participants_added", sentences.ADDED),
    36: _people("participants_removed", sentences.REMOVED),
    40: _missed(video=False, group=False),
    41: _missed(video=True, group=False),
    42: _people("number_changed", sentences.number_changed),
    43: _plain("group_ended", "Group ended"),
    45: _missed(video=False, group=True),
    46: _missed(video=True, group=True),
    70: _people("participants_invited", sentences.INVITED),
    71: _people("participants_added", sentences.ADDED),
    72: _timer_event,
    130: _timer_event,
    140: _people("participants_joined", sentences.JOINED),
    141: _people("participants_joined", sentences.JOINED),
    142: _created("community_created", "Community"),
    144: _people("join_requested", sentences.ASKED_TO_JOIN),
    145: partial(
        _switch_event,
        "approval_changed",
        "Admins must approve new participants now",
        "New participants need no approval now",
    ),
    147: _people("participants_promoted", sentences.PROMOTED),
    148: _people("participants_demoted", sentences.DEMOTED),
    151: _people("participants_joined", sentences.JOINED),
    158: _renamed("subject_changed", "Community name", "subject"),
    162: _plain("call_started", "Scheduled call started"),
    166: _people("participants_added", sentences.ADDED),
    168: _people("participants_added", sentences.ADDED),
    169: _missed(video=False, group=False),
    170: _missed(video=True, group=False),
    171: partial(
        _switch_event,
        "adding_changed",
        "All participants can add others now",
        "Only admins can add others now",
    ),
    172: _join_request,
    173: _renamed("description_changed", "Community description", "description"),
    177: _plain("message_pinned", "Message pinned"),
    184: _plain("call_canceled", "Scheduled call canceled"),
    203: _plain("group_deactivated", "Group deactivated"),
    205: _plain("calendar_event_updated", "Event updated"),
    206: _plain("calendar_event_canceled", "Event canceled"),
}

_NOTHING: Final = {0}
_SAID_ELSEWHERE: Final = {1, 132}
"""Revokes: the message that they name is what changes."""
_ENCRYPTION: Final = {38, 39, 73, 75, 118, 131}
"""What the phone shows as a banner about keys and devices."""
_BUSINESS_BANNERS: Final = {
    *range(4, 20),
    *range(60, 68),
    *range(76, 118),
    *range(126, 130),
    192,
    194,
    195,
    197,
    201,
    202,
}
"""Who runs a business account and who can read what is written to it."""
_OF_THE_APP: Final = {
    37,
    119,
    120,
    121,
    122,
    123,
    124,
    125,
    143,
    152,
    153,
    154,
    155,
    157,
    160,
    187,
    196,
    211,
    212,
    213,
    218,
    219,
}
"""What an app tells its own user of itself: progress, failures, labels, advice."""

NOT_SHOWN: Final = frozenset(_NOTHING | _SAID_ELSEWHERE | _ENCRYPTION | _BUSINESS_BANNERS | _OF_THE_APP)
"""Stubs that are no message to anybody."""
