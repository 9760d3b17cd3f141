"""The running daemon, as the commands reach it: its HTTP API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from whatsapp_backend.api.guard import is_ours
from whatsapp_backend.errors import DaemonRefused, DaemonSilent
from whatsapp_backend.settings import Settings

_ABOUT_TOKENS = frozenset({"missing_auth_token", "unauthorized", "forbidden"})
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- where it listens, we ask on this machine
_PATIENCE = aiohttp.ClientTimeout(total=30, connect=5)


class Daemon:
    """Asks it. All raise DaemonSilent and DaemonRefused."""

    def __init__(self, session: aiohttp.ClientSession, url: URL) -> None:
        self._session = session
        self._url = url

    @classmethod
    @asynccontextmanager
    async def at(cls, url: URL, *, admin_token: str | None) -> AsyncIterator[Daemon]:
        """The one at this address."""
        headers = {"Authorization": f"Bearer {admin_token}"} if admin_token else {}
        async with aiohttp.ClientSession(headers=headers, timeout=_PATIENCE) as session:
            yield cls(session, url)

    async def get(self, *path: str, **query: str | int) -> dict[str, Any]:
        """The answer to a GET of something under /api/whatsapp."""
        return await self._ask("GET", path, params=query)

    async def post(self, *path: str, **body: Any) -> dict[str, Any]:
        """The answer to a POST."""
        return await self._ask("POST", path, json=body)

    async def _ask(self, method: str, path: tuple[str, ...], **more: Any) -> dict[str, Any]:
        url = self._url.with_path("/".join(["/api/whatsapp", *(quote(part, safe="") for part in path)]), encoded=True)
        try:
            async with self._session.request(method, url, allow_redirects=False, **more) as asked:
                status, text = asked.status, await asked.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DaemonSilent(
                f"no daemon answers at {self._url} ({str(error) or 'no answer in time'}): is `whatsapp-backend serve` "
                "running? --url names another address"
            ) from error
        answer = _object(text)
        if answer is None:
            raise DaemonSilent(f"what answers at {self._url} is no whatsapp-backend (HTTP {status})")
        if answer.get("error") in _ABOUT_TOKENS:
            answer = {**answer, "message": f"{answer.get('message', '')}. {self._about_token()}"}
        if not answer.get("success"):
            raise DaemonRefused(status, answer)
        return answer

    def _about_token(self) -> str:
        if "Authorization" in self._session.headers:
            return f"ADMIN_TOKEN of this command's settings was sent, and is not that of the daemon at {self._url}"
        return "ADMIN_TOKEN is not set for this command: set it as it is for the daemon, or name its file by --env-file"


def address(settings: Settings, url: str | None) -> URL:
    """Where the daemon is: where the operator says, else where the settings let it listen. Raises ValueError."""
    if url is None:
        if not settings.port:
            raise ValueError("PORT is 0, so the daemon listens on any port: look for `listening` in its log")
        host = _EVERY_ADDRESS.get(settings.bind_host, settings.bind_host)
        return URL.build(scheme="http", host=host, port=settings.port)
    named = URL(url)
    if named.scheme not in ("http", "https") or not named.host or named.path.strip("/") or named.query_string:
        raise ValueError("must be as http://127.0.0.1:8080")
    if named.scheme == "http" and not is_ours(named.authority):
        raise ValueError("must be https: for another machine, or use `ssh -L 8080:127.0.0.1:8080 SERVER`")
    return named.origin()


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        answer = orjson.loads(text)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None
