"""The dashboard's files, and the pairing code as a picture.

The files are read once, from a fixed list: no path of a request ever leads anywhere. There is nothing secret in them,
they show a sign-in until there is a session. They may load nothing from elsewhere and run nothing that is not a file
here, so a name that somebody gave himself cannot become a program even where it were taken for markup.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from importlib import resources

import segno
from aiohttp import web

from whatsapp_backend.api.guard import failure
from whatsapp_backend.api.known import Accounts
from whatsapp_backend.api.routes import Access, Route, get

_FOLDER = "dashboard"
_PAGE = "page.html"
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_TEXT = {200: {"type": "string"}}
FILES = (
    "style.css",
    "icon.svg",
    "page.js",
    "elements.js",
    "server.js",
    "words.js",
    "session.js",
    "accounts.js",
    "pairing.js",
    "gaps.js",
    "timeline.js",
    "running.js",
    "happened.js",
)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_SECRET = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
"""A picture that is opened by itself is a document."""


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    type: str
    etag: str


class Dashboard:
    """The routes."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        folder = resources.files("whatsapp_backend") / _FOLDER
        self._files = {name: _file(name, (folder / name).read_bytes()) for name in (_PAGE, *FILES)}

    def routes(self) -> list[Route]:
        """To be added to the application."""
        return [
            get("/dashboard", self.page, Access.ANYBODY, answers=_TEXT, types=("text/html",)),
            get("/dashboard/{file}", self.file, Access.ANYBODY, answers=_TEXT, types=tuple(_TYPES.values())),
            get(
                "/api/whatsapp/qr/{account}/code.svg", self.code, Access.STAFF, answers=_TEXT, types=("image/svg+xml",)
            ),
        ]

    async def page(self, request: web.Request) -> web.Response:
        """The dashboard: accounts, pairing, gaps, jobs. Without a session it shows the sign-in only."""
        return _answer(request, self._files[_PAGE])

    async def file(self, request: web.Request) -> web.Response:
        """One of the files that the dashboard is made of."""
        file = self._files.get(request.match_info["file"])
        if file is None or file is self._files[_PAGE]:
            return failure(request, 404, "not_found", "the dashboard has no such file: open /dashboard")
        return _answer(request, file)

    async def code(self, request: web.Request) -> web.Response:
        """The code to scan, as a picture; 404 while there is none."""
        view = self._accounts.view(request.match_info["account"])
        if view is None or not view.qr:
            return failure(request, 404, "no_code", "there is no code to scan now")
        picture = io.BytesIO()
        segno.make(view.qr, error="l", micro=False).save(picture, kind="svg", border=2, light="#fff", scale=8)
        return web.Response(body=picture.getvalue(), content_type="image/svg+xml", headers=_SECRET)


def _file(name: str, content: bytes) -> _File:
    return _File(content, _TYPES[name.rpartition(".")[2]], hashlib.sha256(content).hexdigest()[:32])


def _answer(request: web.Request, file: _File) -> web.Response:
    headers = {**HEADERS, "ETag": f'"{file.etag}"'}
    if any(tag.value in (file.etag, "*") and not tag.is_weak for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=file.content, content_type=file.type, charset="utf-8", headers=headers)
