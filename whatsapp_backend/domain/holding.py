"""History that a dry run holds back: it is in the journal and in no document, with what landing it would do."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Touched(enum.StrEnum):
    """What a document is that history touches."""

    MESSAGE = "message"
    THREAD = "thread"
    CONTACT = "contact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """A document that an entry would touch. `known`: the mirror knows it; `written`: it would be new, or change."""

    seq: int
    path: str
    what: Touched
    known: bool
    written: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPlan:
    """What landing all that is held back of an account would do, in documents."""

    entries: int = 0
    new: Mapping[Touched, int] = field(default_factory=dict)
    known: Mapping[Touched, int] = field(default_factory=dict)
    writes: int = 0
    """About so many: what others write meanwhile, and threads that are written twice, are not foreseen."""
