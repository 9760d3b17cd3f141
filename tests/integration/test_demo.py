"""`make demo-once`: the story is played, every document is checked, and nothing is left behind."""

import asyncio
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from firestore_fixtures import need_emulator

from whatsapp_backend.demo.cast import Sent, differences

ROOT = Path(__file__).parent.parent.parent
MARK = "WHATSAPP_BACKEND_TEST_MARK"


def marked(mark: str) -> Iterator[int]:
    """The processes that were started with this mark in their environment, however far down."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)
        except OSError:
            continue


def files_outside(state: Path) -> list[Path]:
    """What lies beside the state directory."""
    return [path for path in state.parent.rglob("*") if path.is_file() and not path.is_relative_to(state)]


async def test_demo_once_exits_0_and_leaves_nothing_outside_its_state_directory(tmp_path: Path) -> None:
    """No process, no port (which a process would hold), no file."""
    need_emulator()
    home, temporary, state = tmp_path / "home", tmp_path / "tmp", tmp_path / "state"
    home.mkdir()
    temporary.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PYTHONPATH": str(ROOT),
        MARK: str(tmp_path),
    }
    for name in ("FIRESTORE_EMULATOR_JAR", "CLOUDSDK_CONFIG"):
        if name in os.environ:
            environment[name] = os.environ[name]
    demo = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "whatsapp_backend", "demo", "--once", "--state-dir", str(state)),
        env=environment,
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await demo.communicate()
    assert demo.returncode == 0, said.decode()
    assert "no difference" in said.decode()
    assert list(marked(str(tmp_path))) == []
    assert files_outside(state) == []


SENT = Sent(chat="15550002222@s.whatsapp.net", body="hi")
PATH = "threads/t/messages/M1"
FIELDS: dict[str, Any] = {
    "waMessageId": "M1",
    "clientJid": SENT.chat,
    "body": "hi",
    "direction": "inbound",
    "messageType": "text",
    "syncSource": "realtime",
    "tsClientMs": 5,
}
THREADS = {SENT.chat: {"lastMessageAtMs": 5}}


def test_what_is_as_it_was_sent_makes_no_difference() -> None:
    """The check of the demo, when all is well."""
    assert differences({"M1": SENT}, {PATH: FIELDS}, THREADS) == []


@pytest.mark.parametrize(
    ("sent", "documents", "threads"),
    [
        ({"M1": SENT, "M2": SENT}, {PATH: FIELDS}, THREADS),
        ({"M1": SENT}, {PATH: FIELDS, f"{PATH}~": FIELDS}, THREADS),
        ({}, {PATH: FIELDS}, THREADS),
        ({"M1": replace(SENT, body="other")}, {PATH: FIELDS}, THREADS),
        ({"M1": replace(SENT, outbound=True)}, {PATH: FIELDS}, THREADS),
        ({"M1": replace(SENT, offline=True)}, {PATH: FIELDS}, THREADS),
        ({"M1": replace(SENT, fetched=True)}, {PATH: FIELDS}, THREADS),
        ({"M1": SENT}, {PATH: FIELDS}, {SENT.chat: {"lastMessageAtMs": 4}}),
        ({"M1": SENT}, {PATH: FIELDS}, {}),
    ],
)
def test_the_demo_sees_what_is_missing_doubled_or_different(sent: Any, documents: Any, threads: Any) -> None:
    """The control: a check that cannot fail would prove nothing."""
    assert differences(sent, documents, threads) != []
