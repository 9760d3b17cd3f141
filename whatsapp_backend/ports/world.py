"""Who is outside: the bridge with the phones behind it, and who says who somebody is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from whatsapp_backend.domain.frames import Find, Get, State
from whatsapp_backend.domain.journal import (
    Commit,
    Entry,
)
from whatsapp_backend.domain.people import Identity
from whatsapp_backend.errors import ProtocolError


class IdTokens(Protocol):
    """Who signed in with Firebase."""

    async def verify(self, token: str) -> Identity:
        """Whose ID token this is. Raises TokenRefused, and AuthUnavailable where that cannot be known now."""


class Gateway(Protocol):
    """The bridge, as the flows see it. Only `do` waits for anything."""

    async def do(
        self, command: str, *, account: str | None = None, timeout_s: float, **args: object
    ) -> Mapping[str, object]:
        """Carry out a command. Raises CommandFailed, BridgeGone or CommandTimedOut."""

    def halt(self, account: str, reason: str) -> None:
        """End this account's socket now and answer nothing that is pending."""

    def answer_commit(self, account: str, id: str) -> None:
        """Say that the commit is on disk. A commit that failed is never answered."""

    def answer_get(self, account: str, id: str, values: Mapping[str, str]) -> None:
        """Answer a read of keys."""

    def answer_find(self, account: str, id: str, entry: Entry | None) -> None:
        """Answer a search."""


class BridgeHandler(Protocol):
    """Who is told what the bridge says, in the order it was said.

    Called by the reader, which never waits: a method notes or schedules what is to be done and returns. Ids are to be
    given back in the answer as they came; an answer to a bridge that is gone by then is dropped.
    """

    def on_bridge(self, *, up: bool) -> None:
        """A new bridge is there, no account started in it; or it crashed (was not stopped) and another will come."""

    def on_commit(self, commit: Commit) -> None:
        """Make this durable, then call `answer_commit`; or `halt` if it cannot be kept."""

    def on_get(self, get: Get) -> None:
        """Read keys after all commits that came before, then call `answer_get`."""

    def on_find(self, find: Find) -> None:
        """Look for an entry, then call `answer_find`."""

    def on_state(self, state: State) -> None:
        """An account's socket changed."""

    def on_protocol_error(self, error: ProtocolError) -> None:
        """The bridge sent rubbish in the name of `error.account`, which has been halted for it."""
