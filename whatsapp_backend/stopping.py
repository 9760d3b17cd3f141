"""Steps of stopping, each with its time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from whatsapp_backend.errors import StoreUnwell

log = structlog.get_logger()


@dataclass(slots=True)
class Step:
    """A step of stopping."""

    in_time: bool = True


@asynccontextmanager
async def at_most(seconds: float, step: str) -> AsyncIterator[Step]:
    """Give up on a step of stopping that takes too long: the next ones matter more, and the journal keeps the rest."""
    said = Step()
    try:
        async with asyncio.timeout(seconds):
            yield said
    except TimeoutError:
        said.in_time = False
        log.warning("stopping_took_too_long", step=step, limit_s=seconds)
    except StoreUnwell as error:
        log.warning("stopping_without_the_store", step=step, reason=str(error))
