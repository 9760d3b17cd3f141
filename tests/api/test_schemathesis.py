"""schemathesis over the served /openapi.json: thousands of requests on a real port, and every answer as described.

`CASES=50000` makes more of them than CI does.
"""

import asyncio
import os
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import pytest
import schemathesis
from aiohttp import web
from backend import NOW_MS, SHOP, THREAD, Backend, Desk, Runs, Ward, at
from doors import all_routes, behind_the_gate, gate_of
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from whatsapp_backend.api.limits import FailureLimits
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.coverage import Coverage, Gap, LedgerChange, Point, Reason
from whatsapp_backend.domain.jobs import JobState
from whatsapp_backend.domain.mirror import Debt, Progress
from whatsapp_backend.domain.writes import Write
from whatsapp_backend.errors import CommandFailed, CommandTimedOut
from whatsapp_backend.flows.fetch import Page
from whatsapp_backend.testing.memory_documents import MemoryDocuments
from whatsapp_backend.testing.memory_store import MemoryStore
from whatsapp_backend.testing.scripted_bridge import ScriptedBridge

CASES = int(os.environ.get("CASES", "5000"))
TOKEN = "schemathesis-admin-token"
_MOST = 30
"""So many accounts and jobs are kept: the lists must not grow with the cases."""
_REAL = {"account": SHOP, "thread": THREAD, "job": "J1", "file": "page.js"}
_ENDLESS = ("/api/events",)
"""What is streamed has no end to be waited for."""


class NoLimits(FailureLimits):
    """The wrong tokens of one check must not have all others answered by 429."""

    def wait_s(self, address):
        return 0


class FewAccounts(Desk):
    """Whatever is done to an account, after a while it is connected again."""

    def __init__(self):
        super().__init__()
        self._looked = 0

    def view(self, account):
        self._looked += 1
        if account in self.known and self._looked % 7 == 0:
            self.change(account, status="connected")
        return super().view(account)

    async def add(self, **wanted):
        view = await super().add(**wanted)
        if len(self.known) > _MOST:
            del self.known[view.account]
        return view


class FewJobs(Runs):
    """A job that has ended runs again after a while."""

    async def job(self, id):
        if id == "J1":
            self._looked = getattr(self, "_looked", 0) + 1
            self.put("J1", created_at_ms=NOW_MS + 1, state=JobState.RUNNING if self._looked % 3 else JobState.DONE)
        return await super().job(id)

    def put(self, id="J1", **more):
        job = super().put(id, **more)
        for old in [known for known in self.known if known not in (id, "J1")][: -_MOST or None]:
            del self.known[old]
        return job


class Asker:
    """A phone that answers, does not, or cannot be asked, in turns."""

    def __init__(self):
        self.asked = 0

    async def fetch(self, account, *, chat, anchor, time, count):
        self.asked += 1
        match self.asked % 3:
            case 0:
                raise CommandTimedOut("the phone did not answer")
            case 1:
                raise CommandFailed("not-open", "it is not connected")
        return Page(request="R1", messages=count, result="ok", end=None)


async def furnished():
    """A backend with some of everything."""
    desk, store, documents = FewAccounts(), MemoryStore(), MemoryDocuments()
    desk.change(SHOP, qr="2@a,code")
    backend = Backend(desk, Ward(desk), ScriptedBridge(), Asker(), documents, FewJobs(desk), store)
    for number in range(3):
        backend.runs.put(f"J{number}", created_at_ms=NOW_MS + number, state=JobState.DONE)
        thread = f"{SHOP}__1555000{number + 2}222@s.whatsapp.net"
        await documents.write(
            [Write(path=f"threads/{thread}", fields={"accountId": SHOP, "clientJid": "x", "lastMessageAt": at(number)})]
            + [Write(path=f"threads/{thread}/messages/M{n}", fields={"tsClient": at(n), "body": "x"}) for n in range(5)]
        )
    gaps = tuple(
        Gap(
            account=SHOP,
            thread=f"threads/{THREAD}",
            number=number,
            reason=Reason.DISCONNECTED,
            start_ms=50_000,
            end_ms=90_000,
            below=Point(40_000, "M4"),
            above=Point(90_000 + number, "M9"),
            opened_at_ms=NOW_MS,
        )
        for number in (1, 2)
    )
    jid = THREAD.partition("__")[2]
    known = Coverage(account=SHOP, thread=f"threads/{THREAD}", jid=jid, gaps=gaps)
    await store.record(LedgerChange(coverages=(known,)))
    debts = [
        Debt(path=f"threads/{THREAD}/messages/D{n}", account=SHOP, reason="absent", key=b"{}", opened_at_ms=NOW_MS)
        for n in (1, 2)
    ]
    await store.advance(Progress(consumer="documents", debts=tuple(debts)))
    return backend


@contextmanager
def served():
    """The API on a port of its own, in a thread of its own; its address."""
    ready, loop, found = threading.Event(), asyncio.new_event_loop(), {}

    async def serve():
        done = found["done"] = asyncio.Event()
        backend = await furnished()
        gate = replace(gate_of(backend, admin=TOKEN), limits=NoLimits(SystemClock()))
        routes = [route for route in all_routes(backend, gate) if route.path not in _ENDLESS]
        runner = web.AppRunner(behind_the_gate(routes, gate, backend), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        found["port"] = runner.addresses[0][1]
        ready.set()
        await done.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield f"http://127.0.0.1:{found['port']}"
    finally:
        loop.call_soon_threadsafe(found["done"].set)
        thread.join(10)
        loop.close()


def config_of(cases, operations):
    """All checks, on as many cases."""
    a_phone_that_is_off_is_no_bug = {
        "include-name": "POST /api/whatsapp/fetch-history/{account}",
        "checks": {"not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "504"]}},
    }
    no_schema_says_which_moment_is_earlier = {
        "include-name": "POST /api/whatsapp/resync/{account}",
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "400", "403", "404", "409", "5xx"]}},
    }
    nor_how_long_a_span_is = {
        **no_schema_says_which_moment_is_earlier,
        "include-name": "POST /api/whatsapp/pause/{account}",
    }
    return SchemathesisConfig.from_dict(
        {
            "headers": {"Authorization": f"Bearer {TOKEN}"},
            "phases": {"stateful": {"enabled": False}},
            "generation": {
                "max-examples": cases * 3 // (2 * operations),
                "database": "none",
                "with-security-parameters": False,
            },
            "checks": {"ignored_auth": {"enabled": True}},
            "operations": [
                a_phone_that_is_off_is_no_bug,
                no_schema_says_which_moment_is_earlier,
                nor_how_long_a_span_is,
            ],
            "seed": int(os.environ.get("SEED", "1")),
        }
    )


def about_something_real(context, case, kwargs):
    """Most requests are about what exists: about nothing, all would be answered alike. A cursor is never made up where
    what is valid is wanted, because no schema can say which ones are; nor is a token."""
    for name, value in _REAL.items():
        if name in (case.path_parameters or {}) and len(str(case.path_parameters[name])) % 4:
            case.path_parameters[name] = value
    if case.meta and case.meta.generation.mode is GenerationMode.POSITIVE:
        for place in (case.query, case.body):
            if isinstance(place, dict):
                place.pop("cursor", None)
        if case.operation.label == "POST /api/session" and len(str(case.body)) % 2:
            case.body = {"token": TOKEN}


@pytest.fixture
def real_things():
    """The hook is all of schemathesis's: it must not outlive the test."""
    schemathesis.hook("before_call")(about_something_real)
    yield
    schemathesis.hooks.unregister_all()


def told(event):
    """What failed in a scenario, for people."""
    for node in event.recorder.checks.values():
        for check in node:
            if check.failure_info:
                yield f"{event.label}: {check.name}: {check.failure_info.failure}\n{check.failure_info.code_sample}"


@pytest.mark.timeout(60 + CASES // 10)
def test_every_answer_to_thousands_of_requests_is_as_described(real_things):
    """Nothing is our fault; what is described is accepted, what is not is refused; no answer is another than told."""
    with served() as url:
        described = schemathesis.openapi.from_url(f"{url}/openapi.json")
        operations = {one.ok().label for one in described.exclude(path=list(_ENDLESS)).get_all_operations()}
        config = config_of(CASES, len(operations))
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config).exclude(path=list(_ENDLESS))
        cases, failures, answers = Counter(), Counter(), Counter()
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                cases[event.phase.value] += len(event.recorder.cases)
                failures.update(told(event))
                for one in event.recorder.interactions.values():
                    answers[event.label, one.response.status_code if one.response else None] += 1
            elif isinstance(event, events.NonFatalError | events.FatalError):
                failures[str(getattr(event, "value", None) or event.exception)] += 1
    assert not failures, "\n\n".join(failures)
    assert not [label for label, status in answers if status == 429]
    assert operations - {label for label, status in answers if status in (200, 202)} == set(), "never carried out"
    assert sum(cases.values()) >= CASES
