"""Echoes: what is asked for, and how what comes of it is told from everything else."""

from typing import Any

import orjson
import pytest
from world import ANA, payload

from whatsapp_backend.domain.journal import Entry, NewEntry
from whatsapp_backend.rules.echoes import brought_by_echo, is_answer, key_in
from whatsapp_backend.rules.interpret import events_of
from whatsapp_backend.rules.request_ids import echo_id, echoes_in, is_echo, request_id

ID = echo_id("c0ffee0123456789a")


def entry(told: Any, *, kind: str = "message", origin: str = "live") -> NewEntry:
    """As the bridge journals it."""
    return NewEntry(kind=kind, source="s", origin=origin, received_at_ms=1, payload=orjson.dumps(told))


def test_an_id_of_an_echo_looks_like_any_other_and_tells_by_itself_that_it_is_one() -> None:
    assert len(ID) == len(request_id(None, "c0ffee0123456789a"))
    assert ID.startswith("3EB0C0FFEE0123")
    assert is_echo(ID)
    others = [request_id(None, f"c0ffee0123456{n:04x}") for n in range(4096)]
    assert not any(is_echo(one) for one in others)
    for other in ("", "3EB0", ID.lower(), ID[:-1], ID + "0", None, 7):
        assert not is_echo(other)


def test_what_an_echo_brought_is_known_wherever_its_id_stands() -> None:
    answer = entry({"message": {"protocolMessage": {"peerDataOperationRequestResponseMessage": {"stanzaId": ID}}}})
    receipt = entry({"ids": [ID], "type": "peer_msg"}, kind="receipt")
    assert brought_by_echo(answer) and brought_by_echo(receipt)
    assert is_answer([answer, receipt])
    assert not is_answer([receipt]), "that the phone has the question is no answer"
    assert not brought_by_echo(entry(payload()))
    assert not brought_by_echo(entry({"ids": [request_id(None, "0" * 17)]}, kind="receipt"))
    assert list(echoes_in(None)) == []


def test_an_echo_lands_nothing_and_another_message_that_was_sent_again_does() -> None:
    for request, lands in ((ID, False), (request_id(None, "c0ffee0123456789a"), True)):
        told = payload() | {"requestId": request}
        events = events_of(Entry(seq=1, account="a", new=entry(told, origin="resend")))
        assert bool(events) is lands


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"key": None, "message": {}},
        payload() | {"message": None},
        payload() | {"message": {"protocolMessage": {}}},
        payload() | {"message": {"reactionMessage": {}}},
        payload() | {"message": {"senderKeyDistributionMessage": {}}},
        payload(chat="status@broadcast"),
        payload(chat="120363000000000001@newsletter"),
        payload("") | {"key": {"remoteJid": ANA, "id": "", "fromMe": False}},
        payload() | {"key": {"remoteJid": ANA, "id": "M1"}},
        [],
        7,
    ],
)
def test_only_a_message_that_the_phone_keeps_can_be_asked_for(told: Any) -> None:
    assert key_in(entry(told)) is None
    assert key_in(entry({"messages": [told]}, kind="history")) is None


def test_of_a_record_of_history_the_newest_message_is_asked_for() -> None:
    rows = [payload("M1", at=1), payload("M3", at=3), payload("M2", at=2), {"raw": "only"}]
    assert key_in(entry({"messages": rows}, kind="history")) == {"remoteJid": ANA, "fromMe": False, "id": "M3"}
    group = payload("G1", chat="120363000000000001@g.us", participant=ANA, participantAlt="1@lid")
    assert key_in(entry(group)) == {
        "remoteJid": "120363000000000001@g.us",
        "fromMe": False,
        "id": "G1",
        "participant": ANA,
    }
    assert key_in(entry(payload(), kind="receipt")) is None
