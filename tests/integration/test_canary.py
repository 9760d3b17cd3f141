"""Bodies, names and numbers go through the whole daemon and are seen in no log line, metric, health answer or error."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from canaries import Canaries
from prometheus_client.parser import text_string_to_metric_families as parsed
from whole import RealDaemon, Whole, until

from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.local_firestore import LocalFirestore
from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

ME, ANA, BOB, EVE = "15552589631", "15551472583", "15559638527", "15557531598"
"""EVE is nobody's correspondent: she stands in wrong requests only."""
GROUP = "120363015559876543@g.us"
WATCHED = ("/", "/ready", "/diag", "/health", "/health/consumers", "/metrics")
PLANTED = "planted-c0ffee"
"""What must be found: the instance's name, in log lines and answers."""


class Play:
    """The whole system, what was sent through it, and everything that it said."""

    def __init__(self, whole: Whole, emulator: LocalFirestore) -> None:
        self.whole = whole
        self.emulator = emulator
        self.canaries = Canaries(numbers=[ANA, BOB, EVE, whole.phone, GROUP.partition("@")[0]])
        self.answers: list[str] = []

    async def meet(self) -> None:
        """Let people and a group be there, with names; their LIDs are canaries, too."""
        for phone, name in ((ANA, "Ana"), (BOB, "Bob"), (self.whole.phone, "me")):
            person = await self.whole.server.op("person", phone=phone, name=self.canaries.text(f"name of {name}"))
            self.canaries.numbers.append(str(person["lid"]).partition("@")[0].partition(":")[0])
        await self.whole.server.op(
            "group", id=GROUP, subject=self.canaries.text("subject"), members=[ANA, BOB, self.whole.phone]
        )

    async def send(self, id: str, **more: Any) -> None:
        """Somebody says something."""
        if not {"react", "revoke", "edit"} & more.keys():
            more.setdefault("text", self.canaries.text(id))
        await self.whole.server.op("message", account=self.whole.phone, id=id, **{"chat": ANA, **more})

    async def watch(self) -> None:
        """Ask everything that operators watch."""
        async with aiohttp.ClientSession() as session:
            for path in WATCHED:
                async with session.get(self.whole.daemon.url + path) as answer:
                    assert answer.status == 200, path
                    self.answers.append(f"{path}: {answer.headers} {await answer.text()}")

    def said(self) -> list[str]:
        """Log lines and answers."""
        return [*self.whole.daemon.lines, *self.answers]


@pytest.fixture
async def play(
    request: pytest.FixtureRequest, tmp_path: Path, server: FakeWhatsApp, own_emulator: LocalFirestore
) -> AsyncIterator[Play]:
    """A daemon that says as much as it can; the parameter is its log format."""
    daemon = RealDaemon(
        state_dir=tmp_path / "state",
        server_url=server.url,
        emulator=own_emulator.address,
        project=own_emulator.project,
        LOG_FORMAT=request.param,
        INSTANCE_ID=PLANTED,
        INSTANCE_LEASE_MS="120000",
    )
    firestore = firestore_client(own_emulator.project, emulator_host=own_emulator.address)
    try:
        await daemon.start("--debug")
        whole = Whole(server, daemon, firestore)
        whole.phone = ME
        made = Play(whole, own_emulator)
        await made.meet()
        await whole.pair()
        yield made
    finally:
        await daemon.close()
        await close(firestore)


async def talk(play: Play) -> None:
    """Live, of every kind."""
    await play.send("LIVE")
    await play.send("LIDS", chat=BOB, addressing="lid")
    await play.send("GROUP", chat=GROUP, from_=BOB)
    await play.send("EDIT", edit={"id": "LIVE", "text": play.canaries.text("edit")})
    await play.send("REACT", react={"id": "LIVE", "text": "👍"})
    await play.send("MINE", from_me=True)
    await play.send("IMAGE", kind="image", text=None, caption=play.canaries.text("caption"))
    await play.whole.server.op("receipt", account=play.whole.phone, **{"from": ANA}, ids=["MINE"], type="read")
    await play.whole.lands({"LIVE", "LIDS", "GROUP", "MINE", "IMAGE"})
    await play.send("GONE", revoke={"id": "LIDS"}, chat=BOB)


async def trouble(play: Play) -> None:
    """One that cannot be decrypted, one that cannot be read at all, one whose stanza means nothing."""
    await play.whole.server.op("person", phone=ANA, answers_retries=False)
    await play.whole.server.op("person", phone=play.whole.phone, resends_placeholders=False)
    await play.send("OWED", corrupt=True)
    rubbish = base64.b64encode(b"\xff\xff" + play.canaries.text("rubbish").encode()).decode()
    for name, jid in (("PARK1", f"{ANA}@s.whatsapp.net"), ("PARK2", GROUP), ("PARK3", "nobody@nowhere")):
        attrs = {"id": name, "from": jid, "participant": f"{BOB}@s.whatsapp.net", "t": "1", "notify": "canary"}
        content = [{"tag": "plaintext", "attrs": {}, "content": {"b": rubbish}}]
        node = {"tag": "message", "attrs": attrs, "content": content}
        await play.whole.server.op("stanza", account=play.whole.phone, node=node, queued=False)

    async def is_parked() -> bool:
        health = await play.whole.daemon.get("/health")
        return health["parked"] > 0 and health["debts"]["open"] > 0

    await until(is_parked)


async def history(play: Play) -> None:
    """What the phone held, with names; and a page of it that is asked for."""
    messages = [{"id": f"OLD{n}", "time": 1795000000 + n, "text": play.canaries.text(f"old {n}")} for n in range(3)]
    chat = {"chat": ANA, "name": play.canaries.text("chat"), "messages": messages}
    pushed = [{"phone": BOB, "name": play.canaries.text("push name")}]
    chunk = {"conversations": [chat], "pushnames": pushed, "mappings": [ANA, BOB]}
    await play.whole.server.op("history", account=play.whole.phone, chunks=[chunk])
    await play.whole.lands({"OLD0", "OLD2"})
    await play.whole.server.op(
        "store",
        account=play.whole.phone,
        chat=ANA,
        messages=[{"id": "STORED", "time": 1794000000, "text": play.canaries.text("stored")}],
    )
    asked = {"chat": f"{ANA}@s.whatsapp.net", "anchor": {"id": "OLD0", "fromMe": False}, "time": 1795000000, "count": 5}
    await play.whole.daemon.post(f"/api/whatsapp/fetch-history/{play.whole.account}", asked)
    await play.whole.lands({"STORED"})


async def outage(play: Play) -> None:
    """Firestore goes while messages come; the bridge dies."""
    await play.emulator.stop()
    await play.send("AWAY", chat=BOB)

    async def is_not_ready() -> bool:
        return not (await play.whole.daemon.get("/ready"))["ready"]

    await until(is_not_ready)
    await play.watch()
    await ask_wrongly(play)
    await play.emulator.start()
    await play.whole.lands({"AWAY"})
    bridge = play.whole.daemon.bridge_pid()
    assert bridge
    os.kill(bridge, signal.SIGKILL)
    await play.send("AFTER")
    await play.whole.lands({"AFTER"})


async def ask_wrongly(play: Play) -> None:
    """Requests that are refused, with canaries wherever one can be: nothing of them comes back."""
    text, account = play.canaries.text("request"), play.whole.account
    jid = f"{EVE}@s.whatsapp.net"
    gets = [
        f"/{EVE}",
        f"/api/whatsapp/threads/{EVE}",
        f"/api/whatsapp/threads/{jid}?limit={text}",
        f"/api/whatsapp/threads/{account}?limit={EVE}",
        f"/api/whatsapp/messages/{account}/{account}__{jid}",
        f"/api/whatsapp/messages/{account}/{text}",
        f"/api/whatsapp/messages/{account}/%2B{EVE}?limit=0",
        f"/api/whatsapp/qr/{jid}",
        f"/api/whatsapp/gaps/{account}/{jid}",
        f"/api/whatsapp/jobs/{account}/{text}",
        f"/api/whatsapp/jobs/{account}?cursor={text}",
        f"/api/whatsapp/history-plan/{EVE}",
        f"/api/admin/backfill/{EVE}/status",
    ]
    posts: list[tuple[str, Any]] = [
        ("/api/whatsapp/add-account", {"phone": text, "name": text}),
        ("/api/whatsapp/add-account", {"phone": [EVE]}),
        ("/api/whatsapp/add-account", {text: text, EVE: EVE}),
        (f"/api/whatsapp/resync/{account}", {"since": text}),
        (f"/api/whatsapp/resync/{account}", {"chats": [text, EVE]}),
        (f"/api/whatsapp/backfill/{account}", {"jobId": text * 9}),
        (f"/api/whatsapp/backfill/{jid}", {}),
        (f"/api/whatsapp/fetch-history/{account}", {"chat": text, "anchor": text, "time": EVE}),
        (f"/api/whatsapp/gaps/{account}/{jid}/reset", {text: 1}),
        (f"/api/whatsapp/regenerate-qr/{EVE}", {}),
    ]
    headers = {"Authorization": f"Bearer {text}", "User-Agent": text, "Cookie": f"wb_session={EVE}", "X-Canary": text}
    async with aiohttp.ClientSession(headers=headers) as session:
        for path in gets:
            await keep(play, session.get(play.whole.daemon.url + path, headers={"X-Request-ID": f"+{EVE}"}))
        for path, body in posts:
            await keep(play, session.post(play.whole.daemon.url + path, json=body))
            await keep(play, session.post(play.whole.daemon.url + path, data=f'{{"{text}": {EVE},'))
        for name in ("Host", "Origin"):
            await keep(play, session.get(play.whole.daemon.url + "/ready", headers={name: f"{EVE}.example.com"}))
        await keep(play, session.request("CANARY", play.whole.daemon.url + f"/{EVE}"))
    for raw in (f"GET /{text} HTTP/9.9\r\n\r\n", f"{text}\r\n\r\n", f"GET / HTTP/1.1\r\n{text}\r\n\r\n"):
        play.answers.append(await said_to(play.whole.daemon.url, raw))


async def keep(play: Play, asking: Any) -> None:
    """The answer is an error, or says nothing but that something was begun."""
    async with asking as answer:
        play.answers.append(f"{answer.method} {answer.status} {dict(answer.headers)} {await answer.text()}")
        assert answer.status >= 400, play.answers[-1]


async def said_to(url: str, raw: str) -> str:
    """What comes back for bytes that are no HTTP."""
    host, _, port = url.partition("//")[2].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(raw.encode())
    async with asyncio.timeout(10):
        answer = await reader.read(65536)
    writer.close()
    await writer.wait_closed()
    return answer.decode(errors="replace")


async def metrics_are_true(play: Play) -> None:
    """What /metrics says of this very run; the bridge is asked, and the store counted, every 15 s."""
    account = play.whole.account

    async def told() -> dict[tuple[str, str], float]:
        async with aiohttp.ClientSession() as session, session.get(play.whole.daemon.url + "/metrics") as answer:
            families = list(parsed(await answer.text()))
        samples = [one for family in families for one in family.samples]
        assert {name for one in samples for name in one.labels} == {"account", "kind", "le"}
        assert {one.labels["account"] for one in samples if "account" in one.labels} == {account}
        return {(one.name, one.labels.get("kind", "")): one.value for one in samples}

    async def has_heard() -> dict[tuple[str, str], float] | None:
        of = await told()
        asked = ("whatsapp_frame_age_seconds", "") in of and not of["whatsapp_unanswered_receipts", ""]
        counted = {("whatsapp_debts", "open"), ("whatsapp_parked", "documents")} <= of.keys()
        return of if asked and counted else None

    of = await until(has_heard)
    assert of["whatsapp_connection", "connected"] == of["whatsapp_ready", ""] == of["whatsapp_store_answers", ""] == 1
    assert of["whatsapp_frame_age_seconds", ""] < 60
    assert 0 < of["whatsapp_lease_trust_seconds", ""] <= 120
    assert of["whatsapp_landing_seconds_count", "live"] >= 8
    assert of["whatsapp_firestore_operations_total", "write"] >= 8
    assert of["whatsapp_firestore_operations_total", "transaction"] >= 1
    assert of["whatsapp_firestore_cost_usd_total", ""] > 0


@pytest.mark.parametrize("play", ["text", "json"], indirect=True)
async def test_what_people_say_and_who_they_are_is_seen_nowhere(play: Play) -> None:
    """Live, history, what cannot be read, an outage, a crash, wrong requests; debug lines are on."""
    await talk(play)
    await trouble(play)
    await history(play)
    await ask_wrongly(play)
    await metrics_are_true(play)
    await play.watch()
    await outage(play)
    await play.watch()
    assert await play.whole.daemon.terminate() == 0
    lines = play.whole.daemon.lines
    for tag in ("[realtime]", "[history] event received", "[history] sync ended", "parked", "bridge-ended"):
        assert any(tag in line for line in lines), f"{tag} was never logged: this run shows nothing"
    assert play.canaries.leaks(play.said()) == []
    control = Canaries(texts=[PLANTED])
    assert control.leaks(lines), "the search does not find what is in a line"
    assert control.leaks(play.answers), "the search does not find what is in an answer"


@pytest.mark.parametrize("form", ["{}", "<{}>", "A{}Z", "%2B{}", "{}@s.whatsapp.net"])
def test_the_search_finds_what_was_planted(form: str) -> None:
    """Numbers and texts, as they are and in base64."""
    canaries = Canaries(numbers=[ANA])
    text = canaries.text("body")
    assert canaries.leaks([form.replace("{}", ANA)])
    assert canaries.leaks([form.replace("{}", text)])
    encoded = base64.b64encode(form.replace("{}", text).encode()).decode()
    assert canaries.leaks([f"raw={encoded}"])
    assert not canaries.leaks(["a line without any"])
