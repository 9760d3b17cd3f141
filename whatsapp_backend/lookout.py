"""What operators watch, from all parts of a daemon. Waits for nobody: of who does not answer, the last word counts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whatsapp_backend import __version__
from whatsapp_backend.adapters.bridge.gateway import BridgeGateway
from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.operations import Operations
from whatsapp_backend.domain.sight import Counted, Known, Sight, Waiting
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.flows.lead import Lead
from whatsapp_backend.flows.meters import Meters
from whatsapp_backend.flows.publish import CONSUMER
from whatsapp_backend.ports import Watched

_PATIENCE_S = 0.5
_COUNT_EVERY_MS = 15_000
"""Every open gap is looked at: some tenths of a second where there are a hundred thousand."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STATM = Path("/proc/self/statm")


@dataclass(slots=True)
class StoreWatch:
    """Asks the store, each question one at a time: where it hangs, they would pile up."""

    store: Watched
    clock: Clock
    known: Known | None = None
    trouble: str | None = None
    """What it said instead of an answer, None while all is well."""
    counted: Counted | None = None
    """The last count, None where there was none yet."""
    _asking: asyncio.Task[None] | None = None
    _counting: asyncio.Task[None] | None = None

    async def answers(self) -> bool:
        """Whether it answered just now; `known` is the last that it said."""
        self._asking = await _patiently(self._asking, self._ask)
        if not self._asking.done():
            self.trouble = "the store does not answer: is its disk well?"
        return self.trouble is None

    async def count(self) -> None:
        """Count what waits, unless that was done lately. A count that takes long is no trouble, and goes on."""
        if self.counted is None or not 0 <= self.clock.wall_ms() - self.counted.at_ms < _COUNT_EVERY_MS:
            self._counting = await _patiently(self._counting, self._count)

    async def _ask(self) -> None:
        now_ms = self.clock.wall_ms()
        try:
            stats, lag = await self.store.stats(), await self.store.lag(CONSUMER)
        except (StoreUnwell, OSError) as error:  # OSError: its disk cannot be looked at
            self.trouble = str(error)
            return
        self.known = Known(at_ms=now_ms, stats=stats, lags={CONSUMER: lag})
        self.trouble = None

    async def _count(self) -> None:
        now_ms = self.clock.wall_ms()
        with suppress(StoreUnwell, OSError):  # `answers` says so
            self.counted = Counted(counts=await self.store.counts(), at_ms=now_ms)


async def _patiently(
    before: asyncio.Task[None] | None, ask: Callable[[], Coroutine[Any, Any, None]]
) -> asyncio.Task[None]:
    """Ask, unless that is under way, and wait for it, but not for long."""
    if before is None or before.done():
        before = asyncio.get_running_loop().create_task(ask(), name="watch the store")
    await asyncio.wait((before,), timeout=_PATIENCE_S)
    return before


@dataclass(slots=True, kw_only=True)
class Lookout:
    """Sees everything."""

    watch: StoreWatch
    gateway: BridgeGateway
    lead: Lead
    meters: Meters
    clock: Clock
    views: Callable[[], list[AccountView]]
    operations: Callable[[], Operations]
    reaches_firestore: Callable[[], bool]
    is_well: Callable[[], bool]
    deafness: Callable[[], Mapping[str, int]]

    async def look(self) -> Sight:
        """What is known now."""
        _, answers = await asyncio.gather(self.watch.count(), self.watch.answers())
        meters, views, pong = self.meters, self.views(), self.gateway.pong
        active = self.lead.standing().reason is None
        return Sight(
            now_ms=self.clock.wall_ms(),
            version=__version__,
            active=active,
            ready=active and answers and self.is_well(),
            firestore_connected=self.reaches_firestore(),
            store_answers=answers,
            known=self.watch.known,
            counted=self.watch.counted,
            views=views,
            trust_s={view.account: self.lead.trust_s(view.account) for view in views},
            bridge_up=self.gateway.pid is not None,
            bridge_starts=self.gateway.lives,
            protocol_errors=self.gateway.protocol_errors,
            heard_at_ms=_numbers(pong.get("heard")),
            unanswered=_waiting(pong.get("unanswered")),
            resident_bytes=_resident(pong.get("rss")),
            operations=self.operations(),
            landing={kind: (tuple(times.counts), times.sum_s) for kind, times in meters.landing.items()},
            requests={(account, outcome.name.lower()): n for (account, outcome), n in meters.requests.items()},
            deafness=self.deafness(),
            commits=_each(meters.commits, views),
        )


def _each(counts: Mapping[str, int], views: Iterable[AccountView]) -> dict[str, int]:
    return {view.account: counts.get(view.account, 0) for view in views}


def _items(said: object) -> Iterable[tuple[str, object]]:
    """What the bridge says by account; it is a process of its own, and may say anything."""
    return [(str(of), one) for of, one in said.items()] if isinstance(said, Mapping) else []


def _numbers(said: object) -> dict[str, int]:
    return {account: at_ms for account, at_ms in _items(said) if isinstance(at_ms, int)}


def _waiting(said: object) -> dict[str, Waiting]:
    found = {}
    for account, one in _items(said):
        of = dict(_items(one))
        count, since_ms = of.get("count"), of.get("since")
        if isinstance(count, int):
            found[account] = Waiting(count=count, since_ms=since_ms if isinstance(since_ms, int) else None)
    return found


def _resident(of_bridge: object) -> dict[str, int]:
    found = {"bridge": of_bridge} if isinstance(of_bridge, int) else {}
    with suppress(OSError, ValueError, IndexError):  # no Linux
        found["daemon"] = int(_STATM.read_text("ascii").split()[1]) * _PAGE_BYTES
    return found
