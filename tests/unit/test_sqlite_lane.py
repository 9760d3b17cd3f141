"""What makes the SQLite store fast and keeps it honest when the disk says no."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import threading

import pytest

from whatsapp_backend.adapters.sqlite_store import SqliteStore, lane, opening
from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.domain.mirror import Mirrored, Progress
from whatsapp_backend.errors import StoreRefused, StoreUnwell, WhatsAppBackendError

ANA, BEN = "account_test_0a", "account_test_0b"


@pytest.fixture
async def store(tmp_path):
    async with SqliteStore.opened(tmp_path) as store:
        yield store


def commit(source, *, account=ANA, size=10, **fields):
    entry = NewEntry(kind="message", source=source, origin="live", received_at_ms=1, payload=b"x" * size)
    return Commit(account=account, id=source, entries=(entry,), **fields)


@contextlib.asynccontextmanager
async def writer_held(store):
    """What is called inside waits in the queue and is then taken out of it together."""
    go_on = threading.Event()
    held = store._writer.submit(lambda _: go_on.wait(10))
    try:
        yield
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)  # let the tasks submit
    finally:
        go_on.set()
        await held


async def together(store, *calls):
    async with writer_held(store):
        tasks = [asyncio.ensure_future(call) for call in calls]
    return await asyncio.gather(*tasks, return_exceptions=True)


def statements(store, word):
    heard = []
    store._writer._connection.set_trace_callback(lambda sql: heard.append(sql) if sql.startswith(word) else None)
    return heard


async def sources(store):
    return [entry.new.source for entry in await store.read(after=0, limit=10**6, max_bytes=10**9)]


async def test_commits_that_wait_together_share_one_transaction(store):
    commits = statements(store, "COMMIT")
    calls = [store.commit(commit(f"s{n}", account=f"account_test_{n % 8}")) for n in range(100)]
    assert await together(store, *calls) == [(n,) for n in range(1, 101)]
    assert len(commits) == 1


async def test_a_transaction_is_bounded(store):
    commits = statements(store, "COMMIT")
    calls = [store.commit(commit(f"s{n}")) for n in range(lane.MAX_TOGETHER * 2 + 1)]
    await together(store, *calls)
    assert len(commits) == 3


async def test_reads_alone_need_no_transaction(store):
    begins = statements(store, "BEGIN")
    await together(store, *(store.get(ANA, "session", ["x"]) for _ in range(10)))
    assert begins == []


async def test_only_the_culprit_of_a_transaction_fails(store):
    bad = Commit(account=BEN, id="b", keys={"session": {"x": "\ud800"}})
    results = await together(store, store.commit(commit("a")), store.commit(bad), store.commit(commit("c")))
    assert [results[0], results[2]] == [(1,), (2,)]
    assert isinstance(results[1], StoreRefused)


@pytest.mark.parametrize("value", ["\ud800", 1 << 70, object(), 1.5])
async def test_no_foreign_error_crosses_the_port(store, value):
    with pytest.raises(WhatsAppBackendError):
        await store.commit(Commit(account=ANA, id="1", keys={"session": {"x": value, "y": "\ud800"}}))
    with pytest.raises(WhatsAppBackendError):
        await store.advance(Progress(consumer="c", cursor=1 << 70))


async def test_one_account_that_is_broken_does_not_slow_the_others(store):
    with pytest.raises(StoreRefused):
        await store.commit(commit("\ud800"))
    commits = statements(store, "COMMIT")
    await together(store, *(store.commit(commit(f"s{n}", account=BEN)) for n in range(50)))
    assert len(commits) == 1


async def test_a_failure_in_the_same_queue_fails_what_the_account_called_after_it(store):
    """Answered or not: what was called before the failure was known must not land either."""
    calls = [commit("a"), commit("\ud800"), commit("c"), commit("d", account=BEN)]
    results = await together(store, *(store.commit(one) for one in calls))
    assert [type(result) for result in results] == [tuple, StoreRefused, StoreUnwell, tuple]
    assert await sources(store) == ["a", "d"]


async def test_the_credentials_of_another_account_mend_nothing(store):
    with pytest.raises(StoreRefused):
        await store.commit(commit("\ud800"))
    results = await together(store, store.creds(BEN), store.commit(commit("a")), store.commit(commit("b")))
    assert [type(result) for result in results] == [type(None), StoreUnwell, StoreUnwell]


def full_after(store, pages):
    """Let SQLite believe that its disk is full a few pages from now."""

    def limit(connection):
        (count,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={count + pages}")

    return store._writer.submit(limit)


async def test_a_full_disk_fails_every_write_of_the_transaction_but_no_read(store):
    await store.commit(commit("before", keys={"session": {"x": "1"}}))
    await full_after(store, 2)
    results = await together(
        store,
        store.commit(commit("small", account=BEN)),
        store.commit(commit("big", size=100_000)),
        store.get(ANA, "session", ["x"]),
        store.find(BEN, "small"),
    )
    assert [type(result) for result in results[:2]] == [StoreUnwell, StoreUnwell]
    assert results[2:] == [{"x": "1"}, None]
    assert str(store.path) in str(results[0])
    assert "Free some space" in str(results[0])
    assert await sources(store) == ["before"]


async def test_with_room_again_the_same_store_goes_on(store):
    await full_after(store, 2)
    with pytest.raises(StoreUnwell):
        await store.commit(commit("big", size=100_000))
    await full_after(store, 1000)
    with pytest.raises(StoreUnwell):
        await store.commit(commit("after"))
    await store.creds(ANA)
    assert await store.commit(commit("big", size=100_000)) == (1,)


async def test_a_disk_that_refuses_to_let_the_log_grow_keeps_nothing_and_recovers(store, tmp_path):
    """The limit holds for the real write calls, so that the failure comes out of COMMIT as on a full disk."""
    await store.commit(commit("before"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = tmp_path / f"{opening.FILE_NAME}-wal"
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
    try:
        results = await together(store, *(store.commit(commit(f"s{n}", account=f"a{n}")) for n in range(5)))
        with pytest.raises(StoreUnwell):
            await store.advance(Progress(consumer="documents", cursor=1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {type(result) for result in results} == {StoreUnwell}
    assert str(store.path) in str(results[0])
    assert await sources(store) == ["before"]
    assert await store.commit(commit("after")) == (2,)
    await store.close()
    async with SqliteStore.opened(tmp_path) as again:
        assert await sources(again) == ["before", "after"]


async def test_a_full_disk_keeps_neither_progress_nor_cursor(store):
    await full_after(store, 2)
    state = Mirrored(path="p", digest=b"d" * 16, state=b"x" * 100_000, updated_at_ns=1, touched_at_ms=1)
    with pytest.raises(StoreUnwell):
        await store.advance(Progress(consumer="documents", cursor=7, mirrored=(state,)))
    assert await store.cursor("documents") == 0
    assert await store.messages(["p"]) == {}


async def test_the_publisher_reads_while_the_writer_is_busy(store):
    await store.commit(commit("a"))
    async with writer_held(store):
        assert await asyncio.wait_for(sources(store), 5) == ["a"]
        assert (await asyncio.wait_for(store.stats(), 5)).entries == 1


async def test_a_read_that_stops_early_does_not_pin_the_log(store):
    await store.commit(Commit(account=ANA, id="1", entries=tuple(commit(f"s{n}").entries[0] for n in range(50))))
    await store.read(after=0, limit=1000, max_bytes=1)
    await store.commit(commit("after"))
    busy, _, _ = (await store._writer.submit(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()))[0]
    assert busy == 0


async def test_many_answers_cost_one_wake_up_of_the_loop(store, monkeypatch):
    wake_ups = []
    loop = asyncio.get_running_loop()
    real = loop.call_soon_threadsafe
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *call: (wake_ups.append(call), real(*call))[1])
    await together(store, *(store.commit(commit(f"s{n}")) for n in range(100)))
    assert len([call for call in wake_ups if call[0] is lane._resolve]) <= 2  # the one that held the writer, and one


async def test_closing_leaves_no_thread_and_no_log_behind(tmp_path):
    async with SqliteStore.opened(tmp_path) as store:
        await store.commit(commit("a"))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("store-")]
    assert not (tmp_path / f"{opening.FILE_NAME}-wal").exists()


async def test_messages_are_kept_for_ever_in_few_bytes(tmp_path):
    count = 20_000
    async with SqliteStore.opened(tmp_path) as store:
        many = tuple(
            Mirrored(
                path=f"threads/account_test_{'0' * 32}__15550001111@s.whatsapp.net/messages/3EB0{n:016X}",
                digest=n.to_bytes(16, "big"),
                state=None,
                updated_at_ns=None,
                touched_at_ms=1,
            )
            for n in range(count)
        )
        await store.advance(Progress(consumer="documents", cursor=0, mirrored=many))
    assert (tmp_path / opening.FILE_NAME).stat().st_size / count < 70
