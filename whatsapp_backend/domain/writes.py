"""Document writes and what became of them, in terms of no particular database."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Fields = Mapping[str, Any]
"""str, int, float, bool, None, bytes, aware datetime, and dicts (string keys) and lists of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write of one document.

    `must_not_exist` makes it a create; `updated_at_ns` demands that the document is as it was then; neither makes it
    unconditional. With a `mask` only those top-level fields are touched (a masked field that `fields` lacks is
    deleted), without one the document is replaced. `server_times` are top-level fields set to the server's clock.
    """

    path: str
    fields: Fields
    mask: tuple[str, ...] | None = None
    server_times: tuple[str, ...] = ()
    must_not_exist: bool = False
    updated_at_ns: int | None = None


class Result(enum.Enum):
    """What became of a write."""

    LANDED = "landed"
    EXISTS = "exists"  # must_not_exist, but it does
    STALE = "stale"  # updated_at_ns does not match
    MISSING = "missing"  # updated_at_ns given, but there is no such document
    INVALID = "invalid"  # the document will never be accepted: park it
    DENIED = "denied"  # credentials or permissions: hold the queue, alarm
    RETRY = "retry"  # unknown or transient: it may or may not have landed


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one write. `updated_at_ns` is the server's, exact to the nanosecond where the adapter can."""

    result: Result
    updated_at_ns: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as it was read."""

    path: str
    fields: Fields
    updated_at_ns: int

    @property
    def id(self) -> str:
        """Its own id, the end of its path."""
        return self.path.rpartition("/")[2]
