"""A bounded piece of `make fuzz`, and everything it ever found."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import fuzzing
import pytest
from fuzzing import KEPT, Found, one_round, try_kept
from world import ANA, payload

SEED = int(os.environ.get("FUZZ_SEED", "20261124"))
ROUNDS = 60


def test_whatever_is_wrong_with_it_is_an_error_by_its_name_or_lands_or_is_parked() -> None:
    """About ten seconds; the seed of a round is in what it raises."""
    rng = random.Random(SEED)
    for _ in range(ROUNDS):
        seed = rng.randrange(1 << 48)
        try:
            one_round(seed)
        except Found as found:
            pytest.fail(f"{found}\nagain: .venv/bin/python tests/property/fuzzing.py {seed}")


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_found_once_is_found_no_more(path: Path) -> None:
    """Each of them stopped the publisher, or was a write that Firestore refuses."""
    try_kept(path)


def test_the_corpus_has_something_of_every_kind() -> None:
    """Or a whole reader would go untried."""
    assert {kind for kind, _, _ in fuzzing.entries()} == set(fuzzing._KINDS)
    assert len(fuzzing.frames()) > 10


def test_an_error_that_is_no_promised_one_is_found_with_what_led_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a reader that falls over one word."""
    right = fuzzing.events_of

    def falling_over(entry: Any) -> Any:
        if b"pushName" not in (entry.new.payload or b""):
            raise ZeroDivisionError
        return right(entry)

    monkeypatch.setattr(fuzzing, "events_of", falling_over)
    with pytest.raises(Found, match="ZeroDivisionError"):
        one_round(1)


def test_a_write_that_firestore_refuses_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the other half."""
    told = fuzzing.orjson.dumps(payload("B", chat=ANA) | {"message": {"conversation": "x"}})
    monkeypatch.setattr("whatsapp_backend.testing.memory_documents.MAX_DOCUMENT_BYTES", 100)
    with pytest.raises(Found, match="Firestore refuses"):
        fuzzing.try_entries([("message", "live", told)])
