"""What a check found."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_PATIENCE_S = 10.0


class Verdict(enum.StrEnum):
    """How it is."""

    OK = "ok"
    WARN = "warn"
    """Works, or could not be told."""
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `do` says what to do, where there is something to do. Holds no secret."""

    check: str
    verdict: Verdict
    found: str
    do: str | None = None


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check=check, verdict=Verdict.OK, found=found)


def warn(check: str, found: str, do: str | None = None) -> Finding:
    """It works, or cannot be told."""
    return Finding(check=check, verdict=Verdict.WARN, found=found, do=do)


def fail(check: str, found: str, do: str) -> Finding:
    """The daemon will not work so."""
    return Finding(check=check, verdict=Verdict.FAIL, found=found, do=do)


async def bounded(check: str, look: Callable[[], Awaitable[Finding]], *, patience_s: float = _PATIENCE_S) -> Finding:
    """What a check found, within ten seconds, whatever happens in it."""
    try:
        async with asyncio.timeout(patience_s):
            return await look()
    except TimeoutError:
        return fail(check, f"no answer within {patience_s:.0f} s", "Look why it hangs, and ask again.")
    except Exception as error:  # noqa: BLE001 -- one check that breaks must not keep the others from being made
        return fail(check, f"the check broke: {type(error).__name__}: {error}", "This is a bug: report it.")
