"""From the journal to documents: what lands, what it costs, and what happens when the other side says no."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from world import ACCOUNT, ANA, BOB, GROUP, RECEIVED_AT_MS, World, a_world, payload, publishing

from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.domain.mirror import Progress
from whatsapp_backend.domain.writes import Write
from whatsapp_backend.errors import StoreUnwell
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.publish import CONSUMER
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_documents import Fault, MemoryDocuments


async def test_a_new_message_costs_one_write_and_no_read_and_its_thread_one_more(world: World) -> None:
    """The promise of frugality, counted. A person's name costs a write once, when it is new."""
    await world.journal(payload())
    await world.publish()
    assert (world.documents.operations.writes, world.documents.operations.reads) == (3, 0)
    assert world.documents.documents[f"contacts/{ACCOUNT}__{ANA}"].fields["displayName"] == "Ana"
    await world.journal(payload("M2", at=1795328372))
    await world.publish()
    assert (world.documents.operations.writes, world.documents.operations.reads) == (5, 0)
    landed = world.message()
    assert landed["body"] == "hi"
    assert landed["direction"] == "inbound"
    assert landed["syncSource"] == "realtime"
    assert {"createdAt", "tsServer", "updatedAt", "syncedAt"} <= landed.keys()
    assert landed["createdAtMs"] == landed["tsClientMs"] == 1795328371000
    assert world.thread()["lastMessagePreview"] == "hi"
    assert world.thread()["displayName"] == "Ana"


async def test_a_redelivered_message_causes_no_operation(world: World) -> None:
    """Not even a read, also as another entry of the journal."""
    await world.journal(payload())
    await world.publish()
    before = (world.documents.operations.writes, world.documents.operations.reads)
    await world.journal(payload(), origin="offline", source="enc:again")
    await world.publish()
    assert (world.documents.operations.writes, world.documents.operations.reads) == before


async def test_a_redelivered_message_causes_no_operation_when_its_merge_state_has_aged_out(world: World) -> None:
    """The digest is kept for ever."""
    await world.journal(payload())
    await world.publish()
    await world.store.prune(landed_before_ms=0, state_before_ms=1 << 50)
    before = (world.documents.operations.writes, world.documents.operations.reads)
    await world.journal(payload(), source="enc:again")
    await world.publish()
    assert (world.documents.operations.writes, world.documents.operations.reads) == before


async def test_news_of_a_message_whose_merge_state_has_aged_out_is_read_once_and_merged(world: World) -> None:
    """Nothing it held is lost."""
    await world.journal(payload(fromMe=True) | {"status": 4})
    await world.publish()
    await world.store.prune(landed_before_ms=0, state_before_ms=1 << 50)
    reads = world.documents.operations.reads
    await world.journal(payload(fromMe=True) | {"status": 2, "message": {"imageMessage": {"mediaKey": "SS8="}}})
    await world.publish()
    assert world.documents.operations.reads == reads + 1
    assert world.message()["status"] == "read"
    assert world.message()["body"] == "hi"


async def test_a_document_that_is_there_already_is_read_once_and_not_written_again(world: World) -> None:
    """A new state directory over an old database costs reads, never duplicates or changes."""
    await world.journal(payload())
    await world.publish()
    async with a_world(world.documents) as other:
        before = world.message()
        await other.journal(payload())
        await other.publish()
        assert world.message() == before
        reads = world.documents.operations.reads
        await other.journal(payload(), source="enc:again")
        await other.publish()
        assert world.documents.operations.reads == reads


async def test_another_sender_who_uses_the_same_id_lands_under_a_document_of_his_own(world: World) -> None:
    """He can neither overwrite nor hide the first one: both at once, later, or after the mirror is lost."""
    await world.journal(payload("X", chat=GROUP, text="first", participant=ANA))
    await world.journal(payload("X", chat=GROUP, text="second", participant=BOB))
    await world.publish()
    await world.journal(payload("X", chat=GROUP, text="own", fromMe=True))
    await world.publish()
    bodies = world.bodies()
    assert bodies["X"] == "first"
    assert sorted(bodies.values()) == ["first", "own", "second"]
    async with a_world(world.documents) as other:
        await other.journal(payload("X", chat=GROUP, text="second", participant=BOB))
        await other.publish()
    assert world.bodies() == bodies


@pytest.mark.parametrize("id", ["a/b", "..", ".", "~", "__x__", "x~01234567", "é" * 750, "y" * 1500, "a%2Fb"])
async def test_any_id_lands_safely_under_its_own_document(world: World, id: str) -> None:
    """And is found again when it is redelivered."""
    await world.journal(payload(id))
    await world.journal(payload("a_b"))
    await world.publish()
    paths = [path for path in world.documents.documents if "/messages/" in path]
    assert len(paths) == 2
    (landed,) = (doc for doc in world.documents.documents.values() if doc.fields.get("waMessageId") == id)
    assert landed.path.count("/") == 3
    before = world.documents.operations.writes
    await world.journal(payload(id), source="enc:again")
    await world.publish()
    assert world.documents.operations.writes == before


async def test_a_message_that_cannot_be_read_is_parked_and_in_nobodys_way(world: World) -> None:
    """Counted and shown, with its reason."""
    await world.journal({"key": None})
    await world.journal(payload("M2"))
    await world.publish()
    assert world.message("M2")
    (parked,) = await world.store.parked()
    assert (parked.consumer, parked.account) == (CONSUMER, ACCOUNT)
    assert await world.store.cursor(CONSUMER) == 2


async def test_a_document_that_firestore_never_accepts_is_parked_and_in_nobodys_way(world: World) -> None:
    """INVALID_ARGUMENT is about that one document."""
    world.documents.inject(Fault.INVALID, paths={f"threads/{ACCOUNT}__{ANA}/messages/big"})
    await world.journal(payload("big"))
    await world.journal(payload("M2"))
    await world.publish()
    assert world.message("M2")
    (parked,) = await world.store.parked()
    assert "Firestore" in parked.reason


async def test_a_drained_backlog_tells_how_much_was_new_and_how_much_was_known(world: World) -> None:
    """Of 500 entries 300 are there already."""
    for number in range(300):
        await world.journal(payload(f"M{number}"))
    await world.publish()
    for number in range(500):
        await world.journal(payload(f"M{number}"), source=f"again {number}")
    with capture_logs() as lines:
        await world.publish()
    (told,) = [line for line in lines if line["event"] == "backlog_drained"]
    assert (told["processed"], told["skipped"]) == (200, 300)


async def test_an_outage_holds_the_cursor_and_loses_nothing(world: World) -> None:
    """The queue waits in the journal, in order."""
    world.documents.inject(Fault.UNAVAILABLE, times=5)
    for number in range(20):
        await world.journal(payload(f"M{number}"))
    await world.publish()
    assert sum("/messages/" in path for path in world.documents.documents) == 20
    assert world.lander.problem is None


async def test_a_lander_says_when_firestore_keeps_something_from_landing_for_long() -> None:
    """Not of a single call: a run that waits for what is held up is not taken for hung."""
    documents, clock = MemoryDocuments(), FakeClock()
    lander = Lander(documents, clock)
    documents.inject(Fault.UNAVAILABLE)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(lander.write([Write(path="contacts/c", fields={"a": 1})]))
        await clock.advance(20)
        assert not lander.is_held_up
        await clock.advance(600)
        assert lander.is_held_up
        documents.heal()
        await clock.advance(60)
    assert not lander.is_held_up


async def test_refused_permissions_hold_the_queue_and_say_so(world: World) -> None:
    """An operator must act; meanwhile the journal keeps everything."""
    world.documents.inject(Fault.DENIED)
    await world.journal(payload())
    async with publishing(world.publisher, timeout_s=10):
        while world.lander.problem is None:
            await asyncio.sleep(0)
        assert "service account" in world.lander.problem
        assert await world.store.cursor(CONSUMER) == 0
        world.documents.heal()
        await world.publisher.drained()
    assert world.message()


async def test_a_write_whose_outcome_is_unknown_is_not_made_twice(world: World) -> None:
    """It had landed: it is read, found equal, and left alone."""
    world.documents.inject(Fault.AMBIGUOUS, times=1)
    await world.journal(payload())
    await world.publish()
    assert world.message()["body"] == "hi"
    assert world.thread()["lastMessageId"] == "M1"


async def test_the_cursor_does_not_move_while_the_disk_says_no(world: World) -> None:
    """What landed is remembered when there is room again."""
    await world.journal(payload())
    world.store.unwell = "disk full"
    async with publishing(world.publisher, timeout_s=10):
        while f"threads/{ACCOUNT}__{ANA}/messages/M1" not in world.documents.documents:
            await asyncio.sleep(0)
        assert await world.store.cursor(CONSUMER) == 0
        world.store.unwell = None
        await world.publisher.drained()
    assert await world.store.cursor(CONSUMER) == 1


async def test_a_stale_instance_cannot_turn_a_thread_back(world: World) -> None:
    """Its write is refused, read, merged, and made again."""
    await world.journal(payload("M2", at=1795328400, text="newer"))
    async with a_world(world.documents) as stale:
        await stale.journal(payload("M1", at=1795328300, text="older"))
        await stale.publish()
        await world.publish()
        await stale.journal(payload("M0", at=1795328200, text="oldest"), source="enc:x")
        await stale.publish()
    assert world.thread()["lastMessagePreview"] == "newer"


async def test_a_history_costs_no_reads_and_few_thread_writes(world: World) -> None:
    """At most 0.05 writes of threads per message."""
    for chunk in range(10):
        messages = [payload(f"H{chunk}-{n}", chat=f"1555000{n % 5:04}@s.whatsapp.net") for n in range(200)]
        record = {"notice": "enc:n", "syncType": 3, "messages": messages, "chats": []}
        await world.journal(record, kind="history", origin="history", source=f"enc:n#{chunk}")
    await world.publish()
    assert world.documents.operations.reads == 0
    assert world.documents.operations.writes <= 2000 * 1.05
    assert sum("/messages/" in path for path in world.documents.documents) == 2000


async def test_a_restart_between_landing_and_cursor_changes_nothing(world: World) -> None:
    """The window is landed again and comes out the same."""
    await world.journal(payload())
    await world.publish()
    before = world.message()
    world.store._cursors.clear()
    world.publisher = World(world.store, world.documents).publisher
    await world.publish()
    assert world.message() == before


@pytest.mark.parametrize("window", ["one", "two"])
async def test_an_id_cannot_be_stolen_by_one_whose_number_is_known(world: World, window: str) -> None:
    """The author is known by LID only, the other by LID and number: two LIDs are two people."""
    await world.journal(payload(chat=GROUP, participant="99000000000001@lid", text="true"))
    if window == "two":
        await world.publish()
    evil = {"participant": "99000000000002@lid", "participantAlt": BOB}
    await world.journal(payload(chat=GROUP, text="evil", **evil))
    await world.publish()
    assert world.bodies()["M1"] == "true"
    assert sorted(world.bodies().values()) == ["evil", "true"]


async def test_both_identities_of_a_sender_are_remembered_in_the_document(world: World) -> None:
    """His number, then his LID, then somebody else's LID: also for who has nothing but the document."""
    await world.journal(payload(chat=GROUP, participant=ANA, participantAlt="99000000000001@lid", text="true"))
    await world.publish()
    async with a_world(world.documents) as other:
        await other.journal(payload(chat=GROUP, participant="99000000000001@lid", text="true"))
        await other.journal(payload(chat=GROUP, participant="99000000000002@lid", text="evil"))
        await other.publish()
    assert world.bodies()["M1"] == "true"
    assert sorted(world.bodies().values()) == ["evil", "true"]


async def test_a_message_we_did_not_know_at_first_becomes_the_preview_once_we_do(world: World) -> None:
    """The thread shows what the message shows."""
    await world.journal({**payload(), "message": {"somethingNew": {}}})
    await world.publish()
    await world.journal(payload(text="real"), source="enc:resent")
    await world.publish()
    assert world.message()["body"] == world.thread()["lastMessagePreview"] == "real"


async def test_a_message_from_the_future_pins_its_thread_to_the_top_for_a_day_at_most(world: World) -> None:
    """The document keeps the time it claims; later messages get past it."""
    await world.journal(payload("F", at=253402300799, text="forever"))
    await world.publish()
    assert world.message("F")["tsClientMs"] == 253402300799000
    assert world.thread()["lastMessageAtMs"] == RECEIVED_AT_MS + 86_400_000
    await world.journal(payload("N", at=RECEIVED_AT_MS // 1000 + 86_400, text="real"))
    await world.publish()
    assert world.thread()["lastMessagePreview"] == "real"


async def test_syncing_again_without_names_costs_nothing_when_merge_states_have_aged_out(world: World) -> None:
    """A history often lacks the names that live messages had."""
    await world.journal(payload())
    await world.publish()
    await world.store.prune(landed_before_ms=0, state_before_ms=1 << 50)
    before = (world.documents.operations.writes, world.documents.operations.reads)
    nameless = {name: value for name, value in payload().items() if name != "pushName"}
    await world.journal({"syncType": 2, "messages": [nameless]}, kind="history", origin="history")
    await world.publish()
    assert (world.documents.operations.writes, world.documents.operations.reads) == before


ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["M1", "M2", "M3"]),
        st.sampled_from(["live", "offline", "resend"]),
        st.sampled_from([None, "SS8="]),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(entries=ENTRIES, seed=st.integers())
def test_journaled_events_in_any_order_repeated_and_regrouped_give_the_same_documents(
    entries: list[tuple[str, str, str | None, int]], seed: int
) -> None:
    """Through the real publisher: canonical documents, the server's times left out."""
    straight, shuffled = asyncio.run(_both(entries, random.Random(seed)))
    assert straight == shuffled


async def _both(entries: list[Any], rng: random.Random) -> tuple[Any, Any]:
    results = []
    for mixed in (False, True):
        async with a_world() as world:
            news = [_entry(place, entry) for place, entry in enumerate(entries)]
            for new in news:
                await world.store.commit(Commit(account=ACCOUNT, id=new.source, entries=(new,)))
            if mixed:
                await _publish_mixed(world, rng)
            else:
                await world.publish()
            results.append(canonical(world.documents))
    return results[0], results[1]


def _entry(place: int, entry: tuple[str, str, str | None, int]) -> NewEntry:
    message_id, origin, media_key, status = entry
    content = payload(message_id, fromMe=True) | {"status": status}
    if media_key:
        content["message"] = {"imageMessage": {"caption": "c", "mediaKey": media_key}}
    return NewEntry(
        kind="message",
        source=f"enc:{place}",
        origin=origin,
        received_at_ms=RECEIVED_AT_MS,
        payload=orjson.dumps(content),
    )


async def _publish_mixed(world: World, rng: random.Random) -> None:
    """Apply the journal's entries in random groups, several times over, by a journal that hands them out so."""
    entries = await world.store.read(after=0, limit=1000, max_bytes=1 << 30)
    order = [*entries, *rng.choices(entries, k=len(entries))]
    rng.shuffle(order)
    while order:
        size = rng.randrange(len(order)) + 1
        group, order = order[:size], order[size:]
        await world.publisher.land_entries(group)
    await world.publish()


def canonical(documents: MemoryDocuments) -> dict[str, Any]:
    """What must be equal: everything but the server's times."""
    return {
        path: {
            name: value
            for name, value in doc.fields.items()
            if name not in ("createdAt", "syncedAt", "tsServer", "updatedAt")
        }
        for path, doc in documents.documents.items()
    }


async def test_a_store_that_cannot_be_read_for_a_moment_holds_publishing_and_ends_nothing(world: World) -> None:
    """One disk error on a read is no reason to fall over."""
    await world.journal(payload())
    read, failures = world.store.read, iter([True, True, False])

    async def failing(**kwargs: Any) -> Any:
        if next(failures, False):
            raise StoreUnwell("disk I/O error")
        return await read(**kwargs)

    world.store.read = failing  # type: ignore[method-assign]
    await world.publish()
    assert world.message()["body"] == "hi"


async def test_all_threads_that_were_dirty_at_a_crash_are_written_after_it(world: World) -> None:
    """More of them than are looked at together."""
    for number in range(700):
        await world.journal(payload(f"M{number}", chat=f"1555{number:07}@s.whatsapp.net"))
    await world.publish()
    rows = (await world.store.gathered([path for path in world.documents.documents if path.count("/") == 1])).values()
    before = world.documents.operations.writes
    dirty = tuple(replace(row, dirty=True) for row in rows)
    await world.store.advance(Progress(consumer=CONSUMER, cursor=0, gathered=dirty))
    world.publisher = World(world.store, world.documents).publisher
    await world.journal(payload("M-new", chat="15550000001@s.whatsapp.net"))
    await world.publish()
    assert await world.store.dirty(10) == []
    assert world.documents.operations.writes >= before + 700


async def test_landing_entries_again_does_not_move_the_cursor_past_what_never_landed(world: World) -> None:
    """A replay lands what it is given, and no more is claimed."""
    for number in range(3):
        await world.journal(payload(f"M{number}"))
    (*_, last) = await world.store.read(after=0, limit=10, max_bytes=1 << 20)
    await world.publisher.land_entries([last])
    await world.publish()
    assert {f"M{number}" for number in range(3)} == {
        doc.fields["waMessageId"] for path, doc in world.documents.documents.items() if "/messages/" in path
    }
