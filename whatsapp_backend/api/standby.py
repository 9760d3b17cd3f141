"""What a standby answers while another process has its state directory: how it is, and 503 to everything else."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from whatsapp_backend.api.health import Health, Vitals
from whatsapp_backend.api.passive import refusal
from whatsapp_backend.api.routes import Access, Route
from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.leases import Mode, Standing

_METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")


class Standby:
    """Implements `api.health.Ward` for a daemon that has not begun. `holder` is the process that it waits for."""

    def __init__(self, holder: str) -> None:
        self.holder = holder

    def standing(self) -> Standing:
        """Passive."""
        return Standing(mode=Mode.PASSIVE, reason=f"standing by: process {self.holder} has the state directory")

    async def vitals(self) -> Vitals:
        """Nothing is wrong, and nothing is known."""
        return Vitals(trouble=None, firestore_connected=False, consumers={}, parked=0, journal_end=0)

    def views(self) -> list[AccountView]:
        """None: they are in the other's hands."""
        return []

    def realtime(self) -> dict[str, dict[str, Any]]:
        """None."""
        return {}

    def routes(self, *, instance_id: str, clock: Clock) -> list[Route]:
        """All there are."""

        async def refuse(request: web.Request) -> web.Response:
            return refusal(request, self.standing(), instance_id=instance_id)

        health = Health(self, instance_id=instance_id, wall_ms=clock.wall_ms)
        anything = [
            Route(method=method, path="/{anything:.*}", handler=refuse, access=Access.ANYBODY) for method in _METHODS
        ]
        return [*health.routes(), *anything]
