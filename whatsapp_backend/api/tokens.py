"""Who may use which route: the guard at the door, which asks for a token or a session and knows what each may do.

ADMIN_TOKEN opens everything, OBS_TOKEN what watchers read, a Firebase ID token what staff may do. Without ADMIN_TOKEN
only this machine can ask (the settings see to it), and whoever is on it may do everything; OBS_TOKEN, where it is set,
is asked for all the same.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from whatsapp_backend.api.guard import Handler, failure
from whatsapp_backend.api.limits import FailureLimits
from whatsapp_backend.api.routes import ROUTES, Access
from whatsapp_backend.api.sessions import Holder, Sessions
from whatsapp_backend.api.staff import Staff
from whatsapp_backend.api.who import WHO, Role, Who
from whatsapp_backend.domain.people import Identity
from whatsapp_backend.errors import AuthUnavailable, TokenRefused
from whatsapp_backend.ports import IdTokens

log = structlog.get_logger()

COOKIE = "wb_session"
_SCHEME = "bearer "
_ADMIN, _NOBODY = Who(role=Role.ADMIN), Who(role=Role.NOBODY, blind=True)
_STRICTNESS = list(Access)
_WANTED = {
    Access.STAFF: "send ADMIN_TOKEN, or a Firebase ID token of staff, as `Authorization: Bearer …`",
    Access.ADMIN: "send ADMIN_TOKEN as `Authorization: Bearer …`",
    Access.WATCHER: "send OBS_TOKEN as `X-Internal-Token: …`, or it or ADMIN_TOKEN as `Authorization: Bearer …`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The tokens there are. `id_tokens`: None where nobody can sign in with Firebase."""

    admin: str | None = field(repr=False)
    obs: str | None = field(repr=False)
    id_tokens: IdTokens | None = field(default=None, repr=False)

    async def holder(self, token: str) -> Holder:
        """Whose it is. Raises TokenRefused and AuthUnavailable."""
        if _same(token, self.admin):
            return Role.ADMIN
        if _same(token, self.obs):
            return Role.WATCHER
        return await self.signed(token)

    async def signed(self, token: str) -> Identity:
        """Whose it is, if Google has signed it. Raises TokenRefused and AuthUnavailable."""
        if self.id_tokens is None:
            raise TokenRefused
        return await self.id_tokens.verify(token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The door, with all that it takes to know who stands before it."""

    tokens: Tokens
    staff: Staff
    sessions: Sessions
    limits: FailureLimits

    def guard(self) -> Middleware:
        """A middleware that lets a request through to its route, with who sent it, or refuses it."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            sender = await self._judge(request, await _access(request))
            if isinstance(sender, web.Response):
                return sender
            request[WHO] = sender
            return await handler(request)

        return check

    @property
    def is_open(self) -> bool:
        """Whether everybody who reaches this is an admin."""
        return self.tokens.admin is None

    async def again(self, request: web.Request) -> Who | None:
        """Who the sender of a request that lasts is by now; None where it would not be let in any more."""
        try:
            sender = await self._judge(request, await _access(request))
        except AuthUnavailable:
            return None
        return sender if isinstance(sender, Who) else None

    async def _judge(self, request: web.Request, access: Access) -> Who | web.Response:
        if self.is_open and not (access is Access.WATCHER and self.tokens.obs):
            return _ADMIN
        if access is Access.ANYBODY:
            return _NOBODY
        token = _sent(request, access)
        if not token:
            holder = self.sessions.holder(request.cookies.get(COOKIE))
            if holder is None:
                return _unauthorized(failure(request, 401, "missing_auth_token", _WANTED[access]))
            return await self._admitted(request, access, holder)
        known = await self.known(request, token)
        if known is None:
            return _wrong(request, access)
        return known if isinstance(known, web.Response) else await self._admitted(request, access, known)

    async def known(self, request: web.Request, token: str) -> Holder | web.Response | None:
        """Whose token this is; None where it is nobody's; a refusal where its sender has tried too often.

        Raises AuthUnavailable.
        """
        wait_s = self.limits.wait_s(request.remote)
        try:
            # What Google has signed cannot be found by trying: staff are not kept out by who shares their address.
            return await (self.tokens.signed(token) if wait_s else self.tokens.holder(token))
        except TokenRefused:
            if wait_s:
                return _too_many(request, wait_s)
            if self.limits.failed(request.remote):
                log.warning("too_many_wrong_tokens", client=request.remote)
            return None

    async def _admitted(self, request: web.Request, access: Access, holder: Holder) -> Who | web.Response:
        """What this holder of a token is here, if he may use the route."""
        if holder is Role.ADMIN:
            return _ADMIN
        if holder is Role.WATCHER:
            return Who(role=Role.WATCHER) if access is Access.WATCHER else _wrong(request, access)
        if access is not Access.STAFF or not isinstance(holder, Identity):
            return failure(request, 403, "forbidden", "this is not for staff")
        sender = await self.staff.who(holder)
        if sender is None:
            return failure(request, 403, "forbidden", "this is for staff only")
        account = request.match_info.get("account")
        if account is not None and not sender.may_see(account):
            return admin_only(request)
        return sender


def admin_only(request: web.Request) -> web.Response:
    """What staff are told who ask for an account that is for admins only."""
    return failure(request, 403, "admin_only_account", "this account is for admins only")


async def _access(request: web.Request) -> Access:
    """Who may use what the request asks for. What there is not is told to staff only."""
    routes = request.app[ROUTES]
    if route := routes.get(request.match_info.route):
        return route.access
    refused = request.match_info.http_exception
    if not isinstance(refused, web.HTTPMethodNotAllowed):
        return Access.STAFF
    found = [
        routes.get((await request.app.router.resolve(request.clone(method=method))).route)
        for method in refused.allowed_methods
    ]
    return max((route.access for route in found if route), key=_STRICTNESS.index, default=Access.STAFF)


def _sent(request: web.Request, access: Access) -> str:
    """The token that was sent, empty where there is none, or more than one."""
    headers = request.headers.getall("Authorization", [])
    said = headers[0].strip() if len(headers) == 1 else ""
    bearer = said[len(_SCHEME) :].strip() if said.lower().startswith(_SCHEME) else ""
    internal = request.headers.getall("X-Internal-Token", []) if access is Access.WATCHER and not headers else []
    return internal[0].strip() if len(internal) == 1 else bearer


def _same(given: str, token: str | None) -> bool:
    """Whether this is the token, in a time that says nothing about how much of it is right."""
    wanted = (token or "").strip().encode()
    return bool(wanted) and hmac.compare_digest(given.strip().encode("utf-8", "surrogatepass"), wanted)


def _wrong(request: web.Request, access: Access) -> web.Response:
    if access is Access.STAFF:
        return _unauthorized(failure(request, 401, "unauthorized", f"this token is not good: {_WANTED[access]}"))
    return failure(request, 403, "forbidden", f"this token does not do: {_WANTED[access]}")


def _too_many(request: web.Request, wait_s: int) -> web.Response:
    refused = failure(request, 429, "too_many_attempts", "too many wrong tokens from here", retryAfterSeconds=wait_s)
    refused.headers["Retry-After"] = str(wait_s)
    return refused


def _unauthorized(refused: web.Response) -> web.Response:
    refused.headers["WWW-Authenticate"] = "Bearer"
    return refused
