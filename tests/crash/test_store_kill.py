"""`kill -9` of the process that writes: what was answered is there, once, and each commit is whole or not there."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from whatsapp_backend.adapters.sqlite_store import SqliteStore, opening

ROUNDS = int(os.environ.get("STORE_KILL_ROUNDS", "10"))  # more of them for a night: about four a second
WRITER = Path(__file__).with_name("store_writer.py")
ROOT = Path(__file__).parents[2]
ACCOUNTS = ("account_test_0a", "account_test_0b", "account_test_0c")


def run_until_killed(state_dir, after_answers):
    """Start the writer, kill it after this many answers, and return the last number answered for each name."""
    answered = {}
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, WRITER, state_dir], stdout=subprocess.PIPE, env=env, text=True) as writer:
        for count, line in enumerate(writer.stdout, 1):
            if not line.endswith("\n"):
                break
            name, number = line.split()
            answered[name] = int(number)
            if count == after_answers:
                writer.kill()
    assert writer.returncode == -9
    return answered


async def check(state_dir, answered):
    async with SqliteStore.opened(state_dir) as store:
        entries = await store.read(after=0, limit=10**7, max_bytes=10**10)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        for account in ACCOUNTS:
            numbers = [int(e.new.source.removeprefix("enc:")) for e in entries if e.account == account]
            assert numbers == list(range(1, len(numbers) + 1)), "lost, doubled or out of order"
            assert len(numbers) >= answered.get(account, 0), "answered but not kept"
            whole = str(len(numbers)) if numbers else None
            assert await store.creds(account) == whole
            assert (await store.get(account, "session", ["x"])).get("x") == whole
        cursor = await store.cursor("documents")
        assert cursor >= answered.get("documents", 0)
        landed = await store.messages(["last"])
        assert [one.state for one in landed.values()] == ([str(cursor).encode()] if landed else [])
        return Counter(entry.account for entry in entries)


@pytest.mark.timeout(60 + 2 * ROUNDS)
async def test_nothing_that_was_answered_is_lost_and_nothing_is_there_twice(tmp_path):
    chance = random.Random(f"kill {ROUNDS}")
    before = Counter()
    for _ in range(ROUNDS):
        answered = run_until_killed(tmp_path, chance.randrange(1, 400))
        after = await check(tmp_path, answered)
        assert all(after[account] >= before[account] for account in ACCOUNTS)
        before = after
    assert before.total() > ROUNDS, "it never got to work: this would pass with a store that keeps nothing"


def test_a_killed_holder_does_not_keep_the_lock(tmp_path):
    run_until_killed(tmp_path, 1)
    opened = opening.open_file(tmp_path)
    opened.reading.close()
    opened.writing.close()
    opened.lock.release()
