"""The state of everything as JSON: what the dashboard shows, and what the runbook's monitoring reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from aiohttp import web

from whatsapp_backend import __version__
from whatsapp_backend.api.glances import Glance, Glances
from whatsapp_backend.api.routes import Access, Route, get
from whatsapp_backend.api.runs import shown_job
from whatsapp_backend.api.values import iso, iso_ms
from whatsapp_backend.api.who import Who, who
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.coverage import ASKABLE, GapState
from whatsapp_backend.domain.jobs import UNFINISHED, Job, JobState
from whatsapp_backend.domain.leases import Mode
from whatsapp_backend.domain.overview import Tally
from whatsapp_backend.rules.redact import masked_phone

NO_STORE = {"Cache-Control": "no-store"}
_WELL = frozenset({"connected", "connecting", "pairing", "passive"})
"""In these states nobody need do anything."""
_PATIENCE_MS = 60_000
"""For so long nor while a connection is being made again."""
_POINTS = 120
_ANSWER = {
    "type": "object",
    "required": ["success", "service", "summary", "accounts", "consumers", "jobs", "throughput", "timestamp"],
    "properties": {
        "success": {"const": True},
        "accounts": {"type": "array", "items": {"type": "object", "required": ["accountId", "status", "hearing"]}},
        "consumers": {"type": "array"},
        "jobs": {"type": "array"},
        "timestamp": {"type": "string", "format": "date-time"},
    },
}
_NAMES = {
    GapState.OPEN: "open",
    GapState.FILLING: "filling",
    GapState.UNREACHABLE: "unreachable",
    GapState.NO_ACCESS: "noAccess",
}
_STATUSES = {JobState.DONE: "success", JobState.PENDING: "running", JobState.RUNNING: "running"}


class Status:
    """The route. `paused_until_ms`: until when no run of an account may begin by itself, as an operator said."""

    def __init__(
        self,
        glances: Glances,
        *,
        instance_id: str,
        wall_ms: Callable[[], int],
        paused_until_ms: Callable[[str], int | None],
    ) -> None:
        self._glances = glances
        self._instance_id = instance_id
        self._paused_until_ms = paused_until_ms
        self._booted_at_ms = wall_ms()
        self._last: Glance | None = None
        self._shown: dict[tuple[frozenset[str], bool], dict[str, Any]] = {}
        """What was made of the last glance, by what the one who looked must not see."""

    def routes(self) -> list[Route]:
        """To be added to the application."""
        return [get("/api/status/dashboard", self.dashboard, Access.STAFF, answers={200: _ANSWER})]

    async def dashboard(self, request: web.Request) -> web.Response:
        """How everything is: the service, every account, its gaps, jobs, consumers. Never a pairing code."""
        return web.json_response(await self.shown_to(who(request)), headers=NO_STORE)

    async def shown_to(self, sender: Who) -> dict[str, Any]:
        """What this person may see of it, made once for all who may see the same: nobody may change it."""
        glance = await self._glances.glance()
        if glance is not self._last:
            self._last, self._shown = glance, {}
        sight = (sender.hidden, sender.blind)
        if sight not in self._shown:
            self._shown[sight] = self._made(glance, sender)
        return self._shown[sight]

    def _made(self, glance: Glance, sender: Who) -> dict[str, Any]:
        views = [view for view in glance.views if sender.may_see(view.account)]
        return {
            "success": True,
            "service": self._service(glance),
            "summary": _summary(glance, views),
            "accounts": [self._account(glance, view) for view in views],
            "consumers": [
                {"name": name, "position": one.position, "lag": one.lag, "oldestSeconds": one.oldest_s}
                for name, one in glance.vitals.consumers.items()
            ],
            "jobs": [shown_job(job) for job in glance.jobs if sender.may_see(job.account)],
            "throughput": self._throughput(),
            "timestamp": iso_ms(glance.at_ms),
        }

    def _service(self, glance: Glance) -> dict[str, Any]:
        vitals, standing = glance.vitals, glance.standing
        return {
            "version": __version__,
            "instanceId": self._instance_id,
            "mode": standing.mode.value,
            "ready": vitals.trouble is None and standing.mode is Mode.ACTIVE,
            "reason": vitals.trouble or standing.reason,
            "firestoreConnected": vitals.firestore_connected,
            "uptimeSeconds": max(0, glance.at_ms - self._booted_at_ms) // 1000,
        }

    def _throughput(self) -> dict[str, Any]:
        journaled, landed = self._glances.rates.per_minute()
        course = self._glances.rates.course(_POINTS)
        return {
            "journaledPerMinute": journaled,
            "landedPerMinute": landed,
            "journaled": [one for one, _ in course],
            "landed": [one for _, one in course],
        }

    def _account(self, glance: Glance, view: AccountView) -> dict[str, Any]:
        account, happenings = view.account, self._glances.happenings
        tally, realtime = glance.tallies.get(account, Tally()), glance.realtime.get(account, {})
        last, done = glance.backfills.get(account, (None, None))
        told = done if last and last.state in UNFINISHED else last
        ingest, message = (realtime.get(name) for name in ("lastRealtimeIngestAt", "lastRealtimeMessageAt"))
        return {
            "accountId": account,
            "name": view.name,
            "phone": masked_phone(view.phone),
            "status": view.status,
            "hearing": view.hearing,
            "reason": reason_of(view),
            "needsAttention": needs_attention(view, glance.at_ms),
            "caughtUp": view.caught_up,
            "lastEventAt": iso(ingest) if ingest else None,
            "lastMessageAt": iso(message) if message else None,
            "lastSeen": iso_ms(view.last_connected_at_ms),
            "needsQR": view.status in ("qr_ready", "needs_qr", "logged_out"),
            "reconnectCount": happenings.reconnects[account],
            "reconnectAttempts": view.retry_count,
            "nextRetryAt": iso_ms(view.next_retry_at_ms),
            "gaps": {**{name: tally.holes.get(state, 0) for state, name in _NAMES.items()}, "deep": tally.deep},
            "oldestGapAt": iso_ms(tally.oldest_hole_at_ms),
            "debts": tally.debts,
            "pausedUntil": _ahead(self._paused_until_ms(account), glance.at_ms),
            "phoneRestsUntil": _ahead(tally.paused_until_ms, glance.at_ms),
            "lastBackfillAt": iso_ms(told.ended_at_ms) if told else None,
            "lastBackfillStatus": _status(last),
            "lastHistorySyncAt": iso_ms(happenings.history_at_ms.get(account)),
        }


def reason_of(view: AccountView) -> str | None:
    """Why an account is not connected."""
    if view.status == "connected":
        return None
    return view.passive_reason or view.last_error or view.last_disconnect_reason


def needs_attention(view: AccountView, now_ms: int) -> bool:
    """Whether somebody has to do something about an account, or ought to look at it."""
    if view.status == "reconnecting" or (view.status == "connecting" and view.retry_count):
        return now_ms - (view.last_disconnected_at_ms or 0) > _PATIENCE_MS
    return view.status not in _WELL or view.hearing == "deaf"


def _summary(glance: Glance, views: list[AccountView]) -> dict[str, Any]:
    tallies = [glance.tallies.get(view.account, Tally()) for view in views]
    holes: Counter[GapState] = Counter()
    for tally in tallies:
        holes.update(tally.holes)
    oldest = [tally.oldest_hole_at_ms for tally in tallies if tally.oldest_hole_at_ms is not None]
    return {
        "accounts": len(views),
        "connected": sum(view.status == "connected" for view in views),
        "needsAttention": sum(needs_attention(view, glance.at_ms) for view in views),
        "openGaps": sum(holes[state] for state in ASKABLE),
        "givenUpGaps": sum(count for state, count in holes.items() if state not in ASKABLE),
        "deepGaps": sum(tally.deep for tally in tallies),
        "oldestGapAt": iso_ms(min(oldest, default=None)),
        "debts": sum(tally.debts for tally in tallies),
        "parked": glance.vitals.parked,
        "lagEntries": max((one.lag for one in glance.vitals.consumers.values()), default=0),
    }


def _ahead(ms: int | None, now_ms: int) -> str | None:
    return iso_ms(ms) if ms is not None and ms > now_ms else None


def _status(last: Job | None) -> str | None:
    return _STATUSES.get(last.state, "error") if last else None
