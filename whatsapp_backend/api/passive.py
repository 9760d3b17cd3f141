"""While this instance may not work: who asks it to is told so, and by whom it is done."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from whatsapp_backend.api.guard import Handler, failure_fields
from whatsapp_backend.api.routes import ROUTES
from whatsapp_backend.domain.leases import Mode, Standing

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_RETRY_AFTER_S = 15


def refuse_while_passive(standing: Callable[[], Standing], *, instance_id: str) -> Callable[..., object]:
    """A middleware: whatever changes something is refused while the instance is passive."""

    @web.middleware
    async def refusing(request: web.Request, handler: Handler) -> web.StreamResponse:
        now = standing()
        known = request.match_info.http_exception is None
        route = request.app[ROUTES].get(request.match_info.route)
        harmless = request.method in _READING or (route is not None and route.while_passive)
        if now.mode is Mode.PASSIVE and known and not harmless:
            return refusal(request, now, instance_id=instance_id)
        return await handler(request)

    return refusing


def refusal(request: web.Request, standing: Standing, *, instance_id: str) -> web.Response:
    """503 `instance_passive`."""
    body = failure_fields(request, "instance_passive", f"this instance is passive: {standing.reason}") | {
        "mode": standing.mode.value,
        "waMode": standing.mode.value,
        "instanceId": instance_id,
        "holderInstanceId": standing.held_by,
        "retryAfterSeconds": _RETRY_AFTER_S,
    }
    return web.json_response(body, status=503, headers={"Retry-After": str(_RETRY_AFTER_S)})
