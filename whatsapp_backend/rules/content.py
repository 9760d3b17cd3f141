"""What a message of the engine shows: its kind, its text, its media, what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from whatsapp_backend.domain.events import Content

Proto = Mapping[str, Any]

_WRAPPERS = (
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "editedMessage",
    "deviceSentMessage",
)
_NOT_SHOWN = frozenset(
    {
        "protocolMessage",
        "senderKeyDistributionMessage",
        "fastRatchetKeySenderKeyDistributionMessage",
        "messageContextInfo",
        "reactionMessage",
        "encReactionMessage",
        "pollUpdateMessage",
        "keepInChatMessage",
        "pinInChatMessage",
        "messageHistoryBundle",
    }
)
"""Parts of a message that are journaled and change or carry something, but are no message of their own."""

_MEDIA = {
    "imageMessage": "image",
    "videoMessage": "video",
    "ptvMessage": "video",
    "audioMessage": "audio",
    "documentMessage": "document",
    "stickerMessage": "sticker",
}
_FETCHED = frozenset(_MEDIA.values())
_PREVIEWS = {
    "contactMessage": "[Contact]",
    "contactsArrayMessage": "[Contact]",
    "locationMessage": "[Location]",
    "liveLocationMessage": "[Location]",
    "pollCreationMessage": "[Poll]",
    "pollCreationMessageV2": "[Poll]",
    "pollCreationMessageV3": "[Poll]",
}
_PREVIEW_CHARACTERS = 100
_THUMBNAIL_CHARACTERS = 200_000
"""A longer one is no thumbnail, and the message would not fit into a document with it."""

MEDIA_DETAILS = frozenset(
    {
        "type",
        "mimetype",
        "filename",
        "sizeBytes",
        "caption",
        "seconds",
        "width",
        "height",
        "ptt",
        "thumbBase64",
        "mediaKey",
        "directPath",
        "fileSha256",
        "fileEncSha256",
    }
)
"""What a message itself says of its media. Anything else in a document's `media` was put there by others."""


def content_of(message: Proto) -> Content | None:
    """What the message shows, or None where it is not for showing. Raises ValueError for what no engine would send."""
    inner = _unwrapped(message)
    for field, value in inner.items():
        if field in _NOT_SHOWN or value is None:
            continue
        return _BY_FIELD.get(field, _unknown)(field, value)
    return None


def preview_of(content: Content) -> str:
    """A single line of at most 100 characters, or a placeholder as in `[Image]`."""
    if content.body:
        return " ".join(content.body[: 10 * _PREVIEW_CHARACTERS].split())[:_PREVIEW_CHARACTERS]
    if content.kind == "unknown":
        return _PREVIEWS.get(content.content_kind or "", "[Message]")
    return f"[{content.kind.capitalize()}]" if content.kind != "text" else ""


def richness(content: Content) -> int:
    """How much a sighting shows: nothing that we know, media that cannot be fetched, or all of it."""
    if content.kind == "unknown":
        return 0
    return 1 if content.kind in _FETCHED and not (content.media and content.media.get("mediaKey")) else 2


def _unwrapped(message: Proto) -> Proto:
    for _ in range(8):  # wrappers nest two deep in practice; a liar's nest must end somewhere
        if message.keys().isdisjoint(_WRAPPERS):
            return message
        wrapper = next((w for w in _WRAPPERS if isinstance(message.get(w), Mapping)), None)
        if wrapper is None:
            return message
        message = _mapping(message[wrapper].get("message") or {})
    raise ValueError("message wrapped more than eight times")


def _conversation(_field: str, value: Any) -> Content:
    body = _text(value)
    return Content(kind="text", body=body)


def _extended_text(_field: str, value: Any) -> Content:
    body = _text(_mapping(value).get("text") or "")
    return Content(kind="text", body=body, quoted=_quoted(value))


def _media(field: str, value: Any) -> Content:
    kind = _MEDIA[field]
    part = _mapping(value)
    caption = part.get("caption")
    details = {
        "type": kind,
        "mimetype": part.get("mimetype"),
        "filename": part.get("fileName") or part.get("title"),
        "sizeBytes": part.get("fileLength"),
        "caption": caption,
        "seconds": part.get("seconds"),
        "width": part.get("width"),
        "height": part.get("height"),
        "ptt": part.get("ptt") or None,
        "thumbBase64": _thumbnail(part.get("jpegThumbnail")),
        "mediaKey": part.get("mediaKey"),
        "directPath": part.get("directPath"),
        "fileSha256": part.get("fileSha256"),
        "fileEncSha256": part.get("fileEncSha256"),
    }
    return Content(
        kind=kind,
        body=_text(caption) if caption else None,
        media={name: detail for name, detail in details.items() if detail is not None},
        quoted=_quoted(part),
    )


def _thumbnail(thumbnail: Any) -> Any:
    return None if isinstance(thumbnail, str) and len(thumbnail) > _THUMBNAIL_CHARACTERS else thumbnail


def _unknown(field: str, value: Any) -> Content:
    body = value.get("text") or value.get("caption") if isinstance(value, Mapping) else None
    body = body if isinstance(body, str) else None
    return Content(
        kind="unknown",
        body=body,
        quoted=_quoted(value),
        content_kind=field,
    )


def _quoted(part: Any) -> dict[str, Any] | None:
    context = part.get("contextInfo") if isinstance(part, Mapping) else None
    if not isinstance(context, Mapping) or not isinstance(context.get("stanzaId"), str):
        return None
    quoted = context.get("quotedMessage")
    content = content_of(quoted) if isinstance(quoted, Mapping) else None
    return {
        "id": context["stanzaId"],
        "participant": context.get("participant"),
        "preview": preview_of(content) if content else None,
    }


def _mapping(value: Any) -> Proto:
    if not isinstance(value, Mapping):
        raise ValueError("part of the message is not an object")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text of the message is not text")
    return value


_BY_FIELD: dict[str, Callable[[str, Any], Content]] = {
    "conversation": _conversation,
    "extendedTextMessage": _extended_text,
    **dict.fromkeys(_MEDIA, _media),
}
