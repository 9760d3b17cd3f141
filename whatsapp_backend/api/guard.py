"""Who may ask: loopback names only, until there are tokens. Stops pages in a browser from reaching the daemon."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from whatsapp_backend.errors import DocumentsUnavailable

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def host_of(authority: str) -> str:
    """The host of `host:port`, brackets off; empty for what is no authority."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a Host that is not ours (DNS rebinding) and an Origin that is not this page's own."""
    if host_of(request.headers.get("Host", "")) not in _LOOPBACK:
        return failure(request, 403, "forbidden_host", "ask by 127.0.0.1 or localhost")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.headers["Host"]:
        return failure(request, 403, "forbidden_origin", "a page from elsewhere may not use this API")
    return await handler(request)


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Make every failure a JSON answer with the request's id."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = failure(request, error.status, error.reason.lower().replace(" ", "_"), error.text or error.reason)
    except DocumentsUnavailable as error:
        response = failure(request, 503, "firestore_unavailable", str(error))
    response.headers["X-Request-ID"] = request_id(request)
    return response


def request_id(request: web.Request) -> str:
    """The caller's own id, where it can be one, else a new one."""
    if "request_id" not in request:
        given = request.headers.get("X-Request-ID", "")
        request["request_id"] = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    return str(request["request_id"])


def failure(request: web.Request, status: int, error: str, message: str) -> web.Response:
    """An answer that names what is wrong."""
    return web.json_response(
        {"success": False, "error": error, "message": message, "requestId": request_id(request)}, status=status
    )
