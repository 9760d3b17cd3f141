"""/metrics for Prometheus: what is known, within a second, also while the store or Firestore hangs.

Labels are `account` (a hash) and `kind`, a word of ours; never a chat, a number or a name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from whatsapp_backend.api.metric_families import families
from whatsapp_backend.api.routes import Access, Route, get
from whatsapp_backend.domain.sight import Sight


class Metrics:
    """The route `/metrics`. `look` must not wait for anybody who might not answer."""

    def __init__(self, look: Callable[[], Awaitable[Sight]]) -> None:
        self._look = look

    def routes(self) -> list[Route]:
        """To be added to the application."""
        text = {200: {"type": "string"}}
        return [get("/metrics", self.metrics, Access.WATCHER, answers=text, types=("text/plain",))]

    async def metrics(self, _request: web.Request) -> web.Response:
        """Everything operators watch, for Prometheus."""
        sight = await self._look()
        body = await asyncio.to_thread(shown, sight)  # some ten thousand lines where there are many accounts
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def shown(sight: Sight) -> bytes:
    """In Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(sight))
    return generate_latest(registry)


class _Once(Collector):
    """One sight."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    def collect(self) -> Iterator[Metric]:
        """Its metrics."""
        return families(self._sight)
