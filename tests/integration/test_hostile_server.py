"""A server that stalls or sends rubbish costs at most that account's socket: never a message, never the daemon."""

import pytest
from whole import ANA, Whole, until

_DEAF_S = 150.0
"""Bytes that begin a frame of megabytes leave the socket deaf until a ping is missed, twice half a minute."""


async def survives(whole: Whole, ids: set[str]) -> None:
    """Everything sent is there, by the same daemon process and the same bridge."""
    await whole.server.op("faults-clear")
    assert (await whole.lands(ids)).keys() == ids
    await whole.nothing_queued()


@pytest.mark.parametrize("stage", ["connect", "hello", "login", "active", "offline", "batch"])
@pytest.mark.parametrize("action", ["terminate", "rubbish"])
async def test_a_server_that_misbehaves_while_connecting_is_tried_again(whole: Whole, stage: str, action: str) -> None:
    """Whatever it does, and whenever."""
    await whole.server.op("fault", stage=stage, action=action, times=1)
    daemon, bridge = whole.daemon.pid, whole.daemon.bridge_pid()
    await whole.server.op("terminate", account=whole.phone)
    await whole.send("S-1")
    await survives(whole, {"S-1"})
    assert (whole.daemon.pid, whole.daemon.bridge_pid()) == (daemon, bridge)


async def test_rubbish_in_the_middle_of_a_conversation_costs_the_socket_only(whole: Whole) -> None:
    """Bytes that mean nothing, between two messages."""
    await whole.send("S-1")
    await whole.lands({"S-1"})
    bridge = whole.daemon.bridge_pid()
    for framed in (True, False):
        mark = whole.server.mark()
        await whole.server.op("rubbish", account=whole.phone, framed=framed)
        await whole.send(f"S-{framed}")
        await whole.server.wait("closed", account=whole.phone, since=mark, timeout_s=_DEAF_S)
        await whole.server.wait("opened", account=whole.phone, since=mark, timeout_s=_DEAF_S)
    await survives(whole, {"S-1", "S-True", "S-False"})
    assert whole.daemon.bridge_pid() == bridge


async def test_a_server_that_stalls_while_connecting_is_given_up_and_tried_again(whole: Whole) -> None:
    """It accepts the connection and says nothing more."""
    await whole.daemon.terminate()
    whole.daemon.environment["WHATSAPP_CONNECT_TIMEOUT_MS"] = "3000"
    await whole.server.op("fault", stage="login", action="stall", times=1)
    await whole.daemon.start()
    await whole.send("S-1")
    await survives(whole, {"S-1"})


async def test_stanzas_that_mean_nothing_are_survived(whole: Whole) -> None:
    """Without an id, without a sender, of kinds nobody knows, with ciphertext that is noise."""
    strange = [
        {"tag": "message", "attrs": {"from": f"{ANA}@s.whatsapp.net", "t": "1"}},
        {"tag": "message", "attrs": {"id": "Q1", "from": "nobody@nowhere", "t": "x"}},
        {"tag": "message", "attrs": {"id": "Q2", "from": "120363001234567890@g.us", "t": "1"}},
        {
            "tag": "message",
            "attrs": {"id": "Q3", "from": f"{ANA}@s.whatsapp.net", "t": "1"},
            "content": [{"tag": "enc", "attrs": {"v": "2", "type": "msg"}, "content": {"b": "AAAA"}}],
        },
        {
            "tag": "message",
            "attrs": {"id": "Q4", "from": f"{ANA}@s.whatsapp.net", "t": "1"},
            "content": [{"tag": "plaintext", "attrs": {}, "content": {"b": "/////w=="}}],
        },
        {"tag": "receipt", "attrs": {"id": "Q5", "from": f"{ANA}@s.whatsapp.net"}},
        {"tag": "notification", "attrs": {"id": "Q6", "from": "x", "type": "nobody-knows"}},
        {"tag": "call", "attrs": {"id": "Q7", "from": f"{ANA}@s.whatsapp.net"}},
        {"tag": "nonsense", "attrs": {"id": "Q8"}},
    ]
    for stanza in strange:
        await whole.server.op("stanza", account=whole.phone, node=stanza, queued=False)
    await whole.send("after")
    await whole.lands({"after"})
    assert (await whole.daemon.get("/ready"))["ready"] is True


async def test_a_message_whose_ciphertext_is_spoiled_is_asked_for_again_and_lands(whole: Whole) -> None:
    """The sender encrypts it anew."""
    await whole.send("C-0")
    await whole.send("C-1", corrupt=True)
    assert (await whole.lands({"C-0", "C-1"})).keys() == {"C-0", "C-1"}


async def test_receipts_that_are_lost_cost_a_redelivery_and_no_second_document(whole: Whole) -> None:
    """The socket breaks before the server has read them."""
    await whole.server.op("hold", account=whole.phone, tag="receipt", id="L-1", then="terminate")
    await whole.send("L-1")
    assert (await whole.lands({"L-1"})).keys() == {"L-1"}
    await whole.nothing_queued()
    await whole.daemon.landed()
    assert (await whole.bodies()).keys() == {"L-1"}


async def test_a_history_whose_download_breaks_off_is_downloaded_again(whole: Whole) -> None:
    """Half a blob, then an error, then the whole."""
    await whole.server.op("cdn", kind="History", cut=20)
    await whole.server.op("cdn", kind="History", status=404)
    await whole.server.op(
        "history", account=whole.phone, conversations=2, messages=300, chunk_messages=300, prefix="H", as_="blob"
    )
    ids = {f"H-{c}-{i}" for c in range(2) for i in range(150)}
    assert (await whole.lands(ids)).keys() == ids


async def test_a_stream_that_was_replaced_is_not_fought_for(whole: Whole) -> None:
    """440: somebody else uses the credentials. The account waits a minute at least."""
    await whole.server.op("disconnect", account=whole.phone, reason="replaced")

    async def waits() -> bool:
        return await whole.daemon.status(whole.account) == "disconnected"

    await until(waits)
    assert await whole.queued() == 0


async def test_an_unlinked_device_stops_and_asks_to_be_paired(whole: Whole) -> None:
    """401: its data stays, and it does not connect again by itself."""
    await whole.send("U-1")
    await whole.lands({"U-1"})
    await whole.server.op("disconnect", account=whole.phone, reason="removed")

    async def asks() -> bool:
        return await whole.daemon.status(whole.account) == "logged_out"

    await until(asks)
    assert (await whole.bodies()).keys() == {"U-1"}
    await whole.daemon.post(f"/api/whatsapp/regenerate-qr/{whole.account}", {})
    await whole.server.scan(await whole.daemon.qr(whole.account), phone=whole.phone)
    await whole.daemon.connected(whole.account)
    await whole.send("U-2")
    await whole.lands({"U-1", "U-2"})
