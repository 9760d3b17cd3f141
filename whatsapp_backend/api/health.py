"""What is asked by machines and by operators in a hurry: always 200, within a second, also when Firestore is down."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import structlog
from aiohttp import web

from whatsapp_backend import __version__
from whatsapp_backend.api import answers
from whatsapp_backend.api.guard import request_id
from whatsapp_backend.api.routes import Access, Route, get
from whatsapp_backend.api.values import iso
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.leases import Mode, Standing
from whatsapp_backend.domain.moments import at_ms

log = structlog.get_logger()

_SHOWN_IN_DIAG = 3
_PATIENCE_S = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Owing:
    """Messages that are owed to us: how many, for how long the oldest, and why others were closed lately."""

    open: int = 0
    oldest_s: int | None = None
    closed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """How far a consumer of the journal has come: `lag` entries are after it, the oldest of them so old."""

    position: int
    lag: int
    oldest_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """How the daemon is, at one moment. `trouble` names what keeps messages from being received or landed."""

    trouble: str | None
    firestore_connected: bool
    consumers: Mapping[str, Behind]
    parked: int
    journal_end: int
    debts: Owing = field(default_factory=Owing)
    as_of_ms: int | None = None
    """When the store said so last, None where it never did."""


class Ward(Protocol):
    """Who knows how the daemon is."""

    async def vitals(self) -> Vitals:
        """How it is. Asks nobody who might not answer."""

    def standing(self) -> Standing:
        """Whether it may work."""

    def views(self) -> list[AccountView]:
        """All accounts."""

    def realtime(self) -> dict[str, dict[str, Any]]:
        """Live ingestion per account."""


class Health:
    """The routes `/`, `/ready`, `/diag`, `/health` and `/health/consumers`."""

    def __init__(self, ward: Ward, *, instance_id: str, wall_ms: Callable[[], int]) -> None:
        self._ward = ward
        self._instance_id = instance_id
        self._wall_ms = wall_ms
        self._booted_at_ms = wall_ms()

    def routes(self) -> list[Route]:
        """To be added to the application."""
        return [
            get("/", self.root, Access.ANYBODY, answers={200: answers.ROOT}),
            get("/ready", self.ready, Access.ANYBODY, answers={200: answers.READY}),
            get("/diag", self.diag, Access.ANYBODY, answers={200: answers.DIAG}),
            get("/health", self.health, Access.ANYBODY, answers={200: answers.HEALTH}),
            get("/health/consumers", self.consumers, Access.ANYBODY, answers={200: answers.CONSUMERS}),
        ]

    async def root(self, request: web.Request) -> web.Response:
        """What this is."""
        views = self._ward.views()
        return web.json_response(
            {
                "status": "online",
                "service": "whatsapp-backend",
                "version": __version__,
                "accounts": {"total": len(views), "connected": _connected(views)},
                "endpoints": _endpoints(request.app),
                "timestamp": self._now(),
            }
        )

    async def ready(self, _request: web.Request) -> web.Response:
        """Whether messages are received and landed, and if not, why."""
        vitals, standing = await self._vitals(), self._ward.standing()
        reason = vitals.trouble or standing.reason
        answer = {**self._about(vitals, standing), "timestamp": self._now()}
        if reason:
            answer["reason"] = reason
        if standing.held_by:
            answer["heldBy"] = standing.held_by
        return web.json_response(answer)

    async def diag(self, _request: web.Request) -> web.Response:
        """Readiness and live ingestion of up to three connected accounts."""
        vitals = await self._vitals()
        realtime = self._ward.realtime()
        connected = [view.account for view in self._ward.views() if view.status == "connected"]
        return web.json_response(
            {
                **self._about(vitals, self._ward.standing()),
                "firestoreConnected": vitals.firestore_connected,
                "latestRealtime": [
                    {"accountId": _hashed(account), **shown_realtime(realtime.get(account, {}))}
                    for account in connected[:_SHOWN_IN_DIAG]
                ],
                "timestamp": self._now(),
            }
        )

    async def health(self, request: web.Request) -> web.Response:
        """Everything in one answer."""
        vitals, standing = await self._vitals(), self._ward.standing()
        views = self._ward.views()
        return web.json_response(
            {
                "ok": vitals.trouble is None,
                "status": "healthy" if vitals.trouble is None else "degraded",
                "reason": vitals.trouble or standing.reason,
                "mode": standing.mode.value,
                "service": "whatsapp-backend",
                "version": __version__,
                "instanceId": self._instance_id,
                "bootTimestamp": iso(at_ms(self._booted_at_ms)),
                "uptime": (self._wall_ms() - self._booted_at_ms) // 1000,
                "timestamp": self._now(),
                "requestId": request_id(request),
                "accounts_total": len(views),
                "connected": _connected(views),
                "firestore": {"status": "connected" if vitals.firestore_connected else "disconnected"},
                "parked": vitals.parked,
                "debts": {
                    "open": vitals.debts.open,
                    "oldestSeconds": vitals.debts.oldest_s,
                    "closed": dict(vitals.debts.closed),
                },
            }
        )

    async def consumers(self, _request: web.Request) -> web.Response:
        """Each consumer's position, how far it is behind the journal's end, and for how long its oldest entry waits."""
        vitals = await self._vitals()
        answer: dict[str, Any] = {
            "journalEnd": vitals.journal_end,
            "consumers": [
                {"name": name, "position": one.position, "lag": one.lag, "oldestSeconds": one.oldest_s}
                for name, one in vitals.consumers.items()
            ],
            "parked": vitals.parked,
            "asOf": None if vitals.as_of_ms is None else iso(at_ms(vitals.as_of_ms)),
        }
        if vitals.trouble:
            answer["reason"] = vitals.trouble
        return web.json_response(answer)

    def _about(self, vitals: Vitals, standing: Standing) -> dict[str, Any]:
        return {
            "ready": vitals.trouble is None and standing.mode is Mode.ACTIVE,
            "mode": standing.mode.value,
            "instanceId": self._instance_id,
        }

    async def _vitals(self) -> Vitals:
        """Who asks must get an answer, also when the disk does not give one."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._ward.vitals()
        except TimeoutError:
            trouble = "the store does not answer: is its disk well?"
        except Exception as error:  # "always 200": a bug in what is shown must not look like a daemon that is gone
            log.exception("vitals_failed")
            trouble = f"what is asked cannot be told: {type(error).__name__}; the log says more"
        return Vitals(trouble=trouble, firestore_connected=False, consumers={}, parked=0, journal_end=0)

    def _now(self) -> str:
        return iso(at_ms(self._wall_ms()))


def _connected(views: list[AccountView]) -> int:
    return sum(view.status == "connected" for view in views)


def _endpoints(app: web.Application) -> list[str]:
    routes = ((route.method, route.resource) for route in app.router.routes() if route.method != "HEAD")
    return [f"{method} {resource.canonical}" for method, resource in routes if resource]


def _hashed(account: str) -> str:
    return f"{hashlib.sha256(account.encode()).hexdigest()[:8]}:{len(account)}"


def shown_realtime(realtime: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of an account's live messages."""
    names = ("lastRealtimeIngestAt", "lastRealtimeMessageAt", "lastRealtimeError")
    values = {name: realtime.get(name) for name in names}
    return {name: iso(value) if isinstance(value, datetime) else value for name, value in values.items()}
