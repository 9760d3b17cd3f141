"""Who may use the routes of admins: whoever sends `Authorization: Bearer` with ADMIN_TOKEN."""

from __future__ import annotations

import hmac

from aiohttp import web
from aiohttp.typedefs import Middleware

from whatsapp_backend.api.guard import Handler, failure

_ADMIN = "/api/admin/"
_SCHEME = "bearer "


def admins_only(token: str | None) -> Middleware:
    """A middleware that asks for this token, if there is one, on every route of admins, also where there is none."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if token is None or not request.path.startswith(_ADMIN):
            return await handler(request)
        given = _bearer(request)
        if not given:
            refused = failure(request, 401, "missing_auth_token", "send ADMIN_TOKEN as `Authorization: Bearer …`")
            refused.headers["WWW-Authenticate"] = "Bearer"
            return refused
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.strip().encode()):
            return failure(request, 403, "forbidden", "this is not ADMIN_TOKEN")
        return await handler(request)

    return check


def _bearer(request: web.Request) -> str:
    """The token that was sent, empty where there is none, or more than one."""
    headers = request.headers.getall("Authorization", [])
    said = headers[0].strip() if len(headers) == 1 else ""
    return said[len(_SCHEME) :].strip() if said.lower().startswith(_SCHEME) else ""
