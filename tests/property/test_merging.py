"""Syncing again, in any order, never makes it worse: merging commutes, repeats and survives the document."""

import random
from dataclasses import replace
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st
from world import ACCOUNT

from whatsapp_backend.domain.events import ChatNamed, Content, MessageSeen, NameRank, Origin, Status
from whatsapp_backend.rules import message_fields, messages, threads
from whatsapp_backend.rules.content import MEDIA_DETAILS
from whatsapp_backend.rules.identity import ME

CHAT = "15550001111@s.whatsapp.net"
LID = "88000000000007@lid"

media = st.fixed_dictionaries(
    {"type": st.just("image")},
    optional={
        "mimetype": st.sampled_from(["image/jpeg", "image/png"]),
        "mediaKey": st.sampled_from(["SS8=", "TT8="]),
        "sizeBytes": st.integers(0, 3),
        "caption": st.sampled_from(["c", "d"]),
        "fileSha256": st.sampled_from(["AA==", "BB=="]),
        "url": st.sampled_from(["https://files.example.com/1", "https://files.example.com/2"]),
    },
)
contents = st.one_of(
    st.builds(Content, kind=st.just("text"), body=st.sampled_from(["a", "b"])),
    st.builds(Content, kind=st.just("image"), body=st.sampled_from([None, "c"]), media=media),
    st.builds(Content, kind=st.just("unknown"), content_kind=st.just("pollCreationMessage")),
)


@st.composite
def sightings(draw: st.DrawFn, *, ids: tuple[str, ...] = ("M1",), own: bool | None = None) -> list[MessageSeen]:
    """Sightings of messages in one chat, each at its own place in the journal."""
    orders = draw(st.lists(st.integers(1, 1 << 40), min_size=1, max_size=6, unique=True))
    mine = draw(st.booleans()) if own is None else own
    return [
        MessageSeen(
            order=order,
            account=ACCOUNT,
            client_jid=CHAT,
            message_id=(message_id := draw(st.sampled_from(ids))),
            sender=ME if mine else CHAT,
            sender_lid=None if mine else draw(st.sampled_from([None, LID])),
            sender_name=None if mine else draw(st.sampled_from([None, "Ana", "Anna"])),
            sent_at_ms=draw(st.sampled_from([1795328371000, 1795328372000, 1795328373000])),
            origin=(origin := draw(st.sampled_from(Origin))),
            activity_at_ms=draw(st.sampled_from([None, 1795328370000])),
            sync_source="history_sync" if origin is Origin.HISTORY else "realtime",
            status=draw(st.sampled_from(Status)),
            failed=draw(st.booleans()),
            content=draw(contents),
            key={"id": message_id, "remoteJid": CHAT, "fromMe": mine, "timestamp": 1795328371},
        )
        for order in orders
    ]


@given(sightings(), st.randoms(use_true_random=False))
def test_sightings_in_any_order_repeated_and_regrouped_give_one_document(
    seen: list[MessageSeen], rng: random.Random
) -> None:
    """Whatever the order and grouping, byte for byte."""
    straight = reduce(messages.merged, map(messages.state_of, seen))
    shuffled = [*seen, *rng.choices(seen, k=len(seen))]
    rng.shuffle(shuffled)
    cut = rng.randrange(len(shuffled)) + 1
    groups = [group for group in (shuffled[:cut], shuffled[cut:]) if group]
    regrouped = reduce(messages.merged, (reduce(messages.merged, map(messages.state_of, group)) for group in groups))
    assert message_fields.fields_of(regrouped) == message_fields.fields_of(straight)
    assert messages.dumped(regrouped) == messages.dumped(straight)


@given(sightings(), sightings(), st.randoms(use_true_random=False))
def test_merging_into_a_document_read_back_is_merging_into_memory(
    before: list[MessageSeen], after: list[MessageSeen], rng: random.Random
) -> None:
    """The clocks lie in the document, so nothing is lost by forgetting everything else."""
    mine = before[0].sender == ME
    after = [
        replace(one, sender=before[0].sender, sender_lid=None if mine else one.sender_lid, key=before[0].key)
        for one in after
    ]
    landed = reduce(messages.merged, map(messages.state_of, before))
    incoming = reduce(messages.merged, map(messages.state_of, after))
    read_back = message_fields.state_in(message_fields.fields_of(landed), incoming)
    assert message_fields.fields_of(messages.merged(read_back, incoming)) == message_fields.fields_of(
        messages.merged(landed, incoming)
    )


@given(sightings())
def test_a_state_survives_the_mirror(seen: list[MessageSeen]) -> None:
    """JSON text and back."""
    state = reduce(messages.merged, map(messages.state_of, seen))
    assert message_fields.fields_of(messages.loaded(messages.dumped(state))) == message_fields.fields_of(state)
    assert messages.digest(messages.loaded(messages.dumped(state))) == messages.digest(state)


@given(sightings())
def test_status_only_climbs(seen: list[MessageSeen]) -> None:
    """However receipts and sightings are interleaved."""
    state = messages.state_of(seen[0])
    for one in seen[1:]:
        after = messages.merged(state, messages.state_of(one))
        assert after.status >= state.status
        state = after


@given(sightings())
def test_content_never_gives_way_to_what_we_do_not_know(seen: list[MessageSeen]) -> None:
    """A text or an image stays one."""
    state = reduce(messages.merged, map(messages.state_of, seen))
    if any(one.content.kind != "unknown" for one in seen):
        assert state.content.kind != "unknown"


@given(sightings())
def test_what_a_message_says_of_its_media_is_never_mixed_from_two_sightings(seen: list[MessageSeen]) -> None:
    """A key of the one opens no file of the other; what others put beside it is kept."""
    landed = reduce(messages.merged, map(messages.state_of, seen)).content
    kinds = [one.content for one in seen if (one.content.kind, one.content.body) == (landed.kind, landed.body)]
    assert told(landed) in [told(content) for content in kinds]
    assert ("url" in (landed.media or {})) == any("url" in (one.content.media or {}) for one in seen)


def told(content: Content) -> dict[str, object]:
    """What the message itself says of its media."""
    return {name: detail for name, detail in (content.media or {}).items() if name in MEDIA_DETAILS}


names = st.builds(
    ChatNamed,
    order=st.integers(1, 1 << 40),
    account=st.just(ACCOUNT),
    client_jid=st.just(CHAT),
    name=st.sampled_from(["Family", "Friends"]),
    rank=st.sampled_from([NameRank.CHAT, NameRank.SUBJECT]),
    clock=st.integers(1, 1 << 40),
)


@given(sightings(ids=("M1", "M2", "M3"), own=False), st.lists(names, max_size=3), st.randoms(use_true_random=False))
def test_a_thread_follows_its_newest_message_in_any_order_of_arrival(
    seen: list[MessageSeen], named: list[ChatNamed], rng: random.Random
) -> None:
    """Preview and time are the newest message's; names by rank; the document is the same every time."""
    states = [*(threads.state_after(messages.state_of(one)) for one in seen), *map(threads.state_of, named)]
    straight = reduce(threads.merged, states)
    shuffled = [*states, *rng.choices(states, k=2)]
    rng.shuffle(shuffled)
    assert threads.fields_of(reduce(threads.merged, shuffled)) == threads.fields_of(straight)
    assert straight.last_at_ms == max(one.activity_at_ms or one.sent_at_ms for one in seen)
    read_back = threads.state_in(threads.fields_of(straight), straight)
    assert threads.fields_of(read_back) == threads.fields_of(straight)
    assert straight.name in {"Family", "Friends"} if named else straight.name in {None, "Ana", "Anna"}
