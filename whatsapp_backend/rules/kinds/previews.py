"""A message in one line."""

from __future__ import annotations

from typing import Final

from whatsapp_backend.domain.events import Content

_PREVIEW_CHARACTERS: Final = 100
_CARDS: Final = {"location": "[Location]", "contact": "[Contact]", "poll": "[Poll]"}
"""These show nothing else, whatever they hold."""
_PLACEHOLDERS: Final = {
    "image": "[Image]",
    "video": "[Video]",
    "audio": "[Audio]",
    "document": "[Document]",
    "sticker": "[Sticker]",
    "call": "[Call]",
}


def preview_of(content: Content) -> str:
    """A single line of at most 100 characters, or a placeholder as in `[Image]`."""
    if content.kind in _CARDS:
        return _CARDS[content.kind]
    # Cut before it is split: a text may have a million characters, and many blanks at its start.
    words = (content.body or "")[: 10 * _PREVIEW_CHARACTERS].split()
    return " ".join(words)[:_PREVIEW_CHARACTERS] or _PLACEHOLDERS.get(content.kind, "[Message]")
