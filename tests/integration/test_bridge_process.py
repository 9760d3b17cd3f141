"""The gateway over a real child process: a stand-in for the bridge that behaves, or misbehaves, as it is told."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import sys
from pathlib import Path

import orjson
import pytest

from whatsapp_backend.adapters.bridge.gateway import BridgeGateway
from whatsapp_backend.adapters.bridge.process import Launch, node_launch
from whatsapp_backend.adapters.bridge.supervisor import pause_s
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.journal import Entry, NewEntry
from whatsapp_backend.errors import BridgeGone, CommandFailed, CommandTimedOut

CHILD = r"""
import json, os, signal, sys, time

def say(**frame):
    os.write(1, json.dumps(frame).encode() + b"\n")

def answer(frame):
    command, id, args = frame["command"], frame["id"], frame.get("args", {})
    if command == "ping":
        pings.append(id)
        if MODE == "no-pings" or MODE == "moody" and len(pings) % 2:
            return
    if command == "never":
        return
    if command == "die":
        os._exit(3)
    if command == "refuse":
        return say(t="failed", id=id, error={"code": "not-open", "message": "no"})
    if command == "say":
        sys.stdout.buffer.write(args["text"].encode("latin-1"))
        sys.stdout.buffer.flush()
    if command == "heard":
        args = {"heard": heard}
    if command == "lengths":
        args = {"x": [len(frame["values"]["x"]) for frame in heard]}
    if command != "say":
        say(t="done", id=id, result=args)
    else:
        say(t="done", id=id, result={})

MODE = sys.argv[1]
heard, pings = [], []
if MODE == "no-hello":
    time.sleep(600)
if MODE == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if MODE == "early":
    say(t="find", account="a", id="1", source="s")
say(t="hello", protocol=2 if MODE == "wrong-protocol" else 1, engine="stand-in", node="none", pid=os.getpid())
if MODE == "dies":
    os._exit(3)
if MODE == "ignores-stdin":
    time.sleep(600)
if MODE == "chatty":
    for n in range(100_000):
        os.write(2, b"SECRET " * 200 + b"\n")
if MODE == "flood":
    import threading
    def flood():
        while True:
            say(t="find", account="a", id="1", source="s" * 100)
    threading.Thread(target=flood, daemon=True).start()
texts = []
for line in sys.stdin.buffer:
    frame = json.loads(line)
    if frame["t"] == "part":
        texts.append(frame["text"])
        if len(texts) < frame["count"]:
            continue
        frame = json.loads("".join(texts))
        texts = []
    if frame["t"] == "do":
        answer(frame)
    else:
        heard.append(frame)
if MODE in ("deaf", "stays"):
    time.sleep(600)
os._exit(0)
"""


class ManualClock:
    def __init__(self):
        self.now_s = 1000.0
        self.sleepers = {}

    def wall_ms(self):
        return int(self.now_s * 1000)

    def monotonic_s(self):
        return self.now_s

    async def sleep(self, seconds):
        woken = asyncio.Event()
        self.sleepers[woken] = (self.now_s + seconds, seconds)
        try:
            await woken.wait()
        finally:
            self.sleepers.pop(woken, None)

    def advance(self, seconds):
        self.now_s += seconds
        for woken, (due_s, _) in list(self.sleepers.items()):
            if due_s <= self.now_s:
                del self.sleepers[woken]
                woken.set()

    async def pass_when_waited(self, seconds):
        """Let the time pass once somebody waits for exactly so long."""
        await until(lambda: any(wanted == seconds for _, wanted in self.sleepers.values()))
        self.advance(seconds)


class Handler:
    def __init__(self):
        self.heard = []
        self.pids = []

    def on_bridge(self, *, up):
        self.heard.append("up" if up else "down")

    def on_commit(self, commit):
        self.heard.append(commit)

    on_get = on_find = on_state = on_commit

    def on_protocol_error(self, error):
        self.heard.append((error.name, error.account))


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await SystemClock().sleep(0.002)


def of_process(pid, what) -> str:
    return Path(f"/proc/{pid}/{what}").read_text()


def gone(pid) -> bool:
    """Not running, and not a zombie either."""
    return not Path(f"/proc/{pid}").exists()


class Rig:
    def __init__(self, tmp_path, mode="good", **launch):
        script = tmp_path / "child.py"
        script.write_text(CHILD)
        self.clock = ManualClock()
        self.handler = Handler()
        argv = (sys.executable, "-I", "-S", str(script), mode)
        self.gateway = BridgeGateway(
            Launch(**{"argv": argv, "folder": tmp_path, **launch}), clock=self.clock, rng=random.Random(1)
        )
        self.running = asyncio.get_running_loop().create_task(self.gateway.run(self.handler))

    async def up(self, times=1):
        await until(lambda: self.handler.heard.count("up") == times)
        return self.gateway.pid

    async def do(self, command, timeout_s=1000.0, **args):
        return await self.gateway.do(command, timeout_s=timeout_s, **args)

    async def say(self, *frames):
        await self.do("say", text=b"".join(orjson.dumps(frame) + b"\n" for frame in frames).decode("latin-1"))


@pytest.fixture
async def rig(tmp_path):
    rigs = []

    def start(mode="good", **launch):
        rigs.append(Rig(tmp_path, mode, **launch))
        return rigs[-1]

    yield start
    for each in rigs:
        each.running.cancel()
    await asyncio.wait([each.running for each in rigs])


@pytest.fixture
def core_dumps_on():
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


async def test_the_child_gets_nothing_of_our_environment_and_dumps_no_core(rig, monkeypatch, core_dumps_on):
    monkeypatch.setenv("ADMIN_TOKEN", "canary-secret")
    monkeypatch.setenv("NODE_OPTIONS", "--inspect")
    pid = await rig(environment={"WHATSAPP_WEB_URL": "ws://127.0.0.1:1/"}).up()
    environment = of_process(pid, "environ").split("\0")
    assert [each for each in environment if each] == ["WHATSAPP_WEB_URL=ws://127.0.0.1:1/"]
    (core,) = [each for each in of_process(pid, "limits").splitlines() if each.startswith("Max core")]
    assert core.split()[4] == "0"


async def test_the_child_leads_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(rig):
    pid = await rig().up()
    assert os.getsid(pid) == os.getpgid(pid) == pid


def test_node_is_started_with_its_options_and_only_the_address_in_its_environment(tmp_path):
    launch = node_launch(node="n", folder=tmp_path, preload="p.mjs", max_heap_mb=512, web_url="ws://127.0.0.1:1/")
    assert launch.argv == ("n", "--import", "p.mjs", "--max-old-space-size=512", "bridge/main.js")
    assert launch.environment == {"WHATSAPP_WEB_URL": "ws://127.0.0.1:1/"}
    assert node_launch(node="n", folder=tmp_path).environment == {}


async def test_a_command_is_answered_refused_or_times_out(rig):
    bridge = rig()
    with pytest.raises(BridgeGone):
        await bridge.do("echo")
    await bridge.up()
    assert await bridge.do("echo", account="a", x=[1, None]) == {"x": [1, None]}
    with pytest.raises(CommandFailed) as caught:
        await bridge.do("refuse")
    assert caught.value.code == "not-open"
    with pytest.raises(CommandFailed) as caught:
        await bridge.do("echo", text="\ud800")
    assert caught.value.code == "bad-arguments"
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(expect(CommandTimedOut, bridge.do("never", 7.0)))
        await bridge.clock.pass_when_waited(7.0)
    assert await bridge.do("echo") == {}


async def expect(error, waiting):
    with pytest.raises(error):
        await waiting


async def test_frames_reach_the_handler_in_order_and_answers_go_back_under_their_own_ids(rig):
    bridge = rig()
    await bridge.up()
    await bridge.say(
        {"t": "commit", "account": "a", "id": "b-1"},
        {"t": "get", "account": "a", "id": "2", "type": "session", "ids": ["x"]},
        {"t": "find", "account": "a", "id": "3", "source": "s"},
        {"t": "state", "account": "a", "status": "connecting", "at": 1},
        {"t": "log", "level": "warn", "event": "e"},
    )
    _, commit, get, find, state = bridge.handler.heard
    assert [type(each).__name__ for each in (commit, get, find, state)] == ["Commit", "Get", "Find", "State"]
    new = NewEntry(kind="message", source="s", origin="live", received_at_ms=1, payload=b"{}", raw=b"hi", form="web")
    bridge.gateway.answer_find("a", find.id, Entry(seq=1, account="a", new=new))
    bridge.gateway.answer_get("a", get.id, {"x": "v"})
    bridge.gateway.answer_commit("a", commit.id)
    bridge.gateway.halt("a", "store")
    assert (await bridge.do("heard"))["heard"] == [
        {"t": "found", "account": "a", "id": "3", "raw": "aGk=", "form": "web"},
        {"t": "got", "account": "a", "id": "2", "values": {"x": "v"}},
        {"t": "committed", "account": "a", "id": "b-1"},
        {"t": "halt", "account": "a", "reason": "store"},
    ]


async def test_a_frame_of_megabytes_goes_both_ways(rig):
    bridge = rig()
    await bridge.up()
    text = orjson.dumps({"t": "get", "account": "a", "id": "2", "type": "session", "ids": ["y" * 1_500_000]}).decode()
    pieces = [text[at : at + 400_000] for at in range(0, len(text), 400_000)]
    part = {"t": "part", "account": "a", "of": "p", "count": len(pieces)}
    await bridge.say(*({**part, "index": index, "text": piece} for index, piece in enumerate(pieces)))
    get = bridge.handler.heard[-1]
    assert get.ids == ("y" * 1_500_000,)
    bridge.gateway.answer_get("a", get.id, {"x": '"' * 2_000_000})
    assert await bridge.do("lengths") == {"x": [2_000_000]}


async def test_rubbish_halts_the_account_it_names_and_nothing_else(rig):
    bridge = rig()
    await bridge.up()
    await bridge.do("say", text='\x00\xff\n[]\n{"t":"get","account":"a"}\n' + "x" * 1_100_000 + "\n")
    assert bridge.handler.heard == ["up", ("bad-field", "a")]
    assert bridge.gateway.protocol_errors == 4
    assert (await bridge.do("heard"))["heard"] == [{"t": "halt", "account": "a", "reason": "protocol"}]


async def test_a_frame_before_hello_and_a_second_hello_are_rubbish(rig):
    bridge = rig("early")
    await bridge.up()
    await bridge.say({"t": "hello", "protocol": 1, "engine": "e", "node": "n", "pid": 1})
    assert bridge.handler.heard == ["up"]
    assert bridge.gateway.protocol_errors == 2


async def test_a_bridge_that_dies_is_started_again_after_growing_pauses(rig):
    bridge = rig("dies")
    expected = random.Random(1)
    pids = []
    for death in range(4):
        await until(lambda times=death + 1: bridge.handler.heard.count("down") == times)
        pause = pause_s(death, expected)
        assert 0.5 * 2**death <= pause <= 0.75 * 2**death
        pids.append(bridge.gateway.lives)
        await bridge.clock.pass_when_waited(pause)
    assert pids == [1, 2, 3, 4]
    await until(lambda: len(bridge.handler.heard) >= 10)
    assert bridge.handler.heard[:10] == ["up", "down"] * 5


async def test_pauses_are_short_again_after_a_stable_minute(rig):
    bridge = rig()
    expected = random.Random(1)
    for life, early_deaths in enumerate((0, 1, 0), start=1):
        await bridge.up(life)
        if life == 3:
            bridge.clock.now_s += 60
        with pytest.raises(BridgeGone):
            await bridge.do("die")
        await bridge.clock.pass_when_waited(pause_s(early_deaths, expected))
    await bridge.up(4)


def test_a_pause_never_exceeds_half_a_minute():
    rng = random.Random(1)
    assert all(pause_s(deaths, rng) <= 30 for deaths in range(2000))
    assert pause_s(2000, rng) == 30


async def test_a_bridge_that_says_no_hello_is_killed_after_ten_seconds(rig):
    bridge = rig("no-hello")
    await until(lambda: bridge.gateway._life is not None)
    pid = bridge.gateway._life.child.pid
    await bridge.clock.pass_when_waited(10.0)
    await until(lambda: gone(pid))
    assert bridge.handler.heard == []


async def test_a_bridge_of_another_protocol_is_not_used(rig):
    bridge = rig("wrong-protocol")
    await bridge.clock.pass_when_waited(10.0)
    await until(lambda: bridge.gateway._life is None)
    assert bridge.handler.heard == []


@pytest.mark.parametrize("mode", ["no-pings", "ignores-stdin"])
async def test_a_bridge_that_misses_two_pings_in_a_row_is_killed_and_replaced(rig, mode):
    bridge = rig(mode)
    pid = await bridge.up()
    bridge.gateway.answer_get("a", "1/1", {"x": "y" * 5_000_000})
    for _ in range(2):
        assert not gone(pid)
        await bridge.clock.pass_when_waited(15.0)
        await bridge.clock.pass_when_waited(10.0)
    await until(lambda: gone(pid))
    await bridge.clock.pass_when_waited(pause_s(0, random.Random(1)))
    assert await bridge.up(2) != pid
    assert bridge.handler.heard == ["up", "down", "up"]


async def test_a_missed_ping_is_forgiven_when_the_next_is_answered(rig):
    bridge = rig("moody")
    pid = await bridge.up()
    for _ in range(3):
        await bridge.clock.pass_when_waited(15.0)
        await bridge.clock.pass_when_waited(10.0)
        await bridge.clock.pass_when_waited(15.0)
    await bridge.do("echo")
    assert bridge.gateway.pid == pid


async def test_an_answer_to_an_earlier_life_is_dropped(rig):
    bridge = rig()
    await bridge.up()
    question = {"t": "get", "account": "a", "id": "2", "type": "session", "ids": ["x"]}
    await bridge.say(question)
    early = bridge.handler.heard[-1]
    with pytest.raises(BridgeGone):
        await bridge.do("die")
    await bridge.clock.pass_when_waited(pause_s(0, random.Random(1)))
    await bridge.up(2)
    await bridge.say(question)
    bridge.gateway.answer_get("a", early.id, {"x": "of the earlier"})
    bridge.gateway.answer_get("a", bridge.handler.heard[-1].id, {"x": "of this one"})
    assert [each["values"] for each in (await bridge.do("heard"))["heard"]] == [{"x": "of this one"}]


async def test_a_flood_leaves_the_loop_responsive_and_is_ended_by_cancellation(rig):
    bridge = rig("flood")
    pid = await bridge.up()
    for _ in range(20):
        await bridge.do("echo")
    async with asyncio.timeout(30):
        while len(bridge.handler.heard) <= 20:
            await bridge.do("echo")
    bridge.running.cancel()
    await asyncio.wait((bridge.running,))
    assert bridge.running.cancelled()
    assert gone(pid)


async def test_standard_error_is_read_but_does_not_flood_the_log(rig, capsys):
    bridge = rig("chatty")
    await bridge.up()
    await bridge.do("echo")
    assert capsys.readouterr().out.count("bridge-stderr") <= 50


async def test_stopped_it_exits_by_itself_when_its_standard_input_closes(rig):
    bridge = rig()
    pid = await bridge.up()
    await asyncio.gather(bridge.gateway.stop(), bridge.gateway.stop())
    await bridge.running
    assert gone(pid)
    assert bridge.clock.now_s == 1000.0
    assert bridge.handler.heard == ["up"]  # no crash
    await bridge.gateway.stop()


@pytest.mark.parametrize(("mode", "waits"), [("stays", [5.0]), ("deaf", [5.0, 2.0])])
async def test_one_that_does_not_exit_is_terminated_then_killed(rig, mode, waits):
    bridge = rig(mode)
    pid = await bridge.up()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bridge.gateway.stop())
        for wait in waits:
            await until(lambda wait=wait: any(wanted == wait for _, wanted in bridge.clock.sleepers.values()))
            assert not gone(pid)
            bridge.clock.advance(wait)
    assert gone(pid)


async def test_stopped_before_it_runs_it_starts_nothing(tmp_path):
    launch = Launch(argv=("/nonexistent",), folder=tmp_path)
    gateway = BridgeGateway(launch, clock=ManualClock(), rng=random.Random(1))
    await gateway.stop()
    await gateway.run(Handler())
    assert gateway.lives == 0


async def test_stopped_in_a_pause_it_ends_at_once(rig):
    bridge = rig(argv=("/nonexistent/program",))
    await until(lambda: bridge.gateway.lives == 1 and bridge.clock.sleepers)
    await bridge.gateway.stop()
    await bridge.running
    assert bridge.handler.heard == []


async def test_cancelled_it_leaves_no_process_and_pending_commands_fail(rig):
    bridge = rig()
    pid = await bridge.up()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(expect(BridgeGone, bridge.do("never")))
        await bridge.do("echo")
        bridge.running.cancel()
    await asyncio.wait((bridge.running,))
    assert gone(pid)


async def test_cancellation_is_not_lost_when_the_child_dies_in_the_same_moment(rig):
    for _ in range(5):
        bridge = rig()
        pid = await bridge.up()
        bridge.gateway._life.child.signal(9)
        await until(lambda pid=pid: gone(pid) or of_process(pid, "stat").split()[2] == "Z")
        bridge.running.cancel()
        await asyncio.wait((bridge.running,))
        assert bridge.running.cancelled()


async def test_what_the_handler_cannot_do_ends_the_gateway_and_not_silently(tmp_path):
    class Broken(Handler):
        def on_bridge(self, *, up):
            raise ZeroDivisionError

    script = tmp_path / "child.py"
    script.write_text(CHILD)
    launch = Launch(argv=(sys.executable, "-I", "-S", str(script), "good"), folder=tmp_path)
    gateway = BridgeGateway(launch, clock=ManualClock(), rng=random.Random(1))
    with pytest.raises(ExceptionGroup) as caught:
        await gateway.run(Broken())
    assert caught.group_contains(ZeroDivisionError)
    await gateway.stop()
