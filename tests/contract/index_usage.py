"""Which indexes queries needed, as the emulator tells (`:indexUsage`), against those of firestore.indexes.json. Pure.

The emulator runs any query; production refuses one whose index is missing. The emulator names the index of every query
that one automatic index alone could not answer. What one could answer is not named, so an exemption of a field that is
asked for has to be found in the programs (`without_automatic`, `named_in`), not in what was used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_NAME = "__name__"
_AUTOMATIC = {("COLLECTION", "ASCENDING"), ("COLLECTION", "DESCENDING")}


@dataclass(frozen=True, order=True, slots=True)
class Index:
    """What an index covers: `scope` is COLLECTION or COLLECTION_GROUP, `fields` are pairs of path and mode."""

    group: str
    scope: str
    fields: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.group} {self.scope} [{', '.join(f'{path} {mode}' for path, mode in self.fields)}]"


def used(usage: Mapping[str, Any]) -> set[Index]:
    """The indexes that the emulator's answer names."""
    reports = (report["index"] for report in usage.get("reports", ()))
    return {_index(index["name"].split("/")[-3], index) for index in reports}


def held(file: Mapping[str, Any]) -> set[Index]:
    """The indexes that a file makes beside the automatic ones: composites, and fields over a whole collection group."""
    composites = {_index(index["collectionGroup"], index) for index in file["indexes"]}
    single = {
        Index(override["collectionGroup"], index["queryScope"], ((override["fieldPath"], _mode(index)),))
        for override in file["fieldOverrides"]
        for index in override["indexes"]
    }
    return composites | {index for index in single if index.scope == "COLLECTION_GROUP"}


def without_automatic(file: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Collection group and path of the fields that a file leaves without one of a collection's automatic indexes."""
    return {
        (override["collectionGroup"], override["fieldPath"])
        for override in file["fieldOverrides"]
        if _AUTOMATIC - {(index["queryScope"], _mode(index)) for index in override["indexes"]}
    }


def named_in(source: str, fields: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of the fields whose path stands in quotes in the text of a program."""
    return {(group, path) for group, path in fields if f"'{path}'" in source or f'"{path}"' in source}


def missing(usage: Mapping[str, Any], file: Mapping[str, Any], *, equalities: Iterable[Index] = ()) -> list[Index]:
    """What queries needed and the file lacks.

    `equalities` are those that only compare with `==` and order by nothing: production answers them by merging
    automatic indexes. They must be named, because what the emulator tells of `a == 1, b == 2` and of `a == 1` ordered
    by `b` is the same.
    """
    return sorted(used(usage) - held(file) - set(equalities))


def unused(usage: Mapping[str, Any], file: Mapping[str, Any]) -> list[Index]:
    """What the file holds and no query needed: every write would pay for it."""
    return sorted(held(file) - used(usage))


def _index(group: str, index: Mapping[str, Any]) -> Index:
    fields = [(field["fieldPath"], _mode(field)) for field in index["fields"]]
    # Every index ends with the document's name, in the direction of the field before it, said or not.
    if len(fields) > 1 and fields[-1] == (_NAME, fields[-2][1]):
        fields.pop()
    return Index(group, index["queryScope"], tuple(fields))


def _mode(field: Mapping[str, Any]) -> str:
    return field.get("order") or field["arrayConfig"]
