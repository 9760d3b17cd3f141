"""`python -m bench`: measure everything side by side; a table for people, and one last line of JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from rich.console import Console

from bench import chain, corpus, journal, landing, report, store, watch
from whatsapp_backend.adapters.local_firestore import LocalFirestore
from whatsapp_backend.clock import SystemClock

_CLOCK = SystemClock()
_console = Console(stderr=True, highlight=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is done of each."""

    documents: int = 10_000
    journaled: int = 20_000
    rounds: int = 3
    warm_up_rounds: int = 4
    store_s: float = 2.0
    lone: int = 200
    settle: int = 50
    encrypted: int = 10_000
    small_history: int = 10_000
    large_history: int = 50_000
    watched_accounts: int = 200
    watched_threads: int = 100


QUICK = Scale(
    documents=300,
    journaled=400,
    rounds=1,
    warm_up_rounds=1,
    store_s=0.1,
    lone=10,
    settle=3,
    encrypted=200,
    small_history=200,
    large_history=400,
    watched_accounts=5,
    watched_threads=5,
)
"""Proves that it runs; the numbers mean nothing."""


async def _landing(scale: Scale) -> dict[str, float]:
    writes = corpus.writes(scale.documents)
    return await landing.landing(writes, rounds=scale.rounds, warm_up_rounds=scale.warm_up_rounds)


async def _journal(scale: Scale) -> dict[str, float]:
    async with _emulator() as emulator:
        speed = await journal.journal_to_landed(emulator, count=scale.journaled, rounds=scale.rounds)
        return speed | await journal.operations(emulator, lone=scale.lone, count=scale.journaled)


async def _store(scale: Scale) -> dict[str, float]:
    return await asyncio.to_thread(store.measure, seconds=scale.store_s)


async def _chain(scale: Scale) -> dict[str, float]:
    async with _emulator() as emulator:
        # A cold Java would be measured otherwise.
        await journal.journal_to_landed(emulator, count=scale.journaled, rounds=scale.rounds)
        await emulator.reset()
        latency = await chain.stanza_to_document(emulator, count=scale.lone, settle=scale.settle)
        await emulator.reset()
        return latency | await chain.end_to_end(emulator, count=scale.encrypted)


async def _history(scale: Scale) -> dict[str, float]:
    async with _emulator() as emulator:
        small = await chain.history(emulator, count=scale.small_history)
        await emulator.reset()
        large = await chain.history(emulator, count=scale.large_history)
    return {
        "history_50k_rss_mb": large["peak_rss_mb"],
        "history_rss_growth": large["peak_rss_mb"] / small["peak_rss_mb"],
        "history_10k_rss_mb": small["peak_rss_mb"],
        "history_50k_rss_after_mb": large["rss_after_mb"],
        "idle_rss_mb": large["idle_rss_mb"],
        "history_50k_messages_per_s": large["messages_per_s"],
    }


async def _watch(scale: Scale) -> dict[str, float]:
    return await watch.scrape(
        accounts=scale.watched_accounts, threads=scale.watched_threads, rounds=scale.rounds + scale.warm_up_rounds
    )


Part = Callable[[Scale], Coroutine[None, None, dict[str, float]]]
PARTS: dict[str, Part] = {
    "landing": _landing,
    "journal": _journal,
    "store": _store,
    "chain": _chain,
    "history": _history,
    "watch": _watch,
}


@asynccontextmanager
async def _emulator() -> AsyncIterator[LocalFirestore]:
    async with LocalFirestore.started(project="demo-bench", heap="2g") as emulator:
        yield emulator


def main(arguments: Sequence[str]) -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--quick", action="store_true", help="only show that it runs")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    measured: dict[str, float] = {}
    for name in options.parts or PARTS:
        start_s = _CLOCK.monotonic_s()
        _console.print(f"{name} … (load {os.getloadavg()[0]:.1f})", end=" ")
        measured |= asyncio.run(PARTS[name](QUICK if options.quick else Scale()))
        _console.print(f"{_CLOCK.monotonic_s() - start_s:.0f} s")
    report.show(measured, Console())
    print(json.dumps({name: report.rounded(measured[name]) for name in report.NAMES if name in measured}))


if __name__ == "__main__":
    main(sys.argv[1:])
