"""One suite for both gateways: the one over a child process and the one that tests use in its place."""

from __future__ import annotations

import asyncio
import random
import sys

import orjson
import pytest

from whatsapp_backend.adapters.bridge.gateway import BridgeGateway
from whatsapp_backend.adapters.bridge.process import Launch
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.journal import Entry, NewEntry
from whatsapp_backend.errors import BridgeGone, CommandFailed
from whatsapp_backend.testing.scripted_bridge import ScriptedBridge

CHILD = r"""
import json, os, sys
heard = []
say = lambda **frame: os.write(1, json.dumps(frame).encode() + b"\n")
say(t="hello", protocol=1, engine="stand-in", node="none", pid=os.getpid())
for line in sys.stdin:
    frame = json.loads(line)
    if frame["t"] != "do":
        heard.append(frame)
    elif frame["command"] == "say":
        os.write(1, frame["args"]["line"].encode() + b"\n")
        say(t="done", id=frame["id"], result={})
    elif frame["command"] == "heard":
        say(t="done", id=frame["id"], result={"frames": heard})
    elif frame["command"] == "crash":
        os._exit(1)
    elif frame["command"] == "refuse":
        say(t="failed", id=frame["id"], error={"code": "refused", "message": "no"})
    else:
        say(t="done", id=frame["id"], result=frame["args"])
"""


class Handler:
    def __init__(self):
        self.heard = []

    def on_bridge(self, *, up):
        self.heard.append("up" if up else "down")

    def on_commit(self, frame):
        self.heard.append(frame)

    on_get = on_find = on_state = on_commit

    def on_protocol_error(self, error):
        self.heard.append((error.name, error.account))


class Real:
    def __init__(self, tmp_path):
        script = tmp_path / "child.py"
        script.write_text(CHILD)
        launch = Launch(argv=(sys.executable, "-I", "-S", str(script)), folder=tmp_path)
        self.gateway = BridgeGateway(launch, clock=SystemClock(), rng=random.Random(1))

    async def say(self, line):
        await self.gateway.do("say", timeout_s=10, line=line.decode())

    async def halted(self):
        heard = await self.gateway.do("heard", timeout_s=10)
        return [(f["account"], f["reason"]) for f in heard["frames"] if f["t"] == "halt"]

    async def crash(self):
        with pytest.raises(BridgeGone):
            await self.gateway.do("crash", timeout_s=10)


class Fake:
    def __init__(self, tmp_path):
        self.gateway = ScriptedBridge()
        self.gateway.scripts["refuse"] = self.refuse
        self.gateway.scripts["echo"] = lambda asked: asked.args

    @staticmethod
    def refuse(asked):
        raise CommandFailed("refused", "no")

    async def say(self, line):
        self.gateway.say_line(line)

    async def halted(self):
        return self.gateway.halted

    async def crash(self):
        self.gateway.crash()


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await SystemClock().sleep(0.002)


@pytest.fixture(params=[Real, Fake])
async def bridge(request, tmp_path):
    bridge = request.param(tmp_path)
    bridge.handler = Handler()
    bridge.running = asyncio.get_running_loop().create_task(bridge.gateway.run(bridge.handler))
    await until(lambda: bridge.handler.heard == ["up"])
    yield bridge
    async with asyncio.timeout(20):
        await bridge.gateway.stop()
        await bridge.running


async def test_a_command_gives_its_result_or_says_why_not(bridge):
    assert await bridge.gateway.do("echo", account="a", timeout_s=10, x=[None, "ü"]) == {"x": [None, "ü"]}
    with pytest.raises(CommandFailed, match="refused"):
        await bridge.gateway.do("refuse", timeout_s=10)
    with pytest.raises(CommandFailed, match="bad-arguments"):
        await bridge.gateway.do("echo", timeout_s=10, x="\ud800")


async def test_frames_come_in_order_as_values(bridge):
    await bridge.say(b'{"t":"commit","account":"a","id":"1","creds":"c"}')
    await bridge.say(b'{"t":"find","account":"a","id":"2","source":"s"}')
    await bridge.say(b'{"t":"state","account":"a","status":"paired","at":1}')
    assert [type(each).__name__ for each in bridge.handler.heard[1:]] == ["Commit", "Find", "State"]


async def test_rubbish_halts_the_account_it_names_and_is_counted(bridge):
    await bridge.say(b"\x00")
    await bridge.say(b'{"t":"commit","account":"a"}')
    assert bridge.handler.heard == ["up", ("bad-field", "a")]
    assert await bridge.halted() == [("a", "protocol")]
    assert bridge.gateway.protocol_errors == 2


async def test_after_a_crash_the_handler_knows_and_nothing_can_be_done(bridge):
    await bridge.crash()
    await until(lambda: bridge.handler.heard[:2] == ["up", "down"])
    if bridge.handler.heard == ["up", "down"]:
        with pytest.raises(BridgeGone):
            await bridge.gateway.do("echo", timeout_s=10)
    bridge.gateway.answer_commit("a", "1/1")
    bridge.gateway.halt("a", "store")


async def test_a_stop_is_no_crash(bridge):
    await bridge.gateway.stop()
    await bridge.running
    assert bridge.handler.heard == ["up"]


async def test_the_fake_settles_what_is_answered_and_nothing_else():
    fake, handler = ScriptedBridge(), Handler()
    fake.come_up(handler)
    entry = {"kind": "message", "source": "s", "origin": "live", "at": 1, "payload": {}}
    committed, got, found = fake.commit("a", entry, creds="c"), fake.get("a", "session", "x"), fake.find("a", "s")
    halted, other = fake.commit("b", entry), fake.commit("a", entry)
    _, commit, get, find, unlucky, late = handler.heard
    stored = Entry(
        seq=1, account="a", new=NewEntry(kind="message", source="s", origin="live", received_at_ms=1, payload=b"{}")
    )
    fake.halt("b", "store")
    fake.answer_commit("b", unlucky.id)
    fake.answer_commit("a", commit.id)
    fake.answer_get("a", get.id, {"x": "v"})
    fake.answer_find("a", find.id, stored)
    fake.crash()
    fake.come_up(handler)
    fake.answer_commit("a", late.id)
    assert [await asyncio.wait_for(each, 1) for each in (committed, got, found)] == [None, {"x": "v"}, stored]
    assert not halted.done()
    assert not other.done()
    assert orjson.loads(commit.entries[0].payload) == {}
