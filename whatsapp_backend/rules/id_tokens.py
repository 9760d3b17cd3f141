"""What a Firebase ID token has to say, besides that its signature is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whatsapp_backend.domain.people import Identity

CLOCK_SKEW_S = 10
"""So far may the clocks of this machine and of Google be apart."""
_ISSUER = "https://securetoken.google.com/"
_LONGEST_UID = 128


def identity_of(claims: Mapping[str, Any], *, project: str, now_ms: int) -> Identity:
    """Whom these claims name. Raises ValueError, which says what is wrong with them and quotes nothing."""
    if claims.get("aud") != project:
        raise ValueError("the token is for another project")
    if claims.get("iss") != _ISSUER + project:
        raise ValueError("the token is another issuer's")
    uid, email = claims.get("sub"), claims.get("email")
    if not isinstance(uid, str) or not 0 < len(uid) <= _LONGEST_UID:
        raise ValueError("the token names nobody")
    now_s = now_ms / 1000
    expires_at_s = _seconds(claims, "exp")
    if expires_at_s + CLOCK_SKEW_S <= now_s:
        raise ValueError("the token has expired")
    if max(_seconds(claims, "iat"), _seconds(claims, "auth_time")) - CLOCK_SKEW_S > now_s:
        raise ValueError("the token is of the future")
    return Identity(
        uid=uid,
        email=email if isinstance(email, str) else None,
        email_verified=claims.get("email_verified") is True,
        expires_at_ms=expires_at_s * 1000,
    )


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int:  # True is an int, too
        raise ValueError(f"the token's `{name}` is no moment")
    return value
