"""Messages as the bridge journals them: mostly texts, some in groups, some from ourselves, an eighth with a picture.

One in sixteen is of a rarer kind (places, people, polls, choices, what happened in a group), one in sixteen has
reactions, and own ones in groups tell who had them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from whatsapp_backend.domain.events import MessageSeen
from whatsapp_backend.domain.journal import Entry, NewEntry
from whatsapp_backend.domain.writes import Write
from whatsapp_backend.rules import landing
from whatsapp_backend.rules.interpret import events_of

ACCOUNT = "account_bench_0123456789abcdef0123456789abcdef"
RECORD = 200  # the most a history record may hold
_PER_CHAT = 100
_RARE_OF_16, _LIKED_OF_16, _EVENT_OF_64 = 3, 5, 35
_NEWEST_S = 1_795_000_000
_AT_MS = 1_795_328_371_500
_TEXT = (
    "The order is on its way and should be with you by tomorrow noon. Thank you for asking, and have a nice day! " * 3
)
_THUMBNAIL = base64.b64encode(bytes(range(256)) * 3).decode()
_HASH = base64.b64encode(bytes(range(32))).decode()


def message(number: int, *, chat: int) -> dict[str, Any]:
    """A normalised message (docs/frames.md, "Messages")."""
    id_ = f"3EB0{number * 2654435761 % 2**64:016X}"
    from_me = number % 3 == 0
    key = {"remoteJid": f"1555{chat:07}@s.whatsapp.net", "fromMe": from_me, "id": id_}
    if chat % 5 == 0:
        author = {} if from_me else {"participant": f"1555{9_000_000 + number % 30:07}@s.whatsapp.net"}
        key = {"remoteJid": f"12036300{chat:010}@g.us", "fromMe": from_me, "id": id_, **author}
    told = {"key": key, "messageTimestamp": _NEWEST_S + number * 7, **_shown(number)}
    return told | _happened(number, key) | ({"status": 3} if from_me else {"pushName": f"Contact {number % 500}"})


def _shown(number: int) -> Mapping[str, Any]:
    if number % 64 == _EVENT_OF_64:
        return {"messageStubType": 21, "messageStubParameters": [f"Orders {number}"]}
    return {"message": _RARE[number // 16 % len(_RARE)] if number % 16 == _RARE_OF_16 else _said(number)}


def _happened(number: int, key: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a history tells with the message."""
    if number % 16 == _LIKED_OF_16:
        reacted = {"remoteJid": key["remoteJid"], "fromMe": True, "id": f"R{number}"}
        return {"reactions": [{"key": reacted, "text": "👍", "senderTimestampMs": (_NEWEST_S + number * 7) * 1000}]}
    if number % 15 == 0:  # ours, in a group
        had = [
            {"userJid": f"1555{9_000_000 + one:07}@s.whatsapp.net", "receiptTimestamp": _NEWEST_S} for one in range(5)
        ]
        return {"userReceipt": had}
    return {}


_RARE: list[Mapping[str, Any]] = [
    {
        "locationMessage": {
            "degreesLatitude": 44.4,
            "degreesLongitude": 26.1,
            "name": "The shop",
            "address": "High Street 1",
        }
    },
    {"contactMessage": {"displayName": "Bob Baker", "vcard": "BEGIN:VCARD\nFN:Bob Baker\nTEL:+15550003333\nEND:VCARD"}},
    {"pollCreationMessageV3": {"name": "When?", "options": [{"optionName": "today"}, {"optionName": "tomorrow"}]}},
    {
        "buttonsMessage": {
            "contentText": "Shall we deliver?",
            "buttons": [{"buttonId": "y", "buttonText": {"displayText": "Yes"}}],
        }
    },
]


def _said(number: int) -> Mapping[str, Any]:
    start = number % 100
    text = _TEXT[start : start + 12 + number * 7 % 120]
    if number % 8 == 0:
        return {"imageMessage": _picture(number, caption=text)}
    if number % 4 == 1:
        quoted = {"stanzaId": f"3EB0{number:016X}", "quotedMessage": {"conversation": text[:40]}}
        return {"extendedTextMessage": {"text": text, "contextInfo": quoted}}
    return {"conversation": text}


def _picture(number: int, *, caption: str) -> Mapping[str, Any]:
    return {
        "mimetype": "image/jpeg",
        "caption": caption,
        "fileLength": 40_000 + number,
        "height": 1600,
        "width": 1200,
        "mediaKey": _HASH,
        "fileSha256": _HASH,
        "fileEncSha256": _HASH,
        "directPath": f"/v/t62.7118-24/{number:012}_n.enc?ccb=11-4",
        "jpegThumbnail": _THUMBNAIL,
    }


def live(number: int, *, chat: int) -> NewEntry:
    """One message as it arrives live."""
    told = message(number, chat=chat)
    return NewEntry(
        kind="message",
        source=f"enc:{number:064x}",
        origin="live",
        received_at_ms=_AT_MS + number,
        payload=orjson.dumps(told),
        form="padded",
        raw=bytes(250),
        envelope=orjson.dumps({"from": told["key"]["remoteJid"], "id": told["key"]["id"], "t": "1795328371"}),
    )


def again(number: int, *, chat: int) -> NewEntry:
    """The same message, encrypted anew: the journal takes it for another one, only the mirror knows better."""
    return replace(live(number, chat=chat), source=f"enc:again{number:059x}", origin="offline")


def history(count: int) -> Iterator[NewEntry]:
    """A history of so many messages, in full records, a hundred messages a chat."""
    raw = base64.b64encode(bytes(250)).decode()
    for start in range(0, count, RECORD):
        numbers = range(start, min(start + RECORD, count))
        told = [{**message(number, chat=number // _PER_CHAT), "raw": raw} for number in numbers]
        yield NewEntry(
            kind="history",
            source=f"enc:notice#{start}",
            origin="history",
            received_at_ms=_AT_MS,
            payload=orjson.dumps({"notice": "enc:notice", "syncType": 3, "messages": told, "chats": []}),
        )


def writes(count: int) -> list[Write]:
    """What the projection makes of a history: a create for each message."""
    entries = (Entry(seq=seq, account=ACCOUNT, new=new) for seq, new in enumerate(history(count), 1))
    seen = [event for entry in entries for event in events_of(entry) if isinstance(event, MessageSeen)]
    slots, _ = landing.slots_for(map(landing.arrival_of, seen), {}, {})
    return [write for slot in slots.values() if (write := landing.write_for(slot))]
