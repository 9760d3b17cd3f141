"""What a job tells beside its columns, as JSON text."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson

from whatsapp_backend.domain.jobs import Bounds, Job, Plan, ThreadResult, Work

COLUMNS = ("id", "account", "kind", "trigger", "state", "created_at_ms", "beat_at_ms", "ended_at_ms")
_TOLD = tuple(field.name for field in fields(Job) if field.name not in COLUMNS)


def dumped(job: Job) -> str:
    """All of it but the columns."""
    return orjson.dumps({name: getattr(job, name) for name in _TOLD}).decode()


def loaded(text: str) -> dict[str, Any]:
    """As it was dumped."""
    told: dict[str, Any] = orjson.loads(text)
    bounds, plan = told["bounds"], told["plan"]
    return told | {
        "bounds": Bounds(**{**bounds, "chats": tuple(bounds["chats"])}),
        "work": Work(**told["work"]),
        "results": tuple(ThreadResult(**one) for one in told["results"]),
        "plan": None if plan is None else Plan(**plan),
    }
