"""The ports Mirror, Identities and Debts: what the store remembers beside the documents themselves."""

import pytest

from whatsapp_backend.domain.mirror import (
    Alias,
    Debt,
    Gathered,
    Mirrored,
    Moved,
    Nameless,
    Progress,
    Unread,
    Waiting,
)

ANA, BEN = "account_test_0a", "account_test_0b"
LID, PN = "88000000001111@lid", "15550001111@s.whatsapp.net"


def waiting(path="t/1/m/1", *, due=None, state=b"{}", touched=1_000):
    return Waiting(path=path, account=ANA, state=state, due_at_ms=due, touched_at_ms=touched)


def debt(path="t/1/m/1", *, account=ANA, opened=1_000, next_at=2_000, **more):
    return Debt(path=path, account=account, reason="absent", key=b"{}", opened_at_ms=opened, next_at_ms=next_at, **more)


def thread(path="t/1"):
    return Gathered(path=path, account=ANA, state=b"{}", updated_at_ns=None, dirty=False)


def unread(thread="t/1", message_id="M1", sent_at_ms=1_000):
    return Unread(thread=thread, message_id=message_id, sent_at_ms=sent_at_ms)


async def keep(store, **progress):
    await store.advance(Progress(consumer="documents", **progress))


async def test_amendments_wait_until_they_wait_no_longer(store):
    await keep(store, waiting=(waiting(), waiting("t/1/m/2")))
    assert await store.waiting(["t/1/m/1", "t/1/m/3"]) == {"t/1/m/1": waiting()}
    await keep(store, waiting=(waiting(state=b"[]", due=5),))
    assert await store.waiting(["t/1/m/1"]) == {"t/1/m/1": waiting(state=b"[]", due=5)}
    await keep(store, waited=("t/1/m/1", "t/1/m/3"))
    assert await store.waiting(["t/1/m/1", "t/1/m/2"]) == {"t/1/m/2": waiting("t/1/m/2")}


async def test_what_is_due_comes_in_its_order_and_what_has_no_time_never(store):
    rows = [waiting("p", due=30), waiting("q", due=10), waiting("r"), waiting("s", due=20)]
    await keep(store, waiting=tuple(rows))
    assert [row.path for row in await store.waiting_due(20, 10)] == ["q", "s"]
    assert [row.path for row in await store.waiting_due(1 << 60, 2)] == ["q", "s"]


async def test_unread_messages_are_counted_once_until_they_are_read(store):
    await keep(store, gathered=(thread(),), unread=(unread(), unread(), unread(message_id="M2", sent_at_ms=2_000)))
    assert (await store.gathered(["t/1"]))["t/1"].unread == 2
    await keep(store, unread=(unread(),), read=(("t/1", 1_000),))
    assert (await store.gathered(["t/1"]))["t/1"].unread == 1
    await keep(store, gathered=(thread(),))
    assert (await store.gathered(["t/1"]))["t/1"].unread == 1, "a thread that is put again keeps its count"


async def test_dirty_rows_come_with_their_count(store):
    row = Gathered(path="t/1", account=ANA, state=b"{}", updated_at_ns=None, dirty=True)
    await keep(store, gathered=(row,), unread=(unread(),))
    assert [found.unread for found in await store.dirty(1)] == [1]


async def test_what_moves_takes_what_is_remembered_of_it_along(store):
    await keep(
        store,
        gathered=(thread(), thread("t/2")),
        unread=(unread(), unread(message_id="M2"), unread("t/2", "M2")),
        waiting=(waiting(),),
        debts=(debt(), debt("t/1/m/2")),
    )
    await keep(store, moved=(Moved(path="t/1", to="t/2"), Moved(path="t/1/m/1", to="t/2/m/1")))
    counts = {path: row.unread for path, row in (await store.gathered(["t/1", "t/2"])).items()}
    assert counts == {"t/1": 0, "t/2": 2}
    assert await store.waiting(["t/1/m/1"]) == {}
    assert [one.path for one in await store.debts_due(ANA, 2_000, 9)] == ["t/1/m/2", "t/2/m/1"]


async def test_the_first_word_on_whose_number_a_lid_is_counts(store):
    first = Alias(account=ANA, lid=LID, pn=PN, evidence="key", at_ms=2)
    other = Alias(account=ANA, lid=LID, pn="15550009999@s.whatsapp.net", evidence="chat", at_ms=1)
    await keep(store, aliases=(first,))
    await keep(store, aliases=(other,))
    assert await store.aliases(ANA, [LID, "1@lid"]) == {LID: PN}
    assert await store.aliases(BEN, [LID]) == {}


async def test_a_person_is_united_once_each_time_his_number_is_told(store):
    one = Alias(account=ANA, lid=LID, pn=PN, evidence="key", at_ms=2)
    two = Alias(account=BEN, lid=LID, pn=PN, evidence="key", at_ms=1)
    await keep(store, aliases=(one, two))
    assert await store.ununited(9) == [two, one]
    assert await store.ununited(1) == [two]
    await keep(store, united=(two,))
    assert await store.ununited(9) == [one]
    await keep(store, aliases=(two,))
    assert await store.ununited(9) == [two, one], "a survey that says it again has found more under the LID"


async def test_documents_that_name_somebody_by_a_lid_are_found_until_they_do_not(store):
    rows = tuple(Nameless(account=ANA, lid=LID, path=f"t/1/m/{number}") for number in range(3))
    await keep(store, nameless=(*rows, rows[0]))
    assert await store.nameless(ANA, LID, 9) == list(rows)
    assert await store.nameless(ANA, LID, 2) == list(rows[:2])
    assert await store.nameless(BEN, LID, 9) == []
    await keep(store, named=rows[:2])
    assert await store.nameless(ANA, LID, 9) == [rows[2]]


async def test_debts_are_due_by_account_and_time(store):
    await keep(store, debts=(debt(), debt("t/1/m/2", next_at=1_500), debt("t/1/m/3", next_at=9_000)))
    await keep(store, debts=(debt("b", account=BEN),))
    assert [one.path for one in await store.debts_due(ANA, 2_000, 9)] == ["t/1/m/2", "t/1/m/1"]
    assert [one.path for one in await store.debts_due(ANA, 2_000, 1)] == ["t/1/m/2"]


async def test_a_debt_that_is_known_stays_as_it_is(store):
    await keep(store, debts=(debt(),))
    await store.put_debts([debt(asked=1, next_at=7_000)])
    await keep(store, debts=(debt(),))
    (known,) = await store.debts_due(ANA, 9_000, 9)
    assert (known.asked, known.next_at_ms) == (1, 7_000)


async def test_a_paid_debt_is_counted_by_why_and_asked_for_no_more(store):
    await keep(store, debts=(debt(), debt("t/1/m/2", opened=500)))
    stats = await store.stats()
    assert (stats.open_debts, stats.oldest_debt_at_ms, stats.closed_debts) == (2, 500, {})
    await keep(store, paid=(("t/1/m/1", "arrived", 3_000), ("t/1/m/9", "arrived", 3_000)))
    await store.put_debts([debt(asked=1), debt("t/1/m/2", closed="expired", closed_at_ms=4_000)])
    stats = await store.stats()
    assert (stats.open_debts, stats.oldest_debt_at_ms) == (0, None)
    assert stats.closed_debts == {"arrived": 1, "expired": 1}


@pytest.mark.parametrize("due", [None, 5_000])
async def test_what_waits_in_vain_and_what_was_paid_long_ago_is_forgotten(store, due):
    await keep(
        store,
        waiting=(waiting(due=due), waiting("t/1/m/2", touched=9_000)),
        debts=(debt(), debt("t/1/m/2")),
        paid=(("t/1/m/1", "arrived", 3_000),),
        mirrored=(Mirrored(path="t/1/m/5", digest=b"d" * 16, state=b"{}", updated_at_ns=1, touched_at_ms=1_000),),
    )
    assert (await store.prune(landed_before_ms=0, state_before_ms=8_000))[1] == 1
    left = set(await store.waiting(["t/1/m/1", "t/1/m/2"]))
    assert left == ({"t/1/m/2"} if due is None else {"t/1/m/1", "t/1/m/2"})
    stats = await store.stats()
    assert (stats.open_debts, stats.closed_debts) == (1, {})
