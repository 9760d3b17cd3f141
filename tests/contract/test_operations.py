"""What was asked of Firestore is counted as it is billed."""

from dataclasses import replace

from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.leases import FirestoreLeases
from whatsapp_backend.adapters.firestore.queries import FirestoreQueries
from whatsapp_backend.domain.leases import Instance
from whatsapp_backend.domain.operations import Operations
from whatsapp_backend.domain.writes import Write

ACCOUNT = "account_test_0a"


async def test_documents_that_are_absent_are_read_and_those_of_queries_are_told_apart(firestore):
    documents, queries = FirestoreDocuments(firestore), FirestoreQueries(firestore)
    thread = {"accountId": ACCOUNT, "lastMessageAt": 5}
    await documents.write([Write(path=f"threads/t{number}", fields=thread) for number in range(3)])
    await documents.read(["threads/t1", "threads/absent"])
    assert len(await queries.threads(ACCOUNT, limit=2)) == 2
    assert await queries.threads("account_test_0b", limit=2) == []
    assert documents.operations == Operations(writes=3, reads=2, rpcs=2)
    assert queries.operations == Operations(reads=3, queried=3, rpcs=2), "a query that finds nothing is one read"


async def test_transactions_and_deletes_are_counted(firestore):
    leases, instance = FirestoreLeases(firestore), Instance(id="one", nonce="n")
    await leases.beat(instance, register=True)
    before = replace(leases.operations)
    await leases.take(instance, [ACCOUNT], ttl_s=30)
    assert leases.operations.transactions == before.transactions + 1
    before = replace(leases.operations)
    await leases.leave(instance)
    assert (leases.operations.writes, leases.operations.deletes) == (before.writes + 1, before.deletes + 1)
    assert leases.operations.transactions == before.transactions


def test_they_add_up():
    one = Operations(writes=1, deletes=2, reads=3, queried=4, rpcs=5, transactions=6)
    assert one + one == Operations(writes=2, deletes=4, reads=6, queried=8, rpcs=10, transactions=12)
