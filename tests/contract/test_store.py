"""The ports Journal, KeyStore, Accounts, Mirror and Consumers: what every store does, the fake as the real one."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from whatsapp_backend.domain.journal import Commit, DeclaredAccount, NewEntry, OpenNotice, Parked
from whatsapp_backend.domain.mirror import Alias, Gathered, Mirrored, Progress
from whatsapp_backend.domain.surveys import Adopted, Survey
from whatsapp_backend.errors import StoreRefused, StoreUnwell

ANA, BEN = "account_test_0a", "account_test_0b"
MANY = 1_000_000


def entry(source="enc:1", kind="message", **fields):
    known = {"origin": "live", "received_at_ms": 1_000, "payload": b'{"a":1}', "raw": b"\x00\xff", "form": "padded"}
    return NewEntry(**{"kind": kind, "source": source, **known, **fields})


def end_of(notice):
    return entry(f"{notice}#end", "history-end", payload=json.dumps({"notice": notice}).encode(), raw=None)


def commit(*entries, account=ANA, **fields):
    return Commit(account=account, id="c", entries=entries, **fields)


async def read_all(store):
    return await store.read(after=0, limit=MANY, max_bytes=MANY)


def sources(entries):
    return [entry.new.source for entry in entries]


class TestJournal:
    async def test_an_empty_journal_ends_at_0(self, store):
        assert await store.end() == 0
        assert await read_all(store) == []

    async def test_an_entry_comes_back_as_it_was_given(self, store):
        whole = entry(envelope=b'{"id":"M1"}', problem="why", payload=None)
        assert await store.commit(commit(whole)) == (1,)
        (read,) = await read_all(store)
        assert (read.seq, read.account, read.new) == (1, ANA, whole)

    async def test_seqs_grow_in_the_order_of_the_entries_and_the_commits(self, store):
        assert await store.commit(commit(entry("a"), entry("b"))) == (1, 2)
        assert await store.commit(commit(entry("c"), account=BEN)) == (3,)
        assert sources(await read_all(store)) == ["a", "b", "c"]

    async def test_the_same_source_again_is_absorbed_and_uses_no_seq(self, store):
        await store.commit(commit(entry("a")))
        assert await store.commit(commit(entry("a", payload=b"other"), entry("b"), entry("b"))) == (2,)
        assert await store.commit(commit(entry("a"))) == ()
        assert await store.end() == 2
        assert [e.new.payload for e in await read_all(store)] == [b'{"a":1}', b'{"a":1}']

    async def test_sources_are_told_apart_by_account_and_kind(self, store):
        assert await store.commit(commit(entry("a"), entry("a", kind="debt"))) == (1, 2)
        assert await store.commit(commit(entry("a"), account=BEN)) == (3,)

    async def test_reading_goes_on_after_a_seq_up_to_a_limit(self, store):
        await store.commit(commit(*(entry(f"s{n}") for n in range(5))))
        assert sources(await store.read(after=1, limit=2, max_bytes=MANY)) == ["s1", "s2"]
        assert await store.read(after=5, limit=2, max_bytes=MANY) == []

    async def test_reading_stops_at_the_bytes_but_gives_at_least_one(self, store):
        big = {"payload": b"x" * 60, "raw": b"y" * 30, "envelope": b"z" * 10}
        await store.commit(commit(*(entry(f"s{n}", **big) for n in range(4))))
        assert sources(await store.read(after=0, limit=9, max_bytes=250)) == ["s0", "s1"]
        assert sources(await store.read(after=0, limit=9, max_bytes=1)) == ["s0"]

    async def test_find_gives_the_entry_of_that_account(self, store):
        await store.commit(commit(entry("a")))
        found = await store.find(ANA, "a")
        assert found is not None
        assert found.new == entry("a")
        assert await store.find(BEN, "a") is None
        assert await store.find(ANA, "b") is None

    async def test_find_sees_a_commit_that_is_not_answered_yet(self, store):
        async with asyncio.TaskGroup() as group:
            group.create_task(store.commit(commit(entry("a"))))
            found = group.create_task(store.find(ANA, "a"))
        assert found.result() is not None

    async def test_stats_count_what_is_there(self, store):
        await store.commit(commit(entry("n", "history-notice"), entry("a"), entry("b")))
        thread = Gathered(path="t/1", account=ANA, state=b"{}", updated_at_ns=None, dirty=True)
        await store.advance(Progress(consumer="documents", cursor=3, gathered=(thread,), parked=((2, 0, ANA, "why"),)))
        await store.prune(landed_before_ms=MANY, state_before_ms=0)
        stats = await store.stats()
        assert (stats.journal_end, stats.entries, stats.parked) == (3, 2, 1)
        assert (stats.open_notices, stats.dirty) == (1, 1)


class TestCommit:
    async def test_commits_called_together_take_effect_in_their_order(self, store):
        async with asyncio.TaskGroup() as group:
            for n in range(300):
                group.create_task(store.commit(commit(entry(f"s{n}"), keys={"session": {"x": str(n)}})))
        assert sources(await read_all(store)) == [f"s{n}" for n in range(300)]
        assert await store.get(ANA, "session", ["x"]) == {"x": "299"}

    async def test_text_that_is_not_unicode_is_refused_and_nothing_of_it_kept(self, store):
        with pytest.raises(StoreRefused):
            await store.commit(commit(entry("a"), keys={"session": {"x": "1", "y": "\ud800"}}))
        assert await store.get(ANA, "session", ["x", "y"]) == {}
        assert await read_all(store) == []

    async def test_a_refused_commit_does_not_touch_those_of_other_accounts(self, store):
        bad = commit(entry("\udfff"), account=BEN)
        called = [commit(entry("a")), bad, commit(entry("b"))]
        results = await asyncio.gather(*(store.commit(one) for one in called), return_exceptions=True)
        assert [results[0], results[2]] == [(1,), (2,)]
        assert isinstance(results[1], StoreRefused)

    async def test_after_a_commit_that_was_not_kept_none_of_the_account_is_until_its_creds_are_read(self, store):
        """Otherwise the ratchet would move past a message that is not here, and never come back to it."""
        called = [commit(entry("a")), commit(entry("\ud800")), commit(entry("c")), commit(entry("d"), account=BEN)]
        results = await asyncio.gather(*(store.commit(one) for one in called), return_exceptions=True)
        assert [type(result) for result in results] == [tuple, StoreRefused, StoreUnwell, tuple]
        with pytest.raises(StoreUnwell):
            await store.commit(commit(entry("e")))
        await store.creds(BEN)
        with pytest.raises(StoreUnwell):
            await store.commit(commit(entry("e")))
        await store.creds(ANA)
        await store.commit(commit(entry("f")))
        assert sources(await read_all(store)) == ["a", "d", "f"]

    async def test_a_caller_that_was_cancelled_takes_nobody_with_it(self, store):
        async with asyncio.TaskGroup() as group:
            first = group.create_task(store.commit(commit(entry("a"))))
            second = group.create_task(store.commit(commit(entry("b"))))
            group.create_task(_cancel(first))
        assert second.result()[0] in {1, 2}


async def _cancel(task):
    task.cancel()


class TestKeys:
    async def test_keys_come_back_and_unknown_ones_are_absent(self, store):
        await store.commit(commit(keys={"session": {"x": "1", "": "empty"}, "pre-key": {"x": "2"}}))
        assert await store.get(ANA, "session", ["x", "", "z"]) == {"x": "1", "": "empty"}
        assert await store.get(ANA, "pre-key", ["x"]) == {"x": "2"}
        assert await store.get(BEN, "session", ["x"]) == {}

    async def test_a_key_is_replaced_and_deleted_by_none(self, store):
        await store.commit(commit(keys={"session": {"x": "1", "y": "1", "z": "\x00"}}))
        await store.commit(commit(keys={"session": {"x": "2", "y": None, "never": None}}))
        assert await store.get(ANA, "session", ["x", "y", "z"]) == {"x": "2", "z": "\x00"}

    async def test_a_get_sees_a_commit_that_is_not_answered_yet(self, store):
        async with asyncio.TaskGroup() as group:
            got = []
            for n in range(50):
                group.create_task(store.commit(commit(keys={"session": {"x": str(n)}})))
                got.append(group.create_task(store.get(ANA, "session", ["x"])))
        assert [task.result() for task in got] == [{"x": str(n)} for n in range(50)]

    async def test_creds_are_none_until_they_are_committed_and_then_the_last(self, store):
        assert await store.creds(ANA) is None
        await store.commit(commit(creds="one"))
        await store.commit(commit(creds='{"two":"é"}'))
        await store.commit(commit(keys={"session": {"x": "1"}}))
        assert await store.creds(ANA) == '{"two":"é"}'
        assert await store.creds(BEN) is None

    async def test_forgetting_an_account_leaves_its_journal_and_the_other_accounts(self, store):
        for account in (ANA, BEN):
            await store.commit(commit(entry(), account=account, creds="c", keys={"session": {"x": "1"}}))
        await store.forget(ANA)
        assert await store.creds(ANA) is None
        assert await store.get(ANA, "session", ["x"]) == {}
        assert await store.creds(BEN) == "c"
        assert await store.get(BEN, "session", ["x"]) == {"x": "1"}
        assert len(await read_all(store)) == 2


class TestNotices:
    async def test_a_notice_is_open_until_its_end_is_journaled(self, store):
        notices = [entry(s, "history-notice", raw=s.encode(), envelope=b"{}") for s in ("n1", "n2")]
        await store.commit(commit(*notices))
        expected = [OpenNotice(source=s, raw=s.encode(), envelope=b"{}", crashes=0) for s in ("n1", "n2")]
        assert await store.open_notices(ANA) == expected
        assert await store.open_notices(BEN) == []
        await store.commit(commit(end_of("n1")))
        assert await store.open_notices(ANA) == expected[1:]

    async def test_a_closed_notice_that_is_redelivered_stays_closed(self, store):
        await store.commit(commit(entry("n", "history-notice"), end_of("n")))
        await store.commit(commit(entry("n", "history-notice")))
        assert await store.open_notices(ANA) == []

    async def test_an_end_that_cannot_be_read_is_journaled_and_closes_nothing(self, store):
        await store.commit(commit(entry("n", "history-notice")))
        rubbish = [b"{", b"[]", b'{"notice":7}', b"\xff", None]
        await store.commit(commit(*(entry(f"e{n}", "history-end", payload=p) for n, p in enumerate(rubbish))))
        assert await store.end() == 1 + len(rubbish)
        assert len(await store.open_notices(ANA)) == 1

    async def test_a_notice_in_progress_at_two_crashes_is_parked_and_not_handed_over(self, store):
        await store.commit(commit(entry("n", "history-notice"), entry("other", "history-notice")))
        await store.commit(commit(begin="n"))
        assert await store.bridge_crashed() == []
        assert [notice.crashes for notice in await store.open_notices(ANA)] == [1, 0]
        await store.commit(commit(begin="n"))
        (parked,) = await store.bridge_crashed()
        assert (parked.consumer, parked.seq, parked.part, parked.account) == ("history", 1, 0, ANA)
        assert await store.parked() == [parked]
        assert [notice.source for notice in await store.open_notices(ANA)] == ["other"]
        assert await store.bridge_crashed() == []

    async def test_a_crash_counts_only_what_had_begun_since_the_last(self, store):
        await store.commit(commit(entry("n", "history-notice")))
        await store.commit(commit(begin="n"))
        for _ in range(3):
            assert await store.bridge_crashed() == []
        assert [notice.crashes for notice in await store.open_notices(ANA)] == [1]

    async def test_a_bridge_that_stopped_in_good_order_ends_the_row(self, store):
        await store.commit(commit(entry("n", "history-notice")))
        for _ in range(3):
            await store.commit(commit(begin="n"))
            assert await store.bridge_crashed() == []
            await store.bridge_stopped()
        await store.commit(commit(begin="n"))
        await store.bridge_stopped()
        assert await store.bridge_crashed() == []
        assert [notice.crashes for notice in await store.open_notices(ANA)] == [0]

    async def test_two_notices_that_crash_the_bridge_in_turns_are_parked_all_the_same(self, store):
        await store.commit(commit(entry("n", "history-notice")))
        await store.commit(commit(entry("m", "history-notice"), account=BEN))
        parked = []
        for source, account in (("n", ANA), ("m", BEN), ("n", ANA), ("m", BEN)):
            await store.commit(commit(begin=source, account=account))
            parked += await store.bridge_crashed()
        assert [one.account for one in parked] == [ANA, BEN]


class TestAccounts:
    async def test_declared_accounts_come_oldest_first_and_are_replaced(self, store):
        old = DeclaredAccount(account=BEN, phone="+15550001112", name="Ben", server=None, created_at_ms=1)
        new = DeclaredAccount(account=ANA, phone="+15550001111", name="Ana", server="wss://s", created_at_ms=2)
        await store.declare(new)
        await store.declare(old)
        assert await store.declared() == [old, new]
        stopped = DeclaredAccount(
            account=ANA, phone="+15550001111", name="A", server=None, created_at_ms=2, stopped="logged-out"
        )
        await store.declare(stopped)
        assert await store.declared() == [old, stopped]


def mirrored(path="t/1/m/1", digest=b"d" * 16, state=b"{}", updated_at_ns=1_795_328_371_123_456_789, touched=1_000):
    return Mirrored(path=path, digest=digest, state=state, updated_at_ns=updated_at_ns, touched_at_ms=touched)


def thread(path="t/1", *, dirty=False, state=b"{}", updated_at_ns=1_795_328_371_123_456_789):
    return Gathered(path=path, account=ANA, state=state, updated_at_ns=updated_at_ns, dirty=dirty)


class TestMirror:
    async def test_what_landed_is_known_to_the_nanosecond_and_the_rest_is_absent(self, store):
        await store.advance(Progress(consumer="documents", cursor=1, mirrored=(mirrored(),), gathered=(thread(),)))
        assert await store.messages(["t/1/m/1", "t/1/m/2"]) == {"t/1/m/1": mirrored()}
        assert await store.gathered(iter(["t/1", "t/2"])) == {"t/1": thread()}

    async def test_what_landed_later_replaces_it(self, store):
        later = mirrored(digest=b"e" * 16, state=b"[]", updated_at_ns=None, touched=2_000)
        for one in (mirrored(), later):
            await store.advance(Progress(consumer="documents", cursor=1, mirrored=(one,)))
        assert await store.messages(["t/1/m/1"]) == {"t/1/m/1": later}

    async def test_a_digest_without_state_has_neither_time(self, store):
        for one in (mirrored(), mirrored(state=None)):
            await store.advance(Progress(consumer="documents", cursor=1, mirrored=(one,)))
        assert await store.messages(["t/1/m/1"]) == {"t/1/m/1": mirrored(state=None, updated_at_ns=None, touched=0)}

    async def test_dirty_are_found_until_they_are_clean(self, store):
        dirty = [thread(f"t/{n}", dirty=True) for n in range(3)]
        await store.advance(Progress(consumer="documents", cursor=1, gathered=(*dirty, thread("t/clean"))))
        assert await store.dirty(10) == dirty
        assert len(await store.dirty(2)) == 2
        await store.advance(Progress(consumer="documents", cursor=1, gathered=(thread("t/1"),)))
        assert await store.dirty(10) == [dirty[0], dirty[2]]


class TestSurveys:
    async def test_where_messages_lie_is_known_and_the_rest_is_absent(self, store):
        adopted = Adopted(path="t/1/m/M1", document_id="abc")
        assert adopted.lies == "t/1/m/abc"
        await store.advance(Progress(consumer="documents", adopted=(adopted,)))
        assert await store.adopted(iter(["t/1/m/M1", "t/1/m/M2", "t/1/m/abc"])) == {"t/1/m/M1": "t/1/m/abc"}

    async def test_messages_at_their_own_places_are_known_until_their_thread_is_surveyed(self, store):
        at_home, elsewhere = Adopted(path="t/1/m/M1", document_id="M1"), Adopted(path="t/1/m/M2", document_id="abc")
        moved_home = Adopted(path="t/1/m/M3", document_id="M3")
        survey = Survey(account=ANA, thread="1", messages_after="M1", counts={"threads": 2}, thread_counts={"ours": 1})
        await store.advance(
            Progress(
                consumer="documents",
                adopted=(at_home, elsewhere, replace(moved_home, document_id="x"), moved_home),
                survey=survey,
            )
        )
        paths = ["t/1/m/M1", "t/1/m/M2", "t/1/m/M3"]
        assert await store.adopted(paths) == {"t/1/m/M1": "t/1/m/M1", "t/1/m/M2": "t/1/m/abc", "t/1/m/M3": "t/1/m/M3"}
        assert await store.survey(ANA) == survey
        await store.advance(Progress(consumer="documents", survey=replace(survey, thread="", threads_after="1")))
        assert await store.adopted(paths) == {"t/1/m/M2": "t/1/m/abc"}

    async def test_each_account_has_a_survey_of_its_own(self, store):
        assert (await store.survey(ANA), await store.surveys()) == (None, [])
        ben, ana = Survey(account=BEN, done_at_ms=5), Survey(account=ANA, counts={"documents_read": 1})
        for survey in (ben, replace(ana, counts={}), ana):
            await store.advance(Progress(consumer="documents", survey=survey))
        assert await store.surveys() == [ana, ben]

    async def test_a_number_that_is_told_again_is_looked_through_again(self, store):
        alias = Alias(account=ANA, lid="88@lid", pn="1@s.whatsapp.net", evidence="history", at_ms=1)
        await store.advance(Progress(consumer="documents", aliases=(alias,)))
        await store.advance(Progress(consumer="documents", united=(alias,)))
        assert await store.ununited(10) == []
        await store.advance(Progress(consumer="documents", aliases=(replace(alias, pn="2@s.whatsapp.net"),)))
        assert await store.ununited(10) == [alias]


class TestConsumers:
    async def test_each_consumer_has_its_own_cursor_which_never_moves_back(self, store):
        assert await store.cursor("documents") == 0
        for cursor in (3, 7, 5):
            await store.advance(Progress(consumer="documents", cursor=cursor))
        await store.advance(Progress(consumer="media", cursor=1))
        assert (await store.cursor("documents"), await store.cursor("media")) == (7, 1)

    async def test_what_is_parked_is_listed_oldest_first_and_once(self, store):
        parked = ((9, 0, ANA, "nine"), (2, 1, BEN, "first reason"))
        await store.advance(Progress(consumer="documents", cursor=9, parked=parked))
        await store.advance(Progress(consumer="documents", cursor=9, parked=((2, 1, BEN, "two"),)))
        await store.advance(Progress(consumer="documents", cursor=9, parked=((2, 0, BEN, "zero"),)))
        expected = [(2, 0, BEN, "zero"), (2, 1, BEN, "two"), (9, 0, ANA, "nine")]
        assert await store.parked() == [
            Parked(consumer="documents", seq=seq, part=part, account=account, reason=reason)
            for seq, part, account, reason in expected
        ]
        assert len(await store.parked(limit=1)) == 1


class TestPrune:
    async def test_only_old_entries_that_every_consumer_has_passed_go(self, store):
        times = (10, 99, 100, 10, 10)
        await store.commit(commit(*(entry(f"s{n}", received_at_ms=at) for n, at in enumerate(times, 1))))
        await store.advance(Progress(consumer="documents", cursor=4))
        await store.advance(Progress(consumer="media", cursor=5))
        assert await store.prune(landed_before_ms=100, state_before_ms=0) == (3, 0)
        assert sources(await read_all(store)) == ["s3", "s5"]
        assert await store.find(ANA, "s1") is None

    async def test_nothing_goes_while_there_is_no_consumer(self, store):
        await store.commit(commit(entry()))
        assert await store.prune(landed_before_ms=MANY, state_before_ms=MANY) == (0, 0)

    async def test_open_notices_and_parked_entries_stay(self, store):
        await store.commit(commit(entry("n", "history-notice"), entry("p"), entry("gone")))
        await store.advance(Progress(consumer="documents", cursor=3, parked=((2, 0, ANA, "why"),)))
        assert (await store.prune(landed_before_ms=MANY, state_before_ms=0))[0] == 1
        assert sources(await read_all(store)) == ["n", "p"]
        await store.commit(commit(end_of("n")))
        assert (await store.prune(landed_before_ms=MANY, state_before_ms=0))[0] == 1

    async def test_a_seq_is_not_used_again(self, store):
        await store.commit(commit(entry("a"), entry("b")))
        await store.advance(Progress(consumer="documents", cursor=2))
        await store.prune(landed_before_ms=MANY, state_before_ms=0)
        assert await store.end() == 2
        assert await store.commit(commit(entry("a"))) == (3,)

    async def test_more_than_a_batch_goes_past_what_stays(self, store):
        await store.commit(commit(*(entry(f"s{n}", received_at_ms=n) for n in range(1200))))
        kept = tuple((seq, 0, ANA, "why") for seq in range(1, 601))
        await store.advance(Progress(consumer="documents", cursor=1200, parked=kept))
        assert await store.prune(landed_before_ms=MANY, state_before_ms=0) == (600, 0)
        assert len(await read_all(store)) == 600

    async def test_old_states_go_and_digests_stay(self, store):
        many = tuple(mirrored(f"m/{n}", touched=n) for n in range(1100))
        await store.advance(Progress(consumer="documents", cursor=0, mirrored=many))
        assert await store.prune(landed_before_ms=0, state_before_ms=1050) == (0, 1050)
        known = await store.messages(["m/1049", "m/1050"])
        assert known["m/1049"] == mirrored("m/1049", state=None, updated_at_ns=None, touched=0)
        assert known["m/1050"] == many[1050]


class TestClose:
    async def test_closing_carries_out_what_was_called_before_and_may_be_repeated(self, store):
        calls = [asyncio.ensure_future(store.commit(commit(entry(f"s{n}")))) for n in range(20)]
        await asyncio.wait(calls[:1])
        await asyncio.gather(store.close(), store.close())
        assert [call.result() for call in calls] == [(n,) for n in range(1, 21)]
        await store.close()

    async def test_a_closed_store_keeps_nothing_and_says_so(self, store):
        await store.close()
        with pytest.raises(StoreUnwell):
            await store.commit(commit(entry()))
        with pytest.raises(StoreUnwell):
            await store.end()
