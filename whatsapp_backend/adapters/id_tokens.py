"""Firebase ID tokens, verified with Google's library against the certificates that Google publishes.

Whether a token was revoked since it was made is not asked: it lasts an hour at most, and who is staff is looked up anew
all the time (`api.staff`). No error here holds a part of a token; the library's own messages do.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import aiohttp
import orjson
from google.auth import jwt

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.people import Identity
from whatsapp_backend.errors import AuthUnavailable, TokenRefused
from whatsapp_backend.rules.id_tokens import CLOCK_SKEW_S, identity_of

KEYS_URL = "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com"
_LONGEST = 8192
"""Characters of a token; Firebase's have about a thousand."""
_UNREADABLE = (ValueError, TypeError, AttributeError, KeyError, RecursionError)
"""What the library raises for what strangers make up."""
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=([0-9]{1,9})(?:$|[\s,])", re.IGNORECASE)
_REST_S = 5.0
"""After the keys could not be had: until then nobody waits for them again."""


class GoogleIdTokens:
    """Implements `IdTokens` for the users of one Firebase project."""

    def __init__(self, project: str, clock: Clock, *, keys_url: str = KEYS_URL, timeout_s: float = 3.0) -> None:
        self._project = project
        self._clock = clock
        self._keys_url = keys_url
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._fetching = asyncio.Lock()
        self._keys: Mapping[str, str] = {}
        self._keys_until_s = self._rest_until_s = float("-inf")

    async def verify(self, token: str) -> Identity:
        """Whose token this is."""
        key_id = _key_id(token)
        certificate = (await self._keys_now()).get(key_id)
        if certificate is None:
            raise TokenRefused
        try:
            claims = jwt.decode(  # type: ignore[no-untyped-call]
                token,
                certs={key_id: certificate},
                audience=self._project,
                clock_skew_in_seconds=CLOCK_SKEW_S,
            )
            return identity_of(claims, project=self._project, now_ms=self._clock.wall_ms())
        except _UNREADABLE:
            raise TokenRefused from None

    async def _keys_now(self) -> Mapping[str, str]:
        if self._clock.monotonic_s() < self._keys_until_s:
            return self._keys
        async with self._fetching:  # whoever waited here finds what the first one has brought, or that he failed
            now_s = self._clock.monotonic_s()
            if now_s < self._keys_until_s:
                return self._keys
            if now_s < self._rest_until_s:
                raise AuthUnavailable
            try:
                self._keys, lasts_s = await self._fetch()
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                self._rest_until_s = self._clock.monotonic_s() + _REST_S
                raise AuthUnavailable(f"Google's keys could not be had: {str(error) or 'no answer'}") from error
            self._keys_until_s = now_s + lasts_s
            return self._keys

    async def _fetch(self) -> tuple[Mapping[str, str], int]:
        """The certificates by their ids, and for how many seconds they are good."""
        # trust_env: where only a proxy leads out, the environment names it.
        async with (
            aiohttp.ClientSession(timeout=self._timeout, trust_env=True) as session,
            session.get(self._keys_url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:  # noqa: PLR2004
                raise ValueError(f"HTTP {answer.status}")
            keys = orjson.loads(await answer.read())
            said, age = answer.headers.get("Cache-Control", ""), answer.headers.get("Age", "0")
        if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
            raise ValueError("what came are no keys")
        found = _MAX_AGE.search(said)
        lasts_s = int(found[1]) if found else 0
        return keys, max(0, lasts_s - (int(age) if age.isdecimal() else 0))


def _key_id(token: str) -> str:
    """The key by which it says that it is signed. Raises TokenRefused for what cannot be one of Firebase's.

    Only RS256: with another algorithm a published certificate could be taken for a shared secret.
    """
    try:
        if len(token) > _LONGEST:
            raise ValueError
        header = jwt.decode_header(token)  # type: ignore[no-untyped-call]
        algorithm, key_id = header["alg"], header["kid"]
    except _UNREADABLE:
        raise TokenRefused from None
    if algorithm != "RS256" or not isinstance(key_id, str):
        raise TokenRefused
    return key_id
