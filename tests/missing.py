"""The whole system, a phone with an archive, and a server that does not hand over all of it."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from whole import ANA, Whole, until

from whatsapp_backend.clock import SystemClock

_clock = SystemClock()


def row(id: str, time: int, **more: Any) -> dict[str, Any]:
    """A message as the fake server's ops `history` and `store` take it."""
    return {"id": id, "time": time, "text": f"text of {id}", **more}


class Missing(Whole):
    """What is missing, what is asked for it, and what comes of it."""

    def thread_id(self, jid: str) -> str:
        """The thread of a chat; of a number that is known by it."""
        return f"{self.account}__{jid if '@' in jid else f'{jid}@s.whatsapp.net'}"

    # -- What the phone has, and what is handed over ---------------------------------------------------------------

    async def store(self, rows: Iterable[dict[str, Any]], *, chat: str = ANA) -> None:
        """Only the phone knows these."""
        await self.server.op("store", account=self.phone, chat=chat, messages=list(rows))

    async def history(self, rows: Iterable[dict[str, Any]], *, chat: str = ANA, **more: Any) -> None:
        """Handed over, in one piece, and landed."""
        rows = list(rows)
        conversation = {"chat": chat, "messages": rows, **more}
        await self.server.op("history", account=self.phone, chunks=[{"conversations": [conversation]}])
        await self.lands({one["id"] for one in rows})

    async def archive(self, chat: str = ANA) -> dict[str, int]:
        """Everything that the phone has of a chat: id → seconds, oldest first."""
        stored = await self.server.op("stored", account=self.phone, chat=chat)
        return {one["id"]: one["time"] for one in stored["messages"]}

    async def phone_is(self, *, online: bool = True, **on_demand: Any) -> None:
        """How the phone is, and how it answers."""
        await self.server.op("person", phone=self.phone, online=online, on_demand=on_demand)

    async def cut(self) -> None:
        """The connection breaks, and cannot be made again."""
        await self.server.op("fault", stage="connect", action="terminate", times=100_000)
        await self.server.op("terminate", account=self.phone)

        async def is_cut() -> bool:
            return await self.daemon.status(self.account) != "connected"

        await until(is_cut)

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """While the connection is broken."""
        await self.cut()
        yield
        await self.server.op("faults-clear")
        await self.daemon.connected(self.account)
        await self.daemon.caught_up(self.account)

    async def lose(self, *ids: str) -> None:
        """The server loses what waits for us."""
        assert (await self.server.op("lose", account=self.phone, ids=list(ids)))["lost"] == len(ids)

    # -- What is asked ---------------------------------------------------------------------------------------------

    def requests(self, **fields: Any) -> list[dict[str, Any]]:
        """What the phone was asked."""
        return self.server.seen("on-demand-request", **fields)

    def anchors(self) -> list[str]:
        """With which messages."""
        return [one["anchor"] for one in self.requests()]

    async def keys_are_kept(self, id: str, *, chat: str) -> None:
        """What comes in after a request has landed: so what the engine keeps of the request is durable, too.

        It keeps it after sending. A kill in between costs the session with the phone, which is not what is tested here.
        """
        await self.send(id, chat=chat)
        await self.lands({id})

    # -- What comes of it ------------------------------------------------------------------------------------------

    async def known(self, jid: str = ANA) -> dict[str, Any]:
        """What is known of a chat."""
        return dict(await self.daemon.get(f"/api/whatsapp/gaps/{self.account}/{self.thread_id(jid)}?limit=500"))

    async def gaps(self, jid: str = ANA) -> list[dict[str, Any]]:
        """The gaps of a chat that have a message below them."""
        return [gap for gap in (await self.known(jid)).get("gaps", []) if gap["below"]]

    async def no_gap(self, jid: str = ANA) -> dict[str, Any]:
        """Wait until there is none; what is known of the chat then."""

        async def is_closed() -> bool:
            return not await self.gaps(jid)

        await until(is_closed)
        return await self.known(jid)

    async def jobs(self, kind: str) -> list[dict[str, Any]]:
        """The runs of a kind that have ended, the newest first."""
        jobs = (await self.daemon.get(f"/api/whatsapp/jobs/{self.account}?limit=500"))["jobs"]
        return [job for job in jobs if job["kind"] == kind and job["endedAt"]]

    async def run_ended(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Wait until so many runs of a kind have ended; the newest."""

        async def has_ended() -> dict[str, Any] | None:
            jobs = await self.jobs(kind)
            return jobs[0] if len(jobs) >= count else None

        return dict(await until(has_ended))

    async def run(self, path: str, **body: Any) -> dict[str, Any]:
        """Have a run begun by hand, and wait for its end."""
        answer = await self.daemon.post(f"/api/whatsapp/{path}/{self.account}", body)
        job = (answer.get("data") or answer)["jobId"]

        async def has_ended() -> dict[str, Any] | None:
            told = (await self.daemon.get(f"/api/whatsapp/jobs/{self.account}/{job}"))["job"]
            return told if told["endedAt"] else None

        return dict(await until(has_ended))

    async def says_at_its_end(self) -> dict[str, Any]:
        """The account's document, as the daemon leaves it when it is stopped; while it runs it takes its time."""
        assert await self.daemon.terminate() == 0
        return (await self.firestore.document(f"accounts/{self.account}").get()).to_dict() or {}


def now_s() -> int:
    """Seconds since 1970."""
    return _clock.wall_ms() // 1000


def proves(known: dict[str, Any], from_s: int, until_s: int) -> set[str]:
    """By which proofs everything between two moments is known to be here."""
    return {
        one["proof"] for one in known["proven"] if one["fromMs"] <= from_s * 1000 and until_s * 1000 <= one["untilMs"]
    }
