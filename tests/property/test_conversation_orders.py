"""A conversation of every kind of event gives the same documents, in whatever order its journal is applied.

`make orders` tries a thousand orders and more. A seed with which they once differed is kept here.
"""

import asyncio
import os
import random
import re
from typing import Any

import pytest
from conversation import Conversation
from orders import Plan, applied, canonical, differences, mixed, shrunk, straight

from whatsapp_backend.domain.journal import Entry
from whatsapp_backend.rules import messages

SEED = int(os.environ.get("ORDERS_SEED", "1"))
ORDERS = int(os.environ.get("ORDERS", "30"))
_PARTS = 3
FOUND = [(11, 600, 5), (14, 600, 1), (121, 600, 21), (2, 5000, 11), (4, 5000, 84)]
"""Seeds and sizes of conversations, and numbers of their orders, that once differed (tests/unit/test_projection.py)."""


def documents(plan: Plan) -> dict[str, Any]:
    """What they are after it."""
    return canonical(asyncio.run(applied(plan)))


def journal(seed: int, size: int) -> list[Entry]:
    """A whole conversation."""
    return Conversation(seed, size).drawn()


def plan_of(entries: list[Entry], seed: int, number: int) -> Plan:
    """One of its orders."""
    return mixed(entries, random.Random(f"{seed}/{number}"))


@pytest.fixture(scope="module")
def conversation() -> tuple[list[Entry], dict[str, Any]]:
    """Five thousand events, and what they are in the order of the journal."""
    entries = journal(SEED, 5000)
    return entries, documents(straight(entries))


@pytest.mark.timeout(0 if ORDERS > 30 else 120)
@pytest.mark.parametrize("part", range(_PARTS))
def test_any_order_gives_the_same_documents(conversation: Any, part: int) -> None:
    """Permuted, repeated and regrouped; a part of what is known of messages lost now and then."""
    entries, expected = conversation
    for number in range(part, ORDERS, _PARTS):
        plan = plan_of(entries, SEED, number)
        assert documents(plan) == expected, told_of(plan, f"seed {SEED}, order {number}")


@pytest.mark.parametrize(("seed", "size", "number"), FOUND)
def test_orders_that_once_differed(seed: int, size: int, number: int) -> None:
    """Most in short conversations, so that what was found is found at once."""
    entries = journal(seed, size)
    plan = plan_of(entries, seed, number)
    assert documents(plan) == documents(straight(entries)), told_of(plan, f"seed {seed}, order {number}, of {size}")


def test_a_conversation_has_one_thread_a_person_and_something_of_every_kind(conversation: Any) -> None:
    """Or there would be nothing to be proved by it."""
    entries, told = conversation
    people = Conversation(SEED, 0).people
    threads = {path for path in told if re.fullmatch("threads/[^/]+", path)}
    assert len(threads) == len(people) + 3
    for person in people:
        assert f"threads/account_demo_0a__{person.lid if person.stranger else person.pn}" in threads
    assert {entry.new.kind for entry in entries} == {"message", "history", "receipt", "update", "debt", "call"}
    seen = {name for path, fields in told.items() if "/messages/" in path for name in fields}
    assert seen >= {"edited", "revoked", "kept", "reactions", "reactionsRemoved", "votes", "receipts", "failed"}
    assert seen >= {"senderLid", "offlineSync", "media", "details", "quoted", "deliveredAt", "readAt", "playedAt"}
    kinds = {fields["messageType"] for path, fields in told.items() if "/messages/" in path}
    assert kinds >= {"text", "image", "audio", "poll", "call", "event", "placeholder", "unknown"}
    assert any(fields["unreadCount"] for path, fields in told.items() if path in threads)
    assert sum(path.startswith("contacts/") for path in told) == len(people) - 3


def test_a_merge_in_which_the_last_one_wins_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: these comparisons can fail."""
    entries = journal(5, 300)
    right = messages.merged

    def last_one_wins(one: Any, other: Any) -> Any:
        made = right(one, other)
        return made if other.content is None else messages.replace(made, content=other.content)

    monkeypatch.setattr(messages, "merged", last_one_wins)
    plans = [plan_of(entries, 5, number) for number in range(5)]
    assert any(documents(plan) != documents(straight(entries)) for plan in plans)


def told_of(plan: Plan, what: str) -> str:
    """The smallest part of it that differs, and how."""

    def differing(plan: Plan) -> list[str]:
        entries = {entry.seq: entry for window, _ in plan for entry in window}
        return differences(documents(straight([entries[seq] for seq in sorted(entries)])), documents(plan))

    small = shrunk(plan, lambda plan: bool(differing(plan)))
    lines = [what, *differing(small)]
    for window, then in small:
        lines.append(f"window, then {then or 'nothing'}:")
        lines += [f"  {one.seq} {one.new.kind} {one.new.origin} {(one.new.payload or b'').decode()}" for one in window]
    return "\n".join(lines)
