"""Which generation of the system wrote a document is told by its shape."""

from datetime import UTC, datetime
from typing import Any

import pytest

from whatsapp_backend.domain.surveys import Generation
from whatsapp_backend.rules.generations import generation_of, is_displaced, is_stub, message_id_of

AT = datetime(2026, 1, 2, tzinfo=UTC)
ISO = "2026-01-02T00:00:00.000Z"
WA = "3EB0C767D26A8D9F1A"
SHA1 = "0123456789abcdef01234567"
SHA256 = "ab" * 32
SEEN = {"direction": "inbound", "messageType": "text"}


@pytest.mark.parametrize(
    ("document_id", "fields", "generation", "message_id"),
    [
        (WA, {**SEEN, "tsClient": ISO, "mediaType": "image"}, Generation.FIRST, WA),
        (WA, {"direction": "outbound", "tsClient": ISO, "waMessageId": None, "key": None}, Generation.FIRST, WA),
        (SHA1, {**SEEN, "tsClient": AT, "waMessageId": WA}, Generation.SECOND, WA),
        (SHA1, {**SEEN, "tsClient": ISO, "providerMessageId": WA}, Generation.SECOND, WA),
        (SHA1, {**SEEN, "tsClient": AT, "key": {"id": WA}}, Generation.SECOND, WA),
        (SHA1, {**SEEN, "tsClient": AT, "key": {"id": 5}, "waMessageId": ""}, Generation.SECOND, None),
        (WA, {**SEEN, "tsClient": AT, "media": {"type": "image"}}, Generation.THIRD, WA),
        (SHA1.upper(), {**SEEN, "tsClient": AT}, Generation.THIRD, SHA1.upper()),
        (SHA256, {**SEEN, "tsClient": ISO, "waMessageId": WA}, Generation.APP, WA),
        (SHA256, {**SEEN, "tsClient": ISO, "status": "queued"}, Generation.APP, None),
        ("client-7", {**SEEN, "tsClient": ISO, "clientMessageId": "client-7"}, Generation.APP, None),
        (SHA1, {**SEEN, "tsClient": AT, "clocks": {"first": 1}, "waMessageId": WA}, Generation.OURS, WA),
        (WA, {"status": "read"}, Generation.STUB, WA),
        (WA, {"status": "delivered", "deliveredAt": AT, "updatedAt": AT, "tsClient": None}, Generation.STUB, WA),
        (WA, {}, Generation.STUB, WA),
        (WA, {**SEEN, "tsClient": 5}, Generation.UNKNOWN, WA),
        (WA, {"body": "without a time"}, Generation.UNKNOWN, WA),
        (WA, {**SEEN, "clocks": "x", "tsClient": AT}, Generation.THIRD, WA),
    ],
)
def test_a_document_is_told_by_its_shape(
    document_id: str, fields: dict[str, Any], generation: Generation, message_id: str | None
) -> None:
    """Its generation, and which message it holds; an id that was made up names none."""
    assert generation_of(document_id, fields) is generation
    assert message_id_of(document_id, fields) == message_id
    assert is_stub(fields) is (generation is Generation.STUB)


@pytest.mark.parametrize(
    ("document_id", "displaced"),
    [("M1~0123abcd", True), ("M1", False), ("M1~~" + "0" * 64, False), ("~0123abcd", False), ("M1~0123ABCD", False)],
)
def test_what_lies_aside_is_told_by_its_id(document_id: str, *, displaced: bool) -> None:
    """`~` and eight digits are another sender's place; a long id that was shortened is nobody's."""
    assert is_displaced(document_id) is displaced
