"""The routes /api/session: signing in at the dashboard, and out again."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from whatsapp_backend.api.bodies import json_object
from whatsapp_backend.api.guard import failure
from whatsapp_backend.api.routes import Access, Route, get, post
from whatsapp_backend.api.schemas import FLAG, TEXT, success
from whatsapp_backend.api.sessions import Holder
from whatsapp_backend.api.tokens import COOKIE, Gate
from whatsapp_backend.api.who import Role
from whatsapp_backend.domain.people import Identity

_ROLE = {"type": ["string", "null"], "enum": [Role.ADMIN.value, Role.STAFF.value, None]}
_SIGNED_IN = success({"role": _ROLE}, {"open": FLAG})
_TOKEN = {
    "type": "object",
    "required": ["token"],
    "properties": {"token": {**TEXT, "pattern": "[!-~]", "description": "ADMIN_TOKEN, or staff's ID token"}},
}
_NO_STORE = {"Cache-Control": "no-store"}


class SigningIn:
    """The routes."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def routes(self) -> list[Route]:
        """To be added to the application."""
        answers = {200: _SIGNED_IN}
        return [
            get("/api/session", self.session, Access.ANYBODY, answers=answers),
            post(
                "/api/session",
                self.sign_in,
                Access.ANYBODY,
                body=_TOKEN,
                body_required=True,
                answers=answers,
                while_passive=True,
            ),
            Route(
                method="DELETE",
                path="/api/session",
                handler=self.sign_out,
                access=Access.ANYBODY,
                answers=answers,
                while_passive=True,
            ),
        ]

    async def session(self, request: web.Request) -> web.Response:
        """What the sender is signed in as; `open`: there are no tokens, and everybody is admin."""
        if self._gate.is_open:
            return _answer(Role.ADMIN, open=True)
        holder = self._gate.sessions.holder(request.cookies.get(COOKIE))
        return _answer(await self._role(holder) if holder else None, open=False)

    async def sign_in(self, request: web.Request) -> web.Response:
        """Begin a session with a token; its cookie counts like the token from then on."""
        token = (await json_object(request)).get("token")
        if not isinstance(token, str) or not token.strip():
            raise web.HTTPBadRequest(text="`token` (text) is needed")
        if self._gate.is_open:
            return _answer(Role.ADMIN)
        known = await self._gate.known(request, token.strip())
        if isinstance(known, web.Response):
            return known
        if known is None or known is Role.WATCHER:
            return failure(request, 401, "unauthorized", "this is neither ADMIN_TOKEN nor a valid Firebase ID token")
        role = await self._role(known)
        if role is None:
            return failure(request, 403, "forbidden", "this is for staff only")
        sessions = self._gate.sessions
        sessions.end(request.cookies.get(COOKIE))
        session_id, life_s = sessions.begin(known)
        answer = _answer(role)
        answer.set_cookie(
            COOKIE,
            session_id,
            path="/",
            max_age=life_s,
            httponly=True,
            samesite="Strict",
            secure=_came_by_https(request),
        )
        return answer

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the sender's session."""
        self._gate.sessions.end(request.cookies.get(COOKIE))
        answer = _answer(None)
        answer.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict", secure=_came_by_https(request))
        return answer

    async def _role(self, holder: Holder) -> Role | None:
        """What he is now: staff may have been dismissed since he signed in."""
        if not isinstance(holder, Identity):
            return holder
        sender = await self._gate.staff.who(holder)
        return sender.role if sender else None


def _answer(role: Role | None, **more: Any) -> web.Response:
    return web.json_response({"success": True, "role": role.value if role else None, **more}, headers=_NO_STORE)


def _came_by_https(request: web.Request) -> bool:
    """Of TLS that ends before us only the page's own Origin tells; the guard has seen that it is ours."""
    return request.secure or request.headers.get("Origin", "").lower().startswith("https://")
