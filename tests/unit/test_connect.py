"""Which accounts are connected, and when they are connected again."""

import asyncio

import pytest
from linked import ACCOUNT, PHONE, SERVER, Linked, connected, entry, linked, paired, sources

from whatsapp_backend.domain.journal import DeclaredAccount
from whatsapp_backend.errors import CommandFailed, CredentialsUnreadable, StoreUnwell
from whatsapp_backend.rules.hearing import Hearing
from whatsapp_backend.rules.reconnect import DEAF
from whatsapp_backend.testing.memory_store import MemoryStore

HOUR_S = 3600.0


async def test_an_account_is_paired_by_qr_and_connects_with_the_credentials_it_got() -> None:
    async with linked() as made:
        await made.boot()
        await made.add()
        assert made.view.status == "connecting"
        assert made.asked("start") == [{"creds": None, "fullHistory": True, "open": []}]
        await made.say("qr", qr="secret")
        assert (made.view.status, made.view.qr) == ("qr_ready", "secret")
        await made.bridge.commit(ACCOUNT, creds="new")
        await made.say("paired")
        assert (made.view.status, made.view.qr) == ("pairing", None)
        assert (await made.declared()).server == SERVER
        await made.close(515, "restart required")
        await made.clock.advance(0.2)
        assert made.asked("start")[1]["creds"] == "new"
        assert made.view.last_error is None
        await made.open()
        assert (made.view.status, made.view.wa_jid) == ("connected", "15550001111@s.whatsapp.net")
        assert made.starts == 2


async def test_a_qr_code_may_wait_for_its_phone_for_minutes() -> None:
    async with linked() as made:
        await made.boot()
        await made.add()
        await made.say("qr", qr="1")
        await made.clock.advance(600)
        assert made.bridge.halted == [] and made.starts == 1
        assert made.view.status == "qr_ready"


async def test_a_qr_code_nobody_scanned_waits_for_the_operator_who_gets_a_new_identity() -> None:
    async with linked() as made:
        await made.boot()
        await made.add()
        await made.bridge.commit(ACCOUNT, creds="unregistered")
        await made.say("qr", qr="1")
        await made.close(408, "QR refs attempts ended")
        assert (made.view.status, made.view.qr) == ("needs_qr", None)
        await made.clock.advance(HOUR_S)
        assert made.starts == 1
        await made.connector.resume(ACCOUNT)
        assert made.view.status == "connecting"
        await made.clock.settle()
        assert made.asked("start")[1]["creds"] is None


async def test_a_paired_account_that_cannot_reach_the_server_keeps_trying_and_keeps_its_credentials() -> None:
    """408 without a QR code is the network's, also before the first connection of this life."""
    store = MemoryStore()
    await paired(store)
    async with linked(store) as made:
        await made.boot()
        for _ in range(20):
            await made.close(408, "timed out")
            assert made.view.status == "reconnecting"
            await made.clock.advance(61)
        assert made.starts == 21
        assert {args["creds"] for args in made.asked("start")} == {'{"me":"old"}'}


async def test_the_moment_it_ended_is_that_of_the_first_of_many_failures() -> None:
    store = MemoryStore()
    await paired(store)
    async with linked(store) as made:
        await made.boot()
        await made.open()
        await made.close(408, "timed out")
        ended_at_ms = made.view.last_disconnected_at_ms
        for _ in range(3):
            await made.clock.advance(61)
            await made.close(408, "timed out")
            assert made.view.last_disconnected_at_ms == ended_at_ms
        await made.clock.advance(61)
        await made.open()
        await made.close(408, "timed out")
        assert made.view.last_disconnected_at_ms > ended_at_ms


async def test_a_server_that_says_nothing_costs_the_connect_timeout_and_is_tried_again() -> None:
    store = MemoryStore()
    await paired(store)
    async with linked(store) as made:
        await made.boot()
        await made.clock.advance(59)
        assert made.bridge.halted == []
        await made.clock.advance(2)
        assert made.bridge.halted == [(ACCOUNT, "stopped")]
        assert "not connected within 60 s" in str(made.view.last_error)
        await made.clock.advance(3)
        assert made.starts == 2


async def test_a_connected_account_is_left_alone_by_the_connect_timeout() -> None:
    async with connected() as made:
        await made.clock.advance(24 * HOUR_S)
        assert made.view.status == "connected"
        assert (made.starts, made.bridge.halted) == (1, [])


async def test_a_connection_that_is_deaf_is_ended_shown_as_such_and_connected_anew() -> None:
    async with connected() as made:
        assert made.view.hearing == "heard"
        made.connector.hears(ACCOUNT, Hearing.QUIET)
        assert (made.view.status, made.view.hearing) == ("connected", "quiet")
        made.connector.deafened(ACCOUNT, "nothing comes")
        made.connector.deafened(ACCOUNT, "once is enough")
        await made.clock.settle()
        assert (made.view.status, made.view.hearing) == ("reconnecting", "deaf")
        assert (made.view.last_error, made.view.last_disconnect_code) == ("deaf: nothing comes", DEAF)
        assert made.bridge.halted == [(ACCOUNT, "stopped")]
        made.connector.hears(ACCOUNT, Hearing.QUIET)
        assert made.view.hearing == "deaf", "who is not connected hears nothing"
        await made.clock.advance(3)
        assert made.starts == 2
        await made.open()
        assert (made.view.status, made.view.hearing, made.view.last_error) == ("connected", "heard", None)
        await made.close(428)
        assert made.view.hearing is None


async def test_a_start_that_is_not_answered_is_none_the_worse_if_the_socket_opens() -> None:
    store = MemoryStore()
    await paired(store)
    async with linked(store) as made:
        made.bridge.gates["start"] = asyncio.Event()
        await made.boot()
        await made.clock.advance(31)
        await made.open()
        await made.clock.advance(HOUR_S)
        assert made.view.status == "connected"
        assert (made.starts, made.bridge.halted) == (1, [])


async def test_a_start_that_is_not_answered_and_opens_nothing_is_halted_and_tried_again() -> None:
    store = MemoryStore()
    await paired(store)
    async with linked(store) as made:
        made.bridge.gates["start"] = asyncio.Event()
        await made.boot()
        await made.clock.advance(91)
        assert made.bridge.halted == [(ACCOUNT, "stopped")]
        await made.clock.advance(3)
        assert made.starts == 2


async def test_nothing_is_started_before_the_bridge_has_closed_what_was() -> None:
    """Its answer follows the last frame of the old socket: only then the credentials are what they will be."""
    store = MemoryStore()
    await paired(store)
    async with linked(store) as made:
        made.bridge.gates["stop"] = asyncio.Event()
        await made.boot()
        await made.clock.advance(29)
        assert made.starts == 0
        await made.clock.advance(2)
        assert made.starts == 0, "it was not answered: nobody knows what is still on its way"
        made.bridge.gates["stop"].set()
        await made.clock.advance(3)
        assert made.starts == 1


async def test_a_start_the_bridge_refuses_is_tried_again() -> None:
    def refuse(_: object) -> dict[str, object]:
        raise CommandFailed("refused", "no")

    store = MemoryStore()
    await paired(store)
    async with linked(store) as made:
        made.bridge.scripts["start"] = refuse
        await made.boot()
        assert made.view.status == "reconnecting"
        del made.bridge.scripts["start"]
        await made.clock.advance(3)
        await made.open()
        assert made.view.status == "connected"


# -- Credentials -------------------------------------------------------------------------------------------------------


async def refused_creds(made: Linked) -> None:
    """It stopped, said so, kept so, and never started anything."""
    assert made.view.status == "disconnected"
    await made.clock.advance(HOUR_S)
    assert (await made.declared()).stopped == "credentials-unreadable"


async def test_credentials_that_are_gone_stop_the_account_and_never_become_a_new_identity() -> None:
    store = MemoryStore()
    await paired(store)
    await store.forget(ACCOUNT)
    async with linked(store) as made:
        await made.boot()
        await refused_creds(made)
        assert made.starts == 0
        assert "gone" in str(made.view.last_error)


async def test_credentials_of_another_server_are_not_shown_to_this_one() -> None:
    store = MemoryStore()
    await paired(store, server="wss://web.example.com/ws")
    async with linked(store) as made:
        await made.boot()
        await refused_creds(made)
        assert made.starts == 0
        assert "wss://web.example.com/ws" in str(made.view.last_error)


async def test_credentials_that_cannot_be_read_stop_the_account_and_it_starts_once_they_can() -> None:
    class Damaged(MemoryStore):
        damaged = True

        async def creds(self, account: str) -> str | None:
            if self.damaged:
                raise CredentialsUnreadable("the checksum does not match")
            return await super().creds(account)

    store = Damaged()
    await paired(store)
    async with linked(store) as made:
        await made.boot()
        await refused_creds(made)
        assert made.starts == 0
        assert made.view.last_error == "the checksum does not match"
        store.damaged = False
        await made.connector.resume(ACCOUNT)
        await made.clock.settle()
        assert made.asked("start")[0]["creds"] == '{"me":"old"}'


async def test_credentials_the_engine_cannot_read_stop_the_account() -> None:
    def refuse(_: object) -> dict[str, object]:
        raise CommandFailed("bad-arguments", "creds")

    store = MemoryStore()
    await paired(store)
    async with linked(store) as made:
        made.bridge.scripts["start"] = refuse
        await made.boot()
        await refused_creds(made)
        assert made.starts == 1


# -- What stops an account ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "creds_after_resume"),
    [
        (401, "logged_out", None),
        (411, "logged_out", None),
        (403, "disconnected", '{"me":"old"}'),
    ],
)
async def test_what_stops_an_account_stops_it_over_restarts_too_until_the_operator_acts(
    code: int, status: str, creds_after_resume: str | None
) -> None:
    async with connected() as made:
        await made.close(code)
        assert made.view.status == status
        reason = made.view.last_error
        await made.clock.advance(HOUR_S)
        assert made.starts == 1
    async with linked(made.store) as again:
        await again.boot()
        await again.clock.advance(HOUR_S)
        assert (again.view.status, again.view.last_error) == (status, reason)
        assert again.starts == 0
        assert again.changes != [], "its document may not know yet"
        await again.connector.resume(ACCOUNT)
        await again.clock.settle()
        assert [args["creds"] for args in again.asked("start")] == [creds_after_resume]
        assert (await again.declared()).stopped is None


async def test_an_account_may_be_set_going_as_soon_as_it_is_seen_to_have_stopped() -> None:
    """Whoever looks at its status and acts at once is not ignored."""
    async with connected() as made:
        made.bridge.state(ACCOUNT, "closed", code=401, reason="removed")
        while made.view.status != "logged_out":
            await made.clock.sleep(0)
        await made.connector.resume(ACCOUNT)
        await made.clock.advance(0.2)
        assert made.starts == 2


async def test_to_resume_an_account_that_is_at_work_changes_nothing() -> None:
    async with connected() as made:
        await made.connector.resume(ACCOUNT)
        await made.clock.advance(5)
        assert (made.view.status, made.starts) == ("connected", 1)
        await made.close(428)
        await made.connector.resume(ACCOUNT)
        await made.clock.advance(3)
        assert made.starts == 2


async def test_an_account_unlinked_while_the_disk_is_full_stops_all_the_same() -> None:
    """To write down why must not cost the daemon its life."""
    async with connected() as made:
        made.store.unwell = "disk full"
        await made.close(401)
        await made.clock.advance(60)
        assert (made.view.status, made.view.last_error) == ("disconnected", "disk full")
        assert made.starts == 1
        made.store.unwell = None
        await made.clock.advance(3)
        assert made.view.status == "logged_out"
        assert (await made.declared()).stopped == "logged-out"


async def test_three_replacements_without_two_stable_minutes_stop_the_account() -> None:
    async with connected() as made:
        for _ in range(2):
            await made.clock.advance(5)
            await made.close(440, "replaced")
            assert made.view.status == "disconnected"
            await made.clock.advance(55)
            assert made.starts == 1 + _, "he is not fought for the connection"
            await made.clock.advance(6)
            await made.open()
        await made.close(440, "replaced")
        await made.clock.advance(HOUR_S)
        assert made.starts == 3
        assert "another process" in str(made.view.last_error)


async def test_replacements_with_two_stable_minutes_between_them_do_not_stop_the_account() -> None:
    async with connected() as made:
        for _ in range(6):
            await made.clock.advance(121)
            await made.close(440, "replaced")
            await made.clock.advance(61)
            await made.open()
        assert made.view.status == "connected"


async def test_a_restart_the_server_asks_for_is_immediate_but_not_for_ever() -> None:
    async with connected() as made:
        await made.close(515)
        await made.clock.advance(0.2)
        assert made.starts == 2
        for _ in range(50):
            await made.close(515)
            await made.clock.advance(1)
        assert made.starts < 15


async def test_an_engine_that_is_too_old_is_not_tried_every_minute() -> None:
    async with connected() as made:
        await made.close(405)
        assert "update" in str(made.view.last_error)
        await made.clock.advance(3)
        assert made.starts == 2
        await made.close(405)
        await made.clock.advance(299)
        assert made.starts == 2
        await made.clock.advance(302)
        assert made.starts >= 3


async def test_what_was_caught_up_is_not_any_more_once_the_connection_ended() -> None:
    async with connected() as made:
        await made.say("offline", announced=7)
        await made.say("caught-up", received=7)
        assert (made.view.caught_up, made.view.offline_announced, made.view.offline_received) == (True, 7, 7)
        await made.close(428)
        assert made.view.caught_up is False
        await made.clock.advance(3)
        assert (made.view.caught_up, made.view.offline_announced, made.view.offline_received) == (False, None, None)


# -- A stranger's phone ------------------------------------------------------------------------------------------------


async def test_a_phone_of_another_number_is_logged_out_and_its_messages_are_not_kept() -> None:
    async with connected() as made:
        await made.close(515)
        await made.clock.advance(1)
        made.bridge.gates["logout"] = asyncio.Event()
        await made.open("+15550009999")
        answer = made.bridge.commit(ACCOUNT, entry("enc:1"), keys={"session": {"a": "1"}})
        await made.clock.settle()
        assert answer.done(), "the engine would wait for it, and not log out"
        assert await made.store.end() == 0
        await made.close(401, "Intentional Logout")
        made.bridge.gates["logout"].set()
        await made.clock.settle()
        assert made.view.status == "needs_qr"
        assert "another number" in str(made.view.last_error)
        assert (await made.declared()).stopped == "wrong-number"
        assert made.bridge.halted == []
        await made.clock.advance(HOUR_S)
        assert made.starts == 2
        await made.connector.resume(ACCOUNT)
        await made.clock.settle()
        assert made.asked("start")[2]["creds"] is None


async def test_a_phone_of_another_number_that_cannot_be_logged_out_is_halted() -> None:
    async with linked() as made:
        made.bridge.gates["logout"] = asyncio.Event()
        await made.boot()
        await made.add()
        await made.open("+15550009999")
        await made.clock.advance(31)
        assert made.bridge.halted == [(ACCOUNT, "stopped")]
        assert made.view.status == "needs_qr"


async def test_a_phone_that_does_not_tell_its_number_is_not_logged_out() -> None:
    """Only what is certain may cost a pairing."""
    async with connected() as made:
        await made.close(515)
        await made.clock.advance(1)
        await made.say("open", me={"id": "88000000000007@lid"})
        assert made.asked("logout") == []
        assert made.view.status == "connected"


# -- The bridge comes and goes -----------------------------------------------------------------------------------------


async def test_a_bridge_that_crashed_is_waited_for_and_each_account_started_once() -> None:
    async with connected() as made:
        made.bridge.crash()
        await made.clock.advance(HOUR_S)
        assert (made.view.status, made.view.last_error) == ("reconnecting", "the bridge is not running")
        assert made.starts == 1
        made.bridge.come_up(made.ingest)
        await made.clock.advance(2)
        assert made.starts == 2
        await made.open()
        assert made.view.status == "connected"


@pytest.mark.parametrize("command", ["stop", "start"])
async def test_a_bridge_that_crashes_while_it_is_asked_is_waited_for(command: str) -> None:
    store = MemoryStore()
    await paired(store)
    async with linked(store) as made:
        made.bridge.gates[command] = asyncio.Event()
        await made.boot()
        made.bridge.crash()
        await made.clock.advance(10)
        assert made.view.status == "reconnecting"
        before = made.starts
        made.bridge.gates.clear()
        made.bridge.come_up(made.ingest)
        await made.clock.advance(2)
        assert made.starts == before + 1


async def test_a_bridge_that_is_gone_before_we_are_told_is_not_asked_in_a_tight_loop() -> None:
    async with connected() as made:
        await made.close(428)
        handler, made.bridge._handler = made.bridge._handler, None
        asked = len(made.bridge.asked)
        await made.clock.advance(10)
        turns = len([view for view in made.changes if view.last_disconnect_code == -3])
        assert 0 < turns < 60
        assert len(made.bridge.asked) == asked
        made.bridge._handler = handler
        await made.clock.advance(3)
        assert made.starts == 2


async def test_a_connection_that_waits_for_its_time_goes_on_waiting_when_the_bridge_crashes() -> None:
    async with connected() as made:
        await made.close(440)
        made.bridge.crash()
        made.bridge.come_up(made.ingest)
        await made.clock.advance(55)
        assert made.starts == 1
        await made.clock.advance(6)
        assert made.starts == 2


async def test_what_is_said_of_a_socket_that_was_given_up_changes_nothing() -> None:
    async with connected() as made:
        await made.close(428)
        before = made.view
        await made.open()
        await made.say("qr", qr="x")
        await made.close(401)
        assert made.view == before
        made.bridge.state("account_unknown", "closed", code=401, reason="x")


async def test_two_hundred_accounts_do_not_start_at_one_moment() -> None:
    store = MemoryStore()
    for n in range(200):
        await store.declare(
            DeclaredAccount(account=f"account_{n}", phone=f"+1555{n:07}", name="x", server=None, created_at_ms=n)
        )
    async with linked(store) as made:
        await made.boot()
        assert made.starts == 1
        await made.clock.advance(1)
        assert 10 <= made.starts <= 12
        await made.clock.advance(20)
        assert made.starts == 200
        assert len(made.connector.views()) == 200


# -- Adding, stopping --------------------------------------------------------------------------------------------------


async def test_an_account_added_twice_at_once_is_one_account_and_started_once() -> None:
    class Slow(MemoryStore):
        async def declare(self, account: DeclaredAccount) -> None:
            await asyncio.sleep(0)
            await super().declare(account)

    async with linked(Slow()) as made:
        await made.boot()
        both = await asyncio.gather(
            made.connector.add(phone=PHONE, name="One", namespace="demo"),
            made.connector.add(phone="1 (555) 000-1111", name="Two", namespace="demo"),
        )
        await made.clock.advance(1)
        assert [view.account for view in both] == [ACCOUNT, ACCOUNT]
        assert (await made.declared()).name == made.view.name == "One"
        assert (await made.declared()).phone == PHONE
        assert made.starts == 1


async def test_an_account_that_cannot_be_kept_is_not_added() -> None:
    async with linked() as made:
        await made.boot()
        made.store.unwell = "disk full"
        with pytest.raises(StoreUnwell):
            await made.add()
        assert made.connector.views() == []
        made.store.unwell = None
        await made.add()
        assert made.starts == 1


async def test_what_is_no_phone_number_is_not_added() -> None:
    async with linked() as made:
        with pytest.raises(ValueError, match="phone number"):
            await made.connector.add(phone="12", name="x", namespace="demo")


async def test_to_stop_says_goodbye_keeps_what_comes_meanwhile_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    async with connected() as made:
        made.bridge.gates["stop"] = asyncio.Event()
        asked = len(made.asked("stop"))
        async with asyncio.TaskGroup() as tasks:
            stopping = tasks.create_task(made.connector.stop())
            await made.clock.settle()
            assert len(made.asked("stop")) == asked + 1
            late = made.bridge.commit(ACCOUNT, entry("enc:last"))
            await made.close(0, "stopped")
            made.bridge.gates["stop"].set()
            await stopping
        assert late.done() and await sources(made.store) == ["enc:last"]
        assert made.view.status == "disconnected"
        await made.clock.advance(HOUR_S)
        assert made.starts == 1
        await made.connector.resume(ACCOUNT)
        await made.clock.settle()
        assert asyncio.all_tasks() == before


@pytest.mark.parametrize("command", ["stop", "start"])
async def test_to_stop_while_connecting_waits_for_nothing(command: str) -> None:
    before = asyncio.all_tasks()
    store = MemoryStore()
    await paired(store)
    async with linked(store) as made:
        gate = made.bridge.gates[command] = asyncio.Event()
        await made.boot()
        if command == "start":
            await made.connector.stop()
        else:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(made.connector.stop())
        await made.clock.settle()
        assert asyncio.all_tasks() == before
        assert not gate.is_set()
        assert made.view.status == "disconnected"


async def test_to_stop_is_not_held_up_by_a_bridge_that_does_not_answer() -> None:
    before = asyncio.all_tasks()
    async with connected() as made:
        made.bridge.gates["stop"] = asyncio.Event()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await made.connector.stop()
        await made.clock.settle()
        assert asyncio.all_tasks() == before


async def test_an_account_that_waits_for_its_operator_is_still_shown_so_after_a_stop() -> None:
    async with connected() as made:
        await made.close(401)
        await made.connector.stop()
        assert made.view.status == "logged_out"


async def test_a_link_that_was_cancelled_heeds_nothing_any_more() -> None:
    """The daemon may end because of something else, with the bridge in the middle of a sentence."""
    async with connected() as made:
        made.connector._running[ACCOUNT].cancel()
        await made.clock.settle()
        late = made.bridge.commit(ACCOUNT, entry("enc:late"))
        await made.say("paired")
        assert not late.done()


# -- Ownership ---------------------------------------------------------------------------------------------------------


async def test_an_account_is_connected_once_it_is_owned_and_not_before() -> None:
    store = MemoryStore()
    await paired(store)
    async with linked(store, willing=False) as made:
        await made.boot()
        await made.connector.resume(ACCOUNT)
        await made.clock.advance(HOUR_S)
        assert made.bridge.asked == []
        made.owner.own(ACCOUNT)
        await made.clock.settle()
        assert (made.view.status, made.starts) == ("connecting", 1)


async def test_an_account_of_another_instance_is_shown_as_passive_and_a_new_one_is_not_paired() -> None:
    async with linked(willing=False) as made:
        await made.boot()
        made.owner.is_anothers(ACCOUNT, "server-2.abcd")
        await made.add()
        await made.clock.advance(HOUR_S)
        assert (made.view.status, made.view.passive_reason) == ("passive", "instance server-2 owns this account")
        assert made.starts == 0


async def test_a_lost_account_is_halted_at_once_and_nothing_more_is_begun() -> None:
    async with connected() as made:
        await made.say("caught-up", received=1)
        asked = len(made.bridge.asked)
        made.owner.lose(ACCOUNT, to="server-2.abcd")
        assert made.bridge.halted == [(ACCOUNT, "stopped")], "in the same turn: it waits for nothing"
        assert (made.view.status, made.view.caught_up) == ("passive", False)
        late = made.bridge.commit(ACCOUNT, entry("enc:late"))
        await made.open()
        await made.clock.advance(HOUR_S)
        assert not late.done() and await made.store.end() == 0
        assert len(made.bridge.asked) == asked
        assert made.view.status == "passive"


async def test_an_account_that_is_owned_again_is_connected_again() -> None:
    async with connected() as made:
        made.owner.lose(ACCOUNT)
        made.owner.own(ACCOUNT)
        await made.clock.advance(1)
        assert made.starts == 2
        await made.open()
        assert (made.view.status, made.view.passive_reason) == ("connected", None)


@pytest.mark.parametrize("command", ["stop", "start"])
async def test_an_account_lost_and_owned_again_while_it_connects_has_one_socket(command: str) -> None:
    """However long the bridge takes to answer what was asked first."""
    store = MemoryStore()
    await paired(store)
    async with linked(store) as made:
        made.bridge.gates[command] = asyncio.Event()
        await made.boot()
        for _ in range(3):
            made.owner.lose(ACCOUNT)
            made.owner.own(ACCOUNT)
            await made.clock.settle()
        made.bridge.gates.clear()
        await made.clock.advance(1)
        commands = [asked.command for asked in made.bridge.asked if asked.command in ("start", "stop")]
        assert commands[-1] == "start"
        assert "start start" not in " ".join(commands), "between two starts there is a stop"


async def test_while_nobody_knows_whose_it_is_an_account_is_passive_with_the_reason() -> None:
    async with connected() as made:
        made.owner.problem = "Firestore does not answer"
        assert made.view.status == "connected"
        made.owner.lose(ACCOUNT)
        assert (made.view.status, made.view.passive_reason) == ("passive", "Firestore does not answer")


async def test_ownership_is_asked_for_again_right_before_a_socket_is_started() -> None:
    """Its end may not have been told yet."""
    async with connected() as made:
        await made.close(428)
        term = made.owner._terms.pop(ACCOUNT)
        await made.clock.advance(HOUR_S)
        assert made.starts == 1
        made.owner._terms[ACCOUNT] = term
        await made.clock.advance(3)
        assert made.starts == 2


async def test_who_was_replaced_doubts_its_ownership_and_is_as_patient_as_ever_when_it_holds() -> None:
    async with connected() as made:
        await made.close(440, "replaced")
        assert [term.account for term in made.owner.disputed] == [ACCOUNT]
        assert made.view.last_error == "replaced by another session"
        await made.clock.advance(55)
        assert made.starts == 1
        await made.clock.advance(6)
        assert made.starts == 2


async def test_an_account_that_waits_for_its_operator_goes_on_waiting_whoever_owns_it() -> None:
    async with connected() as made:
        await made.close(401)
        made.owner.lose(ACCOUNT, to="server-2.abcd")
        assert made.view.status == "passive"
        made.owner.own(ACCOUNT)
        await made.clock.advance(HOUR_S)
        assert (made.view.status, made.starts) == ("logged_out", 1)
        await made.connector.resume(ACCOUNT)
        await made.clock.settle()
        assert made.starts == 2


async def test_after_a_stop_ownership_that_comes_or_goes_changes_nothing() -> None:
    async with connected() as made:
        await made.connector.stop()
        made.owner.lose(ACCOUNT)
        made.owner.own(ACCOUNT)
        await made.clock.advance(HOUR_S)
        assert (made.starts, made.bridge.halted) == (1, [])
