"""Entries applied in a random order, repeated and regrouped, and what the documents are after it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from world import World, a_world

from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.rules import gathering
from whatsapp_backend.testing.memory_documents import MemoryDocuments

_LEFT_OUT = ("createdAt", "syncedAt", "tsServer", "updatedAt", "coverage")
_WINDOWS = (1, 20, 300, 1000)


Plan = list[tuple[list[Entry], str]]
"""Windows, and what happens after each: nothing, `rest` (what is not urgent has its turn), or `forget` (what is known
of messages is lost, but for those that something waits for: only their documents tell it).
"""


async def applied(plan: Plan, watch: Callable[[MemoryDocuments], None] | None = None) -> World:
    """A world in which these landed so, and in which nothing is left to be done."""
    async with a_world() as world:
        if watch:
            watch(world.documents)
        for window, then in plan:
            await world.publisher.land_entries(window)
            if then == "rest":
                await world.publisher._rest()
            elif then == "forget":
                known, waiting = world.store._messages, world.store._waiting
                world.store._messages = {path: known[path] for path in known.keys() & waiting.keys()}
        await world.publish(wholly=True)
    return world


def straight(entries: Sequence[Entry]) -> Plan:
    """As they stand in the journal."""
    return [(list(entries[start : start + 1000]), "") for start in range(0, len(entries), 1000)]


def mixed(entries: Sequence[Entry], rng: random.Random) -> Plan:
    """Every entry at least once, some twice, in some other order, in windows of any size."""
    left = [*entries, *rng.choices(entries, k=len(entries) // 10)]
    far = rng.choice([30, len(left), len(left)])
    places = {place: place + rng.randrange(far) for place in range(len(left))}
    left = [left[place] for place in sorted(places, key=places.__getitem__, reverse=rng.random() < 0.3)]
    plan: Plan = []
    while left:
        size = rng.choice(_WINDOWS)
        plan.append((left[:size], rng.choices(["", "rest", "forget"], [6, 3, 1])[0]))
        left = left[size:]
    return plan


def shrunk(plan: Plan, differs: Callable[[Plan], bool]) -> Plan:
    """The same plan without whatever is not needed for it to differ."""
    size = max(1, sum(len(window) for window, _ in plan) // 2)
    while True:
        smaller = next((less for less in _smaller(plan, size) if differs(less)), None)
        if smaller is not None:
            plan = smaller
        elif size == 1:
            return plan
        else:
            size //= 2


def _smaller(plan: Plan, size: int) -> Iterable[Plan]:
    """Without so many neighbours, wherever they stand."""
    for start in range(0, sum(len(window) for window, _ in plan), size):
        gone, place = range(start, start + size), 0
        less: Plan = []
        for window, then in plan:
            kept = [entry for number, entry in enumerate(window, place) if number not in gone]
            place += len(window)
            if kept or then:
                less.append((kept, then))
        yield less


def canonical(world: World) -> dict[str, dict[str, Any]]:
    """What must be equal: everything but the server's times, what is left of threads that lead elsewhere, and what is
    proven of a thread's history: that depends on how it came.

    That a name was told once more is not worth a write: the clocks of threads and contacts are those of the mirror. How
    often a thread went back to an earlier message is a matter of the order, too.
    """
    documents = world.documents.documents
    left = {path for path, document in documents.items() if document.fields.get("redirectTo")}
    told = {
        path: {name: value for name, value in document.fields.items() if name not in _LEFT_OUT}
        for path, document in documents.items()
        if "/".join(path.split("/")[:2]) not in left
    }
    for path, row in world.store._gathered.items():
        if path in told:
            clocks = gathering.fields_of(row)["clocks"]
            told[path]["clocks"] = {name: clock for name, clock in clocks.items() if name != "anew"}
    return told


def differences(one: dict[str, dict[str, Any]], other: dict[str, dict[str, Any]]) -> list[str]:
    """What differs, to be read by people."""
    told = []
    for path in sorted(one.keys() | other.keys()):
        before, after = one.get(path), other.get(path)
        if before is None or after is None:
            told.append(f"{path}: only in the {'second' if before is None else 'first'}")
            continue
        told += [
            f"{path} {name}: {before.get(name)!r} != {after.get(name)!r}"
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ]
    return told
