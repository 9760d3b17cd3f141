"""`/openapi.json`: the routes as they are declared, in OpenAPI 3.1.

Anybody may read it: it names no account and no person, only what the program's own pages say of it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from whatsapp_backend import __version__
from whatsapp_backend.api.routes import Access, Route, get
from whatsapp_backend.api.schemas import FAILURE, Schema

_JSON = "application/json"
_FAILURE: Schema = {"$ref": "#/components/schemas/Failure"}
_PARTS = {
    "account": "The account's id, as GET /api/whatsapp/accounts tells it.",
    "thread": "The thread's id: account, two underscores, JID.",
    "job": "The job's id.",
}
_TOKENS: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}]
_SECURITY: Mapping[Access, list[dict[str, list[str]]]] = {
    Access.ANYBODY: [{}],
    Access.STAFF: _TOKENS,
    Access.ADMIN: _TOKENS,
    Access.WATCHER: [{"internalToken": []}, *_TOKENS],
}
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "ADMIN_TOKEN, or a Firebase ID token of staff."},
    "session": {"type": "apiKey", "in": "cookie", "name": "wb_session", "description": "What a sign-in gives."},
    "internalToken": {"type": "apiKey", "in": "header", "name": "X-Internal-Token", "description": "OBS_TOKEN."},
}
_ALWAYS = {
    400: "What was sent cannot be read",
    403: "Another host's name, another page, or no right to do this",
}
_GUARDED = {
    401: "No token, or a wrong one",
    429: "Too many failures or requests",
    503: "Not now: `error` says what is out",
}
_OF_SOMETHING = {404: "No such account, thread or job"}
_WITH_BODY = {413: "More than 256 KiB"}


class OpenApi:
    """The route `/openapi.json`, which tells of these routes and of itself."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._route = get("/openapi.json", self.read, Access.ANYBODY)
        self._document = document([*routes, self._route])

    def routes(self) -> list[Route]:
        """To be added to the application."""
        return [self._route]

    async def read(self, _request: web.Request) -> web.Response:
        """This description."""
        return web.json_response(self._document)


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """What there is to say of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "whatsapp-backend", "version": __version__},
        "paths": paths,
        "components": {"schemas": {"Failure": FAILURE}, "securitySchemes": _SCHEMES},
    }


def _operation(route: Route) -> dict[str, Any]:
    named = re.findall(r"{(\w+)", route.path)
    told = (inspect.getdoc(route.handler) or "").partition("\n\n")[0].replace("\n", " ")
    operation: dict[str, Any] = {
        "operationId": "_".join([route.method.lower(), *re.findall(r"\w+", route.path)]),
        "summary": told,
        "x-access": str(route.access),
        "security": _SECURITY[route.access],
        "parameters": [*map(_part, named), *map(_of_query, route.query)],
        "responses": _responses(route),
    }
    if route.body is not None:
        operation["requestBody"] = {"required": route.body_required, "content": {_JSON: {"schema": route.body}}}
    return operation


def _part(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": _PARTS.get(name, name)}


def _of_query(param: Any) -> dict[str, Any]:
    schema = {name: value for name, value in param.schema.items() if name != "description"}
    told = param.schema.get("description", param.name)
    return {"name": param.name, "in": "query", "schema": schema, "description": told}


def _responses(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, told in _failures(route).items():
        found[str(status)] = {"description": told, "content": {_JSON: {"schema": _FAILURE}}}
    for status, schema in route.answers.items():
        types = route.types if status == HTTPStatus.OK else (_JSON,)
        content = {kind: {"schema": schema if at == 0 else {"type": "string"}} for at, kind in enumerate(types)}
        found[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    return dict(sorted(found.items()))


def _failures(route: Route) -> dict[int, str]:
    """Those that routes share, as far as this one can meet them."""
    shared = dict(_ALWAYS)
    if route.access is not Access.ANYBODY or route.method != "GET":
        shared |= _GUARDED
    if "{" in route.path:
        shared |= _OF_SOMETHING
    if route.body is not None:
        shared |= _WITH_BODY
    return shared
