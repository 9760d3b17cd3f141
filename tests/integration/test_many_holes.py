"""Holes cut at random into what is handed over of a phone's archive: each is filled or reported, and no proof is wrong.

Real Baileys, the fake server, the real daemon. The connection breaks, the daemon is killed and stopped, the phone is
silent, all at random and each replayable by its seed. `make holes HOLES=20 SEED=1` plays more of them.
"""

import asyncio
import os
import random
from collections.abc import Iterable
from typing import Any

import pytest
from google.cloud.firestore import AsyncClient
from missing import Missing, now_s, row
from whole import RealDaemon, until

from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

SEED = int(os.environ.get("SEED", "1"))
HOLES = int(os.environ.get("HOLES", "2"))
CHATS = [f"1555300{number:04d}" for number in range(50)]
PIECES, ROUNDS = 6, 3 if HOLES <= 2 else 4
OFTEN = {
    "RECENT_SYNC_INTERVAL_MS": "1000",
    "WHATSAPP_HISTORY_SPACING_MS": "0",
    "WHATSAPP_HISTORY_TIMEOUT_MS": "1500",
    "WHATSAPP_BACKFILL_INTERVAL_SECONDS": "1",
    "AUTO_BACKFILL_COOLDOWN_SUCCESS_MS": "0",
    "AUTO_BACKFILL_ATTEMPT_BACKOFF_MS": "0",
}
LATE_MS = 2500
"""Later than the daemon waits for an answer."""
PATIENCE_S = 150.0
"""A connection that breaks again and again is opened after up to a minute only."""
MOST_SILENCE = 4
"""After ten requests in a row without an answer the phone is left alone for two hours."""


class City(Missing):
    """One phone with fifty chats."""

    def __init__(self, *parts: Any, seed: int) -> None:
        super().__init__(*parts)
        self.rng = random.Random(seed)
        self.number = 0
        self.dead: set[str] = set()
        """Messages that were handed over, and that the phone has no more."""

    # -- What there is ---------------------------------------------------------------------------------------------

    async def hand_over(self) -> None:
        """A piece of every chat after the other, from the oldest on: what is not a hole is a chunk of history."""
        times = {chat: now_s() - self.rng.choice([3600, 4 * 3600, 40 * 3600]) for chat in CHATS}
        holes = {chat: self.rng.random() < 0.6 for chat in CHATS}
        for piece in range(PIECES):
            conversations = []
            for chat in CHATS:
                rows = self._piece(chat, times)
                if holes[chat] and piece < PIECES - 1:
                    await self.store(rows, chat=chat)
                else:
                    conversations += await self._handed(chat, rows)
                holes[chat] = not holes[chat] or self.rng.random() < 0.2
            await self.server.op("history", account=self.phone, chunks=[{"conversations": conversations}])

    def _piece(self, chat: str, times: dict[str, int]) -> list[dict[str, Any]]:
        rows = []
        for _ in range(self.rng.randint(1, 6)):
            self.number += 1
            times[chat] += self.rng.choice([0, 0, 1, 20, 60])
            rows.append(row(f"H{self.number}", times[chat], from_me=self.rng.random() < 0.2))
        return rows

    async def _handed(self, chat: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        whole = [{"chat": chat, "messages": rows}]
        if len(rows) == 1 or self.rng.random() < 0.9:
            return whole
        self.dead.add(rows[0]["id"])
        await self.store(rows[1:], chat=chat)
        return [{"chat": chat, "messages": rows, "store": False}]

    async def somebody_writes(self, count: int, *, chats: list[str] | None = None) -> list[str]:
        """Now, to anybody."""
        ids = []
        for number in range(count):
            self.number += 1
            ids.append(f"L{self.number}")
            chat = chats[number] if chats else self.rng.choice(CHATS)
            await self.send(ids[-1], chat=chat, addressing=self.rng.choice(["pn", "lid"]))
        return ids

    # -- What happens ----------------------------------------------------------------------------------------------

    async def something_happens(self) -> None:
        """We are away, some of what comes meanwhile is lost, we are back, and the phone may be silent."""
        silent = self.rng.random() < 0.4
        await self.phone_is(online=not silent, **self.some_way_to_answer())
        how = self.rng.choice(["cut", "kill", "stop"])
        await self._leave(how)
        ids = await self.somebody_writes(self.rng.randint(5, 25))
        lost = [one for one in ids if self.rng.random() < self.loss]
        await self.lose(*lost)
        await self._come_back(how)
        await self.somebody_writes(self.rng.randint(0, 10))
        if self.rng.random() < 0.5:
            await self._dies_while_it_asks()
        if silent:
            await self._is_silent_for(self.rng.randint(1, MOST_SILENCE))
            await self.phone_is(online=True)

    def some_way_to_answer(self) -> dict[str, Any]:
        """Under either identity, inside the notice or beside it, little or much; and too late."""
        return {
            "form": self.rng.choice(["same", "pn", "lid"]),
            "as": self.rng.choice(["inline", "blob"]),
            "limit": self.rng.choice([3, 20, 50]),
            "delay_ms": self.rng.choice([0, 0, 100, LATE_MS]),
        }

    @property
    def loss(self) -> float:
        """How much of it is lost."""
        return self.rng.choice([0.0, 0.5, 0.5, 1.0])

    async def _leave(self, how: str) -> None:
        if how == "cut":
            await self.cut()
        elif how == "kill":
            await self._die()
        else:
            assert await self.daemon.terminate() == 0

    async def _die(self) -> None:
        self.daemon.kill()
        await self.daemon.gone()

    async def _come_back(self, how: str) -> None:
        await self.server.op("faults-clear")
        if self.rng.random() < 0.3:  # and it breaks once more while it catches up
            await self.server.op("fault", stage=self.rng.choice(["batch", "marker"]), action="terminate", times=1)
        if how != "cut":
            await self.daemon.start()
        await self.daemon.connected(self.account, patience_s=PATIENCE_S)
        await self.daemon.caught_up(self.account, patience_s=PATIENCE_S)

    async def _dies_while_it_asks(self) -> None:
        since = len(self.requests())

        async def asks_or_has_nothing_to_ask() -> bool:
            return len(self.requests()) > since or await self.is_done()

        try:
            await until(asks_or_has_nothing_to_ask, patience_s=PATIENCE_S)
        except TimeoutError:
            told = await self.daemon.get(f"/api/whatsapp/gaps/{self.account}?limit=1")
            raise AssertionError(
                f"stands still: {told['phone']}, {await self._due()}, {await self._last_jobs()}"
            ) from None
        self.number += 1
        await self.keys_are_kept(f"L{self.number}", chat=self.rng.choice(CHATS))
        await self._die()
        await self.daemon.start()
        await self.daemon.caught_up(self.account, patience_s=PATIENCE_S)

    async def _is_silent_for(self, requests: int) -> None:
        since = len(self.server.seen("on-demand-silence"))

        async def is_enough() -> bool:
            return len(self.server.seen("on-demand-silence")) >= since + requests or await self.is_done()

        await until(is_enough, patience_s=PATIENCE_S)

    # -- What is known ---------------------------------------------------------------------------------------------

    async def is_done(self) -> bool:
        """Whether nothing is to be asked for now."""
        told = await self.daemon.get(f"/api/whatsapp/gaps/{self.account}?limit=500")
        waits = [gap["state"] not in ("open", "filling") or gap["nextAt"] for gap in told["gaps"]]
        return all(waits) and len(waits) < 500

    async def accounts(self) -> tuple[list[str], list[str], list[str]]:
        """Missing messages: those that are reported, unseen ones, and those in what is said to be proven.

        What has no message of ours after it can be neither asked for nor be a gap: it must not be said to be proven.
        """
        archives = await asyncio.gather(*(self.archive(chat) for chat in CHATS))
        known = await asyncio.gather(*(self.known(chat) for chat in CHATS))
        here = (await self.bodies()).keys()
        reported: list[str] = []
        unseen: list[str] = []
        wrong: list[str] = []
        for archive, of_chat in zip(archives, known, strict=True):
            held = [place for place, one in enumerate(archive) if one in here]
            for place, (one, second) in enumerate(archive.items()):
                if one in here:
                    continue
                if _lies_in(second, of_chat.get("covered", [])):
                    wrong.append(one)
                if _lies_in(second, of_chat.get("gaps", []), until_its_last_second=True):
                    reported.append(one)
                elif held and place < held[-1]:
                    unseen.append(one)
        return reported, unseen, wrong

    async def nothing_is_proven_wrongly(self) -> None:
        """At any moment."""
        _, _, wrong = await self.accounts()
        assert not wrong

    async def everything_is_here_or_reported(self) -> list[str]:
        """Sooner or later; what is reported then."""
        found: list[Any] = []

        async def is_accounted_for() -> bool:
            done = await self.is_done()
            found[:] = await self.accounts()
            return done and not found[1]

        try:
            await until(is_accounted_for, patience_s=PATIENCE_S)
        except TimeoutError:
            raise AssertionError(f"unseen: {found[1]}, and not done: {await self._due()}") from None
        assert not found[2]
        return list(found[0])

    async def _last_jobs(self) -> Any:
        return (await self.daemon.get(f"/api/whatsapp/jobs/{self.account}?limit=3"))["jobs"]

    async def _due(self) -> list[Any]:
        told = await self.daemon.get(f"/api/whatsapp/gaps/{self.account}?limit=500")
        return [gap for gap in told["gaps"] if gap["state"] in ("open", "filling") and not gap["nextAt"]][:5]


def _lies_in(second: int, spans: Iterable[dict[str, Any]], *, until_its_last_second: bool = False) -> bool:
    """A gap may begin, and end, within a second."""
    for span in spans:
        if span["fromMs"] <= second * 1000 < span["untilMs"]:
            return True
        if until_its_last_second and second * 1000 in (span["fromMs"], span["untilMs"]):
            return True
    return False


@pytest.mark.timeout(0 if HOLES > 2 else 500)
@pytest.mark.parametrize("seed", range(SEED, SEED + HOLES))
async def test_every_hole_is_filled_or_reported_and_no_proof_is_wrong(
    seed: int, server: FakeWhatsApp, daemon: RealDaemon, firestore: AsyncClient
) -> None:
    daemon.environment |= OFTEN
    await daemon.start()
    city = City(server, daemon, firestore, seed=seed)
    await city.pair()
    await city.hand_over()
    for _ in range(ROUNDS):
        await city.something_happens()
        await city.nothing_is_proven_wrongly()
    await city.phone_is(online=True, delay_ms=0, limit=50)
    written_to = city.rng.sample(CHATS, 45)
    await city.lands(set(await city.somebody_writes(len(written_to), chats=written_to)))
    reported = await city.everything_is_here_or_reported()
    job = await city.run("resync", since="30d")
    assert job["errorCode"] is None
    assert not set(await city.everything_is_here_or_reported()) - city.dead, f"of {len(reported)} that were waited for"
