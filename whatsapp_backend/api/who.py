"""Who asks: what the guard found out about the sender of a request."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from aiohttp import web


class Role(enum.StrEnum):
    """What somebody is here."""

    NOBODY = "nobody"
    WATCHER = "watcher"
    STAFF = "staff"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Somebody. `hidden` are the accounts that he must not know of: those for admins only; `blind`: all of them."""

    role: Role
    hidden: frozenset[str] = frozenset()
    blind: bool = False

    def may_see(self, account: str) -> bool:
        """Whether this account is any of his business."""
        return not self.blind and account not in self.hidden


WHO = web.RequestKey("who", Who)
_LOCAL = Who(role=Role.ADMIN)
"""While there are no tokens, only this machine can ask, and whoever is on it may do everything."""


def who(request: web.Request) -> Who:
    """Who sent this request."""
    sender: Who = request.get(WHO, _LOCAL)
    return sender
