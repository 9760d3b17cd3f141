"""By which names the daemon is asked, and the one shape of every refusal. Keeps other sites' pages out.

A page of another site can make a browser send requests here, and by DNS rebinding it can make its own name mean this
machine. The browser tells both: the first by `Origin`, the second by `Host`.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from whatsapp_backend.errors import (
    AccountUnknown,
    AuthUnavailable,
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
_PLAINLY = {404: "there is no such route: GET / lists all", 405: "this route knows no such method: GET / lists all"}
_UNAVAILABLE = {
    DocumentsUnavailable: "firestore_unavailable",
    StoreUnwell: "store_unwell",
    BridgeGone: "bridge_down",
    AuthUnavailable: "auth_unavailable",
}
_SAFE = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The names by which the daemon may be asked. Those of this machine are always among them.

    `any_address`: also every literal address, of which none can be rebound. Ports do not matter: a tunnel or a
    container may change them.
    """

    names: frozenset[str] = frozenset()
    any_address: bool = False

    @classmethod
    def of(cls, *, bind_host: str, allowed: Iterable[str]) -> Self:
        """Those of a daemon that listens here, and these."""
        return cls(names=frozenset(name.lower() for name in allowed), any_address=not is_ours(_written(bind_host)))

    def knows(self, authority: str) -> bool:
        """Whether `host:port` says this daemon."""
        found = _AUTHORITY.fullmatch(authority)
        if not found:
            return False
        host = (found[1] or found[2]).lower()
        if host == "localhost" or (host in self.names and not found[1]):
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return self.any_address or address.is_loopback


LOOPBACK = Hosts()


def is_ours(authority: str) -> bool:
    """Whether `host:port` says this machine, whatever else the daemon is called."""
    return LOOPBACK.knows(authority)


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def asked_by_name(hosts: Hosts) -> Middleware:
    """A middleware that refuses a Host that is not ours, and an Origin that is not this page's own."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        names = request.headers.getall("Host", [])
        if len(names) != 1 or not hosts.knows(names[0]):
            message = "ask by 127.0.0.1 or localhost, or by a name in ALLOWED_HOSTS"
            return failure(request, 403, "forbidden_host", message)
        own = {f"{scheme}://{names[0].lower()}" for scheme in ("http", "https")}  # TLS may end at a proxy before us
        if any(origin.lower() not in own for origin in request.headers.getall("Origin", [])):
            return failure(request, 403, "forbidden_origin", "a page from elsewhere may not use this API")
        return await handler(request)

    return check


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Make every failure a JSON answer with the request's id."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = failure(request, error.status, error.reason.lower().replace(" ", "_"), _message_of(error))
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
    if not response.prepared:  # a stream is on its way already, with these headers
        response.headers.update(own_headers(request))
    return response


def _message_of(error: web.HTTPException) -> str:
    """What it says itself, unless that is only what its number says."""
    said = error.text or error.reason
    return _PLAINLY.get(error.status, said) if said == f"{error.status}: {error.reason}" else said


def own_headers(request: web.Request) -> dict[str, str]:
    """What every answer says beside what it answers."""
    return {**_SAFE, "X-Request-ID": request_id(request)}


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
