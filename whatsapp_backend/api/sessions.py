"""Who is signed in at the dashboard: a random cookie in place of a token, which no script of the page can read.

Kept in memory, so a restart signs everybody out. The table holds only hashes: what leaks of it opens nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from whatsapp_backend.api.who import Role
from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.people import Identity

Holder = Role | Identity
"""Whose a token is: the admin's or the watcher's, or somebody's who signed in with Firebase."""

LONGEST_S = 12 * 3600
_MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    holder: Holder
    until_s: float


class Sessions:
    """Those that last. They count like the token that they were begun with, and no longer than it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()

    def begin(self, holder: Holder) -> tuple[str, int]:
        """A new one's id, and how many seconds it lasts."""
        life_s = LONGEST_S
        if isinstance(holder, Identity):
            life_s = min(life_s, (holder.expires_at_ms - self._clock.wall_ms()) // 1000)
        session_id = secrets.token_urlsafe(32)
        self._sessions[_hashed(session_id)] = _Session(holder=holder, until_s=self._clock.monotonic_s() + life_s)
        self._forget()
        return session_id, max(0, life_s)

    def holder(self, id: str | None) -> Holder | None:
        """Whose session this is, None where it is none, or not any more."""
        session = self._sessions.get(_hashed(id)) if id else None
        return session.holder if session and self._clock.monotonic_s() < session.until_s else None

    def end(self, id: str | None) -> None:
        """End it, if there is such a one."""
        if id:
            self._sessions.pop(_hashed(id), None)

    def _forget(self) -> None:
        """Those that are over; of too many the oldest."""
        now_s = self._clock.monotonic_s()
        for over in [hashed for hashed, session in self._sessions.items() if session.until_s <= now_s]:
            del self._sessions[over]
        while len(self._sessions) > _MOST:
            self._sessions.popitem(last=False)


def _hashed(id: str) -> bytes:
    return hashlib.sha256(id.encode("utf-8", "surrogatepass")).digest()
