"""What the bridge commits: durable first, answered then, and never answered where it was not kept."""

import asyncio
from typing import Any

import pytest
from linked import ACCOUNT, Linked, connected, entry, linked, paired, sources

from whatsapp_backend.domain.frames import Get
from whatsapp_backend.domain.journal import Commit
from whatsapp_backend.errors import StoreRefused
from whatsapp_backend.testing.memory_store import MemoryStore


def demand_unanswered(*answers: "asyncio.Future[Any]") -> None:
    """Fail where the bridge got an answer, which WhatsApp would take for a receipt."""
    assert not any(answer.done() for answer in answers), "a commit that was not kept was answered"


async def test_commits_take_effect_in_the_order_they_were_sent_and_a_read_sees_those_before_it() -> None:
    async with connected() as made:
        answers = [made.bridge.commit(ACCOUNT, entry(f"enc:{n}"), keys={"s": {"a": str(n)}}) for n in range(50)]
        values = made.bridge.get(ACCOUNT, "s", "a", "missing")
        found = made.bridge.find(ACCOUNT, "enc:49")
        nothing = made.bridge.find(ACCOUNT, "enc:50")
        later = made.bridge.commit(ACCOUNT, entry("enc:50"), keys={"s": {"a": "later"}})
        await asyncio.gather(*answers, later)
        assert await sources(made.store) == [f"enc:{n}" for n in range(51)]
        assert await values == {"a": "49"}
        entry_49 = await found
        assert entry_49 is not None and entry_49.new.source == "enc:49"
        assert await nothing is None


async def test_a_commit_is_answered_only_when_it_is_durable() -> None:
    class Slow(MemoryStore):
        gate: asyncio.Event

        async def commit(self, commit: Commit) -> tuple[int, ...]:
            if commit.entries:
                await self.gate.wait()
            return await super().commit(commit)

    store = Slow()
    await paired(store)
    async with linked(store) as made:
        store.gate = asyncio.Event()
        await made.boot()
        answer = made.bridge.commit(ACCOUNT, entry("enc:1"))
        await made.clock.settle()
        assert not answer.done() and made.nudges == 0
        store.gate.set()
        await answer
        assert await sources(store) == ["enc:1"]
        assert made.nudges == 1


async def test_what_was_there_already_is_answered_and_nobody_is_nudged() -> None:
    async with connected() as made:
        await made.bridge.commit(ACCOUNT, entry("enc:1"))
        await made.bridge.commit(ACCOUNT, entry("enc:1"))
        await made.bridge.commit(ACCOUNT, keys={"s": {"a": "1"}})
        assert made.nudges == 1


async def full_disk(made: Linked) -> "list[asyncio.Future[Any]]":
    """Three commits, a read that would wait behind them, and no room."""
    made.store.unwell = "disk full"
    answers = [made.bridge.commit(ACCOUNT, entry(f"enc:{n}"), keys={"s": {"a": str(n)}}) for n in range(3)]
    await made.clock.settle()
    return answers


async def test_a_commit_that_failed_is_never_answered_and_the_account_is_halted_once() -> None:
    async with connected() as made:
        answers = await full_disk(made)
        demand_unanswered(*answers)
        assert made.bridge.halted == [(ACCOUNT, "store")]
        assert made.view.last_error == "disk full"
        assert made.view.status == "reconnecting"


async def test_control_a_failed_commit_that_were_answered_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected() as made:

        async def lies(commit: Commit) -> tuple[int, ...]:
            return ()

        monkeypatch.setattr(made.store, "commit", lies)
        with pytest.raises(AssertionError, match="not kept was answered"):
            demand_unanswered(*await full_disk(made))


async def test_an_account_halted_for_the_disk_connects_again_when_the_disk_is_well_and_not_before() -> None:
    async with connected() as made:
        answers = await full_disk(made)
        await made.clock.advance(600)
        assert made.starts == 1
        assert "disk full" in str(made.view.last_error)
        made.store.unwell = None
        await made.clock.advance(3)
        assert made.starts == 2
        await made.open()
        again = [made.bridge.commit(ACCOUNT, entry(f"enc:{n}")) for n in range(3)]
        await asyncio.gather(*again)
        demand_unanswered(*answers)
        assert await sources(made.store) == ["enc:0", "enc:1", "enc:2"]


async def test_a_value_no_store_can_hold_costs_the_socket_and_not_the_daemon() -> None:
    class Picky(MemoryStore):
        async def commit(self, commit: Commit) -> tuple[int, ...]:
            if commit.entries and commit.entries[0].source == "enc:bad":
                self._broken.add(commit.account)
                raise StoreRefused("The store cannot hold this value.")
            return await super().commit(commit)

    store = Picky()
    await paired(store)
    async with linked(store) as made:
        await made.boot()
        await made.open()
        answers = [made.bridge.commit(ACCOUNT, entry("enc:bad")), made.bridge.commit(ACCOUNT, entry("enc:next"))]
        await made.clock.settle()
        demand_unanswered(*answers)
        assert made.bridge.halted == [(ACCOUNT, "store")]
        await made.clock.advance(3)
        assert made.starts == 2
        await made.bridge.commit(ACCOUNT, entry("enc:next"))


async def rubbish_between_two_ratchets(made: Linked) -> dict[str, str]:
    """The second of three commits cannot be read; what the ratchet stands at in the end."""
    made.bridge.commit(ACCOUNT, entry("enc:1"), keys={"session": {"ana": "1"}})
    made.bridge.say_line(b'{"t":"commit","account":"%s","id":"x","keys":7}' % ACCOUNT.encode())
    made.bridge.commit(ACCOUNT, entry("enc:3"), keys={"session": {"ana": "3"}})
    await made.clock.settle()
    return await made.store.get(ACCOUNT, "session", ["ana"])


async def test_no_ratchet_is_kept_that_came_after_a_line_which_could_not_be_read() -> None:
    """The message of that line comes again, and needs the ratchet as it was before."""
    async with connected() as made:
        assert await rubbish_between_two_ratchets(made) == {"ana": "1"}
        assert await sources(made.store) == ["enc:1"]
        assert made.bridge.halted == [(ACCOUNT, "protocol")]
        assert made.view.status == "reconnecting"
        made.bridge.get(ACCOUNT, "session", "ana")
        made.bridge.find(ACCOUNT, "enc:1")
        await made.clock.advance(3)
        assert made.starts == 2
        await made.bridge.commit(ACCOUNT, entry("enc:2"), keys={"session": {"ana": "2"}})
        assert await sources(made.store) == ["enc:1", "enc:2"]


async def test_control_without_dropping_leftovers_the_ratchet_would_move_past_the_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with connected() as made:
        monkeypatch.setattr(made.connector, "admitted", lambda commit: commit)
        assert await rubbish_between_two_ratchets(made) == {"ana": "3"}


async def test_leftovers_of_a_halted_socket_are_dropped_until_the_bridge_has_closed_it() -> None:
    async with connected() as made:
        made.connector.halt(ACCOUNT, "test")
        made.bridge.gates["stop"] = asyncio.Event()
        await made.clock.advance(3)
        late = made.bridge.commit(ACCOUNT, entry("enc:late"), creds="late")
        await made.clock.settle()
        demand_unanswered(late)
        made.bridge.gates["stop"].set()
        await made.clock.advance(1)
        assert made.asked("start")[1]["creds"] == '{"me":"old"}'
        assert await sources(made.store) == []


async def test_rubbish_in_nobodys_or_an_unknown_name_costs_nobody_anything() -> None:
    async with connected() as made:
        made.bridge.say_line(b"rubbish")
        made.bridge.say_line(b'{"t":"commit","account":"account_other","id":"x","keys":7}')
        demand_unanswered(made.bridge.commit("account_other", entry("enc:1")))
        made.bridge.get("account_other", "s", "a")
        await made.clock.settle()
        assert made.view.status == "connected"
        assert await made.store.end() == 0


@pytest.mark.parametrize("question", ["get", "find"])
async def test_a_read_the_store_cannot_answer_costs_the_socket(question: str) -> None:
    async with connected() as made:
        made.store._closed = True
        answer = made.bridge.get(ACCOUNT, "s", "a") if question == "get" else made.bridge.find(ACCOUNT, "enc:1")
        await made.clock.settle()
        demand_unanswered(answer)
        assert made.bridge.halted == [(ACCOUNT, "store")]


async def test_a_history_that_crashes_the_bridge_twice_in_a_row_is_not_handed_over_again() -> None:
    notice = entry("enc:n", kind="history-notice", raw="CgJoaQ==", form="padded", payload={"syncType": 0})
    async with connected() as made:
        await made.bridge.commit(ACCOUNT, notice)
        for _ in range(2):
            await made.bridge.commit(ACCOUNT, begin="enc:n")
            made.bridge.crash()
            made.bridge.come_up(made.ingest)
            await made.clock.advance(2)
        assert [len(args["open"]) for args in made.asked("start")] == [0, 1, 0]
        assert [one.consumer for one in await made.store.parked()] == ["history"]


async def test_a_crash_that_cannot_be_counted_does_not_end_the_daemon() -> None:
    async with connected() as made:
        made.store.unwell = "disk full"
        made.bridge.crash()
        await made.clock.settle()
        made.store.unwell = None
        made.bridge.come_up(made.ingest)
        await made.clock.advance(2)
        assert made.starts == 2


async def test_an_answer_is_given_with_the_id_of_its_question() -> None:
    """Ids come back as they came."""
    async with connected() as made:
        given: list[tuple[Any, ...]] = []
        made.bridge.answer_get = lambda *answer: given.append(answer)
        made.ingest.on_get(Get(account=ACCOUNT, id="1/7", type="s", ids=("a",)))
        await made.clock.settle()
        assert given == [(ACCOUNT, "1/7", {})]
