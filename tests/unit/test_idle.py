"""What an idle account costs: the daemon as it runs, over a simulated day."""

from pathlib import Path

import pytest
from place import ACCOUNTS, BEAT_S, GLANCE_S, running
from world import ANA, BOB

DAY_S = 24 * 3600


async def test_over_a_day_nothing_is_asked_read_or_written_but_the_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two accounts that have worked: messages came, a backfill found the beginning, a repair looked through them."""
    async with running(tmp_path, monkeypatch) as place:
        for account in ACCOUNTS:
            for chat in (ANA, BOB):
                place.bridge.writes(account, chat)
        await place.clock.advance(2 * 3600)
        assert sum("/messages/" in path for path in place.documents.documents) == 4
        assert place.asked("fetch-history") == 4, "what is older than the first message of each thread"
        for account in ACCOUNTS:
            fields = place.documents.documents[f"accounts/{account}"].fields
            assert (fields["status"], fields["lastBackfillStatus"]) == ("connected", "success")
            assert fields["lastAutoRepairResult"]["scanned"] == 2
            assert not await place.store.open_gaps(account, limit=10)
        before, beats, nudged = place.cost(), place.leases.calls.count("beat"), dict(place.nudges)
        await place.clock.advance(DAY_S)
        assert place.cost() == before
        assert place.asked("start") == 2, "and nothing was restarted"
        assert DAY_S // BEAT_S - 1 <= place.leases.calls.count("beat") - beats <= DAY_S // BEAT_S + 1
        assert {name: count - nudged[name] for name, count in place.nudges.items()} == {
            "prune": 24,
            "collect": DAY_S // 60,
            "beat": DAY_S // 20,
            "recent-sync": DAY_S // 120,
            "backfill": DAY_S // 720,
            "sweep": DAY_S // 60,
            "repair": DAY_S // 60,
            "listen": DAY_S // 30,
            "glances": DAY_S // GLANCE_S,
        }
