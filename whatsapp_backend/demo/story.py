"""The story: a phone is paired, its history arrives, people write, the connection breaks and heals, nothing is missing;
then the server loses messages, the gap shows, and the phone fills it.

Everything is real but WhatsApp's server and, where there is no emulator, Firestore: the daemon, the bridge and Baileys
are those that run in production, and the account is added and paired through the HTTP API, as an operator does it.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TextIO

import aiohttp
import segno
from rich.console import Console

from whatsapp_backend.adapters.local_firestore import LocalFirestore
from whatsapp_backend.adapters.node_runtime import node_home
from whatsapp_backend.app import Daemon
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.database import Documents, firestore
from whatsapp_backend.demo.cast import ANA, BOB, GROUP, MIA, OLD, PHONE, Cast, differences
from whatsapp_backend.errors import EmulatorMissing
from whatsapp_backend.rules.document_ids import thread_id
from whatsapp_backend.settings import Settings, load
from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp
from whatsapp_backend.testing.memory_documents import MemoryDocuments
from whatsapp_backend.testing.memory_leases import MemoryLeases

_PATIENCE_S = 90.0
_LIVE_PAUSE_S = 3.0
_ALL = 1000
_clock = SystemClock()
_console = Console(stderr=False, highlight=False)


async def play(
    *, once: bool, state_dir: Path | None, environ: Mapping[str, str], log_to: Callable[[TextIO], None]
) -> int:
    """Play it; 0 when every document is as it was sent, 1 when not. Without `once` it goes on until Ctrl-C."""
    folder = _fresh(state_dir or Path(".state") / "demo")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with (folder / "daemon.log").open("w", encoding="utf-8") as log:
        log_to(log)
        _say(f"The daemon's log is {folder / 'daemon.log'}")
        base = load({**environ, "STATE_DIR": str(folder), "PORT": "0", "ACCOUNT_NAMESPACE": "demo"})
        home = await node_home(base.cache_dir)
        async with (
            _documents(base, folder) as documents,
            FakeWhatsApp.started(home.folder, node=str(home.node)) as server,
        ):
            _say(f"A fake WhatsApp server listens at [cyan]{server.url}[/]")
            settings = _settings(environ, folder, server.url, home.folder)
            return await _with_daemon(settings, documents, Cast(server), stop, once=once)


async def _with_daemon(settings: Settings, documents: Documents, cast: Cast, stop: asyncio.Event, *, once: bool) -> int:
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    end = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        daemon = Daemon(settings, documents)
        tasks.create_task(daemon.run(end, lambda port: url.set_result(f"http://127.0.0.1:{port}")), name="daemon")
        watch = tasks.create_task(_ended_early(stop), name="Ctrl-C")
        try:
            story = tasks.create_task(_story(await url, documents, cast, stop, once=once), name="story")
            await asyncio.wait({story, watch}, return_when=asyncio.FIRST_COMPLETED)
            code = story.result() if story.done() else 130 if once else 0
            story.cancel()
        finally:
            watch.cancel()
            end.set()
    return code


async def _ended_early(stop: asyncio.Event) -> None:
    await stop.wait()


async def _story(url: str, documents: Documents, cast: Cast, stop: asyncio.Event, *, once: bool) -> int:
    async with aiohttp.ClientSession(url) as api:
        _say(f"The daemon listens at [cyan]{url}[/]: try [cyan]curl {url}/ready[/]")
        _say(f"Watch it in a browser: [cyan]{url}/dashboard[/]")
        await cast.introduce()
        account = await _pair(api, cast)
        _say(f"The phone hands over its history: {await cast.history()} messages")
        await _landed(documents, account, cast)
        await _people_write(cast)
        await _landed(documents, account, cast)
        await _minds_change(cast)
        await _landed(documents, account, cast)
        await _outage(cast, api, account)
        await _landed(documents, account, cast)
        await _old_customer(cast)
        await _landed(documents, account, cast)
        await _loss(cast, api, account)
        await _landed(documents, account, cast)
        problems = await _check(documents, account, cast)
        if once:
            return 1 if problems else 0
        _say(f"Look at [cyan]{url}/api/whatsapp/threads/{account}[/]. Messages go on arriving. Ctrl-C ends the demo.")
        number = 0
        while not stop.is_set():
            number += 1
            await cast.text(f"live-{number}", f"still here, number {number}", chat=(ANA, BOB, MIA)[number % 3])
            await _clock.sleep(_LIVE_PAUSE_S)
    return 0


async def _pair(api: aiohttp.ClientSession, cast: Cast) -> str:
    async with api.post("/api/whatsapp/add-account", json={"phone": f"+{PHONE}", "name": "Demo shop"}) as answer:
        account = str((await answer.json())["account"]["id"])

    async def status() -> dict[str, Any]:
        async with api.get(f"/api/whatsapp/qr/{account}") as answer:
            return dict(await answer.json())

    async def code() -> str | None:
        qr = (await status())["qr"]
        return str(qr) if qr else None

    async def connected() -> bool:
        return bool((await status())["status"] == "connected")

    qr = str(await _until(code))
    _say("An account is added. WhatsApp shows this code, and the phone scans it:")
    if _console.is_terminal:
        segno.make(qr, error="l", micro=False).terminal(out=sys.stdout, compact=True)
    await cast.server.scan(qr, phone=PHONE)
    await _until(connected)
    _say("[green]Paired and connected[/]")
    return account


async def _people_write(cast: Cast) -> None:
    _say("People write: texts, a picture, a group, somebody on the phone itself, and one delivery comes twice")
    await cast.text("t1", "Good morning! Is the blue one still there?")
    await cast.text("t2", "It is. Shall I keep it for you?", from_me=True)
    await cast.image("p1", "like this one")
    await cast.text("g1", "Meeting at ten", chat=GROUP, from_=BOB)
    await cast.text("t3", "Yes please", addressing="lid")
    await cast.again("t1")


async def _minds_change(cast: Cast) -> None:
    _say("Minds change: an edit, a deletion, a reaction, somebody reads; and Mia is seen by her LID before her number")
    await cast.edit("t1", "Good morning! Is the green one still there?")
    await cast.revoke("g1", chat=GROUP, from_=BOB)
    await cast.react("t2", "👍")
    await cast.read("t2")
    await cast.text("m1", "Hello from a hidden number", chat=MIA, addressing="lid", alt=False)
    await cast.text("m2", "It is me, Mia", chat=MIA, addressing="lid")


async def _outage(cast: Cast, api: aiohttp.ClientSession, account: str) -> None:
    _say("[yellow]The connection breaks[/] while 120 messages are on their way")
    async with _away(cast, api, account):
        for number in range(120):
            await cast.text(
                f"o{number}", f"written while you were away, {number}", chat=(ANA, BOB)[number % 2], offline=True
            )


async def _old_customer(cast: Cast) -> None:
    for number in range(1, 6):
        await cast.text(f"n{number}", f"number {number}", chat=OLD)


async def _loss(cast: Cast, api: aiohttp.ClientSession, account: str) -> None:
    _say("[yellow]The connection breaks again[/], and WhatsApp's server loses numbers 6 to 8: only the phone has them")
    async with _away(cast, api, account):
        for number in range(6, 9):
            await cast.lost(f"n{number}", f"number {number}", chat=OLD)
    for number in (9, 10):
        await cast.text(f"n{number}", f"number {number}", chat=OLD)
    path = f"/api/whatsapp/gaps/{account}/{thread_id(account, f'{OLD}@s.whatsapp.net')}"

    async def gaps() -> list[dict[str, Any]]:
        return [gap for gap in (await _got(api, path))["gaps"] if gap["below"] and gap["above"]["id"] in ("n9", "n10")]

    gap = (await _until(gaps))[0]
    lost = (await _got(api, f"/api/whatsapp/gaps/{account}"))["announced"]["lostOffline"][0]
    _say(f"  {lost['announced']} messages had been announced, {lost['received']} came; [cyan]GET {path}[/] says:")
    _say(f"  [yellow]a gap[/], {gap['state']}: unknown between {gap['below']['id']} and {gap['above']['id']}")
    await _filled(api, account)
    known = await _got(api, path)
    if any(one["number"] == gap["number"] for one in known["gaps"]):
        _say("  [red]the gap is not closed[/]")
        return
    proof = next(one for one in known["proven"] if one["fromMs"] <= gap["fromMs"] + 1000 < one["untilMs"])
    _say(
        f"  [green]the gap is closed[/], by {proof['proof']}: what the phone sent reached down to {gap['below']['id']}"
    )


async def _filled(api: aiohttp.ClientSession, account: str) -> None:
    wanted = {"since": "1h", "chats": [f"{OLD}@s.whatsapp.net"]}
    async with api.post(f"/api/whatsapp/resync/{account}", json=wanted) as answer:
        job = (await answer.json())["data"]["jobId"]

    async def ended() -> dict[str, Any] | None:
        told = (await _got(api, f"/api/whatsapp/jobs/{account}/{job}"))["job"]
        return told if told["endedAt"] else None

    told = await _until(ended)
    work = told["progress"]
    _say(
        f"  a resync asks the phone for what is older than the message after the gap: {told['state']}, "
        f"{work['requests']} requests, {work['fetched']} messages, {work['stored']} of them new"
    )


@asynccontextmanager
async def _away(cast: Cast, api: aiohttp.ClientSession, account: str) -> AsyncIterator[None]:
    """While the connection is broken."""

    async def caught_up() -> bool:
        accounts = (await _got(api, "/api/whatsapp/accounts"))["accounts"]
        return any(one["id"] == account and one["caughtUp"] for one in accounts)

    async def cut_off() -> bool:
        return not await caught_up()

    await cast.server.op("fault", stage="connect", action="terminate", times=1000)
    await cast.server.op("terminate", account=PHONE)
    await _until(cut_off)
    yield
    await cast.server.op("faults-clear")
    await _until(caught_up)
    _say("[green]Connected again[/]")


async def _got(api: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    async with api.get(path) as answer:
        return dict(await answer.json())


async def _landed(documents: Documents, account: str, cast: Cast) -> None:
    async def all_there() -> bool:
        return not differences(cast.sent, *await _read(documents, account))

    try:
        await _until(all_there)
    except TimeoutError:
        return  # the check says what differs
    _say(f"[green]{len(cast.sent)} messages sent, {len(cast.sent)} documents, each as it was sent[/]")


async def _check(documents: Documents, account: str, cast: Cast) -> list[str]:
    messages, threads = await _read(documents, account)
    problems = differences(cast.sent, messages, threads)
    for problem in problems[:20]:
        _say(f"[red]{problem}[/]")
    verdict = f"[red]{len(problems)} differences[/]" if problems else "[green]no difference[/]"
    _say(f"Checked {len(messages)} documents in {len(threads)} threads against what was sent: {verdict}")
    return problems


async def _read(documents: Documents, account: str) -> tuple[dict[str, Any], dict[str, Any]]:
    threads = [
        thread
        for thread in await documents.queries.threads(account, limit=_ALL)
        if not thread.fields.get("redirectTo")  # what is left where somebody was known by a LID
    ]
    messages: dict[str, Any] = {}
    for thread in threads:
        found = await documents.queries.messages(thread.path.partition("/")[2], limit=_ALL)
        messages |= {document.path: document.fields for document in found}
    return messages, {str(thread.fields["clientJid"]): thread.fields for thread in threads}


@asynccontextmanager
async def _documents(settings: Settings, folder: Path) -> AsyncIterator[Documents]:
    try:
        async with LocalFirestore.started(folder / "firestore") as emulator:
            _say(f"A local Firestore (Google's emulator) listens at [cyan]{emulator.address}[/]")
            async with firestore(settings, emulator=emulator.address) as documents:
                yield documents
    except EmulatorMissing as missing:
        _say(f"[bold yellow]No Firestore emulator: documents are kept in memory only.[/] {missing}")
        memory = MemoryDocuments()
        yield Documents(store=memory, queries=memory, leases=MemoryLeases(documents=memory))


def _settings(environ: Mapping[str, str], folder: Path, server_url: str, node: Path) -> Settings:
    return load(
        {
            **environ,
            "STATE_DIR": str(folder),
            "PORT": "0",
            "ACCOUNT_NAMESPACE": "demo",
            # What the daemon would fill by itself the story has it fill, when the gap was seen.
            "WHATSAPP_AUTO_BACKFILL_ENABLED": "false",
            "RECENT_SYNC_ENABLED": "false",
            "WHATSAPP_WEB_URL": server_url,
            "WHATSAPP_BRIDGE_PRELOAD": str(node / "fake_whatsapp" / "preload.js"),
        }
    )


def _fresh(folder: Path) -> Path:
    """An empty state directory; only what an earlier demo left is deleted."""
    marker = folder / "demo"
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise FileExistsError(f"{folder} holds something that is not of a demo: name another with --state-dir")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    marker.touch()
    return folder.absolute()


async def _until(condition: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(_PATIENCE_S):
        while not (answer := await condition()):
            await _clock.sleep(0.1)
    return answer


def _say(line: str) -> None:
    _console.print(line, soft_wrap=True)
