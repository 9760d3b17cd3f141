"""Whether a database has the indexes of a file: each is tried with a query that only it can answer.

Production refuses a query without an index at once and reads nothing for it. An emulator answers any query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import grpc
from google.cloud.firestore import AsyncClient
from google.cloud.firestore_v1 import types as messages

from whatsapp_backend.adapters.firestore.client import Calls
from whatsapp_backend.adapters.firestore.errors import describe
from whatsapp_backend.errors import DocumentsUnavailable

_Request = messages.RunQueryRequest.pb()
_EQUAL = messages.StructuredQuery.FieldFilter.Operator.EQUAL
_AND = messages.StructuredQuery.CompositeFilter.Operator.AND
_DIRECTIONS = {
    "ASCENDING": messages.StructuredQuery.Direction.ASCENDING,
    "DESCENDING": messages.StructuredQuery.Direction.DESCENDING,
}
_NOBODY = "whatsapp-backend-doctor"
_GROUP = "COLLECTION_GROUP"


async def missing_indexes(client: AsyncClient, file: Mapping[str, Any], *, timeout_s: float) -> list[str]:
    """Those of the file that the database refuses to do without. Raises DocumentsUnavailable."""
    calls = Calls(client)
    run_query = calls.stream("RunQuery", answer=messages.RunQueryResponse.pb())
    missing = []
    for index in _indexes(file):
        request = _query(calls.documents, index)
        try:
            async for _ in run_query(request.SerializeToString(), timeout=timeout_s, metadata=calls.metadata):
                pass
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise DocumentsUnavailable(f"Firestore could not be queried: {describe(error)}") from error
            missing.append(_said(index))
    return missing


def _indexes(file: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Composite ones, and those of a field over a whole collection group."""
    overrides = [
        {
            "collectionGroup": one["collectionGroup"],
            "queryScope": _GROUP,
            "fields": [{**index, "fieldPath": one["fieldPath"]}],
        }
        for one in file.get("fieldOverrides", ())
        for index in one["indexes"]
        if index.get("queryScope") == _GROUP
    ]
    return [*file["indexes"], *overrides]


def _query(parent: str, index: Mapping[str, Any]) -> Any:
    """Equal in all fields but the last, ordered by that one. Nothing has this value, so nothing is read."""
    request = _Request(parent=parent)
    query = request.structured_query
    source = query.from_.add()
    source.collection_id = index["collectionGroup"]
    source.all_descendants = index["queryScope"] == _GROUP
    *equal, last = index["fields"]
    query.where.composite_filter.op = _AND
    for field in equal:
        one = query.where.composite_filter.filters.add().field_filter
        one.field.field_path = field["fieldPath"]
        one.op = _EQUAL
        one.value.string_value = _NOBODY
    if not equal:
        query.ClearField("where")
    order = query.order_by.add()
    order.field.field_path = last["fieldPath"]
    order.direction = _DIRECTIONS[last["order"]]
    query.limit.value = 1
    return request


def _said(index: Mapping[str, Any]) -> str:
    fields: Sequence[Mapping[str, Any]] = index["fields"]
    return f"{index['collectionGroup']}: {', '.join(field['fieldPath'] for field in fields)}"
