"""Deaf or quiet with real parts: real Baileys and bridge, the daemon as it runs, with a listener of little patience."""

from pathlib import Path
from typing import Any

import pytest
from google.cloud.firestore import AsyncClient
from whole import ANA, BOB, RealDaemon, Whole, until

from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

_HASTY = Path(__file__).with_name("hasty_listener.py")


class Quiet(Whole):
    """An account of which nothing comes."""

    async def hearing(self) -> str | None:
        """As the API tells it."""
        (one,) = (await self.daemon.get("/api/whatsapp/accounts"))["accounts"]
        return str(one["hearing"]) if one["hearing"] else None

    async def becomes(self, hearing: str) -> None:
        """Wait until it does."""

        async def is_so() -> bool:
            return await self.hearing() == hearing

        await until(is_so)

    def logins(self) -> int:
        """How often it has connected since it was paired."""
        return len(self.server.seen("login"))

    def echoes(self) -> int:
        """How often its phone was asked."""
        return len(self.server.seen("placeholder-request"))

    async def echoed(self, times: int) -> None:
        """Wait until its phone was asked so often."""

        async def is_so() -> bool:
            return self.echoes() >= times

        await until(is_so)

    async def everything(self) -> dict[str, Any]:
        """All documents, but for when the account was last seen to live."""
        found = {**await self.documents(), **await self.threads()}
        async for document in self.firestore.collection("accounts").stream():
            found[document.reference.path] = document.to_dict() or {}
        return found

    def lines(self, event: str) -> list[str]:
        """Of the log."""
        return [line for line in self.daemon.lines if event in line]


@pytest.fixture
async def quiet(server: FakeWhatsApp, daemon: RealDaemon, firestore: AsyncClient) -> Quiet:
    """Paired, with one message that is here and on the phone."""
    daemon.program = (str(_HASTY),)
    daemon.environment |= {"AUTO_BACKFILL_ENABLED": "false", "RECENT_SYNC_ENABLED": "false"}
    await daemon.start()
    made = Quiet(server, daemon, firestore)
    await made.pair()
    await made.send("M1")
    await made.lands({"M1"})
    return made


async def test_a_quiet_account_is_asked_for_what_is_here_and_nothing_lands_anew(quiet: Quiet) -> None:
    """The message that is asked for is merged into nothing; no thread, no account and no epoch changes."""
    await quiet.becomes("quiet")
    await quiet.daemon.landed()
    before, logins = await quiet.everything(), quiet.logins()
    asked = quiet.echoes()
    await quiet.echoed(asked + 2)
    await quiet.becomes("quiet")
    await quiet.daemon.landed()
    assert await quiet.everything() == before
    assert quiet.logins() == logins
    assert {one for event in quiet.server.seen("placeholder-request") for one in event["ids"]} == {"M1"}
    assert not quiet.lines("[deaf]")
    assert len(quiet.lines("[realtime]")) == 1


async def test_a_connection_that_swallows_messages_and_answers_everything_else_is_found(quiet: Quiet) -> None:
    """What was sent meanwhile is there after one reconnect."""
    logins = quiet.logins()
    await quiet.send("M2")
    await quiet.lands({"M2"})
    await quiet.server.op("swallow", account=quiet.phone)
    for id, chat in (("W1", ANA), ("W2", BOB)):  # noqa: A001 -- WhatsApp's word
        await quiet.send(id, chat=chat)
    await quiet.lands({"M1", "M2", "W1", "W2"})
    await quiet.nothing_queued()
    await quiet.becomes("quiet")
    assert quiet.logins() == logins + 1
    assert len(quiet.lines("[deaf] suspected")) == 1
    assert [line for line in quiet.lines("[deaf]") if "had waited at the server" in line]
    ended = (await quiet.daemon.get(f"/api/whatsapp/gaps/{quiet.account}"))["gaps"]
    assert not [gap for gap in ended if gap["state"] == "open" and gap["reason"] == "deaf"], "all of it came"


async def test_a_phone_that_is_off_is_suspected_once_and_the_account_stays_connected(quiet: Quiet) -> None:
    logins = quiet.logins()
    await quiet.server.op("person", phone=quiet.phone, online=False)
    await quiet.send("M2")
    await quiet.lands({"M2"})
    await quiet.becomes("unproven")
    asked = quiet.echoes()
    await quiet.echoed(asked + 2)
    assert quiet.logins() == logins + 1
    assert len(quiet.lines("[deaf]")) == len(quiet.lines("[deaf] suspected")) == 1
    await quiet.server.op("person", phone=quiet.phone, online=True)
    await quiet.becomes("quiet")
    assert await quiet.daemon.status(quiet.account) == "connected"
