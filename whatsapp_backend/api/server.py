"""The HTTP server: routes behind the guard, on the address the operator named."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from whatsapp_backend.api.guard import LOOPBACK, Hosts, answered, asked_by_name
from whatsapp_backend.api.routes import ROUTES, Route
from whatsapp_backend.errors import AddressInUse

_LARGEST_BODY = 256 * 1024
_SHUTDOWN_S = 1.0
"""Well below the ten seconds within which SIGTERM must be done."""


class _QuotingNobody(logging.LoggerAdapter[logging.Logger]):
    """aiohttp's log without what it quotes of requests that are no HTTP: a header of theirs may hold a token."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Leave the error out, and say what it was."""
        error = kwargs.get("exc_info")
        if isinstance(error, HttpProcessingError):
            kwargs["exc_info"] = None
            msg = f"{msg}: {type(error).__name__}"
        return msg, kwargs


def application(routes: Iterable[Route], *, guards: Sequence[Any] = (), hosts: Hosts = LOOPBACK) -> web.Application:
    """The routes behind the guard, and behind these further middlewares."""
    app = web.Application(middlewares=[answered, asked_by_name(hosts), *guards], client_max_size=_LARGEST_BODY)
    app[ROUTES] = {}
    for route in routes:
        added = app.router.add_route(route.method, route.path, route.handler)
        app[ROUTES][added] = route
    return app


@asynccontextmanager
async def serving(app: web.Application, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve while the context lasts; gives the port. Raises AddressInUse."""
    logger = _QuotingNobody(logging.getLogger("aiohttp.server"), {})
    runner = web.AppRunner(app, access_log=None, logger=logger, shutdown_timeout=_SHUTDOWN_S)
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
