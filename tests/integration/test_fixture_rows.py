"""Real events of the engine, journaled as the bridge would have, become the documents that are written down here.

`tests/histories/baileys-events.jsonl` holds what real Baileys emitted; `bridge/test/rows.js` puts it through the code
of the bridge. For every row is written down what is journaled of it, and for every label the documents it leads to, all
of them and field by field.
"""

import copy
import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from whole import NODE_DIR
from world import ACCOUNT, AT, GROUP, RECEIVED_AT_MS, World, a_world
from written_down import Documents, Written, all_as_written, differences, moment

from whatsapp_backend.domain.journal import Commit
from whatsapp_backend.rules.decode import decode

ROWS = Path(__file__).parent.parent / "histories" / "baileys-events.jsonl"
ANA = "15551234567@s.whatsapp.net"
LID = "88000000000007@lid"
STATUS = "status@broadcast"
OF_OLD = 1700000000
THUMB = "AQID"
ANSWER = "placeholder resend answer"
of = Written(account=ACCOUNT)

SENT = [
    {"key": {"remoteJid": chat, "fromMe": True, "id": name}, "messageTimestamp": str(OF_OLD), "status": 1,
     "message": {"conversation": f"text of {name}"}}
    for name, chat in (("3EB0AA", ANA), ("3EB0AB", ANA), ("3EB0AC", GROUP), ("3EB0AD", ANA))
]  # fmt: skip
OWN_SENDS = {"label": "own sends", "event": "messages.upsert", "data": {"messages": SENT, "type": "append"}}
"""The messages that the receipts of the fixture speak of, which it does not hold itself."""

MESSAGE, DEBT, UPDATE, RECEIPT = "message live", "debt live", "update derived", "receipt live"
NOTIFIED = ["notification live", "message derived"]
IN_THE_MESSAGE: list[str] = []
"""Nothing of its own: all of it came with a message or a stanza, and is journaled there."""

JOURNALED: dict[tuple[str, str], list[str]] = {
    ("text PN chat", "chats.update"): IN_THE_MESSAGE,
    ("text PN chat", "messages.upsert"): [MESSAGE],
    ("text PN chat", "contacts.update"): IN_THE_MESSAGE,
    ("text LID chat", "chats.update"): IN_THE_MESSAGE,
    ("text LID chat", "messages.upsert"): [MESSAGE],
    ("text LID chat", "contacts.update"): IN_THE_MESSAGE,
    ("group LID-addressed", "chats.update"): IN_THE_MESSAGE,
    ("group LID-addressed", "messages.upsert"): [MESSAGE],
    ("group LID-addressed", "contacts.update"): IN_THE_MESSAGE,
    ("sent from own phone (fromMe)", "chats.update"): IN_THE_MESSAGE,
    ("sent from own phone (fromMe)", "messages.upsert"): [MESSAGE],
    ("image", "chats.update"): IN_THE_MESSAGE,
    ("image", "messages.upsert"): [MESSAGE],
    ("image", "contacts.update"): IN_THE_MESSAGE,
    ("reaction", "messages.upsert"): [MESSAGE],
    ("reaction", "messages.reaction"): IN_THE_MESSAGE,
    ("reaction", "contacts.update"): IN_THE_MESSAGE,
    ("revoke", "messages.upsert"): [MESSAGE],
    ("revoke", "messages.update"): IN_THE_MESSAGE,
    ("revoke", "contacts.update"): IN_THE_MESSAGE,
    ("edit", "messages.upsert"): [MESSAGE],
    ("edit", "messages.update"): IN_THE_MESSAGE,
    ("edit", "contacts.update"): IN_THE_MESSAGE,
    ("ephemeral wrapper", "chats.update"): IN_THE_MESSAGE,
    ("ephemeral wrapper", "messages.upsert"): [MESSAGE],
    ("ephemeral wrapper", "contacts.update"): IN_THE_MESSAGE,
    ("view once (unavailable)", "messages.upsert"): [DEBT],
    ("view once (unavailable)", "contacts.update"): IN_THE_MESSAGE,
    ("poll", "chats.update"): IN_THE_MESSAGE,
    ("poll", "messages.upsert"): [MESSAGE],
    ("poll", "contacts.update"): IN_THE_MESSAGE,
    ("poll vote", "messages.upsert"): [MESSAGE],
    ("poll vote", "contacts.update"): IN_THE_MESSAGE,
    ("status", "chats.update"): IN_THE_MESSAGE,
    ("status", "messages.upsert"): [MESSAGE],
    ("status", "contacts.update"): IN_THE_MESSAGE,
    ("location", "chats.update"): IN_THE_MESSAGE,
    ("location", "messages.upsert"): [MESSAGE],
    ("location", "contacts.update"): IN_THE_MESSAGE,
    ("ephemeral setting", "chats.update"): [UPDATE],
    ("ephemeral setting", "messages.upsert"): [MESSAGE],
    ("ephemeral setting", "contacts.update"): IN_THE_MESSAGE,
    ("absent (unavailable fanout)", "messages.upsert"): [DEBT],
    ("absent (unavailable fanout)", "contacts.update"): IN_THE_MESSAGE,
    ("delivery receipt 1:1", "messages.update"): [RECEIPT],
    ("read receipt 1:1", "messages.update"): [RECEIPT],
    ("group receipt", "message-receipt.update"): [RECEIPT],
    ("nack of own send", "messages.update"): [UPDATE],
    ("group create+add", "group-participants.update"): [UPDATE],
    ("group create+add", "chats.update"): [UPDATE],
    ("group create+add", "messages.upsert"): [*NOTIFIED, *NOTIFIED],
    ("group create+add", "groups.update"): [UPDATE],
    ("group create+add", "messages.update"): IN_THE_MESSAGE,  # that the phone was asked for M16
    ("history chunk", "messaging-history.set"): IN_THE_MESSAGE,
    ("history chunk", "messages.upsert"): ["history-notice live", "history history", "history-end history"],
    ("placeholder resend answer", "messages.upsert"): [MESSAGE, "message resend", "message resend"],
    ("own sends", "messages.upsert"): ["message sent"] * 4,
}


def text(id: str, *, at: int, body: str | None, **more: Any) -> Documents:
    """A message of Ana's, addressed by her number."""
    return of.message(id, chat=ANA, at=at, body=body, name="Contact", **more)


def ana(id: str, *, at: int, preview: str, **more: Any) -> Documents:
    """Her thread."""
    return of.thread(ANA, id=id, at=at, preview=preview, **{"name": "Contact", "by": "Contact", "unread": 1, **more})


def sent(id: str, chat: str = ANA, **more: Any) -> Documents:
    """One of our own sends, as the engine tells of it before WhatsApp has it."""
    return of.message(
        id, chat=chat, at=OF_OLD, body=f"text of {id}", own=True, **{"origin": "sent", "status": "queued", **more}
    )


CALLED_CONTACT = of.contact(ANA, "Contact", pushName="Contact")
CALLED_CONTACT_OF_LID = of.contact(ANA, "Contact", pushName="Contact", lid=LID)
CALLED_ANA = of.contact(ANA, "Ana", pushName="Ana")
M1_KEY = {"remoteJidAlt": LID}
M1 = text("M1", at=AT, body="hi", lid=LID, key=M1_KEY)
M1_THREAD = ana("M1", at=AT, preview="hi")
SENT_THREADS = of.thread(ANA, id="3EB0AD", at=OF_OLD, preview="text of 3EB0AD", own=True) | of.thread(
    GROUP, id="3EB0AC", at=OF_OLD, preview="text of 3EB0AC", own=True
)
POLL = {
    "kind": "poll",
    "body": "q\na\nb",
    "details": {"poll": {"question": "q", "options": ["a", "b"], "selectable": 1}},
}
EDITED = {
    "edited": True,
    "editedAt": moment(1700000001),
    "editedAtMs": 1700000001000,
    "versions": [
        {"body": "hi", "atMs": AT * 1000},
        {"id": "M8", "by": ANA, "atMs": 1700000001000, "body": "hi edited"},
    ],
}
SEEN_ONCE = "View-once message: it opens on the phone only"
WAITING = {"kind": "placeholder", "body": "Waiting for this message"}


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """All documents once these labels' rows, in the order of the file, have landed."""

    labels: tuple[str, ...]
    documents: Documents


SCENARIOS = [
    Scenario(labels=("text PN chat",), documents=M1 | M1_THREAD | CALLED_CONTACT_OF_LID),
    Scenario(
        labels=("text LID chat",),
        documents=text(
            "M2",
            at=AT + 1,
            body="hi",
            lid=LID,
            key={"remoteJid": LID, "remoteJidAlt": ANA},
            quoted={"id": "M1", "participant": ANA, "preview": "hi"},
        )
        | ana("M2", at=AT + 1, preview="hi")
        | CALLED_CONTACT_OF_LID,
    ),
    Scenario(
        labels=("group LID-addressed",),
        documents=of.message(
            "M3",
            chat=GROUP,
            at=AT + 1,
            body="g",
            name="Contact",
            sender=ANA,
            lid=LID,
            key={"participant": LID, "participantAlt": ANA},
        )
        | of.thread(GROUP, id="M3", at=AT + 1, preview="g", by="Contact", unread=1)
        | CALLED_CONTACT_OF_LID,
    ),
    Scenario(
        labels=("sent from own phone (fromMe)",),
        documents=of.message("M4", chat=ANA, at=AT + 1, body="from phone", own=True, key=M1_KEY)
        | of.thread(ANA, id="M4", at=AT + 1, preview="from phone", own=True),
    ),
    Scenario(
        labels=("image",),
        documents=text(
            "M5",
            at=AT + 2,
            kind="image",
            body="c",
            media={
                "type": "image",
                "mimetype": "image/jpeg",
                "caption": "c",
                "sizeBytes": 3,
                "height": 10,
                "width": 10,
                "thumbBase64": THUMB,
                "mediaKey": "SS/Bjpui2B4+R9tbukOAdhDvunmGos/Ubb+M8gCgUIw=",
                "directPath": "/v/t62/x.enc",
                "fileSha256": "spgUz1eS5oTNddan/OemehGIfjEvh8oqwkltgfNl/3I=",
                "fileEncSha256": "sVwga+4OSrE6yb8j1ikU4t4449cDYrSwPw3m7ewNpzY=",
            },
        )
        | ana("M5", at=AT + 2, preview="c")
        | CALLED_CONTACT,
    ),
    Scenario(labels=("reaction",), documents=CALLED_CONTACT),
    Scenario(labels=("revoke",), documents=CALLED_CONTACT),
    Scenario(labels=("edit",), documents=CALLED_CONTACT),
    Scenario(
        labels=("text PN chat", "reaction"),
        documents=text(
            "M1",
            at=AT,
            body="hi",
            lid=LID,
            key=M1_KEY,
            reactions=[{"by": ANA, "of": ANA, "text": "👍", "atMs": 1700000000123}],
        )
        | M1_THREAD
        | CALLED_CONTACT_OF_LID,
    ),
    Scenario(
        labels=("text PN chat", "edit"),
        documents=text(
            "M1",
            at=AT,
            body="hi edited",
            lid=LID,
            key=M1_KEY,
            **EDITED,
        )
        | ana("M1", at=AT, preview="hi edited")
        | CALLED_CONTACT_OF_LID,
    ),
    Scenario(
        labels=("text PN chat", "reaction", "revoke", "edit"),
        documents=text(
            "M1",
            at=AT,
            body=None,
            lid=LID,
            key=M1_KEY,
            revoked=True,
            revokedBy=ANA,
            revokedAt=moment(AT + 3),
            revokedAtMs=(AT + 3) * 1000,
            revokes=[{"by": ANA, "of": ANA, "atMs": (AT + 3) * 1000}],
            kept={"body": "hi", "messageType": "text"},
            **EDITED,
            reactions=[{"by": ANA, "of": ANA, "text": "👍", "atMs": 1700000000123}],
        )
        | ana("M1", at=AT, preview="[Deleted]")
        | CALLED_CONTACT_OF_LID,
    ),
    Scenario(
        labels=("ephemeral wrapper",),
        documents=text("M9", at=AT + 3, body="gone soon", details={"ephemeralSeconds": 86400})
        | ana("M9", at=AT + 3, preview="gone soon")
        | CALLED_CONTACT,
    ),
    Scenario(
        labels=("view once (unavailable)",),
        documents=of.message(
            "M10",
            chat=ANA,
            at=OF_OLD,
            name="Ana",
            kind="placeholder",
            body=SEEN_ONCE,
            details={"placeholder": {"reason": "view-once"}},
        )
        | ana("M10", at=OF_OLD, preview=SEEN_ONCE, name="Ana", by="Ana")
        | CALLED_ANA,
    ),
    Scenario(
        labels=("poll",),
        documents=text("M11", at=AT + 4, **POLL) | ana("M11", at=AT + 4, preview="[Poll]") | CALLED_CONTACT,
    ),
    Scenario(labels=("poll vote",), documents=CALLED_CONTACT),
    Scenario(
        labels=("poll", "poll vote"),
        documents=text("M11", at=AT + 4, **POLL, votes=[{"by": ANA, "of": ANA, "atMs": 1700000000999}])
        | ana("M11", at=AT + 4, preview="[Poll]")
        | CALLED_CONTACT,
    ),
    Scenario(
        labels=("status",),
        documents=of.message(
            "M13", chat=STATUS, at=AT + 5, body="story", name="Contact", sender=ANA, key={"participant": ANA}
        )
        | of.thread(STATUS, id="M13", at=AT + 5, preview="story", by="Contact")
        | CALLED_CONTACT,
    ),
    Scenario(
        labels=("location",),
        documents=text(
            "M14",
            at=AT + 5,
            kind="location",
            body="44.4, 26.1",
            details={"location": {"latitude": 44.4, "longitude": 26.1}},
        )
        | ana("M14", at=AT + 5, preview="[Location]")
        | CALLED_CONTACT,
    ),
    Scenario(labels=("ephemeral setting",), documents=CALLED_CONTACT),
    Scenario(
        labels=("absent (unavailable fanout)",),
        documents=of.message(
            "M16", chat=ANA, at=AT + 6, name="Ana", details={"placeholder": {"reason": "unavailable"}}, **WAITING
        )
        | ana("M16", at=AT + 6, preview="Waiting for this message", name="Ana", by="Ana")
        | CALLED_ANA,
    ),
    Scenario(
        labels=("own sends",),
        documents=sent("3EB0AA") | sent("3EB0AB") | sent("3EB0AC", GROUP) | sent("3EB0AD") | SENT_THREADS,
    ),
    Scenario(labels=("delivery receipt 1:1",), documents={}),
    Scenario(labels=("read receipt 1:1",), documents={}),
    Scenario(labels=("group receipt",), documents={}),
    Scenario(labels=("nack of own send",), documents={}),
    Scenario(
        labels=("own sends", "delivery receipt 1:1"),
        documents=sent(
            "3EB0AA",
            status="delivered",
            deliveredAt=moment(OF_OLD + 2),
            receipts=[{"by": ANA, "deliveredAtMs": (OF_OLD + 2) * 1000}],
        )
        | sent("3EB0AB")
        | sent("3EB0AC", GROUP)
        | sent("3EB0AD")
        | SENT_THREADS,
    ),
    Scenario(
        labels=("own sends", "delivery receipt 1:1", "read receipt 1:1", "group receipt", "nack of own send"),
        documents=sent(
            "3EB0AA",
            status="read",
            deliveredAt=moment(OF_OLD + 2),
            readAt=moment(OF_OLD + 3),
            receipts=[{"by": ANA, "deliveredAtMs": (OF_OLD + 2) * 1000, "readAtMs": (OF_OLD + 3) * 1000}],
        )
        | sent(
            "3EB0AB",
            status="read",
            deliveredAt=moment(OF_OLD + 3),
            readAt=moment(OF_OLD + 3),
            receipts=[{"by": ANA, "readAtMs": (OF_OLD + 3) * 1000}],
        )
        | sent(
            "3EB0AC",
            GROUP,
            status="read",
            deliveredAt=moment(OF_OLD + 4),
            readAt=moment(OF_OLD + 4),
            receipts=[{"by": LID, "lid": LID, "readAtMs": (OF_OLD + 4) * 1000}],
        )
        | sent("3EB0AD", status="failed", failed=True)
        | SENT_THREADS,
    ),
    Scenario(
        labels=("group create+add",),
        documents=of.message(
            "N1",
            chat=GROUP,
            at=OF_OLD + 5,
            kind="event",
            body="Somebody was added",
            sender=LID,
            key={"participant": LID},
            origin="derived",
            details={"event": {"name": "participants_added", "by": LID, "participants": ["1555@s.whatsapp.net"]}},
        )
        | of.message(
            "N2",
            chat=GROUP,
            at=OF_OLD + 6,
            kind="event",
            body="Subject changed to “New name”",
            sender=LID,
            key={"participant": LID},
            origin="derived",
            details={"event": {"name": "subject_changed", "by": LID, "subject": "New name"}},
        )
        | of.thread(GROUP, id="N2", at=OF_OLD + 6, preview="Subject changed to “New name”", name="New name"),
    ),
    Scenario(
        labels=("history chunk",),
        documents=of.message(
            "H1",
            chat=ANA,
            at=OF_OLD,
            kind="image",
            name="Ana",
            lid=LID,
            key={"remoteJid": LID},
            origin="history",
            syncSource="history_sync",
            media={
                "type": "image",
                "mimetype": "image/jpeg",
                "sizeBytes": 12345,
                "mediaKey": "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=",
                "directPath": "/x",
            },
        )
        | of.thread(ANA, id="H1", at=OF_OLD, preview="[Image]", name="Ana", by="Ana")
        | of.contact(ANA, "Ana", name="Ana", pushName="Ana", lid=LID),
    ),
    Scenario(
        labels=("placeholder resend answer",),
        documents=of.message("M16", chat=ANA, at=OF_OLD, body="recovered", name="Ana", origin="resend")
        | ana("M16", at=OF_OLD, preview="recovered", name="Ana", by="Ana", unread=0)
        | CALLED_ANA,
    ),
]


@dataclass(frozen=True, kw_only=True)
class Journaled:
    """What a row came to. `commits` as the daemon reads them, each of one entry."""

    label: str
    event: str
    commits: tuple[Commit, ...]


def commit_of(entry: dict[str, Any], id: str) -> Commit:
    """The entry by itself, through the daemon's own reader of frames."""
    frame = {"t": "commit", "account": ACCOUNT, "id": id, "entries": [{**entry, "at": RECEIVED_AT_MS}]}
    commit = decode(json.dumps(frame).encode())
    assert isinstance(commit, Commit)
    return commit


@pytest.fixture(scope="module")
def rows() -> list[Journaled]:
    """Every row of the file and our own, as the bridge journals it."""
    text = ROWS.read_text("utf-8") + json.dumps(OWN_SENDS) + "\n"
    done = subprocess.run(
        ["node", str(NODE_DIR / "bridge" / "test" / "rows.js")],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["label"], row["event"]) for row in told] == [
        (row["label"], row["event"]) for row in map(json.loads, text.splitlines())
    ]
    return [
        Journaled(
            label=row["label"],
            event=row["event"],
            commits=tuple(commit_of(entry, f"{place}-{part}") for part, entry in enumerate(row["entries"])),
        )
        for place, row in enumerate(told)
    ]


in_both_orders = pytest.mark.parametrize("order", ["as it came", "reversed"])


def commits_of(rows: Iterable[Journaled], order: str) -> list[Commit]:
    """What these rows came to, as they stand in the file or the other way round."""
    commits = [commit for row in rows for commit in row.commits]
    return commits if order == "as it came" else commits[::-1]


async def land(world: World, commits: Iterable[Commit]) -> Documents:
    """Journal and publish them one after the other; all documents then."""
    for commit in commits:
        await world.store.commit(commit)
        await world.publish()
    await world.publish(wholly=True)
    return all_as_written({path: document.fields for path, document in world.documents.documents.items()})


def test_for_every_row_and_every_label_something_is_written_down(rows: list[Journaled]) -> None:
    """A row that is added must be thought about."""
    assert {(row.label, row.event) for row in rows} == JOURNALED.keys()
    assert len(rows) == len(JOURNALED)
    assert {label for scenario in SCENARIOS for label in scenario.labels} == {row.label for row in rows}


def test_every_row_is_journaled_as_what_it_is_and_only_once(rows: list[Journaled]) -> None:
    """What the engine derives of a message or of a stanza is not kept beside it."""
    for row in rows:
        entries = [commit.entries[0] for commit in row.commits]
        journaled = [f"{entry.kind} {entry.origin}" for entry in entries]
        assert journaled == JOURNALED[row.label, row.event], (row.label, row.event)
        assert not [entry.problem for entry in entries if entry.problem], (row.label, row.event)


@in_both_orders
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: " + ".join(scenario.labels))
async def test_rows_become_the_documents_that_are_written_down(
    rows: list[Journaled], scenario: Scenario, order: str
) -> None:
    """All of them, field by field, and no other document, whichever came first."""
    told = [row for row in rows if row.label in scenario.labels]
    async with a_world() as world:
        landed = await land(world, commits_of(told, order))
        assert not await world.store.parked()
    assert not differences(landed, scenario.documents)


RECOVERED = of.message("M16", chat=ANA, at=OF_OLD, body="recovered", name="Ana") | CALLED_ANA
RECOVERED_THREAD = ana("M16", at=OF_OLD, preview="recovered", name="Ana", by="Ana")


async def recovered(rows: list[Journaled], order: str) -> Documents:
    """The placeholder and what came for it."""
    told = [row for row in rows if row.label in ("absent (unavailable fanout)", ANSWER)]
    async with a_world() as world:
        landed = await land(world, commits_of(told, order))
        stats = await world.store.stats()
    assert (stats.open_debts, stats.closed_debts) == (0, {"arrived": 1})
    return landed


@in_both_orders
async def test_the_placeholder_of_a_row_gives_way_to_the_answer_of_another(rows: list[Journaled], order: str) -> None:
    """In the message's own document; the key is that of what came first. The debt is closed."""
    landed = await recovered(rows, order)
    (thread,) = RECOVERED_THREAD
    first_at = landed[next(iter(RECOVERED))]["key"].pop("timestamp")
    assert first_at == (AT + 6 if order == "as it came" else OF_OLD)
    written = copy.deepcopy(RECOVERED)
    del written[next(iter(RECOVERED))]["key"]["timestamp"]
    assert not differences({path: landed[path] for path in landed if path != thread}, written)


@in_both_orders
async def test_the_thread_follows_a_message_whose_answer_tells_an_earlier_time(
    rows: list[Journaled], order: str
) -> None:
    """Two sightings of M16 tell two times, and the earlier one counts, for the thread as well."""
    landed = await recovered(rows, order)
    assert not differences({path: landed[path] for path in RECOVERED_THREAD}, RECOVERED_THREAD)


def the_whole_file() -> Documents:
    """What is left when every row has landed, but for the answer to the placeholder."""
    written: Documents = {}
    for scenario in SCENARIOS:  # of a message, the one in which most has happened to it stands last
        written |= {} if ANSWER in scenario.labels else scenario.documents
    messages = {path: dict(fields) for path, fields in written.items() if "/messages/" in path}
    for event in ("N1", "N2"):  # by whoever is known by number now
        messages[f"threads/{ACCOUNT}__{GROUP}/messages/{event}"] |= {
            "senderJid": ANA,
            "senderId": ANA,
            "senderLid": LID,
        }
    return (
        messages
        | ana("M16", at=AT + 6, preview="Waiting for this message", name="Ana", by="Ana", unread=8)
        | of.thread(GROUP, id="M3", at=AT + 1, preview="g", name="New name", by="Contact", unread=1)
        | of.thread(STATUS, id="M13", at=AT + 5, preview="story", by="Contact")
        | of.contact(ANA, "Ana", name="Ana", pushName="Ana", lid=LID)
    )


@in_both_orders
async def test_all_rows_together_are_one_conversation(rows: list[Journaled], order: str) -> None:
    """One thread for Ana under whichever identity she came, and nothing that one row did undoes another's."""
    told = [row for row in rows if row.label != ANSWER]
    async with a_world() as world:
        landed = await land(world, commits_of(told, order))
    redirected = f"threads/{ACCOUNT}__{LID}"
    assert not differences({path: landed[path] for path in landed if not path.startswith(redirected)}, the_whole_file())
    assert {fields["redirectTo"] for path, fields in landed.items() if path == redirected} <= {f"{ACCOUNT}__{ANA}"}
