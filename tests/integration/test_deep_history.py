"""Real Baileys, the fake server and the real daemon: an old conversation is dug up to its beginning, page by page."""

from google.cloud.firestore import AsyncClient
from missing import Missing, now_s, proves, row
from whole import ANA, BOB, RealDaemon, until

from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

OLD = 1000
RUN, PAGE = 200, 25
"""Messages in one run, and in one request."""
SLOW_MS = 5000
"""So long an answer is on its way when the daemon dies or stops: it comes in the next life, which waits for it."""
OFTEN = {
    "RECENT_SYNC_ENABLED": "false",
    "WHATSAPP_HISTORY_SPACING_MS": "0",
    "WHATSAPP_HISTORY_TIMEOUT_MS": "15000",
    "WHATSAPP_BACKFILL_INTERVAL_SECONDS": "1",
    "AUTO_BACKFILL_COOLDOWN_SUCCESS_MS": "0",
    "AUTO_BACKFILL_ATTEMPT_BACKOFF_MS": "0",
    "WHATSAPP_BACKFILL_COUNT": str(RUN),
    "WHATSAPP_BACKFILL_MESSAGES_PER_THREAD": str(PAGE),
}


async def test_a_thousand_old_messages_come_over_several_runs_and_restarts_and_no_page_is_asked_for_twice(
    server: FakeWhatsApp, daemon: RealDaemon, firestore: AsyncClient
) -> None:
    daemon.environment |= OFTEN
    await daemon.start()
    whole = Missing(server, daemon, firestore)
    await whole.pair()
    start_s = now_s() - 30 * 24 * 3600
    await whole.store(row(f"M{n}", start_s + 60 * n) for n in range(OLD))
    await whole.send("now")
    for asked, end in ((5, "kill"), (13, "terminate"), (22, "kill"), (31, "kill")):
        await asked_so_often(whole, asked)
        await whole.phone_is(delay_ms=SLOW_MS)
        await asked_so_often(whole, len(whole.requests()) + 1)
        await whole.phone_is(delay_ms=0)
        await whole.keys_are_kept(f"while {asked}", chat=BOB)
        if end == "kill":
            daemon.kill()
            await daemon.gone()
        else:
            assert await daemon.terminate() == 0
        await daemon.start()
    bodies = await whole.lands({f"M{n}" for n in range(OLD)})
    assert len(bodies) == OLD + 5

    async def is_at_the_beginning() -> bool:
        return not (await whole.known())["gaps"]

    await until(is_at_the_beginning)
    anchors = whole.anchors()
    assert len(set(anchors)) == len(anchors), "a page was asked for twice"
    assert len(anchors) <= OLD // PAGE + 10
    known = await whole.known(ANA)
    assert proves(known, 0, start_s) == {"phone_complete"}
    covered = known["covered"][-1]
    assert covered["fromMs"] == 0 and covered["untilMs"] >= (start_s + 60 * OLD - 60) * 1000
    runs = await whole.jobs("backfill")
    assert len([job for job in runs if job["state"] == "done"]) >= 3
    assert {job["state"] for job in runs} <= {"done", "failed"}
    assert {job["errorCode"] for job in runs} == {None, "interrupted"}


async def asked_so_often(whole: Missing, count: int) -> None:
    """Wait for the phone to be asked so often."""

    async def is_asked() -> bool:
        return len(whole.requests()) >= count

    await until(is_asked)
