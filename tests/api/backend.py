"""What lies behind the API, in memory, and ways to ask it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from aiohttp.test_utils import TestClient

from whatsapp_backend.api.health import Behind, Vitals
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.coverage import ENDLESS_MS
from whatsapp_backend.domain.jobs import UNFINISHED, Bounds, Job, JobState, Kind, Plan, Trigger
from whatsapp_backend.domain.leases import Standing
from whatsapp_backend.domain.writes import Write
from whatsapp_backend.errors import NotConnected
from whatsapp_backend.flows.fetch import Asker
from whatsapp_backend.flows.pauses import Pausing
from whatsapp_backend.flows.replay import Replayed
from whatsapp_backend.rules.identity import account_id
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_documents import MemoryDocuments
from whatsapp_backend.testing.memory_store import MemoryStore
from whatsapp_backend.testing.scripted_bridge import ScriptedBridge

NOW_MS = 1_795_328_371_000
SHOP = account_id("+15550001111", "test")
OTHER = account_id("+15550009999", "test")
THREAD = f"{SHOP}__15550002222@s.whatsapp.net"


def view(account: str, phone: str, **more: Any) -> AccountView:
    return AccountView(
        account=account, phone=phone, **{"name": "Shop", "created_at_ms": NOW_MS, "status": "connected"} | more
    )


class Desk:
    """Accounts in memory. `trouble` is raised by whatever writes."""

    def __init__(self) -> None:
        self.known = {SHOP: view(SHOP, "+15550001111"), OTHER: view(OTHER, "+15550009999")}
        self.resumed: list[str] = []
        self.trouble: Exception | None = None

    def views(self) -> list[AccountView]:
        return list(self.known.values())

    def view(self, account: str) -> AccountView | None:
        return self.known.get(account)

    def change(self, account: str, **changes: Any) -> None:
        self.known[account] = replace(self.known[account], **changes)

    async def add(self, *, phone: str, name: str, namespace: str) -> AccountView:
        account = account_id(phone, namespace)
        if self.trouble:
            raise self.trouble
        phone = "+" + "".join(filter(str.isdigit, phone))
        return self.known.setdefault(account, view(account, phone, name=name, status="connecting"))

    async def resume(self, account: str) -> None:
        if self.trouble:
            raise self.trouble
        self.resumed.append(account)
        self.change(account, status="connecting")

    async def rename(self, account: str, name: str) -> None:
        if self.trouble:
            raise self.trouble
        self.change(account, name=name)

    async def disconnect(self, account: str) -> None:
        if self.trouble:
            raise self.trouble
        self.change(account, status="disconnected", last_error="disconnected by its operator")

    async def reconnect(self, account: str) -> None:
        if self.trouble:
            raise self.trouble
        self.change(account, status="connecting", last_error=None)


@dataclass
class Ward:
    """A daemon that says of itself what the test wants."""

    desk: Desk
    now: Vitals = field(
        default_factory=lambda: Vitals(
            trouble=None,
            firestore_connected=True,
            consumers={"documents": Behind(position=40, lag=2, oldest_s=7)},
            parked=1,
            journal_end=42,
            as_of_ms=NOW_MS,
        )
    )
    hangs: bool = False
    trouble: Exception | None = None
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    stands: Standing = field(default_factory=Standing)

    async def vitals(self) -> Vitals:
        if self.trouble:
            raise self.trouble
        if self.hangs:
            await asyncio.Event().wait()
        return self.now

    def standing(self) -> Standing:
        return self.stands

    def views(self) -> list[AccountView]:
        return self.desk.views()

    def realtime(self) -> dict[str, dict[str, Any]]:
        return self.seen


class Runs:
    """Runs that do nothing, and their jobs. `trouble` is raised by whoever starts one.

    `coming` are what a job becomes, one each time it is asked for.
    """

    plan = Plan(threads=3, gaps=4, requests=4, writes=200, cost_usd=0.00018, most_writes=1000)

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.known: dict[str, Job] = {}
        self.trouble: Exception | None = None
        self.coming: list[dict[str, Any]] = []

    def put(self, id: str = "J1", *, account: str = SHOP, **more: Any) -> Job:
        made = {"kind": Kind.BACKFILL, "trigger": Trigger.PERIODIC, "created_at_ms": NOW_MS, "state": JobState.DONE}
        self.known[id] = Job(id=id, account=account, **made | more)
        return self.known[id]

    async def start(
        self,
        account: str,
        *,
        kind: Kind,
        trigger: Trigger,
        bounds: Bounds,
        dry_run: bool = False,
        job_id: str | None = None,
    ) -> Job:
        if job_id in self.known:
            return self.known[job_id]
        if self.trouble:
            raise self.trouble
        if self._desk.known[account].status != "connected":
            raise NotConnected(self._desk.known[account].status)
        job_id = job_id or f"J{len(self.known) + 1}"
        more = {"state": JobState.DONE, "plan": self.plan} if dry_run else {"state": JobState.PENDING}
        return self.put(job_id, account=account, kind=kind, trigger=trigger, bounds=bounds, dry_run=dry_run, **more)

    async def cancel(self, job_id: str) -> Job | None:
        job = self.known.get(job_id)
        if job and job.state in UNFINISHED:
            job = self.known[job_id] = replace(job, state=JobState.CANCELLED, ended_at_ms=NOW_MS)
        return job

    # As the port Jobs

    async def put_job(self, job: Job) -> None:
        self.known[job.id] = job

    async def job(self, id: str) -> Job | None:
        if id in self.known and self.coming:
            self.known[id] = replace(self.known[id], **self.coming.pop(0))
        return self.known.get(id)

    async def jobs(
        self, account: str | None = None, *, limit: int, after: tuple[int, str] = (ENDLESS_MS, "")
    ) -> list[Job]:
        newest = sorted(self.known.values(), key=lambda job: (job.created_at_ms, job.id), reverse=True)
        later = [job for job in newest if (job.created_at_ms, job.id) < after]
        return [job for job in later if account in (None, job.account)][:limit]

    async def unfinished_jobs(self) -> list[Job]:
        return [job for job in self.known.values() if job.state in UNFINISHED]

    async def last_jobs(self, account: str, kind: Kind) -> tuple[Job | None, Job | None]:
        newest = [job for job in await self.jobs(account, limit=999) if job.kind is kind and not job.dry_run]
        return next(iter(newest), None), next((job for job in newest if job.state is JobState.DONE), None)


@dataclass
class Backend:
    """What lies behind the API."""

    desk: Desk
    ward: Ward
    bridge: ScriptedBridge
    asker: Asker
    documents: MemoryDocuments
    runs: Runs
    store: MemoryStore = field(default_factory=MemoryStore)
    distrusted: list[str] = field(default_factory=list)

    replayed: Replayed = field(default_factory=lambda: Replayed(landed=3, parked=1))
    asked_to_replay: list[tuple[str | None, int | None, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = FakeClock(wall_ms=NOW_MS)
        self.pauses = Pausing(self.store, self.clock)

    async def replay(self, account: str | None = None, *, seq: int | None = None, after: int = 0) -> Replayed:
        self.asked_to_replay.append((account, seq, after))
        return self.replayed

    async def distrust(self, thread: str) -> None:
        self.distrusted.append(thread)

    async def put(self, path: str, **fields: Any) -> None:
        """A document is there."""
        await self.documents.write([Write(path=path, fields=fields)])


def at(seconds: int, microseconds: int = 0) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)


async def raw(api: TestClient, text: str, *, host: str | None = "127.0.0.1") -> tuple[int, Any]:
    """Send a request exactly as it is written; the status and the answer, JSON where it is."""
    reader, writer = await asyncio.open_connection(api.host, api.port)
    head, _, body = text.partition("\n\n")
    lines = [*head.splitlines(), *([f"Host: {host}"] if host is not None else []), "Connection: close"]
    writer.write("\r\n".join([*lines, "", body]).encode("utf-8", "surrogateescape"))
    try:
        async with asyncio.timeout(10):
            answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.decode().partition("\r\n\r\n")
    is_json = "content-type: application/json" in head.lower()
    return int(head.split()[1]), json.loads(body) if is_json else body


async def refused(answer: Any, status: int, error: str) -> str:
    """That this is a JSON answer which refuses; its message."""
    body = await answer.json()
    assert (answer.status, body["success"], body["error"]) == (status, False, error), body
    assert body["requestId"] == answer.headers["X-Request-ID"]
    return str(body["message"])
