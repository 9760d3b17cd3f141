"""What a survey of an existing database finds: where messages lie that others wrote, and how much of what."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Generation(enum.StrEnum):
    """Who wrote a document, told by its shape."""

    FIRST = "generation_1"
    SECOND = "generation_2"
    THIRD = "generation_3"
    APP = "app_sent"
    """Written by the app's Functions while a message was being sent, under an id of their own."""
    OURS = "ours"
    STUB = "stub"
    """What a receipt left where its message was not."""
    UNKNOWN = "unrecognised"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A message whose place, as we would choose it, is `path`, and which lies in the document `document_id` beside it.

    The same id: it lies at its place. That is remembered only until its thread has been surveyed.
    """

    path: str
    document_id: str

    @property
    def lies(self) -> str:
        """The path of its document."""
        return f"{self.path.rpartition('/')[0]}/{self.document_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """How far the survey of an account has come and what it found. Names are ids of documents."""

    account: str
    counts: Mapping[str, int] = field(default_factory=dict)
    """By the names in rules/surveying.py."""
    threads_after: str = ""
    """The last thread that is done."""
    thread: str = ""
    """The thread that is being worked on."""
    messages_after: str = ""
    """Its last message that is done."""
    thread_counts: Mapping[str, int] = field(default_factory=dict)
    """Its messages so far, by generation."""
    done_at_ms: int | None = None
