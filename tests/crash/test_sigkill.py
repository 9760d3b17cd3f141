"""SIGKILL of the daemon, the bridge or both, at every named point: nothing lost, nothing twice. And the control."""

import os
import signal
from pathlib import Path

import pytest
from whole import BOB, PRELOAD, Whole, until

BEFORE = {"B-0", "B-1", "B-2"}


async def restarted(whole: Whole, *, die: str, who: str) -> None:
    """Stop the daemon in good order and start it with a bomb in it."""
    assert await whole.daemon.terminate() == 0
    await whole.daemon.start(die=die, who=who)
    await whole.daemon.connected(whole.account)
    await whole.daemon.caught_up(whole.account)


async def recovered(whole: Whole, who: str) -> None:
    """The daemon, where it died, is started again; where only the bridge died, it starts a new one by itself."""
    if who != "bridge":
        assert await whole.daemon.gone() != 0
        await whole.daemon.start()


async def settled(whole: Whole, ids: set[str]) -> None:
    """Everything is there once, and the server holds nothing back for us."""
    await whole.lands(ids)
    await whole.nothing_queued()
    await whole.daemon.landed()
    assert await whole.bodies() == {message: f"text of {message}" for message in ids}


@pytest.mark.parametrize("who", ["daemon", "bridge", "both"])
@pytest.mark.parametrize("point", ["before-commit", "after-commit", "before-cursor"])
async def test_a_kill_at_this_point_loses_nothing_and_doubles_nothing(whole: Whole, point: str, who: str) -> None:
    """Messages before, at and after the point, from two senders."""
    await restarted(whole, die=point, who=who)
    for message in sorted(BEFORE):
        await whole.send(message)
    await whole.send("KILL-1")
    await whole.send("KILL-2")
    await whole.send("A-1", chat=BOB)
    await recovered(whole, who)
    await whole.send("A-2")
    await settled(whole, BEFORE | {"KILL-1", "KILL-2", "A-1", "A-2"})


@pytest.mark.parametrize("who", ["daemon", "bridge", "both"])
async def test_a_kill_after_the_receipt_loses_nothing_and_doubles_nothing(whole: Whole, who: str) -> None:
    """The server has forgotten the message by then: only the journal has it."""
    await whole.daemon.terminate()
    await whole.daemon.start(die="lands-nothing")  # so the journal is the only copy
    await whole.daemon.connected(whole.account)
    for n in range(5):
        await whole.send(f"R-{n}")
        await whole.server.wait("receipt", id=f"R-{n}")
    bridge = whole.daemon.bridge_pid()
    assert bridge is not None
    if who != "daemon":
        os.kill(bridge, signal.SIGKILL)
    if who != "bridge":
        whole.daemon.kill()
        await whole.daemon.gone()
    else:
        await whole.daemon.terminate()
    await whole.daemon.start()
    await settled(whole, {f"R-{n}" for n in range(5)})


@pytest.mark.parametrize("who", ["daemon", "bridge", "both"])
async def test_a_kill_in_a_history_download_loses_nothing_and_doubles_nothing(whole: Whole, who: str) -> None:
    """The notice stays open, and is downloaded again."""
    await restarted(whole, die="in-history", who=who)
    await whole.server.op(
        "history", account=whole.phone, conversations=3, messages=900, chunk_messages=900, prefix="H", as_="blob"
    )
    await recovered(whole, who)
    ids = {f"H-{c}-{i}" for c in range(3) for i in range(300)}
    assert (await whole.lands(ids)).keys() == ids
    await whole.daemon.landed()
    assert (await whole.bodies()).keys() == ids


async def test_a_history_that_was_in_progress_at_two_crashes_in_a_row_is_parked(whole: Whole) -> None:
    """A poisoned blob must not keep the account from working."""
    await whole.daemon.terminate()
    await whole.daemon.start(die="in-history", who="both")
    await whole.daemon.connected(whole.account)
    await whole.server.op(
        "history", account=whole.phone, conversations=1, messages=600, chunk_messages=600, prefix="H", as_="blob"
    )
    await whole.daemon.gone()
    await whole.daemon.start(die="in-history", who="both")
    await whole.daemon.gone()
    await whole.daemon.start()
    await whole.daemon.connected(whole.account)

    async def parked() -> bool:
        return bool((await whole.daemon.get("/health"))["parked"] == 1)

    await until(parked)
    await whole.send("after")
    await whole.lands({"after"})


STOCK = """
import '{preload}'
// What the engine does by itself: the ratchet is committed, the message is not in it.
const write = process.stdout.write.bind(process.stdout)
process.stdout.write = (chunk, ...rest) => {{
    const lines = String(chunk).split('\\n').map(line => {{
        if (!line.includes('"t":"commit"')) return line
        const frame = JSON.parse(line)
        frame.entries = (frame.entries ?? []).filter(({{ source }}) => !source.startsWith('enc:'))
        return JSON.stringify(frame)
    }})
    return write(lines.join('\\n'), ...rest)
}}
"""


async def test_control_with_the_message_left_out_of_the_key_commit_a_message_is_lost(
    whole: Whole, tmp_path: Path
) -> None:
    """Stock behaviour loses it for good: this shows that the tests above can see a loss."""
    stock = tmp_path / "stock.mjs"
    stock.write_text(STOCK.format(preload=PRELOAD.as_uri()), encoding="utf-8")
    await whole.daemon.terminate()
    honest = whole.daemon.environment["WHATSAPP_BRIDGE_PRELOAD"]
    whole.daemon.environment["WHATSAPP_BRIDGE_PRELOAD"] = str(stock)
    await whole.daemon.start()
    await whole.daemon.connected(whole.account)
    await whole.send("LOST")
    await whole.server.wait("receipt", id="LOST")
    whole.daemon.kill()
    await whole.daemon.gone()
    whole.daemon.environment["WHATSAPP_BRIDGE_PRELOAD"] = honest
    await whole.daemon.start()
    await whole.send("after")
    await whole.lands({"after"})
    await whole.nothing_queued()
    await whole.daemon.landed()
    assert "LOST" not in await whole.bodies()
