"""The disk fills during a commit. And the control: to answer the failed commit all the same loses the message."""

from pathlib import Path

import pytest
from machine import no_room
from whole import ANA, BOB, NODE_DIR, PRELOAD, Whole, until

IDS = {f"D-{n}" for n in range(6)}


async def test_a_full_disk_closes_the_socket_acknowledges_nothing_and_loses_nothing(whole: Whole) -> None:
    """With room again nothing is missing."""
    await whole.send("first")
    await whole.lands({"first"})
    await whole.nothing_queued()
    mark = whole.server.mark()
    with no_room(whole.daemon.pid):
        for message in sorted(IDS):
            await whole.send(message)
        await whole.server.wait("closed", since=mark, timeout_s=30)

        async def says_so() -> bool:
            accounts = (await whole.daemon.get("/api/whatsapp/accounts"))["accounts"]
            return accounts[0]["status"] != "connected" and "disk" in str(accounts[0]["lastError"])

        await until(says_so)
        answered = [event for event in whole.server.events[mark:] if event["event"] in ("receipt", "ack")]
        assert [event for event in answered if event.get("id") in IDS] == []
        assert await whole.queued() == len(IDS)
    await whole.lands(IDS)
    await whole.nothing_queued()
    await whole.daemon.landed()
    assert (await whole.bodies()).keys() == IDS | {"first"}


ANSWERING = """
import '{preload}'
import {{ Link }} from '{bridge}/link.js'
import {{ Outgoing }} from '{bridge}/outgoing.js'
// A bridge that gives the engine an answer although the daemon gave none.
const {{ commit }} = Link.prototype
const answers = {{
    error: () => new Promise((_, refuse) => setTimeout(refuse, 500, new Error('the store said no'))),
    committed: () => Promise.resolve()
}}
Link.prototype.commit = function (entry) {{ return Promise.race([commit.call(this, entry), answers['{answer}']()]) }}
const {{ hold }} = Outgoing.prototype
Outgoing.prototype.hold = function (barrier) {{ hold.call(this, barrier.catch(() => {{}})) }}
const emit = process.stdin.emit.bind(process.stdin)
process.stdin.emit = (event, chunk, ...rest) => event !== 'data' ? emit(event, chunk, ...rest) : emit(event,
    Buffer.from(String(chunk).split('\\n').filter(line => !line.includes('"t":"halt"')).join('\\n')))
"""


@pytest.mark.parametrize("answer", ["error", "committed"])
async def test_control_a_failed_commit_that_is_answered_loses_the_message(
    whole: Whole, tmp_path: Path, answer: str
) -> None:
    """With an error the engine refuses the message for good; with a lie it confirms it. Either way it is gone."""
    await whole.server.op("person", phone=ANA, answers_retries=False)
    answering = tmp_path / "answering.mjs"
    text = ANSWERING.format(preload=PRELOAD.as_uri(), bridge=(NODE_DIR / "bridge").as_uri(), answer=answer)
    answering.write_text(text, encoding="utf-8")
    await whole.daemon.terminate()
    whole.daemon.environment["WHATSAPP_BRIDGE_PRELOAD"] = str(answering)
    await whole.daemon.start()
    await whole.daemon.connected(whole.account)
    with no_room(whole.daemon.pid):
        await whole.send("LOST")
        await whole.nothing_queued()
    await whole.daemon.connected(whole.account)
    await whole.send("after", chat=BOB)
    await whole.lands({"after"})
    assert "LOST" not in await whole.bodies()
