"""Lists in pages: whatever they are sorted by, nothing is lost or told twice, also while something new comes in."""

from datetime import UTC, datetime, timedelta

import pytest

from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.queries import FirestoreQueries
from whatsapp_backend.domain.coverage import Coverage, Gap, LedgerChange, Point, Reason
from whatsapp_backend.domain.jobs import Job, Kind, Trigger
from whatsapp_backend.domain.mirror import Debt, Progress
from whatsapp_backend.domain.pages import Place
from whatsapp_backend.domain.writes import Write
from whatsapp_backend.rules.requests import turn
from whatsapp_backend.testing.memory_documents import MemoryDocuments

ANA, BEN = "account_test_0a", "account_test_0b"
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
TIMES = [AT, AT, AT, AT + timedelta(microseconds=1), "2026-01-01T00:00:00Z", "", 5, 5.0, 0.5, -3, True, None, None]
TIMES += [b"\x00\xff", {"a": 1}, [1, AT], float("inf"), AT - timedelta(days=900)]
"""What documents may be sorted by, with many that are equal."""


@pytest.fixture(params=["memory", "firestore"])
def documents(request):
    if request.param == "memory":
        return MemoryDocuments()
    return FirestoreDocuments(request.getfixturevalue("firestore"))


@pytest.fixture
def queries(request, documents):
    if isinstance(documents, MemoryDocuments):
        return documents
    return FirestoreQueries(request.getfixturevalue("firestore"))


async def paged(ask, place, limit, between=None):
    """All pages, by the place of each one's last."""
    found, after = [], {}
    while page := await ask(limit=limit, **after):
        found += page
        after = {"after": place(page[-1])}
        if between:
            await between()
    return found


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
async def test_threads_in_pages_are_the_threads_in_one(documents, queries, limit):
    fields = [{"accountId": ANA, "lastMessageAt": at} for at in TIMES]
    writes = [Write(path=f"threads/t{number:02}", fields=one) for number, one in enumerate(fields)]
    await documents.write([*writes, Write(path="threads/x", fields={"accountId": BEN, "lastMessageAt": AT})])
    whole = await queries.threads(ANA, limit=100)
    assert len(whole) == len(TIMES)

    async def ask(**how):
        return await queries.threads(ANA, **how)

    assert await paged(ask, lambda one: Place(value=one.fields["lastMessageAt"], id=one.id), limit) == whole


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_messages_in_pages_are_those_of_the_first_moment_also_while_new_ones_come_in(documents, queries, limit):
    """The newer ones belong above the first page, and do not push anything into a later one."""
    thread = f"{ANA}__15550002222@s.whatsapp.net"
    path = f"threads/{thread}/messages"
    await documents.write([Write(path=f"{path}/m{n}", fields={"tsClient": at}) for n, at in enumerate(TIMES)])
    whole = [message.id for message in await queries.messages(thread, limit=100)]
    assert len(whole) == len(TIMES)
    came = iter(range(1000))

    async def one_more():
        newer = {"tsClient": b"\xff\xff"}  # before all but lists and maps
        await documents.write([Write(path=f"{path}/zz{next(came)}", fields=newer)])

    async def ask(**how):
        return await queries.messages(thread, **how)

    found = await paged(ask, lambda one: Place(value=one.fields["tsClient"], id=one.id), limit, one_more)
    old = [message.id for message in found if not message.id.startswith("zz")]
    assert old == whole
    assert len({message.id for message in found}) == len(found)


@pytest.mark.parametrize("limit", [1, 2, 99])
async def test_jobs_in_pages_are_the_jobs_in_one(store, limit):
    for number, at_ms in enumerate([1, 2, 2, 2, 3]):
        for account in (ANA, BEN):
            made = Job(
                id=f"{account}-{number}",
                account=account,
                kind=Kind.BACKFILL,
                trigger=Trigger.ADMIN,
                created_at_ms=at_ms,
            )
            await store.put_job(made)
    for account in (ANA, None):

        async def ask(account=account, **how):
            return await store.jobs(account, **how)

        whole = await store.jobs(account, limit=99)
        assert len(whole) == (5 if account else 10)
        assert await paged(ask, lambda one: (one.created_at_ms, one.id), limit) == whole


@pytest.mark.parametrize("limit", [1, 2, 99])
async def test_debts_in_pages_are_the_open_ones_the_oldest_first(store, limit):
    opened = {"t/1/m/1": 5, "t/1/m/2": 3, "t/1/m/3": 3, "t/2/m/1": 3, "t/2/m/2": 9}
    debts = [
        Debt(path=path, account=ANA, reason="absent", key=b"{}", opened_at_ms=at_ms) for path, at_ms in opened.items()
    ]
    other = Debt(path="t/3/m/1", account=BEN, reason="absent", key=b"{}", opened_at_ms=1)
    await store.advance(
        Progress(consumer="documents", debts=(*debts, other), paid=(("t/2/m/2", "arrived", 10),)),
    )

    async def ask(**how):
        return await store.open_debts(ANA, **how)

    found = await paged(ask, lambda one: (one.opened_at_ms, one.path), limit)
    assert [debt.path for debt in found] == ["t/1/m/2", "t/1/m/3", "t/2/m/1", "t/1/m/1"]


@pytest.mark.parametrize("limit", [1, 2, 99])
async def test_gaps_in_pages_are_the_gaps_in_one_deep_history_last(store, limit):
    for thread in ("threads/a", "threads/b"):
        gaps = tuple(
            Gap(
                account=ANA,
                thread=thread,
                number=number,
                reason=Reason.DISCONNECTED,
                start_ms=0,
                end_ms=9,
                below=Point(1, "M1") if number % 3 else None,
                above=Point(10 + number // 2, "M9"),
                opened_at_ms=1,
            )
            for number in range(1, 7)
        )
        change = LedgerChange(coverages=(Coverage(account=ANA, thread=thread, jid="1@lid", gaps=gaps),))
        await store.record(change)

    async def ask(**how):
        return await store.open_gaps(ANA, **how)

    whole = await store.open_gaps(ANA, limit=99)
    assert len(whole) == 12
    assert await paged(ask, turn, limit) == whole
