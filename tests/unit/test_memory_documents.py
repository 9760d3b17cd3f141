"""The faults of the fake: tests of the flows rest on them."""

import pytest

from whatsapp_backend.domain.writes import Result, Write
from whatsapp_backend.errors import DocumentsUnavailable
from whatsapp_backend.testing.memory_documents import Fault, MemoryDocuments


async def results(store, *paths):
    return [outcome.result for outcome in await store.write([Write(path=path, fields={"n": 1}) for path in paths])]


@pytest.mark.parametrize(("fault", "result"), [(Fault.UNAVAILABLE, Result.RETRY), (Fault.DENIED, Result.DENIED)])
async def test_a_store_out_of_order_keeps_nothing_until_it_is_healed(fault, result):
    store = MemoryDocuments()
    store.inject(fault)
    assert await results(store, "a/1", "a/2") == [result, result]
    with pytest.raises(DocumentsUnavailable):
        await store.read(["a/1"])
    with pytest.raises(DocumentsUnavailable):
        await store.threads("acc", limit=1)
    store.heal()
    assert await store.read(["a/1"]) == {}
    assert await results(store, "a/1") == [Result.LANDED]


async def test_an_ambiguous_write_lands_and_says_retry():
    store = MemoryDocuments()
    store.inject(Fault.AMBIGUOUS, times=1)
    assert await results(store, "a/1") == [Result.RETRY]
    assert (await store.read(["a/1"])).keys() == {"a/1"}
    assert await results(store, "a/1") == [Result.LANDED]


async def test_a_document_can_be_refused_while_others_land():
    store = MemoryDocuments()
    store.inject(Fault.INVALID, paths={"a/2"})
    assert await results(store, "a/1", "a/2", "a/3") == [Result.LANDED, Result.INVALID, Result.LANDED]


async def test_faults_happen_so_many_times():
    store = MemoryDocuments()
    store.inject(Fault.UNAVAILABLE, times=2)
    assert [(await results(store, "a/1"))[0] for _ in range(3)] == [Result.RETRY, Result.RETRY, Result.LANDED]
    assert store.operations.writes == 3
