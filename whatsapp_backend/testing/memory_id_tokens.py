"""ID tokens that nobody signed: this gives them out, and knows its own again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.people import Identity
from whatsapp_backend.errors import AuthUnavailable, TokenRefused
from whatsapp_backend.rules.id_tokens import identity_of

_HOUR_S = 3600


class MemoryIdTokens:
    """Implements `IdTokens`. While it is not `reachable`, nobody's token can be told from another's."""

    def __init__(self, project: str, clock: Clock) -> None:
        self.reachable = True
        self._project = project
        self._clock = clock
        self._issued: dict[str, Mapping[str, Any]] = {}

    def issue(self, **claims: Any) -> str:
        """A token that says this; what is not said is as it has to be, and a claim that is None is left out."""
        token = f"id-token-of-nobody-else-{len(self._issued)}"
        said = good_claims(self._project, now_ms=self._clock.wall_ms()) | claims
        self._issued[token] = {name: value for name, value in said.items() if value is not None}
        return token

    async def verify(self, token: str) -> Identity:
        """Whose token this is."""
        if token not in self._issued:
            raise TokenRefused
        if not self.reachable:
            raise AuthUnavailable
        try:
            return identity_of(self._issued[token], project=self._project, now_ms=self._clock.wall_ms())
        except ValueError:
            raise TokenRefused from None


def good_claims(project: str, *, now_ms: int) -> dict[str, Any]:
    """What a token says that somebody got just now."""
    now_s = now_ms // 1000
    return {
        "iss": f"https://securetoken.google.com/{project}",
        "aud": project,
        "auth_time": now_s,
        "sub": "staff-1",
        "iat": now_s,
        "exp": now_s + _HOUR_S,
    }
