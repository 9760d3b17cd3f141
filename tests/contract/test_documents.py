"""The ports DocumentStore and DocumentQueries: one suite for the fake and for Firestore."""

from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, StrEnum

import pytest

from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.queries import FirestoreQueries
from whatsapp_backend.domain.writes import Outcome, Result, Write
from whatsapp_backend.errors import OurBug
from whatsapp_backend.testing.memory_documents import MemoryDocuments

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture(params=["memory", "firestore"])
def store(request):
    if request.param == "memory":
        return MemoryDocuments()
    return FirestoreDocuments(request.getfixturevalue("firestore"))


@pytest.fixture
def queries(request, store):
    return store if isinstance(store, MemoryDocuments) else FirestoreQueries(request.getfixturevalue("firestore"))


async def one(store, **write) -> Outcome:
    (outcome,) = await store.write([Write(**write)])
    return outcome


async def fields(store, path):
    return (await store.read([path]))[path].fields


async def test_nothing_to_write_costs_nothing(store):
    assert await store.write([]) == []
    assert await store.read([]) == {}
    assert (store.operations.rpcs, store.operations.writes, store.operations.reads) == (0, 0, 0)


async def test_what_was_written_is_read_back_as_it_was(store):
    everything = {
        "text": "späße 😀 \0 end",
        "empty": "",
        "long": "x" * 20_000,
        "zero": 0,
        "ints": [1, -1, 127, 128, 16383, 16384, 2**63 - 1, -(2**63), 1_795_328_371_500],
        "floats": [0.5, -1e300, float("inf")],
        "yes": True,
        "no": False,
        "nothing": None,
        "raw": b"\x00\xff",
        "at": AT,
        "before 1970": datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        "early and late": [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)],
        "map": {"a": {"b": {}, "c": [{"d": 1}, None, True, "x"]}, "odd.`key\\": 1, "": 2} | {},
        "list": [],
        "dots.and`ticks\\": "quoted",
    }
    del everything["map"][""]
    assert (await one(store, path="a/b", fields=everything)).result is Result.LANDED
    read = await fields(store, "a/b")
    assert read == everything
    assert {k: type(v) for k, v in read.items()} == {k: type(v) for k, v in everything.items()}
    assert read["at"].tzinfo is not None


async def test_times_of_other_zones_are_the_same_moment(store):
    await one(store, path="a/b", fields={"at": AT.astimezone(timezone(timedelta(hours=5)))})
    assert (await fields(store, "a/b"))["at"] == AT


async def test_values_of_derived_types_are_written_as_what_they_are(store):
    class Colour(StrEnum):
        RED = "red"

    class Rank(IntEnum):
        FIRST = 1

    class Bag(dict):
        pass

    await one(store, path="a/b", fields={"c": Colour.RED, "r": Rank.FIRST, "b": Bag(x=Colour.RED)})
    assert await fields(store, "a/b") == {"c": "red", "r": 1, "b": {"x": "red"}}


async def test_a_create_lands_once_and_then_says_exists(store):
    first = await one(store, path="a/b", fields={"n": 1}, must_not_exist=True)
    again = await one(store, path="a/b", fields={"n": 2}, must_not_exist=True)
    assert (first.result, again.result) == (Result.LANDED, Result.EXISTS)
    assert again.updated_at_ns is None
    document = (await store.read(["a/b"]))["a/b"]
    assert document.fields == {"n": 1}
    assert document.path == "a/b"
    assert document.updated_at_ns == first.updated_at_ns > 0


async def test_a_write_without_a_mask_replaces_the_document(store):
    await one(store, path="a/b", fields={"n": 1, "gone": 2})
    await one(store, path="a/b", fields={"n": 3})
    assert await fields(store, "a/b") == {"n": 3}


async def test_a_mask_touches_only_its_fields_and_deletes_those_without_a_value(store):
    await one(store, path="a/b", fields={"kept": 1, "changed": 1, "map": {"x": 1}, "deleted": 1, "odd name`\\": 1})
    mask = ("changed", "map", "deleted", "never there", "odd name`\\")
    written = {"changed": 2, "map": {"y": 2}, "odd name`\\": 2, "not in the mask": 9}
    assert (await one(store, path="a/b", fields=written, mask=mask)).result is Result.LANDED
    assert await fields(store, "a/b") == {"kept": 1, "changed": 2, "map": {"y": 2}, "odd name`\\": 2}


async def test_a_masked_write_makes_the_document_where_there_is_none(store):
    assert (await one(store, path="a/b", fields={"n": 1}, mask=("n", "m"))).result is Result.LANDED
    assert await fields(store, "a/b") == {"n": 1}


async def test_an_empty_mask_touches_no_field(store):
    await one(store, path="a/b", fields={"n": 1})
    await one(store, path="a/b", fields={"n": 2}, mask=(), server_times=("at",))
    read = await fields(store, "a/b")
    assert (read.keys(), read["n"]) == ({"n", "at"}, 1)


async def test_server_times_are_set_by_the_server(store):
    outcome = await one(store, path="a/b", fields={"n": 1}, server_times=("createdAt", "odd name"), must_not_exist=True)
    read = await fields(store, "a/b")
    assert read["createdAt"] == read["odd name"]
    assert read["n"] == 1
    updated_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=outcome.updated_at_ns // 1000)
    assert abs(read["createdAt"] - updated_at) < timedelta(seconds=5)


async def test_a_server_time_may_be_named_in_the_mask_too(store):
    await one(store, path="a/b", fields={"n": 1}, mask=("n", "updatedAt"), server_times=("updatedAt",))
    assert isinstance((await fields(store, "a/b"))["updatedAt"], datetime)


async def test_a_patch_lands_when_the_document_is_as_it_was_and_is_stale_when_not(store):
    first = await one(store, path="a/b", fields={"n": 1})
    second = await one(store, path="a/b", fields={"n": 2}, mask=("n",), updated_at_ns=first.updated_at_ns)
    assert second.result is Result.LANDED
    assert second.updated_at_ns > first.updated_at_ns
    late = await one(store, path="a/b", fields={"n": 3}, mask=("n",), updated_at_ns=first.updated_at_ns)
    assert late == Outcome(result=Result.STALE)
    assert await fields(store, "a/b") == {"n": 2}


async def test_the_time_a_document_was_read_with_is_a_precondition_that_holds(store):
    await one(store, path="a/b", fields={"n": 1}, server_times=("at",))
    read_at = (await store.read(["a/b"]))["a/b"].updated_at_ns
    assert (await one(store, path="a/b", fields={"n": 2}, updated_at_ns=read_at)).result is Result.LANDED
    one_ns_off = (await store.read(["a/b"]))["a/b"].updated_at_ns + 1000
    assert (await one(store, path="a/b", fields={"n": 3}, updated_at_ns=one_ns_off)).result is Result.STALE


async def test_a_patch_of_a_document_that_is_not_there_says_missing(store):
    assert (await one(store, path="a/b", fields={"n": 1}, updated_at_ns=10**18)).result is Result.MISSING
    assert await store.read(["a/b"]) == {}


async def test_a_write_that_changes_nothing_leaves_the_time_as_it_was(store):
    first = await one(store, path="a/b", fields={"n": 1})
    assert await one(store, path="a/b", fields={"n": 1}) == first


@pytest.mark.parametrize(
    "path",
    ["", "a", "a/b/c", "a//b/c", "a/", "/a", "a/.", "a/..", "a/__x__", "a/" + "x" * 1501, "a/\ud800", "__a__/b"],
    ids=lambda path: ascii(path[:12]),
)
async def test_a_path_no_document_can_have_is_invalid_and_costs_only_itself(store, path):
    good = [Write(path=f"a/good{n}", fields={"n": n}) for n in range(3)]
    outcomes = await store.write([good[0], Write(path=path, fields={"n": 1}), *good[1:]])
    assert [outcome.result for outcome in outcomes] == [
        Result.LANDED,
        Result.INVALID,
        Result.LANDED,
        Result.LANDED,
    ]
    assert outcomes[1].detail
    assert len(await store.read([*(write.path for write in good), path])) == 3


def deep(levels):
    value = 1
    for _ in range(levels):
        value = {"x": value}
    return value


@pytest.mark.parametrize(
    "value",
    [
        "\ud800",
        2**63,
        -(2**63) - 1,
        AT.replace(tzinfo=None),
        {1, 2},
        (1, 2),
        object(),
        [[1]],
        {"x": ["fine", "\udfff"]},
        {1: "name"},
        {"\ud800": 1},
        {"": 1},
        {"__reserved__": 1},
        {"x" * 1501: 1},
        deep(30),
        "x" * 1_048_488,
        {"a": "x" * 600_000, "b": "x" * 600_000},
        [1] * 140_000,
    ],
    ids=lambda value: ascii(value)[:20],
)
async def test_a_value_no_document_can_hold_is_invalid_and_costs_only_itself(store, value):
    writes = [Write(path=f"a/{n}", fields={"v": value if n == 3 else n}) for n in range(6)]
    outcomes = await store.write(writes)
    assert [outcome.result for outcome in outcomes].count(Result.LANDED) == 5
    assert outcomes[3].result is Result.INVALID
    assert outcomes[3].detail
    assert (await store.read([write.path for write in writes])).keys() == {"a/0", "a/1", "a/2", "a/4", "a/5"}


async def test_several_values_that_only_the_database_refuses_cost_only_themselves(store):
    writes = [Write(path=f"a/{n}", fields={"v": [[1]] if n in (0, 7, 8, 29) else n}) for n in range(30)]
    outcomes = await store.write(writes)
    assert {n for n, outcome in enumerate(outcomes) if outcome.result is Result.INVALID} == {0, 7, 8, 29}
    assert sum(outcome.result is Result.LANDED for outcome in outcomes) == 26


@pytest.mark.parametrize(
    "document_id", ["x" * 1500, "~", "a b", "ä😀", "__x", "...", "%2F", "\0", "a@b+c=d:e"], ids=ascii
)
async def test_odd_ids_that_are_allowed_are_their_own_documents(store, document_id):
    path = f"a/{document_id}"
    assert (await one(store, path=path, fields={"n": 1}, must_not_exist=True)).result is Result.LANDED
    assert (await store.read([path])).keys() == {path}


async def test_more_writes_than_one_request_takes_keep_their_order(store):
    for start in (0, 1200):
        writes = [Write(path=f"a/{n}", fields={"n": n}, must_not_exist=True) for n in range(start, start + 1201)]
        outcomes = await store.write(writes)
        exists = [n for n, outcome in enumerate(outcomes, start) if outcome.result is Result.EXISTS]
        assert exists == ([] if start == 0 else [1200])
        assert len({outcome.updated_at_ns for outcome in outcomes}) > 1
    read = await store.read([f"a/{n}" for n in range(2500)])
    assert {path: document.fields["n"] for path, document in read.items()} == {f"a/{n}": n for n in range(2401)}


async def test_large_documents_are_split_by_size(store):
    writes = [Write(path=f"a/{n}", fields={"body": "x" * 900_000}) for n in range(9)]
    assert {outcome.result for outcome in await store.write(writes)} == {Result.LANDED}


async def test_two_writes_of_one_document_in_a_call_are_our_bug(store):
    with pytest.raises(OurBug):
        await store.write([Write(path="a/b", fields={}), Write(path="a/b", fields={})])


async def test_operations_are_counted_as_they_are_billed(store):
    await store.write([Write(path=f"a/{n}", fields={}) for n in range(3)])
    await store.read(["a/0", "a/0", "a/absent"])
    counted = store.operations
    assert (counted.writes, counted.reads, counted.rpcs) == (3, 2, 2)


async def test_what_is_read_shares_nothing_with_what_was_written(store):
    written = {"map": {"x": 1}}
    await one(store, path="a/b", fields=written)
    written["map"]["x"] = 2
    (await fields(store, "a/b"))["map"]["x"] = 3
    assert await fields(store, "a/b") == {"map": {"x": 1}}


async def test_threads_of_an_account_come_newest_first(store, queries):
    times = {"t1": AT, "t2": AT + timedelta(days=1), "t3": AT - timedelta(days=1), "t4": AT}
    writes = [Write(path=f"threads/{t}", fields={"accountId": "acc", "lastMessageAt": at}) for t, at in times.items()]
    writes += [
        Write(path="threads/other", fields={"accountId": "another", "lastMessageAt": AT}),
        Write(path="threads/never", fields={"accountId": "acc"}),
        Write(path="threads/null", fields={"accountId": "acc", "lastMessageAt": None}),
    ]
    await store.write(writes)
    found = await queries.threads("acc", limit=10)
    assert [thread.path for thread in found] == [f"threads/{t}" for t in ("t2", "t4", "t1", "t3", "null")]
    assert found[0].fields == {"accountId": "acc", "lastMessageAt": times["t2"]}
    assert found[0].updated_at_ns > 0
    assert [thread.path for thread in await queries.threads("acc", limit=1)] == ["threads/t2"]
    assert await queries.threads("nobody", limit=10) == []


async def test_messages_of_a_thread_come_newest_first_whatever_their_time_is_stored_as(store, queries):
    thread = "account_demo_0a__15550001111@s.whatsapp.net"
    times = {"m1": AT, "m2": AT + timedelta(microseconds=1), "m3": "2026-01-01T00:00:00Z", "m4": 5, "m5": None}
    await store.write(
        [Write(path=f"threads/{thread}/messages/{m}", fields={"tsClient": at}) for m, at in times.items()]
        + [Write(path=f"threads/{thread}", fields={}), Write(path="threads/x/messages/m", fields={"tsClient": AT})]
    )
    found = await queries.messages(thread, limit=10)
    assert [message.path.rpartition("/")[2] for message in found] == ["m3", "m2", "m1", "m4", "m5"]
    assert len(await queries.messages(thread, limit=2)) == 2
    assert queries.operations.reads == 7


async def test_messages_by_a_field_are_those_in_which_it_is_a_timestamp_newest_first(store, queries):
    """Text, numbers and what lacks it are left out, whatever stands in their way."""
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
    times = {"m1": AT, "m2": last, "m3": "2026-01-01T00:00:00Z", "m4": 5, "m5": None, "m6": first, "m7": "", "m8": True}
    path = "threads/t/messages/"
    await store.write([Write(path=path + m, fields={"createdAt": at, "tsClient": "x"}) for m, at in times.items()])
    await store.write([Write(path=path + "m9", fields={"tsClient": AT})])
    found = await queries.messages_by("createdAt", "t", limit=10)
    assert [message.id for message in found] == ["m2", "m1", "m6"]
    assert [message.id for message in await queries.messages_by("tsClient", "t", limit=1)] == ["m9"]
    assert await queries.messages_by("createdAt", "nowhere", limit=1) == []


async def listed(ask, limit=2):
    """All pages, by the last id of each."""
    found, after = [], ""
    while True:
        page = await ask(after, limit)
        found += page
        if len(page) < limit:
            return found
        after = page[-1].path.rpartition("/")[2]


IDS = ["15550001111:12@s.whatsapp.net", "A", "_", "a", "a b", "~", "ä", "😀"]
"""In Firestore's order, which is that of their bytes."""


async def test_threads_are_listed_by_id_for_several_accounts_with_the_wanted_fields_only(store, queries):
    whole = {"accountId": "one", "clientJid": "x", "clocks": {"last": 1}, "lastMessageAt": AT}
    writes = [Write(path=f"threads/{own_id}", fields=whole) for own_id in IDS]
    writes[1] = Write(path=f"threads/{IDS[1]}", fields={"accountId": "two"})
    writes += [Write(path="threads/x", fields={"accountId": "three"}), Write(path="threads/y", fields={})]
    await store.write(writes)
    fields = ("accountId", "clocks")

    async def ask(after, limit):
        return await queries.list_threads(["one", "two"], fields=fields, after=after, limit=limit)

    found = await listed(ask)
    assert [thread.path for thread in found] == [f"threads/{own_id}" for own_id in IDS]
    assert found[0].fields == {"accountId": "one", "clocks": {"last": 1}}
    assert found[1].fields == {"accountId": "two"}
    assert found[0].updated_at_ns == (await store.read([found[0].path]))[found[0].path].updated_at_ns
    assert len(await queries.list_threads(["one"], fields=fields, after="", limit=100)) == len(IDS) - 1
    before = queries.operations.reads
    assert await queries.list_threads(["nobody"], fields=fields, after="", limit=100) == []
    assert queries.operations.reads == before + 1


async def test_messages_are_listed_by_id_also_those_that_lack_every_field(store, queries):
    thread = "account_demo_0a__15550001111@s.whatsapp.net"
    writes = [Write(path=f"threads/{thread}/messages/{own_id}", fields={"body": "x"}) for own_id in IDS]
    writes[2] = Write(path=f"threads/{thread}/messages/{IDS[2]}", fields={"body": "x", "key": {"id": "M"}, "n": None})
    await store.write([*writes, Write(path="threads/x/messages/m", fields={"key": {}})])

    async def ask(after, limit):
        return await queries.list_messages(thread, fields=("key", "n"), after=after, limit=limit)

    for limit in (1, 3, len(IDS), 100):
        found = await listed(ask, limit)
        assert [message.path.rpartition("/")[2] for message in found] == IDS
    assert [message.fields for message in found] == [{}, {}, {"key": {"id": "M"}, "n": None}, {}, {}, {}, {}, {}]
