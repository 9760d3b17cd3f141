"""SIGKILL in the middle of a replay: what was parked is in Firestore, and replayed again when the daemon is back."""

import json
import sqlite3
from contextlib import closing

from whole import RealDaemon, Whole, run

from whatsapp_backend.adapters.sqlite_store.opening import FILE_NAME


async def replay(daemon: RealDaemon, *more: str) -> tuple[int | None, list[dict[str, object]]]:
    """What the command comes to."""
    settings = daemon.environment | {"PORT": daemon.url.rpartition(":")[2]}
    code, out, _ = await run(settings, "replay", "--json", *more)
    return code, [json.loads(line) for line in out.splitlines()]


async def forgotten(whole: Whole, id: str) -> None:
    """As if this message could not have been read: parked, in no document, and known to nobody but the journal."""
    with closing(sqlite3.connect(whole.daemon.state_dir / FILE_NAME)) as store:
        store.execute("DELETE FROM mirror")
        store.execute("DELETE FROM mirror_state")
        put = "INSERT INTO parked SELECT 'documents', seq, 0, account, 'odd' FROM entry WHERE instr(payload, ?)"
        assert store.execute(put, (f'"{id}"'.encode(),)).rowcount == 1
        store.commit()
    (path,) = [path for path, fields in (await whole.documents()).items() if fields["waMessageId"] == id]
    await whole.firestore.document(path).delete()


async def test_a_kill_in_a_replay_loses_nothing_and_doubles_nothing(whole: Whole) -> None:
    """And without one all of it lands at once."""
    for message in ("P-1", "P-2"):
        await whole.send(message)
    await whole.lands({"P-1", "P-2"})
    await whole.daemon.terminate()
    await forgotten(whole, "P-1")
    assert (await whole.bodies()).keys() == {"P-2"}
    await whole.daemon.start(die="in-replay", who="daemon")
    await whole.daemon.connected(whole.account)
    code, out = await replay(whole.daemon)
    assert (code, out) == (69, [])
    assert await whole.daemon.gone() != 0
    both = {message: f"text of {message}" for message in ("P-1", "P-2")}
    assert await whole.bodies() == both
    await whole.daemon.start()
    await whole.daemon.connected(whole.account)
    code, (listed,) = await replay(whole.daemon, "--list")
    assert (code, listed["reason"]) == (0, "odd")
    assert await replay(whole.daemon) == (0, [{"accountId": whole.account, "landed": 1, "parked": 0}])
    assert await replay(whole.daemon) == (0, [])
    assert await whole.bodies() == both
