"""`/openapi.json` is true: all routes and no others, in a form that validates."""

import dataclasses
import re
from pathlib import Path
from unittest.mock import MagicMock

import jsonschema_rs
import pytest
from backend import SHOP

from whatsapp_backend.api.routes import ROUTES, Access
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.settings import load
from whatsapp_backend.surfaces import Surfaces

PAGE = Path(__file__).parents[2] / "docs" / "api.md"

WELL_FORMED = {
    "type": "object",
    "required": ["operationId", "summary", "security", "parameters", "responses"],
    "properties": {
        "operationId": {"type": "string", "pattern": "^[a-z]+(_\\w+)*$"},
        "summary": {"type": "string", "minLength": 5, "maxLength": 200},
        "responses": {"type": "object", "required": ["200"]},
    },
}


@pytest.fixture
async def described(api):
    answer = await api.get("/openapi.json")
    assert answer.status == 200
    return await answer.json()


async def test_it_tells_every_route_of_the_router_and_none_else(api, described):
    told = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    there = {(route.method, route.resource.canonical) for route in api.app.router.routes()}
    assert told == there
    assert {(route.method, route.path) for route in api.app[ROUTES].values()} == there


async def test_it_is_in_the_form_of_openapi(described):
    assert described["openapi"].startswith("3.1")
    for methods in described["paths"].values():
        for operation in methods.values():
            jsonschema_rs.validate(WELL_FORMED, operation)
    names = [one["operationId"] for methods in described["paths"].values() for one in methods.values()]
    assert len(set(names)) == len(names)


async def test_every_schema_in_it_is_one(described):
    """Also those inside of others, and every reference leads somewhere."""
    schemas = dict(described["components"]["schemas"])
    for methods in described["paths"].values():
        for operation in methods.values():
            contents = [answer["content"] for answer in operation["responses"].values()]
            contents += [operation["requestBody"]["content"]] if "requestBody" in operation else []
            for content in contents:
                schemas |= {str(len(schemas)): media["schema"] for media in content.values()}
            schemas |= {str(len(schemas)) + one["name"]: one["schema"] for one in operation["parameters"]}
    assert len(schemas) > 100
    for schema in schemas.values():
        jsonschema_rs.meta.validate(schema)
        jsonschema_rs.Draft202012Validator({**schema, "components": described["components"]})


async def test_path_parameters_are_those_of_the_path(described):
    for path, methods in described["paths"].items():
        for operation in methods.values():
            named = [f"{{{one['name']}}}" for one in operation["parameters"] if one["in"] == "path"]
            assert all(name in path for name in named)
            assert len(named) == path.count("{")


async def test_who_may_use_a_route_stands_there(api, described):
    for route in api.app[ROUTES].values():
        operation = described["paths"][route.path][route.method.lower()]
        assert operation["x-access"] == route.access
        assert (operation["security"] == [{}]) is (route.access is Access.ANYBODY)
        assert "401" in operation["responses"] or route.access is Access.ANYBODY


async def test_it_names_nobody(api, backend):
    text = await (await api.get("/openapi.json")).text()
    assert SHOP not in text
    assert "15550001111" not in text


async def test_every_route_says_what_it_answers(api):
    for route in api.app[ROUTES].values():
        if route.path != "/openapi.json":
            assert route.answers[200] != {"type": "object"}, route.path


async def test_the_page_for_people_names_the_same_routes(api):
    rows = re.findall(r"^\| `([A-Z]+) (\S+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE)
    assert len(set(rows)) == len(rows)
    assert set(rows) == {(route.method, route.path, route.access) for route in api.app[ROUTES].values()}


def test_the_daemon_serves_the_routes_that_are_tested_here(api):
    parts = {part.name: MagicMock() for part in dataclasses.fields(Surfaces)}
    daemon = Surfaces(**parts | {"settings": load({"HOME": "/home/operator"}), "clock": SystemClock()})
    served, tested = (
        {(route.method, route.path, route.access) for route in app[ROUTES].values()}
        for app in (daemon.application(), api.app)
    )
    assert served == tested
