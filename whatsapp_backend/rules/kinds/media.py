"""Kinds that are a file: what a message says of it, and what is needed to fetch it."""

from __future__ import annotations

from typing import Any, Final

from whatsapp_backend.domain.events import Content
from whatsapp_backend.rules.kinds.parts import Proto, flag, label, mapping, shown, token, told, whole

MEDIA: Final = {
    "imageMessage": "image",
    "videoMessage": "video",
    "ptvMessage": "video",
    "audioMessage": "audio",
    "documentMessage": "document",
    "stickerMessage": "sticker",
}
MEDIA_KINDS: Final = frozenset(MEDIA.values())
MEDIA_DETAILS: Final = frozenset(
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
        "gif",
        "animated",
        "thumbBase64",
        "mediaKey",
        "directPath",
        "fileSha256",
        "fileEncSha256",
    }
)
"""What a message itself says of its media. Anything else in a document's `media` was put there by others."""

_THUMBNAIL_CHARACTERS: Final = 200_000
"""A longer one is no thumbnail, and the message would not fit into a document with it."""
_CAPTION_CHARACTERS: Final = 10_000
"""The body has all of it; a document with a long one twice would be too large."""
_PATH_CHARACTERS: Final = 5000


def file(field: str, value: Any) -> Content:
    """A message that is a file, its caption the body."""
    part = mapping(value)
    return Content(kind=MEDIA[field], body=shown(part, "caption"), media=media_of(field, part))


def media_of(field: str, part: Proto) -> dict[str, Any]:
    """What the part says of its file."""
    caption = shown(part, "caption")
    return told(
        type=MEDIA[field],
        mimetype=token(part, "mimetype"),
        filename=label(part, "fileName") or label(part, "title"),
        sizeBytes=whole(part, "fileLength"),
        caption=caption[:_CAPTION_CHARACTERS] if caption else None,
        seconds=whole(part, "seconds"),
        width=whole(part, "width"),
        height=whole(part, "height"),
        ptt=flag(part, "ptt"),
        gif=flag(part, "gifPlayback"),
        animated=flag(part, "isAnimated"),
        thumbBase64=thumbnail(part) or thumbnail(part, "pngThumbnail"),
        mediaKey=token(part, "mediaKey"),
        directPath=token(part, "directPath", _PATH_CHARACTERS),
        fileSha256=token(part, "fileSha256"),
        fileEncSha256=token(part, "fileEncSha256"),
    )


def thumbnail(part: Proto, name: str = "jpegThumbnail") -> str | None:
    """Its thumbnail as base64."""
    return token(part, name, _THUMBNAIL_CHARACTERS)
