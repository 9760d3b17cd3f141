"""How many commits a second become durable, through the real store on a real disk."""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.journal import Commit, NewEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 2.0
EIGHT = 8
BATCH_ENTRIES = 200  # a history record
BATCHES_IN_FLIGHT = 4  # the credit of docs/frames.md

_CHAINS = "x" * 1500
_PAYLOAD = json.dumps({"key": {"id": "M1"}, "message": {"conversation": "x" * 300}}).encode()


def _entry(source: str) -> NewEntry:
    return NewEntry(
        kind="message",
        source=source,
        origin="live",
        received_at_ms=1_795_328_371_500,
        payload=_PAYLOAD,
        form="padded",
        raw=b"r" * 200,
        envelope=b"{}",
    )


def _live_commits(account: str) -> Iterator[Commit]:
    """What one decrypted message brings: its ratchet and itself."""
    for n in itertools.count():
        # Never the same value twice: SQLite does not write what has not changed.
        keys = {"session": {f"1555{n % 500:07}.0": f'{{"n":{n:09},"chains":"{_CHAINS}"}}'}}
        yield Commit(account=account, id=str(n), keys=keys, entries=(_entry(f"enc:{n:064x}"),))


def _journal_batches(account: str) -> Iterator[Commit]:
    for n in itertools.count():
        entries = tuple(_entry(f"enc:{n:032x}{i:032x}") for i in range(BATCH_ENTRIES))
        yield Commit(account=account, id=str(n), entries=entries)


async def _per_s(streams: list[Iterator[Commit]], *, seconds: float, directory: Path | None) -> float:
    """Commits answered a second when each stream sends its next one after the answer to the last."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory(dir=directory) as state_dir:
        async with SqliteStore.opened(Path(state_dir)) as store:
            start = clock.monotonic_s()

            async def send(stream: Iterator[Commit]) -> int:
                for sent, commit in enumerate(stream, 1):
                    await store.commit(commit)
                    if clock.monotonic_s() - start >= seconds:
                        return sent
                return 0

            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(send(stream)) for stream in streams]
            return sum(task.result() for task in tasks) / (clock.monotonic_s() - start)


async def commits_per_s_one_account(*, seconds: float = SECONDS, directory: Path | None = None) -> float:
    """Durable commits a second, each after the answer to the one before."""
    return await _per_s([_live_commits("account_bench_0")], seconds=seconds, directory=directory)


async def commits_per_s_eight_accounts(*, seconds: float = SECONDS, directory: Path | None = None) -> float:
    """The same by eight accounts at once, which share fsyncs."""
    streams = [_live_commits(f"account_bench_{n}") for n in range(EIGHT)]
    return await _per_s(streams, seconds=seconds, directory=directory)


async def journal_appends_per_s_batched(*, seconds: float = SECONDS, directory: Path | None = None) -> float:
    """Durable entries a second in commits of 200, as many in flight as the credit allows."""
    streams = [_journal_batches(f"account_bench_{n}") for n in range(BATCHES_IN_FLIGHT)]
    return await _per_s(streams, seconds=seconds, directory=directory) * BATCH_ENTRIES


def measure(*, seconds: float = SECONDS, directory: Path | None = None) -> dict[str, float]:
    """All of them, by the names of the benchmark's JSON."""
    benches = (commits_per_s_one_account, commits_per_s_eight_accounts, journal_appends_per_s_batched)
    return {bench.__name__: round(asyncio.run(bench(seconds=seconds, directory=directory)), 1) for bench in benches}


if __name__ == "__main__":
    print(json.dumps(measure()))
