"""JSON Schema of what routes take and answer: the words that api/answers.py and the routes are made of."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Any

from whatsapp_backend.api.routes import Param

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
WHOLE: Schema = {"type": "integer"}
MONEY: Schema = {"type": "number", "minimum": 0}
MOMENT: Schema = {"type": "string", "format": "date-time"}
JID: Schema = {"type": "string", "pattern": "^[^\\s\\x00-\\x1f]{1,200}@[a-z.]{1,40}$"}
DOCUMENT: Schema = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": TEXT},
    "description": "A document with its id, field by field in docs/documents.md.",
}

LIMIT = Param(
    name="limit",
    schema={"type": "integer", "minimum": 1, "maximum": 500, "default": 50, "description": "At most so many."},
)
CURSOR = Param(
    name="cursor",
    schema={"type": "string", "description": "The `nextCursor` of the page before this one; none for the first page."},
)
PAGE = (LIMIT, CURSOR)
"""What every list takes."""


def order(*fields: str) -> Param:
    """The `orderBy` of earlier callers: it must be one of these and changes nothing."""
    return Param(name="orderBy", schema={"type": "string", "enum": list(fields), "description": "Changes nothing."})


def nullable(schema: Schema) -> Schema:
    """This or null."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def one_of(words: Iterable[str | enum.Enum]) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": [word.value if isinstance(word, enum.Enum) else word for word in words]}


def several(schema: Schema) -> Schema:
    """A list of them."""
    return {"type": "array", "items": schema}


def counts() -> Schema:
    """Counts by word."""
    return {"type": "object", "additionalProperties": COUNT}


def record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object with these properties and no others."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


def success(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An answer that says `success`."""
    return record({"success": {"const": True}, **required}, optional)


def page(name: str, item: Schema, required: Mapping[str, Schema] | None = None) -> Schema:
    """A page of a list."""
    return success({name: several(item), "count": COUNT, "nextCursor": nullable(TEXT), **(required or {})})


def refusal(*errors: str) -> Schema:
    """A failure whose `error` is one of these words."""
    return {"allOf": [{"$ref": "#/components/schemas/Failure"}, {"properties": {"error": one_of(errors)}}]}


FAILURE: Schema = {
    "type": "object",
    "required": ["success", "error", "message", "requestId"],
    "properties": {"success": {"const": False}, "error": TEXT, "message": TEXT, "requestId": TEXT},
    "description": "`error` is for programs, `message` for people; the log names the request id.",
}
"""The one shape of everything that goes wrong. Some errors tell more."""
