"""People who use the API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody who signed in, as his ID token says. `email` is anybody's claim unless it is verified."""

    uid: str
    email: str | None
    email_verified: bool
    expires_at_ms: int
    """The end of the token."""
