"""What a message of the engine shows: its kind, its text, its media, what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from whatsapp_backend.domain.events import Content
from whatsapp_backend.rules.kinds import business, calls, cards, choices, texts
from whatsapp_backend.rules.kinds.calls import call_content
from whatsapp_backend.rules.kinds.context import context_details, context_of
from whatsapp_backend.rules.kinds.media import MEDIA, MEDIA_DETAILS, MEDIA_KINDS, file
from whatsapp_backend.rules.kinds.parts import Details, Proto, flag, inner, jid, mapping, token
from whatsapp_backend.rules.kinds.previews import preview_of
from whatsapp_backend.rules.kinds.stubs import placeholder, seen_once, stub_content

__all__ = [
    "DETAIL_FIELDS",
    "MEDIA_DETAILS",
    "NOTHING",
    "NOT_SHOWN",
    "WRAPPERS",
    "acts_on_another",
    "call_content",
    "content_of",
    "is_as_edited",
    "placeholder",
    "preview_of",
    "richness",
    "seen_once",
    "stub_content",
    "unwrapped",
]

Reader = Callable[[str, Any], Content]

NOTHING: Final = "nothing"
"""The kind of what is known to be no message of its own."""
_LEAST: Final = {"placeholder": 0, NOTHING: 1, "unknown": 2}
_PART: Final = 3
_ALL: Final = 4

_ONCE: Final = frozenset({"viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension"})
WRAPPERS: Final = frozenset(
    {
        *_ONCE,
        "associatedChildMessage",
        "botForwardedMessage",
        "botInvokeMessage",
        "botTaskMessage",
        "commentMessage",
        "deviceSentMessage",
        "documentWithCaptionMessage",
        "editedMessage",
        "ephemeralMessage",
        "eventCoverImage",
        "groupMentionedMessage",
        "groupStatusMentionMessage",
        "groupStatusMessage",
        "groupStatusMessageV2",
        "limitSharingMessage",
        "lottieStickerMessage",
        "pollCreationMessageV4",
        "pollCreationOptionImageMessage",
        "questionMessage",
        "questionReplyMessage",
        "statusAddYours",
        "statusMentionMessage",
    }
)
"""Parts that hold another message in their `message`."""

_KEYS: Final = {
    "senderKeyDistributionMessage",
    "fastRatchetKeySenderKeyDistributionMessage",
    "messageContextInfo",
    "messageHistoryBundle",
    "stickerSyncRmrMessage",
}
"""What one device tells another, beside a message or alone."""
_OF_OTHERS: Final = {
    "protocolMessage",
    "reactionMessage",
    "encReactionMessage",
    "pollUpdateMessage",
    "keepInChatMessage",
    "pinInChatMessage",
    "encEventResponseMessage",
    "secretEncryptedMessage",
    "statusStickerInteractionMessage",
}
"""What changes or answers another message: an edit, a reaction, a vote."""
NOT_SHOWN: Final = frozenset(_KEYS | _OF_OTHERS)
"""Parts that are journaled, but are no message of their own."""

DETAIL_FIELDS: Final = frozenset(
    {
        "album",
        "asEdited",
        "calendarEvent",
        "call",
        "choices",
        "chosen",
        "contacts",
        "ephemeralSeconds",
        "event",
        "forwarded",
        "invite",
        "leftOut",
        "link",
        "location",
        "mentions",
        "order",
        "payment",
        "placeholder",
        "poll",
        "product",
        "viewOnce",
    }
)
"""Every name that a content's details may have."""

_DEEPEST: Final = 8
"""Wrappers nest two deep in practice; a liar's nest must end somewhere."""


def content_of(message: Proto) -> Content | None:
    """What the message shows, or None where it is not for showing. Raises ValueError for what no engine would send."""
    read = _read(message)
    if read is None:
        return None
    content, context = read.content, context_of(read.part)
    if not context and not read.once and not read.about:
        return content
    quoted = _quoted(context) or (_commented(read.about) if read.about else None)
    more = context_details(context) if context else {}
    if read.once:
        more["viewOnce"] = True
    return Content(  # by hand: `dataclasses.replace` costs as much as all the rest
        kind=content.kind,
        body=content.body,
        media=content.media,
        quoted=quoted,
        content_kind=content.content_kind,
        details=_joined(content.details, more) if content.details else more or None,
    )


def richness(content: Content) -> int:
    """How much a sighting shows: it is missing, is no message, we do not know it, have a part of it, or all of it."""
    least = _LEAST.get(content.kind)
    return (_PART if _is_part(content) else _ALL) if least is None else least


def _is_part(content: Content) -> bool:
    """A call of which the end is not known, the last text without the first, a file that cannot be fetched."""
    if content.kind == "call":
        return not calls.is_over((content.details or {}).get("call"))
    return is_as_edited(content) or (
        content.kind in MEDIA_KINDS and not (content.media and content.media.get("mediaKey"))
    )


def is_as_edited(content: Content) -> bool:
    """Whether it is what an edit made of the message: what was sent first is not known."""
    return (content.details or {}).get("asEdited") is True


def acts_on_another(message: Proto) -> bool:
    """Whether it edits, answers or sets something and shows nothing itself. Keys alone do not say so: the message that
    they come with may follow under the same id.
    """
    return not _OF_OTHERS.isdisjoint(unwrapped(message))


def unwrapped(message: Proto) -> Proto:
    """The message inside of all wrappers. Raises ValueError for what no engine would send."""
    return _unwrapped(message)[0]


class _Read(NamedTuple):
    """The content of the part that is shown, the part, and what its wrappers tell."""

    content: Content
    part: Any
    once: bool
    about: Proto | None


def _read(message: Proto) -> _Read | None:
    found, once, about = _unwrapped(message)
    for field, part in found.items():
        if field in NOT_SHOWN or part is None:
            continue
        content = _READERS.get(field, texts.unknown)(field[:_FIELD_CHARACTERS], part)
        once = once or (isinstance(part, Mapping) and flag(part, "viewOnce"))
        return _Read(content, part, once, about)
    return None


def _unwrapped(message: Proto) -> tuple[Proto, bool, Proto | None]:
    """What is inside of all wrappers, whether it may be seen only once, and the key of what it comments on."""
    once, about = False, None
    for _ in range(_DEEPEST):
        if message.keys().isdisjoint(WRAPPERS):
            return message, once, about
        wrapper = next((field for field in message if field in WRAPPERS and isinstance(message[field], Mapping)), None)
        if wrapper is None:
            return message, once, about
        wrapped = mapping(message[wrapper].get("message") or {})
        if not wrapped:
            return ({} if wrapper == "editedMessage" else {wrapper: {}}), once, about
        once = once or wrapper in _ONCE
        about = about or inner(message[wrapper], "targetMessageKey") or None
        message = wrapped
    raise ValueError("message wrapped more than eight times")


def _quoted(context: Proto) -> Details | None:
    message_id = token(context, "stanzaId")
    if message_id is None:
        return None
    quoted = {"id": message_id, "participant": jid(context.get("participant")), "preview": _preview(context)}
    chat = jid(context.get("remoteJid"))
    return {**quoted, "chat": chat} if chat else quoted


def _preview(context: Proto) -> str | None:
    """What was quoted, in a line. What itself quotes is not followed, and what cannot be read costs no answer."""
    try:
        read = _read(inner(context, "quotedMessage"))
    except ValueError:
        return None
    return preview_of(read.content) if read else None


def _commented(key: Proto) -> Details | None:
    """The message that a comment is about."""
    message_id = token(key, "id")
    return {"id": message_id, "participant": jid(key.get("participant")), "preview": None} if message_id else None


def _joined(details: Mapping[str, Any], more: Details) -> Details:
    """Details of the kind and of what surrounds it; both may have left something out."""
    if "leftOut" in details and "leftOut" in more:
        return {**details, **more, "leftOut": {**details["leftOut"], **more["leftOut"]}}
    return {**details, **more}


def _masked(_field: str, _value: Any) -> Content:
    return placeholder("shown on the phone only")


_FIELD_CHARACTERS: Final = 200
_POLLS: Final = ("pollCreationMessage", "pollCreationMessageV2", "pollCreationMessageV3", "pollCreationMessageV5")
_READERS: Final[dict[str, Reader]] = {
    "conversation": texts.conversation,
    "extendedTextMessage": texts.extended_text,
    **dict.fromkeys(MEDIA, file),
    "locationMessage": cards.location,
    "liveLocationMessage": cards.live_location,
    "contactMessage": cards.contact,
    "contactsArrayMessage": cards.contacts,
    **dict.fromkeys(_POLLS, cards.poll),
    "pollResultSnapshotMessage": cards.poll_results,
    "pollResultSnapshotMessageV3": cards.poll_results,
    "buttonsMessage": choices.buttons,
    "buttonsResponseMessage": choices.button_chosen,
    "listMessage": choices.a_list,
    "listResponseMessage": choices.row_chosen,
    "templateMessage": choices.template,
    "templateButtonReplyMessage": choices.button_chosen,
    "highlyStructuredMessage": choices.structured,
    "interactiveMessage": choices.interactive,
    "interactiveResponseMessage": choices.interactive_chosen,
    "productMessage": business.product,
    "orderMessage": business.order,
    "invoiceMessage": business.invoice,
    "sendPaymentMessage": business.payment,
    "requestPaymentMessage": business.payment_request,
    "groupInviteMessage": business.group_invite,
    "newsletterAdminInviteMessage": business.newsletter_invite,
    "newsletterFollowerInviteMessageV2": business.newsletter_invite,
    "eventMessage": business.planned_event,
    "albumMessage": business.album,
    "stickerPackMessage": business.sticker_pack,
    "call": calls.call_key,
    "callLogMesssage": calls.call_log,
    "bcallMessage": calls.conference,
    "scheduledCallCreationMessage": calls.planned_call,
    "scheduledCallEditMessage": calls.planned_call_changed,
    "questionResponseMessage": texts.plain_text,
    "statusQuestionAnswerMessage": texts.plain_text,
    "statusQuotedMessage": texts.plain_text,
    "richResponseMessage": texts.rich_response,
    "placeholderMessage": _masked,
    "paymentInviteMessage": texts.named("Invitation to payments"),
    "declinePaymentRequestMessage": texts.named("Payment request declined"),
    "cancelPaymentRequestMessage": texts.named("Payment request canceled"),
    "requestPhoneNumberMessage": texts.named("Phone number requested"),
}
