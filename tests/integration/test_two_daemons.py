"""Two real daemons and one account: who stops, dies or sleeps is followed, and never are there two connections at once.

Either each has a state directory, and is a device, of its own, or they share one and the second stands by. All of it
is played side by side: most of it is waiting.
"""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

from google.cloud.firestore import AsyncClient
from whole import RealDaemon, until

from whatsapp_backend.clock import SystemClock
from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

AFTER_A_CRASH_S = 20.0
AFTER_A_STOP_S = 2.0
BUSY_S = 3.0
"""What a machine that has a dozen processes at work may take longer. tests/unit/test_lead.py has a clock of its own."""
SHORT = {"INSTANCE_LEASE_MS": "8000", "INSTANCE_HEARTBEAT_MS": "2000"}
clock = SystemClock()


class Two:
    """Two daemons of one account."""

    def __init__(self, play: "Play", phone: str, one: RealDaemon, other: RealDaemon) -> None:
        self.play = play
        self.phone = phone
        self.one = one
        self.other = other
        self.account = ""

    async def pair(self, daemon: RealDaemon) -> None:
        """Link it as a device of the account."""
        await daemon.start()
        self.account = await daemon.add_account(phone=f"+{self.phone}")
        await self.play.server.scan(await daemon.qr(self.account), phone=self.phone)
        await daemon.connected(self.account)

    async def follows(self, heir: RealDaemon, *, within_s: float) -> None:
        """It owns the account in time, and is connected shortly after."""
        start_s = clock.monotonic_s()

        async def owns() -> bool:
            return await mode(heir) == "active"

        await until(owns)
        took_s = clock.monotonic_s() - start_s
        assert took_s < within_s + BUSY_S, f"{took_s:.1f} s"
        await heir.connected(self.account)

    async def is_passive(self, daemon: RealDaemon, holder: RealDaemon) -> None:
        """It knows who has the account, shows it, and does nothing."""

        async def knows() -> bool:
            ready = await daemon.get("/ready")
            return ready["mode"] == "passive" and ready.get("heldBy") == holder.environment["INSTANCE_ID"]

        await until(knows)
        assert await daemon.status(self.account) == "passive"
        refused = await daemon.post("/api/whatsapp/add-account", {"phone": "+15550009999", "name": "x"})
        assert (refused["error"], refused["holderInstanceId"]) == (
            "instance_passive",
            holder.environment["INSTANCE_ID"],
        )

    def connections_together(self) -> int:
        """The most that the account ever had at once."""
        most, opened = 0, set()
        for event in self.play.server.events:
            if event.get("account") == self.phone:
                if event["event"] == "login":
                    opened.add(event["connection"])
                elif event["event"] == "closed":
                    opened.discard(event["connection"])
                most = max(most, len(opened))
        return most


class Play:
    """Everything that the daemons share."""

    def __init__(self, server: FakeWhatsApp, emulator: str, project: str, folder: Path, firestore: AsyncClient) -> None:
        self.server = server
        self.firestore = firestore
        self.daemons: list[RealDaemon] = []
        self._folder = folder
        self._where = {"server_url": server.url, "emulator": emulator, "project": project}

    def two(self, phone: str, *, homes: tuple[str, str], **environment: str) -> Two:
        """Two daemons, not started yet."""
        made = []
        for number, home in enumerate(homes):
            name = f"{homes[0]}-{number}"
            made.append(
                RealDaemon(state_dir=self._folder / home, **self._where, **{"INSTANCE_ID": name, **environment})
            )
        self.daemons += made
        return Two(self, phone, *made)


async def mode(daemon: RealDaemon) -> Any:
    """What it says of itself; None while it says nothing."""
    with contextlib.suppress(OSError):
        return (await daemon.get("/ready"))["mode"]
    return None


async def stopped_and_killed(play: Play) -> None:
    """Each has keys of its own. SIGTERM: the other owns within 2 s; kill -9: within 20 s."""
    two = play.two("15550001111", homes=("a", "b"))
    one, other = two.one, two.other
    await two.pair(one)
    await one.terminate()
    await two.pair(other)
    await one.start()
    await two.is_passive(one, other)
    other_gone = asyncio.ensure_future(other.terminate())
    await two.follows(one, within_s=AFTER_A_STOP_S)
    assert await other_gone == 0
    await other.start()
    await two.is_passive(other, one)
    one.kill()
    await two.follows(other, within_s=AFTER_A_CRASH_S)
    assert two.connections_together() == 1


async def put_to_sleep(play: Play) -> None:
    """What sleeps is the daemon: its bridge, and with it the socket, stays. It wakes as nobody, closes the socket, and
    the document stays the other's.
    """
    two = play.two("15550002222", homes=("c", "d"), **SHORT)
    one, other = two.one, two.other
    await two.pair(other)
    await other.terminate()
    await two.pair(one)
    await other.start()
    await two.is_passive(other, one)
    mark = play.server.mark()
    os.kill(one.pid, signal.SIGSTOP)
    await two.follows(other, within_s=AFTER_A_CRASH_S)
    document = play.firestore.document(f"accounts/{two.account}")

    async def tells_of_the_other() -> bool:
        fields = (await document.get()).to_dict() or {}
        return (fields["claimedBy"], fields["status"]) == (other.environment["INSTANCE_ID"], "connected")

    await until(tells_of_the_other)
    before = (await document.get()).update_time
    os.kill(one.pid, signal.SIGCONT)
    await play.server.wait("closed", account=two.phone, since=mark, timeout_s=10)
    await two.is_passive(one, other)
    await one.terminate()
    assert (await document.get()).update_time == before
    assert await other.status(two.account) == "connected"


async def standing_by(play: Play) -> None:
    """One state directory, so one device: whoever waits goes on at once, also after a crash."""
    two = play.two("15550003333", homes=("e", "e"), STANDBY="true")
    one, other = two.one, two.other
    await two.pair(one)
    await other.start()
    assert await mode(other) == "passive"
    url = other.url
    one.kill()
    await two.follows(other, within_s=AFTER_A_STOP_S)
    assert other.url == url
    await one.gone()
    await one.start()
    assert await mode(one) == "passive"
    other_gone = asyncio.ensure_future(other.terminate())
    await two.follows(one, within_s=AFTER_A_STOP_S)
    assert await other_gone == 0
    assert two.connections_together() == 1


async def test_who_stops_dies_or_sleeps_is_followed_and_two_connections_at_once_never_happen(
    server: FakeWhatsApp, tmp_path: Path, firestore_emulator: Any, firestore_project: str, firestore: AsyncClient
) -> None:
    play = Play(server, firestore_emulator.address, firestore_project, tmp_path, firestore)
    try:
        await asyncio.gather(stopped_and_killed(play), put_to_sleep(play), standing_by(play))
    except Exception as error:
        tails = ["\n  ".join([daemon.environment["INSTANCE_ID"], *daemon.lines[-40:]]) for daemon in play.daemons]
        raise AssertionError("\n".join(tails)) from error
    finally:
        for daemon in play.daemons:
            await daemon.close()
