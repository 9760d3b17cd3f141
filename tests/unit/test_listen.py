"""Deaf or quiet: what is done about an account of which nothing comes, by the daemon as it runs, over virtual time."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from place import ENGINE, FRAMES, MESSAGES, Place, running
from world import ANA, BOB

from whatsapp_backend.domain.coverage import Ending
from whatsapp_backend.errors import CommandFailed
from whatsapp_backend.flows.listen import Listener
from whatsapp_backend.rules import hearing
from whatsapp_backend.rules.hearing import Act, Hearing, Step
from whatsapp_backend.testing.scripted_bridge import Asked

ACCOUNT = "account_test_a"
ANSWERS, OFF, SWITCHED_OFF = "account_test_answers", "account_test_off", "account_test_switched_off"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 24 * 3600
FOUND_S = 10 * MINUTE_S


@pytest.fixture
def quietly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A daemon with these accounts, of which the first ones have something that can be asked for.

    What has nothing to do with hearing is nudged once an hour, and ownership renewed every half hour: a month is long.
    """

    def every(name: str, seconds: float) -> float:
        return seconds if name in ("beat", "listen") else HOUR_S

    def begin(*accounts: str, **how: Any) -> AbstractAsyncContextManager[Place]:
        return running(tmp_path, monkeypatch, accounts=accounts or (ACCOUNT,), every=every, **how)

    return begin


def events(place: Place, name: str) -> list[Mapping[str, Any]]:
    """The log lines of this name."""
    return [line for line in place.lines if line["event"] == name]


# -- Quiet is not deaf -------------------------------------------------------------------------------------------------


@pytest.mark.timeout(600)
async def test_in_thirty_quiet_days_nothing_is_restarted_and_few_questions_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose phone answers, one whose phone is off from the start, one whose phone is switched off when it had been
    active: only the last is suspected, once. Within a month a phone is asked 125 times: six times in the first six
    hours, then four times a day. It is looked at every three minutes only, so that the month does not take long.
    """
    month = running(
        tmp_path,
        monkeypatch,
        accounts=(ANSWERS, OFF, SWITCHED_OFF),
        every=lambda name, _: 3 * MINUTE_S if name in ("beat", "listen") else DAY_S,
        beat_s=200,
    )
    monkeypatch.setattr("whatsapp_backend.testing.fake_clock._TURNS", 40)
    async with month as place:
        place.bridge.writes(ANSWERS, ANA)
        place.bridge.writes(SWITCHED_OFF, ANA)
        place.bridge.off |= {OFF, SWITCHED_OFF}
        await place.clock.advance(HOUR_S)
        assert [place.asked("start", one) for one in (ANSWERS, OFF, SWITCHED_OFF)] == [1, 1, 2]
        await place.clock.advance(30 * DAY_S)
        assert [place.asked("start", one) for one in (ANSWERS, OFF, SWITCHED_OFF)] == [1, 1, 2]
        assert [place.hearing(one) for one in (ANSWERS, OFF, SWITCHED_OFF)] == ["quiet", "unproven", "unproven"]
        assert 120 <= place.asked("echo", ANSWERS) <= 130
        assert place.asked("echo", SWITCHED_OFF) <= place.asked("echo", ANSWERS) + 1
        assert place.asked("echo", OFF) == 0, "of it nothing is known that could be asked for"
        assert place.asked("probe", OFF) <= 130
        assert place.daemon.listener.deafness == {}
        assert len(events(place, "[deaf] suspected")) == 1


async def test_a_naive_silence_timer_restarts_the_quiet_account(quietly: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the tests above: what they would find wrong."""

    def naive(ear: hearing.Ear, _signs: Any, now_ms: int, *_: Any, **__: Any) -> Step:
        silent_ms = now_ms - max(ear.since_ms, ear.opened_ms)
        act = Act.DEAF if silent_ms > 5 * MINUTE_S * 1000 else Act.NOTHING
        return Step(act=act, hearing=Hearing.DEAF, reason="silence", until_ms=now_ms)

    monkeypatch.setattr(hearing, "decide", naive)
    async with quietly() as place:
        place.bridge.writes(ACCOUNT, ANA)
        await place.clock.advance(HOUR_S)
        assert place.asked("start") > 5


async def test_anything_that_comes_begins_anew(quietly: Any) -> None:
    async with quietly() as place:
        for _ in range(5):
            place.bridge.writes(ACCOUNT, ANA)
            await place.clock.advance(4 * MINUTE_S)
            assert place.hearing(ACCOUNT) == "heard"
        assert (place.asked("probe"), place.asked("echo")) == (0, 0), "who is heard is asked nothing"
        await place.clock.advance(2 * MINUTE_S)
        assert (place.hearing(ACCOUNT), place.asked("echo")) == ("quiet", 1)
        await place.clock.advance(9 * MINUTE_S)
        assert place.asked("echo") == 1
        await place.clock.advance(3 * MINUTE_S)
        assert place.asked("echo") == 2
        place.bridge.writes(ACCOUNT, BOB)
        await place.clock.advance(MINUTE_S)
        assert place.hearing(ACCOUNT) == "heard"
        await place.clock.advance(5 * MINUTE_S)
        assert place.asked("echo") == 3, "five minutes again"


async def test_an_echo_lands_nothing_and_writes_nothing(quietly: Any) -> None:
    async with quietly() as place:
        place.bridge.writes(ACCOUNT, ANA)
        await place.clock.advance(4 * MINUTE_S)
        documents = {path: document.fields for path, document in place.documents.documents.items()}
        before, epochs = place.cost(), await place.store.account_ledger(ACCOUNT)
        await place.clock.advance(20 * MINUTE_S)
        assert place.asked("echo") == 2
        assert place.cost() == before
        assert {path: document.fields for path, document in place.documents.documents.items()} == documents
        assert len((await place.store.account_ledger(ACCOUNT)).epochs) == len(epochs.epochs)
        assert len(events(place, "[realtime]")) == 1


async def test_a_phone_that_is_off_is_suspected_once_however_often_the_account_is_active(quietly: Any) -> None:
    """Messages come without the phone. When it is known not to answer, its silence means nothing until it answers."""
    async with quietly() as place:
        place.bridge.off.add(ACCOUNT)
        for _ in range(6):
            place.bridge.writes(ACCOUNT, ANA)
            await place.clock.advance(30 * MINUTE_S)
            assert place.hearing(ACCOUNT) == "unproven"
        assert place.asked("start") == 2
        place.bridge.off.clear()
        place.bridge.writes(ACCOUNT, ANA)
        await place.clock.advance(30 * MINUTE_S)
        assert place.hearing(ACCOUNT) == "quiet"
        place.bridge.off.add(ACCOUNT)
        place.bridge.writes(ACCOUNT, ANA)
        await place.clock.advance(30 * MINUTE_S)
        assert (place.hearing(ACCOUNT), place.asked("start")) == ("unproven", 3), "it had answered"


async def test_an_answer_that_comes_hours_later_is_no_activity_and_says_that_the_phone_is_back(quietly: Any) -> None:
    async with quietly() as place:
        place.bridge.writes(ACCOUNT, ANA)
        place.bridge.off.add(ACCOUNT)
        await place.clock.advance(8 * HOUR_S)
        assert place.hearing(ACCOUNT) == "unproven"
        asked = place.asked("echo")
        place.bridge.off.clear()
        place.bridge._echo(next(one for one in place.bridge.asked if one.command == "echo"))
        await place.clock.advance(MINUTE_S)
        assert place.hearing(ACCOUNT) == "quiet"
        await place.clock.advance(30 * MINUTE_S)
        assert place.asked("echo") <= asked + 1, "the pauses have not begun anew"


async def test_of_what_an_earlier_life_knew_the_newest_message_is_asked_for(quietly: Any) -> None:
    async with quietly() as place:
        for chat in (ANA, BOB):
            place.bridge.writes(ACCOUNT, chat)
        await place.clock.advance(2 * MINUTE_S)
        place.daemon.listener._recall._keys.clear()
        await place.clock.advance(5 * MINUTE_S)
        (echo,) = [one for one in place.bridge.asked if one.command == "echo"]
        assert echo.args["key"] == {"remoteJid": BOB, "fromMe": False, "id": "M2"}
        assert place.hearing(ACCOUNT) == "quiet"


@pytest.mark.parametrize(
    ("error", "starts"), [(CommandFailed("refused", "Boom 429"), 1), (CommandFailed("timeout", ""), 2)]
)
async def test_an_echo_that_is_refused_means_nothing_and_an_engine_that_hangs_over_it_is_suspect(
    quietly: Any, error: CommandFailed, starts: int
) -> None:
    def fails(_: Asked) -> Mapping[str, object]:
        raise error

    async with quietly() as place:
        place.bridge.scripts["echo"] = fails
        place.bridge.writes(ACCOUNT, ANA)
        await place.clock.advance(30 * MINUTE_S)
        assert (place.asked("start"), place.hearing(ACCOUNT)) == (starts, "unproven")


async def test_where_echoes_are_switched_off_no_phone_is_asked_and_a_dead_socket_is_found_all_the_same(
    quietly: Any,
) -> None:
    async with quietly(environment={"WHATSAPP_ECHO_ENABLED": "false"}) as place:
        place.bridge.writes(ACCOUNT, ANA)
        await place.clock.advance(HOUR_S)
        assert (place.asked("echo"), place.hearing(ACCOUNT), place.asked("start")) == (0, "unproven", 1)
        assert place.asked("probe") <= 4
        place.bridge.deafen(ACCOUNT, FRAMES)
        await place.clock.advance(FOUND_S)
        assert place.asked("start") == 2


async def test_hundreds_that_are_silent_from_one_moment_are_asked_one_after_another(quietly: Any) -> None:
    accounts = tuple(f"account_test_{number:03}" for number in range(200))
    async with quietly(*accounts) as place:
        await place.clock.advance(30)
        for account in accounts:
            place.bridge.writes(account, ANA)
        seen = [0]
        for _ in range(16):
            await place.clock.advance(30)
            seen.append(place.asked("echo"))
        assert max(after - before for before, after in pairwise(seen)) <= 40
        assert seen[-1] == len(accounts)
        await place.clock.advance(MINUTE_S)
        assert {place.hearing(account) for account in accounts} == {"quiet"}
        assert place.asked("start") == len(accounts)


# -- Deaf is not quiet -------------------------------------------------------------------------------------------------


async def deafened(place: Place, kind: str) -> set[str]:
    """An account that has been active goes deaf; the messages that are sent to it then."""
    for _ in range(3):
        place.bridge.writes(ACCOUNT, ANA)
        await place.clock.advance(MINUTE_S)
    assert place.hearing(ACCOUNT) == "heard"
    place.bridge.deafen(ACCOUNT, kind)
    sent = {place.bridge.writes(ACCOUNT, chat) for chat in (ANA, BOB)}
    await place.clock.advance(5)
    assert not sent & place.landed()
    return sent


@pytest.mark.parametrize("kind", [FRAMES, MESSAGES, ENGINE])
async def test_a_deaf_connection_is_found_within_ten_minutes_and_what_had_waited_lands(quietly: Any, kind: str) -> None:
    async with quietly() as place:
        await place.clock.advance(HOUR_S / 2)
        sent = await deafened(place, kind)
        await place.clock.advance(FOUND_S)
        assert place.asked("start") == 2, "exactly one reconnect"
        assert sent <= place.landed()
        assert place.daemon.listener.deafness == {ACCOUNT: 1}
        assert len(events(place, "[deaf]")) == 1
        await place.clock.advance(6 * HOUR_S)
        assert place.asked("start") == 2
        assert place.hearing(ACCOUNT) == "quiet"


@pytest.mark.parametrize("kind", [FRAMES, MESSAGES, ENGINE])
async def test_without_the_ladder_it_stays_deaf(quietly: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The control: it is the ladder that finds it, and nothing else."""

    async def nothing(_: Listener) -> None:
        """Nobody looks."""

    monkeypatch.setattr(Listener, "tick", nothing)
    async with quietly() as place:
        sent = await deafened(place, kind)
        await place.clock.advance(6 * HOUR_S)
        assert place.asked("start") == 1
        assert not sent & place.landed()
        assert place.daemon.connector.view(ACCOUNT).status == "connected"


@pytest.mark.parametrize("kind", [FRAMES, MESSAGES, ENGINE])
async def test_the_connection_that_was_deaf_proves_nothing_after_what_was_heard_last(quietly: Any, kind: str) -> None:
    """Its epoch ends as deaf, cut back; what had waited covers the rest."""
    async with quietly() as place:
        await place.clock.advance(HOUR_S / 2)
        await deafened(place, kind)
        deaf_ms = place.clock.wall_ms()
        await place.clock.advance(FOUND_S)
        first, second = (await place.store.account_ledger(ACCOUNT)).epochs
        assert first.ending is Ending.DEAF
        assert first.heard_at_ms <= deaf_ms < (first.closed_at_ms or 0)
        assert second.complete
        assert (second.announced or 0) >= 2, "and perhaps the phone's answers"


async def test_while_it_is_deaf_it_is_not_shown_as_connected(quietly: Any) -> None:
    async with quietly() as place:
        views = []
        tell = place.daemon.documents.on_change
        place.daemon.documents.on_change = lambda view: (views.append(view), tell(view))
        await deafened(place, FRAMES)
        await place.clock.advance(FOUND_S)
        (shown,) = {
            (view.status, view.hearing, view.last_error.split(":")[0])
            for view in views
            if view.last_error and view.last_error.startswith("deaf")
        } - {("connecting", "deaf", "deaf")}
        assert shown == ("reconnecting", "deaf", "deaf")
        assert not [view for view in views if view.status == "connected" and view.hearing is None]
        assert place.hearing(ACCOUNT) == "quiet"


async def test_what_reconnecting_does_not_cure_is_told_louder(quietly: Any) -> None:
    async with quietly() as place:
        place.bridge.writes(ACCOUNT, ANA)
        opened = place.bridge._opened

        def opened_deaf(account: str) -> None:
            opened(account)
            place.bridge.deafen(account, ENGINE)
            place.bridge.writes(account, ANA)

        place.bridge._opened = opened_deaf
        place.bridge.deafen(ACCOUNT, ENGINE)
        place.bridge.writes(ACCOUNT, ANA)
        await place.clock.advance(HOUR_S)
        assert 5 <= len(events(place, "[deaf]")) <= 10
        assert len(events(place, "[deaf] again")) == len(events(place, "[deaf]")) - 2


async def test_a_connection_that_answers_again_in_time_is_left_alone(quietly: Any) -> None:
    """Nothing came for two minutes, then one round trip fails, and then one comes."""
    async with quietly() as place:
        place.bridge.deafen(ACCOUNT, FRAMES)
        while not place.asked("probe"):
            await place.clock.advance(10)
        place.bridge._deaf.clear()
        await place.clock.advance(HOUR_S)
        assert place.asked("start") == 1


def hang(place: Place, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The store takes nothing in until this is set."""
    goes_on, commit = asyncio.Event(), place.store.commit

    async def hangs(told: Any) -> Any:
        await goes_on.wait()
        return await commit(told)

    monkeypatch.setattr(place.store, "commit", hangs)
    return goes_on


async def test_a_connection_whose_messages_wait_for_our_own_store_is_left_alone(
    quietly: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with quietly() as place:
        goes_on = hang(place, monkeypatch)
        first = place.bridge.writes(ACCOUNT, ANA)
        place.bridge.deafen(ACCOUNT, ENGINE)  # the commit has no answer, so nothing after it is dealt with
        place.bridge.writes(ACCOUNT, ANA)
        await place.clock.advance(2 * FOUND_S)
        assert place.asked("start") == 1
        assert events(place, "[deaf]") == []
        goes_on.set()
        await place.clock.advance(FOUND_S)
        assert first in place.landed()
        assert place.asked("start") == 2, "now it is the engine that does not go on"


async def test_an_answer_of_the_phone_that_waits_for_our_own_store_is_not_missed(
    quietly: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with quietly() as place:
        await place.clock.advance(HOUR_S)
        place.bridge.writes(ACCOUNT, ANA)
        await place.clock.advance(MINUTE_S)
        goes_on = hang(place, monkeypatch)
        await place.clock.advance(3 * FOUND_S)
        assert place.asked("echo") >= 2
        assert place.asked("start") == 1
        goes_on.set()
        await place.clock.advance(MINUTE_S)
        assert (place.asked("start"), place.hearing(ACCOUNT)) == (1, "quiet")
