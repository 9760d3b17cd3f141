"""What is kept of what happened, and how rates are reckoned."""

from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.coverage import GapState
from whatsapp_backend.domain.events import Content, MessageSeen, Origin, Status
from whatsapp_backend.domain.jobs import Job, JobState, Kind, Trigger, Work
from whatsapp_backend.domain.overview import Tally
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.flows.happenings import KEPT, Happenings
from whatsapp_backend.flows.publish import Published
from whatsapp_backend.flows.rates import Rates
from whatsapp_backend.testing.fake_clock import FakeClock


def view(status, *, caught_up=False):
    return AccountView(
        account="a", phone="+15550001111", name="Shop", created_at_ms=1, status=status, caught_up=caught_up
    )


def seen(order, origin=Origin.LIVE):
    return MessageSeen(
        order=order,
        account="a",
        client_jid="15550002222@s.whatsapp.net",
        message_id=f"M{order}",
        sender=None,
        sent_at_ms=1,
        origin=origin,
        status=Status.NONE,
        key={},
        sender_name="secret",
        sync_source="realtime",
        failed=False,
        content=Content(kind="text", body="secret"),
    )


def job(**more):
    return Job(id="J1", account="a", kind=Kind.RESYNC, trigger=Trigger.MANUAL, created_at_ms=1, **more)


def told(happenings, since=0):
    return [(one.kind, one.what, one.count) for one in happenings.since(since)]


def test_a_connection_is_told_when_it_changes_and_its_return_is_counted():
    happenings = Happenings(FakeClock())
    for now in ("connecting", "qr_ready", "qr_ready", "pairing", "connecting", "connected"):
        happenings.on_change(view(now))
    happenings.on_change(view("connected", caught_up=True))
    assert [what for _, what, _ in told(happenings)] == [
        "qr_ready",
        "pairing",
        "connecting",
        "connected",
        "caught_up",
    ]
    assert happenings.reconnects["a"] == 0, "pairing ends in a second connection, which is none that was lost"
    for now in ("reconnecting", "connected"):
        happenings.on_change(view(now))
    assert happenings.reconnects["a"] == 1


async def test_a_flood_is_told_once_a_second_with_its_number_and_without_anything_of_it():
    clock = FakeClock()
    happenings = Happenings(clock)
    for order in range(50):
        happenings.on_published(Published(seen=[seen(order), seen(order, Origin.HISTORY)], entries=[]))
    await clock.advance(1)
    happenings.on_published(Published(seen=[seen(99)], entries=[], refused=frozenset({99})))
    assert sorted(told(happenings)) == [("messages", "history", 50), ("messages", "live", 50), ("parked", "parked", 1)]
    assert "secret" not in repr(happenings.since(0)) and "1555" not in repr(happenings.since(0))


def test_gaps_are_told_when_their_number_changes_but_not_those_of_an_earlier_life():
    happenings = Happenings(FakeClock())
    happenings.on_tallies({"a": Tally(holes={GapState.OPEN: 2})})
    assert told(happenings) == []
    happenings.on_tallies({"a": Tally(holes={GapState.OPEN: 3, GapState.UNREACHABLE: 7}), "b": Tally(deep=3)})
    happenings.on_tallies({})
    assert told(happenings) == [("gap", "opened", 1), ("gap", "closed", 3)]


def test_a_run_is_told_once_when_it_began_and_when_it_ended():
    happenings = Happenings(FakeClock())
    running = job(state=JobState.RUNNING)
    happenings.on_running([running])
    happenings.on_running([running])
    happenings.on_ended(job(state=JobState.DONE, work=Work(gaps_closed=4)))
    happenings.on_running([])
    assert told(happenings) == [("job", "resync began", 1), ("job", "resync done", 4)]


def test_only_the_last_ones_are_kept_and_an_id_of_the_future_gets_all_of_them():
    happenings = Happenings(FakeClock())
    for number in range(KEPT + 5):
        happenings.on_ended(job(state=JobState.DONE, work=Work(gaps_closed=number)))
    assert len(happenings.since(0)) == KEPT
    assert [one.count for one in happenings.since(KEPT + 3)] == [KEPT + 3, KEPT + 4]
    assert len(happenings.since(10**9)) == KEPT


async def test_rates_are_those_of_the_last_minute_and_scaled_before_there_was_one():
    clock, journaled, landed = FakeClock(), [0], [0]
    unwell = False

    async def end():
        if unwell:
            raise StoreUnwell("no")
        return journaled[0]

    rates = Rates(clock, journaled=end, landed=lambda: landed[0])
    assert (rates.per_minute(), rates.course(9)) == ((0, 0), [])
    await rates.sample()
    for _ in range(3):
        await clock.advance(10)
        journaled[0] += 10
        landed[0] += 5
        await rates.sample()
    assert rates.per_minute() == (60, 30)
    assert rates.course(2) == [(10, 5), (10, 5)]
    unwell = True
    await clock.advance(10)
    await rates.sample()
    assert rates.per_minute() == (60, 30)
    await clock.advance(60)
    assert rates.per_minute() == (0, 0), "what was a minute ago is not told as what is"
