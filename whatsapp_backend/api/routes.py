"""A route with all that is said of it: who may use it and what it takes. Guards and openapi.json read it here."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from whatsapp_backend.api.guard import Handler

ROUTES = web.AppKey("routes", dict[Any, "Route"])
"""What is said of each route of the application's router."""


class Access(enum.StrEnum):
    """Who may use a route."""

    ANYBODY = "anybody"
    STAFF = "staff"
    """Staff, unless the route's {account} is for admins only; admins, too."""
    WATCHER = "watcher"
    """Whoever has OBS_TOKEN; admins, too."""
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A parameter of the query, with its JSON Schema. What it means stands in the schema's `description`."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path. Its summary is the first line of the handler's docstring.

    `body` is the JSON Schema of what is sent, None where nothing is; `answers` those of what comes back, by status, of
    the first of the `types` that a 200 may have. Failures that many routes share stand in `api.openapi`.
    """

    method: str
    path: str
    handler: Handler
    access: Access
    query: tuple[Param, ...] = ()
    body: Mapping[str, Any] | None = None
    body_required: bool = False
    answers: Mapping[int, Mapping[str, Any]] = field(default_factory=lambda: {200: {"type": "object"}})
    types: tuple[str, ...] = ("application/json",)
    while_passive: bool = False
    """Whether it may change something while the instance is passive; what only reads always may."""


def get(path: str, handler: Handler, access: Access = Access.STAFF, **more: Any) -> Route:
    """A route that reads."""
    return Route(method="GET", path=path, handler=handler, access=access, **more)


def patch(path: str, handler: Handler, access: Access = Access.STAFF, **more: Any) -> Route:
    """A route that changes a part of something."""
    return Route(method="PATCH", path=path, handler=handler, access=access, **more)


def post(path: str, handler: Handler, access: Access = Access.STAFF, **more: Any) -> Route:
    """A route that changes something."""
    return Route(method="POST", path=path, handler=handler, access=access, **more)
