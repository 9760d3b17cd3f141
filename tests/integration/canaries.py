"""Texts and numbers that must not be seen again, and a search that finds them however they are spelled."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote


@dataclass(slots=True)
class Canaries:
    """Every text is unique, so that one that is found tells where it was sent."""

    numbers: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def text(self, of: str) -> str:
        """A new text: a body, a name, a subject."""
        made = f"canary {of} {secrets.token_hex(6)}"
        self.texts.append(made)
        return made

    def leaks(self, said: Iterable[str]) -> list[str]:
        """Where one of them stands."""
        spellings = {spelled: text for text in (*self.texts, *self.numbers) for spelled in _spellings(text)}
        return [
            f"{text!r} in {line[:600]!r}"
            for line in said
            for spelled, text in spellings.items()
            if spelled in line.lower()
        ]


def _spellings(text: str) -> set[str]:
    """As it is, its unique part, in URLs, and the part of its base64 that does not depend on what stands before it."""
    unique = text.rpartition(" ")[2]
    encoded = {base64.b64encode(b"x" * shift + unique.encode()).decode()[4:-4] for shift in (0, 1, 2)}
    return {one.lower() for one in (text, unique, quote(text), *encoded)}
