"""Who may ask: loopback names only, until there are tokens. Stops pages in a browser from reaching the daemon.

A page of another site can make a browser send requests here, and by DNS rebinding it can make its own name mean this
machine. The browser tells both: the first by `Origin`, the second by `Host`.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web

from whatsapp_backend.errors import (
    AccountUnknown,
    BridgeGone,
    Busy,
    DocumentsUnavailable,
    HistoryHeldBack,
    NotConnected,
    StoreUnwell,
)

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_NUMBER = re.compile(r"(?<![0-9A-Za-z])[0-9]{7,}(?![0-9A-Za-z])")
"""What might be a phone's: a request's id goes into the log."""
_OWN_ID = web.RequestKey("request_id", str)
_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::[0-9]{1,5})?", re.IGNORECASE)
_UNAVAILABLE = {
    DocumentsUnavailable: "firestore_unavailable",
    StoreUnwell: "store_unwell",
    BridgeGone: "bridge_down",
}
_SAFE = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}


def is_ours(authority: str) -> bool:
    """Whether `host:port` says this machine. A literal address cannot be rebound, and a tunnel may change the port."""
    found = _AUTHORITY.fullmatch(authority)
    if not found:
        return False
    host = found[1] or found[2]
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a Host that is not ours, and an Origin that is not this page's own."""
    hosts = request.headers.getall("Host", [])
    if len(hosts) != 1 or not is_ours(hosts[0]):
        return failure(request, 403, "forbidden_host", "ask by 127.0.0.1 or localhost")
    own = f"http://{hosts[0].lower()}"
    if any(origin.lower() != own for origin in request.headers.getall("Origin", [])):
        return failure(request, 403, "forbidden_origin", "a page from elsewhere may not use this API")
    return await handler(request)


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Make every failure a JSON answer with the request's id."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = failure(request, error.status, error.reason.lower().replace(" ", "_"), error.text or error.reason)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
    except tuple(_UNAVAILABLE) as error:
        response = failure(request, 503, _UNAVAILABLE[type(error)], str(error))
    except AccountUnknown as error:
        response = failure(request, 404, "account_not_found", str(error))
    except NotConnected as error:
        response = failure(request, 409, "invalid_state", str(error), currentStatus=error.status)
    except Busy as error:
        response = failure(request, 409, "busy", str(error), holder=error.holder, jobId=error.job)
    except HistoryHeldBack as error:
        response = failure(request, 409, "history_dry_run", str(error))
    except Exception:
        log.exception("request_failed", method=request.method, request=request_id(request))
        response = failure(request, 500, "internal_error", "this is a bug: the log says more, by the request's id")
    response.headers.update({**_SAFE, "X-Request-ID": request_id(request)})
    return response


def request_id(request: web.Request) -> str:
    """The caller's own id, where it can be one, else a new one."""
    if _OWN_ID not in request:
        given = request.headers.get("X-Request-ID", "")
        request[_OWN_ID] = given if _REQUEST_ID.fullmatch(given) and not _NUMBER.search(given) else uuid.uuid4().hex
    return request[_OWN_ID]


def failure(request: web.Request, status: int, error: str, message: str, **more: Any) -> web.Response:
    """An answer that names what is wrong."""
    return web.json_response(failure_fields(request, error, message) | more, status=status)


def failure_fields(request: web.Request, error: str, message: str) -> dict[str, Any]:
    """What every such answer says."""
    return {"success": False, "error": error, "message": message, "requestId": request_id(request)}
