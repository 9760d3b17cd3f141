"""The routes of the daemon over what lies behind the API in memory, and the door before them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from aiohttp import web
from backend import NOW_MS, OTHER, SHOP, Backend
from sights import sight

from whatsapp_backend.api.connections import Connections
from whatsapp_backend.api.coverage import CoverageMap
from whatsapp_backend.api.dashboard import Dashboard
from whatsapp_backend.api.debts import DebtRoutes
from whatsapp_backend.api.exports import Exports
from whatsapp_backend.api.gaps import GapRoutes
from whatsapp_backend.api.glances import Glances
from whatsapp_backend.api.health import Health
from whatsapp_backend.api.history_plan import HistoryPlans
from whatsapp_backend.api.limits import FailureLimits
from whatsapp_backend.api.live import Live
from whatsapp_backend.api.metrics import Metrics
from whatsapp_backend.api.openapi import OpenApi
from whatsapp_backend.api.parked import ParkedRoutes
from whatsapp_backend.api.passive import refuse_while_passive
from whatsapp_backend.api.pauses import PauseRoutes
from whatsapp_backend.api.routes import Route
from whatsapp_backend.api.runs import RunRoutes
from whatsapp_backend.api.server import application
from whatsapp_backend.api.sessions import Sessions
from whatsapp_backend.api.signing_in import SigningIn
from whatsapp_backend.api.staff import Staff
from whatsapp_backend.api.status import Status
from whatsapp_backend.api.tokens import Gate, Tokens
from whatsapp_backend.api.whatsapp import WhatsApp
from whatsapp_backend.api.who import who
from whatsapp_backend.clock import Clock, SystemClock
from whatsapp_backend.domain.sight import Sight
from whatsapp_backend.ports import IdTokens
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_id_tokens import MemoryIdTokens

ADMIN_TOKEN, OBS_TOKEN = "admin-token-of-the-test", "obs-token-of-the-test"
BOSS = OTHER
"""The account for admins only."""
THROUGH = 204
"""What a route answers here that was reached."""


def all_routes(backend: Backend, gate: Gate) -> list[Route]:
    """All that the daemon has: tests/api/test_matrix.py compares them with those of `surfaces`."""
    whatsapp = WhatsApp(
        desk=backend.desk,
        asker=backend.asker,
        documents=backend.documents,
        queries=backend.documents,
        namespace="test",
        paused_until_ms=backend.pauses.until_ms,
    )
    runs = RunRoutes(
        runs=backend.runs,
        jobs=backend.runs,
        accounts=backend.desk,
        wall_ms=lambda: NOW_MS,
        paused_until_ms=backend.pauses.until_ms,
    )
    routes = [
        *SigningIn(gate).routes(),
        *Health(backend.ward, instance_id="test-1", wall_ms=lambda: NOW_MS).routes(),
        *whatsapp.routes(),
        *runs.routes(),
        *PauseRoutes(pauses=backend.pauses, accounts=backend.desk).routes(),
        *ParkedRoutes(consumers=backend.store, replayer=backend, accounts=backend.desk).routes(),
        *GapRoutes(ledger=backend.store, accounts=backend.desk, distrust=backend, wall_ms=lambda: NOW_MS).routes(),
        *HistoryPlans(backend.store, view=backend.desk.view, dry_run=True).routes(),
        *DebtRoutes(debts=backend.store, accounts=backend.desk).routes(),
        *Connections(backend.desk, realtime=backend.ward.realtime).routes(),
        *Exports(accounts=backend.desk, documents=backend.documents, queries=backend.documents).routes(),
    ]
    glances = Glances(ward=backend.ward, store=backend.store, landed=lambda: 0, clock=SystemClock())
    status = Status(glances, instance_id="test-1", wall_ms=lambda: NOW_MS, paused_until_ms=backend.pauses.until_ms)
    routes += [
        *Metrics(_look).routes(),
        *Dashboard(backend.desk).routes(),
        *status.routes(),
        *Live(glances=glances, status=status, clock=SystemClock(), again=gate.again).routes(),
        *CoverageMap(store=backend.store, accounts=backend.desk).routes(),
    ]
    return [*routes, *OpenApi(routes).routes()]


def asked_for(app: web.Application) -> list[tuple[str, str]]:
    """Every route's method, and a path of it."""
    routes = [(route.method, route.resource.canonical) for route in app.router.routes() if route.method != "HEAD"]
    return [(method, path.format(account=SHOP, thread="thread", job="J1", file="page.js")) for method, path in routes]


async def _look() -> Sight:
    return sight()


def gate_of(
    backend: Backend,
    *,
    admin: str | None = None,
    obs: str | None = None,
    id_tokens: IdTokens | None = None,
    clock: Clock | None = None,
) -> Gate:
    """The door with these tokens; who is staff stands in the documents."""
    clock = clock or SystemClock()
    return Gate(
        tokens=Tokens(admin=admin, obs=obs, id_tokens=id_tokens),
        staff=Staff(backend.documents, clock, patience_s=0.05),
        sessions=Sessions(clock),
        limits=FailureLimits(clock),
    )


def behind_the_gate(routes: Iterable[Route], gate: Gate, backend: Backend) -> web.Application:
    """These routes behind the guards, in the order in which the daemon has them."""
    passive = refuse_while_passive(backend.ward.standing, instance_id="test-1")
    return application(routes, guards=[gate.guard(), passive])


@dataclass
class Doors:
    """The door, and everybody before it. Who is let through is told what the route knows of him."""

    backend: Backend
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.id_tokens = MemoryIdTokens("demo-inbox", self.clock)
        self.gate = gate_of(self.backend, admin=ADMIN_TOKEN, obs=OBS_TOKEN, id_tokens=self.id_tokens, clock=self.clock)

    async def stock(self) -> None:
        """Who is staff, and what is not for them."""
        await self.backend.put("staffProfiles/staff-1", name="Staff")
        config = {"adminOnlyAccountIds": [BOSS], "superAdminEmails": ["boss@example.com"]}
        await self.backend.put("config/whatsapp_inbox", **config)

    def routes(self) -> list[Route]:
        """Those of the daemon; behind each is only who came in."""
        return [replace(route, handler=let_in) for route in all_routes(self.backend, self.gate)]

    def headers(self, sender: str) -> dict[str, str]:
        """What this sender sends along."""
        id_tokens = {
            "staff": {},
            "stranger": {"sub": "stranger-1"},
            "super-admin": {"sub": "boss-1", "email": "boss@example.com", "email_verified": True},
            "one who says he is": {"sub": "liar-1", "email": "boss@example.com", "email_verified": False},
            "one whose time is over": {"exp": self.clock.wall_ms() // 1000 - 60},
        }
        if sender in id_tokens:
            return {"Authorization": f"Bearer {self.id_tokens.issue(**id_tokens[sender])}"}
        return {
            "nobody": {},
            "somebody": {"Authorization": "Bearer guess"},
            "admin": {"Authorization": f"Bearer  {ADMIN_TOKEN} "},
            "watcher": {"X-Internal-Token": f" {OBS_TOKEN} "},
            "watcher, by bearer": {"Authorization": f"Bearer {OBS_TOKEN}"},
            "a guessing watcher": {"X-Internal-Token": "guess"},
        }[sender]


async def let_in(request: web.Request) -> web.Response:
    """What stands behind every route here."""
    sender = who(request)
    told = {"role": sender.role.value, "sees boss": sender.may_see(BOSS), "sees shop": sender.may_see(SHOP)}
    return web.Response(status=THROUGH, headers={"X-Who": json.dumps(told)})
