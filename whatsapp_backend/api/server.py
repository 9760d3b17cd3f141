"""The HTTP server: routes behind the guard, on the address the operator named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from whatsapp_backend.api.guard import LOOPBACK, Hosts, answered, asked_by_name
from whatsapp_backend.api.routes import ROUTES, Route
from whatsapp_backend.errors import AddressInUse

_LARGEST_BODY = 256 * 1024
_SHUTDOWN_S = 1.0
"""Well below the ten seconds within which SIGTERM must be done."""


def application(routes: Iterable[Route], *, guards: Sequence[Any] = (), hosts: Hosts = LOOPBACK) -> web.Application:
    """The routes behind the guard, and behind these further middlewares."""
    app = web.Application(middlewares=[answered, asked_by_name(hosts), *guards], client_max_size=_LARGEST_BODY)
    app[ROUTES] = {}
    for route in routes:
        added = app.router.add_route(route.method, route.path, route.handler)
        app[ROUTES][added] = route
    return app


class _Protocol(RequestHandler):
    """aiohttp answers what is no HTTP by itself, before any middleware, and quotes it."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer without a word of what was sent."""
        told = None if message is None else "this is no HTTP request that can be read"
        return super().handle_error(request, status, exc, told)


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)


class _Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Server  # no way is offered to choose the protocol (tests/api/test_server.py)
        return server


@asynccontextmanager
async def serving(app: web.Application, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve while the context lasts; gives the port. Raises AddressInUse."""
    runner = _Runner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise AddressInUse(f"cannot listen on {host}:{port}: {error.strerror}. Set PORT to a free one") from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
