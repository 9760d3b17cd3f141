"""The same stimuli through the fake server, real Baileys, the bridge, the daemon and the emulator.

One daemon for all tests of this file: each has its own people, and looks at their threads, messages and contacts only:
all of those, field by field, as they are written down here.
"""

import base64
import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from whole import NODE_DIR, PHONE, RealDaemon, Whole, until
from written_down import Documents, Written, all_as_written, differences, moment

from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

AT = int(time.time()) - 10_000
STATUS = "status@broadcast"
US = f"{PHONE.lstrip('+')}@s.whatsapp.net"
OUR_LID = "88000000001111@lid"
_people = count(2001)
_groups = count(1)


class SomeText:
    """Equal to any text that is not empty: what cannot be known before."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and bool(other)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "some text"


SECRET = SomeText()


class Person:
    """Somebody of this test only."""

    def __init__(self) -> None:
        self.phone = f"1555000{next(_people)}"
        self.jid = f"{self.phone}@s.whatsapp.net"
        self.lid = f"88{self.phone[-7:].zfill(12)}@lid"
        self.name = f"Contact {self.phone[-4:]}"


def a_group() -> str:
    """The JID of a group of this test only."""
    return f"12036300000000{next(_groups):04}@g.us"


class Conversation:
    """The whole system, seen from one test."""

    def __init__(self, whole: Whole) -> None:
        self.whole = whole
        self.server = whole.server
        self.of = Written(account=whole.account)

    async def op(self, op: str, **args: Any) -> Any:
        """An op of the fake server about our account, and what it queues received.

        One after the other: of a burst without a session the engine may see the second message first, and ask again.
        """
        done = await self.server.op(op, account=self.whole.phone, **args)
        await self.whole.nothing_queued()
        return done

    async def says(self, person: Person, id: str, *, at: int = AT, **what: Any) -> None:
        """A person writes to us."""
        await self.op("message", chat=person.phone, id=id, time=at, **what)

    async def group(self, *members: Person, addressing: str = "lid", subject: str = "Team") -> str:
        """A group of this test only, with us in it."""
        jid = a_group()
        phones = [*(member.phone for member in members), self.whole.phone]
        await self.server.op("group", id=jid, subject=subject, members=phones, addressing=addressing)
        return jid

    async def shown(self, *of: str) -> Documents:
        """All documents of these chats: threads, messages, contacts."""
        found: Documents = {}
        for jid in of:
            thread = self.whole.firestore.document(f"threads/{self.whole.account}__{jid}")
            contact = self.whole.firestore.document(f"contacts/{self.whole.account}__{jid}")
            for document in [await thread.get(), await contact.get()]:
                if document.exists:
                    found[document.reference.path] = document.to_dict() or {}
            async for document in thread.collection("messages").stream():
                found[document.reference.path] = document.to_dict() or {}
        return found

    async def is_written(self, written: Documents, *of: str, patience_s: float = 20.0) -> None:
        """Wait until the documents of these chats are as written down; fail with what is otherwise."""
        told: list[str] = []

        async def as_written() -> bool:
            nonlocal told
            try:
                told = differences(all_as_written(await self.shown(*of)), written)
            except AssertionError as error:
                told = [str(error)]
            return not told

        await self.whole.daemon.landed()
        try:
            await until(as_written, patience_s=patience_s)
        except TimeoutError:
            raise AssertionError("\n".join(told)) from None

    # -- What is written down of everybody ----------------------------------------------------------------------

    def message(self, person: Person, id: str, *, at: int = AT, lid_first: bool = False, **more: Any) -> Documents:
        """A message of his to us, under his number or his LID, the other one told beside it."""
        key = {"remoteJid": person.lid, "remoteJidAlt": person.jid} if lid_first else {"remoteJidAlt": person.lid}
        return self.of.message(id, chat=person.jid, at=at, name=person.name, lid=person.lid, key=key, **more)

    def own(self, person: Person, id: str, *, at: int = AT, **more: Any) -> Documents:
        """A message of ours to him, typed on the phone."""
        key = {"remoteJidAlt": person.lid}
        return self.of.message(id, chat=person.jid, at=at, own=True, key=key, **more)

    def in_group(
        self, group: str, person: Person, id: str, *, at: int = AT, by_lid: bool = True, **more: Any
    ) -> Documents:
        """A message of his in a group, both identities told."""
        participant, other = (person.lid, person.jid) if by_lid else (person.jid, person.lid)
        return self.of.message(
            id,
            chat=group,
            at=at,
            **{"name": person.name, **more},
            sender=person.jid,
            lid=person.lid,
            key={"participant": participant, "participantAlt": other},
        )

    def thread(self, person: Person, id: str, *, preview: str, at: int = AT, **more: Any) -> Documents:
        """His thread, named as he names himself."""
        return self.of.thread(
            person.jid, id=id, at=at, preview=preview, **{"name": person.name, "by": person.name, "unread": 1, **more}
        )

    def contact(self, person: Person, **more: Any) -> Documents:
        """He himself."""
        return self.of.contact(person.jid, person.name, **{"pushName": person.name, "lid": person.lid, **more})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(firestore_emulator: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Whole]:
    """Daemon, server and Firestore, started and paired, for all tests of this file."""
    project = "demo-kinds"
    firestore = firestore_client(project, emulator_host=firestore_emulator.address)
    async with FakeWhatsApp.started(NODE_DIR) as server:
        daemon = RealDaemon(
            state_dir=tmp_path_factory.mktemp("kinds") / "state",
            server_url=server.url,
            emulator=firestore_emulator.address,
            project=project,
        )
        try:
            await daemon.start()
            whole = Whole(server, daemon, firestore)
            await whole.pair()
            yield whole
        finally:
            await daemon.close()
            await close(firestore)


@pytest.fixture
def talk(system: Whole) -> Conversation:
    """The whole system, for one test."""
    return Conversation(system)


@pytest.fixture
def ana() -> Person:
    """Somebody."""
    return Person()


@pytest.fixture
def bob() -> Person:
    """Somebody else."""
    return Person()


# -- Texts --------------------------------------------------------------------------------------------------------


async def test_texts_are_one_thread_under_both_identities_and_from_our_own_phone(
    talk: Conversation, ana: Person
) -> None:
    """With what they quote and whom they mention."""
    await talk.says(ana, "T1", text="  hello   there ")
    quote = {"id": "T1", "from": ana.jid, "text": "hello"}
    await talk.says(ana, "T2", at=AT + 1, addressing="lid", text="again", quote=quote)
    await talk.says(ana, "T3", at=AT + 2, from_me=True, text="from the phone")
    mentions = {"text": "@you", "contextInfo": {"mentionedJid": [US, OUR_LID], "isForwarded": True}}
    await talk.says(ana, "T4", at=AT + 3, message={"extendedTextMessage": mentions})
    await talk.is_written(
        talk.message(ana, "T1", body="  hello   there ")
        | talk.message(
            ana,
            "T2",
            at=AT + 1,
            lid_first=True,
            body="again",
            quoted={"id": "T1", "participant": ana.jid, "preview": "hello"},
        )
        | talk.own(ana, "T3", at=AT + 2, body="from the phone")
        | talk.message(ana, "T4", at=AT + 3, body="@you", details={"mentions": [US, OUR_LID], "forwarded": True})
        | talk.thread(ana, "T4", at=AT + 3, preview="@you", unread=3)
        | talk.contact(ana),
        ana.jid,
        ana.lid,
    )


# -- Media --------------------------------------------------------------------------------------------------------


def a_file(id: str, kind: str, mimetype: str, **more: Any) -> dict[str, Any]:
    """What is known of a file that the fake server made up."""
    content = f"content of {id}".encode()
    return {
        "type": kind,
        "mimetype": mimetype,
        "sizeBytes": len(content),
        "fileSha256": base64.b64encode(hashlib.sha256(content).digest()).decode(),
        "fileEncSha256": SECRET,
        "mediaKey": SECRET,
        "directPath": SECRET,
        **more,
    }


async def test_files_land_with_what_is_needed_to_fetch_them(talk: Conversation, ana: Person) -> None:
    """Their caption is the body; without one the preview says what they are."""
    await talk.says(ana, "F1", kind="image", caption="look")
    await talk.says(ana, "F2", at=AT + 1, kind="video", caption="watch", seconds=9)
    await talk.says(ana, "F3", at=AT + 2, kind="audio", seconds=4)
    await talk.says(ana, "F4", at=AT + 3, kind="document", file_name="plan.pdf")
    sticker = {"mimetype": "image/webp", "mediaKey": "SS8=", "directPath": "/s", "fileLength": 5, "isAnimated": True}
    await talk.says(ana, "F5", at=AT + 4, message={"stickerMessage": sticker | {"width": 64, "height": 64}})
    captioned = {"fileName": "a.txt", "caption": "read", "mimetype": "text/plain", "mediaKey": "SS8="}
    wrapped = {"documentWithCaptionMessage": {"message": {"documentMessage": captioned}}}
    await talk.says(ana, "F6", at=AT + 5, message=wrapped)
    await talk.says(ana, "F7", at=AT + 6, message={"ptvMessage": {"mimetype": "video/mp4", "mediaKey": "SS8="}})
    animated = {"mimetype": "video/mp4", "mediaKey": "SS8=", "gifPlayback": True}
    await talk.says(ana, "F8", at=AT + 7, message={"videoMessage": animated})
    size = {"width": 640, "height": 480}
    await talk.is_written(
        talk.message(
            ana, "F1", kind="image", body="look", media=a_file("F1", "image", "image/jpeg", caption="look", **size)
        )
        | talk.message(
            ana,
            "F2",
            at=AT + 1,
            kind="video",
            body="watch",
            media=a_file("F2", "video", "video/mp4", caption="watch", seconds=9, **size),
        )
        | talk.message(
            ana,
            "F3",
            at=AT + 2,
            kind="audio",
            media=a_file("F3", "audio", "audio/ogg; codecs=opus", seconds=4, ptt=True),
        )
        | talk.message(
            ana,
            "F4",
            at=AT + 3,
            kind="document",
            media=a_file("F4", "document", "application/pdf", filename="plan.pdf"),
        )
        | talk.message(
            ana,
            "F5",
            at=AT + 4,
            kind="sticker",
            media={
                "type": "sticker",
                "mimetype": "image/webp",
                "sizeBytes": 5,
                "width": 64,
                "height": 64,
                "animated": True,
                "mediaKey": "SS8=",
                "directPath": "/s",
            },
        )
        | talk.message(
            ana,
            "F6",
            at=AT + 5,
            kind="document",
            body="read",
            media={
                "type": "document",
                "mimetype": "text/plain",
                "filename": "a.txt",
                "caption": "read",
                "mediaKey": "SS8=",
            },
        )
        | talk.message(
            ana, "F7", at=AT + 6, kind="video", media={"type": "video", "mimetype": "video/mp4", "mediaKey": "SS8="}
        )
        | talk.message(
            ana,
            "F8",
            at=AT + 7,
            kind="video",
            media={"type": "video", "mimetype": "video/mp4", "mediaKey": "SS8=", "gif": True},
        )
        | talk.thread(ana, "F8", at=AT + 7, preview="[Video]", unread=8)
        | talk.contact(ana),
        ana.jid,
    )


@pytest.mark.parametrize(
    ("kind", "preview"), [("image", "[Image]"), ("video", "[Video]"), ("audio", "[Audio]"), ("document", "[Document]")]
)
async def test_a_file_without_a_caption_has_a_preview_that_names_it(
    talk: Conversation, ana: Person, kind: str, preview: str
) -> None:
    """In the list of threads."""
    await talk.says(ana, "V1", kind=kind)

    async def is_shown() -> bool:
        thread = (await talk.shown(ana.jid)).get(f"threads/{talk.whole.account}__{ana.jid}", {})
        return thread.get("lastMessagePreview") == thread.get("lastMessageText") == preview

    await until(is_shown)


# -- Cards, polls, choices ----------------------------------------------------------------------------------------


async def test_places_and_people_are_read(talk: Conversation, ana: Person) -> None:
    """As text for the inbox, and field by field."""
    place = {"degreesLatitude": 44.4, "degreesLongitude": 26.1, "name": "Office", "address": "1 Main Street"}
    await talk.says(ana, "C1", message={"locationMessage": place})
    live = {"degreesLatitude": 44.5, "degreesLongitude": 26.2, "accuracyInMeters": 7, "caption": "coming"}
    await talk.says(ana, "C2", at=AT + 1, message={"liveLocationMessage": live})
    vcard = "BEGIN:VCARD\nVERSION:3.0\nFN:Eve\nTEL;type=CELL;waid=15550007777:+1 555 000 7777\nEND:VCARD"
    await talk.says(ana, "C3", at=AT + 2, message={"contactMessage": {"displayName": "Eve", "vcard": vcard}})
    cards = [{"displayName": "Eve", "vcard": vcard}, {"displayName": "Max", "vcard": "BEGIN:VCARD\nEND:VCARD"}]
    await talk.says(ana, "C4", at=AT + 3, message={"contactsArrayMessage": {"displayName": "2", "contacts": cards}})
    eve = {"name": "Eve", "phones": ["+15550007777"], "vcard": vcard}
    await talk.is_written(
        talk.message(
            ana,
            "C1",
            kind="location",
            body="Office\n1 Main Street",
            details={"location": {"latitude": 44.4, "longitude": 26.1, "name": "Office", "address": "1 Main Street"}},
        )
        | talk.message(
            ana,
            "C2",
            at=AT + 1,
            kind="location",
            body="coming",
            details={"location": {"latitude": 44.5, "longitude": 26.2, "accuracyMeters": 7, "live": True}},
        )
        | talk.message(ana, "C3", at=AT + 2, kind="contact", body="Eve", details={"contacts": [eve]})
        | talk.message(
            ana,
            "C4",
            at=AT + 3,
            kind="contact",
            body="Eve\nMax",
            details={"contacts": [eve, {"name": "Max", "vcard": "BEGIN:VCARD\nEND:VCARD"}]},
        )
        | talk.thread(ana, "C4", at=AT + 3, preview="[Contact]", unread=4)
        | talk.contact(ana),
        ana.jid,
    )


async def test_a_poll_keeps_who_voted_and_when(talk: Conversation, ana: Person) -> None:
    """What for is encrypted; voting again counts once, and is no message."""
    poll = {"name": "Where?", "options": [{"optionName": "Here"}, {"optionName": "There"}], "selectableOptionsCount": 1}
    secret = {"messageSecret": base64.b64encode(bytes(32)).decode()}
    await talk.says(ana, "P1", message={"pollCreationMessageV3": poll, "messageContextInfo": secret})
    for number in (1, 2):
        vote = {
            "pollCreationMessageKey": {"remoteJid": US, "fromMe": True, "id": "P1"},
            "vote": {"encPayload": "AgICAgICAgI=", "encIv": "AwMDAwMDAwMDAwMD"},
            "senderTimestampMs": (AT + number) * 1000,
        }
        await talk.says(ana, f"P1-vote-{number}", at=AT + number, message={"pollUpdateMessage": vote})
    await talk.is_written(
        talk.message(
            ana,
            "P1",
            kind="poll",
            body="Where?\nHere\nThere",
            details={"poll": {"question": "Where?", "options": ["Here", "There"], "selectable": 1}},
            votes=[{"by": ana.jid, "lid": ana.lid, "of": ana.jid, "atMs": (AT + 2) * 1000}],
        )
        | talk.thread(ana, "P1", preview="[Poll]")
        | talk.contact(ana),
        ana.jid,
    )


async def test_what_a_business_sends_shows_its_text(talk: Conversation, ana: Person) -> None:
    """Buttons, lists and templates, what was chosen of them; and what nobody knows, with its kind named."""
    buttons = {
        "contentText": "Choose",
        "footerText": "soon",
        "buttons": [{"buttonId": "b1", "buttonText": {"displayText": "Yes"}, "type": 1}],
        "headerType": 1,
    }
    await talk.says(ana, "B1", message={"buttonsMessage": buttons})
    rows = [{"title": "Red", "description": "as blood", "rowId": "r1"}]
    a_list = {
        "title": "Colours",
        "description": "Pick one",
        "buttonText": "Open",
        "listType": 1,
        "sections": [{"title": "Warm", "rows": rows}],
    }
    await talk.says(ana, "B2", at=AT + 1, message={"listMessage": a_list})
    hydrated = {
        "hydratedContentText": "Your order is on its way",
        "hydratedFooterText": "Shop",
        "hydratedButtons": [{"index": 0, "urlButton": {"displayText": "Track", "url": "https://shop.example.com/1"}}],
    }
    await talk.says(ana, "B3", at=AT + 2, message={"templateMessage": {"hydratedTemplate": hydrated}})
    chosen = {"selectedButtonId": "b1", "selectedDisplayText": "Yes", "type": 1}
    await talk.says(ana, "B4", at=AT + 3, message={"buttonsResponseMessage": chosen})
    row = {"title": "Red", "listType": 1, "singleSelectReply": {"selectedRowId": "r1"}}
    await talk.says(ana, "B5", at=AT + 4, message={"listResponseMessage": row})
    await talk.says(ana, "B6", at=AT + 5, message={"requestPhoneNumberMessage": {}})
    await talk.says(ana, "B7", at=AT + 6, message={"stickerPackMessage": {"stickerPackId": "s"}})
    await talk.is_written(
        talk.message(ana, "B1", body="Choose\nsoon", details={"choices": [{"text": "Yes", "id": "b1"}]})
        | talk.message(
            ana,
            "B2",
            at=AT + 1,
            body="Colours\nPick one",
            details={"choices": [{"text": "Red", "description": "as blood", "id": "r1", "section": "Warm"}]},
        )
        | talk.message(
            ana,
            "B3",
            at=AT + 2,
            body="Your order is on its way\nShop",
            details={"choices": [{"text": "Track", "url": "https://shop.example.com/1"}]},
        )
        | talk.message(ana, "B4", at=AT + 3, body="Yes", details={"chosen": {"id": "b1"}})
        | talk.message(ana, "B5", at=AT + 4, body="Red", details={"chosen": {"id": "r1"}})
        | talk.message(
            ana,
            "B6",
            at=AT + 5,
            kind="unknown",
            body="Phone number requested",
            contentKind="requestPhoneNumberMessage",
        )
        | talk.message(ana, "B7", at=AT + 6, kind="unknown", body="[Message]", contentKind="stickerPackMessage")
        | talk.thread(ana, "B7", at=AT + 6, preview="[Message]", unread=7)
        | talk.contact(ana),
        ana.jid,
    )


# -- Wrappers -----------------------------------------------------------------------------------------------------


async def test_what_disappears_and_what_may_be_seen_once_is_kept(talk: Conversation, ana: Person) -> None:
    """A setting is no message; what came for the phone only is a placeholder, and nobody waits for it."""
    timed = {"extendedTextMessage": {"text": "gone soon", "contextInfo": {"expiration": 86400}}}
    await talk.says(ana, "W1", message={"ephemeralMessage": {"message": timed}})
    once = {"viewOnceMessageV2": {"message": {"imageMessage": {"mimetype": "image/jpeg", "mediaKey": "SS8="}}}}
    await talk.says(ana, "W2", at=AT + 1, message=once)
    setting = {"protocolMessage": {"type": "EPHEMERAL_SETTING", "ephemeralExpiration": 604800}}
    await talk.says(ana, "W3", at=AT + 2, message=setting)
    await talk.says(ana, "W4", at=AT + 3, encryption="none", unavailable="view_once", text="for the phone")
    await talk.is_written(
        talk.message(ana, "W1", body="gone soon", details={"ephemeralSeconds": 86400})
        | talk.message(
            ana,
            "W2",
            at=AT + 1,
            kind="image",
            media={"type": "image", "mimetype": "image/jpeg", "mediaKey": "SS8="},
            details={"viewOnce": True},
        )
        | talk.message(
            ana,
            "W4",
            at=AT + 3,
            kind="placeholder",
            body="View-once message: it opens on the phone only",
            details={"placeholder": {"reason": "view-once"}},
        )
        | talk.thread(ana, "W4", at=AT + 3, preview="View-once message: it opens on the phone only", unread=3)
        | talk.contact(ana),
        ana.jid,
    )
    asked = [one for request in talk.server.seen("placeholder-request") for one in request["ids"]]
    assert "W4" not in asked


async def test_a_status_is_kept_with_its_author_and_is_not_unread(talk: Conversation, ana: Person) -> None:
    """In the thread of its own."""
    await talk.op("message", chat=STATUS, from_=ana.phone, id="S1", time=AT, text="story")
    await talk.is_written(
        talk.in_group(STATUS, ana, "S1", by_lid=False, body="story")
        | talk.of.thread(STATUS, id="S1", at=AT, preview="story", by=ana.name)
        | talk.contact(ana),
        STATUS,
        ana.jid,
    )


# -- What happens to messages -------------------------------------------------------------------------------------


async def test_edits_revokes_and_reactions_keep_what_was(talk: Conversation, ana: Person) -> None:
    """Each with who did it and when; they move no thread."""
    await talk.says(ana, "E1", text="first")
    await talk.says(ana, "E2", at=AT + 1, kind="image", caption="oops")
    await talk.says(ana, "E3", at=AT + 2, text="nice")
    await talk.says(ana, "E1-a", at=AT + 10, edit={"id": "E1", "text": "second"})
    await talk.says(ana, "E1-b", at=AT + 11, edit={"id": "E1", "text": "third"}, addressing="lid")
    await talk.says(ana, "E2-a", at=AT + 12, revoke={"id": "E2"})
    await talk.says(ana, "E3-a", at=AT + 13, react={"id": "E3", "text": "👍", "from_me": True})
    await talk.says(ana, "E3-b", at=AT + 14, react={"id": "E3", "text": "😀", "from_me": True})
    await talk.says(ana, "E3-c", at=AT + 15, from_me=True, react={"id": "E3", "text": "🎉"})
    await talk.says(ana, "E1-c", at=AT + 16, react={"id": "E1", "text": "👍", "from_me": True})
    await talk.says(ana, "E1-d", at=AT + 17, react={"id": "E1", "text": "", "from_me": True})
    by_ana = {"by": ana.jid, "lid": ana.lid}
    await talk.is_written(
        talk.message(
            ana,
            "E1",
            body="third",
            edited=True,
            editedAt=moment(AT + 11),
            editedAtMs=(AT + 11) * 1000,
            versions=[
                {"body": "first", "atMs": AT * 1000},
                {"id": "E1-a", **by_ana, "atMs": (AT + 10) * 1000, "body": "second"},
                {"id": "E1-b", **by_ana, "atMs": (AT + 11) * 1000, "body": "third"},
            ],
            reactionsRemoved=[{**by_ana, "of": ana.jid, "atMs": (AT + 17) * 1000}],
        )
        | talk.message(
            ana,
            "E2",
            at=AT + 1,
            kind="image",
            revoked=True,
            revokedBy=ana.jid,
            revokedAt=moment(AT + 12),
            revokedAtMs=(AT + 12) * 1000,
            revokes=[{**by_ana, "of": ana.jid, "atMs": (AT + 12) * 1000}],
            kept=SomeKept("oops", "image"),
        )
        | talk.message(
            ana,
            "E3",
            at=AT + 2,
            body="nice",
            reactions=[
                {**by_ana, "of": ana.jid, "text": "😀", "atMs": (AT + 14) * 1000},
                {"by": "me", "of": ana.jid, "text": "🎉", "atMs": (AT + 15) * 1000},
            ],
        )
        | talk.thread(ana, "E3", at=AT + 2, preview="nice", unread=3)
        | talk.contact(ana),
        ana.jid,
    )


class SomeKept:
    """Equal to what a revoke keeps of a file: its caption, its kind, and what is needed to fetch it."""

    def __init__(self, body: str, kind: str) -> None:
        self.body = body
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Mapping)
            and (other["body"], other["messageType"], other["mediaType"]) == (self.body, self.kind, self.kind)
            and all(other["media"][name] for name in ("mediaKey", "directPath", "fileSha256", "mimetype", "mimeType"))
        )

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"a {self.kind} with its key and the caption {self.body!r}"


async def test_a_member_of_a_group_changes_only_what_is_his(talk: Conversation, ana: Person, bob: Person) -> None:
    """Whatever he claims: an edit is of his own message, a reaction his own, and an admin's revoke does not count."""
    group = await talk.group(ana, bob)
    await talk.op("message", chat=group, from_=ana.phone, id="G1", time=AT, text="mine")
    await talk.op("message", chat=group, from_=ana.phone, id="G2", time=AT + 1, text="to edit")
    await talk.op("message", chat=group, from_=bob.phone, id="X1", time=AT + 2, edit={"id": "G1", "text": "forged"})
    forged = {"id": "G1", "by_admin_of": ana.phone}
    await talk.op("message", chat=group, from_=bob.phone, id="X2", time=AT + 3, revoke=forged)
    reaction = {"id": "G1", "text": "👎", "participant": ana.phone}
    await talk.op("message", chat=group, from_=bob.phone, id="X3", time=AT + 4, react=reaction)
    await talk.op("message", chat=group, from_=ana.phone, id="X4", time=AT + 5, edit={"id": "G2", "text": "edited"})
    by_bob = {"by": bob.jid, "lid": bob.lid}
    await talk.is_written(
        talk.in_group(
            group,
            ana,
            "G1",
            body="mine",
            revokes=[{**by_bob, "of": ana.lid, "atMs": (AT + 3) * 1000}],
            reactions=[{**by_bob, "of": ana.lid, "text": "👎", "atMs": (AT + 4) * 1000}],
        )
        | talk.in_group(
            group,
            ana,
            "G2",
            at=AT + 1,
            body="edited",
            edited=True,
            editedAt=moment(AT + 5),
            editedAtMs=(AT + 5) * 1000,
            versions=[
                {"body": "to edit", "atMs": (AT + 1) * 1000},
                {"id": "X4", "by": ana.jid, "lid": ana.lid, "atMs": (AT + 5) * 1000, "body": "edited"},
            ],
        )
        | talk.of.thread(group, id="G2", at=AT + 1, preview="edited", by=ana.name, unread=2)
        | talk.contact(ana)
        | talk.contact(bob),
        group,
        ana.jid,
        bob.jid,
    )


# -- Groups -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("addressing", ["pn", "lid"])
async def test_a_group_is_one_thread_whoever_writes_under_whatever_identity(
    talk: Conversation, ana: Person, bob: Person, addressing: str
) -> None:
    """Sender keys, also rotated and under the other identity; own messages from the phone."""
    group = await talk.group(ana, bob, addressing=addressing)
    other = "lid" if addressing == "pn" else "pn"
    await talk.op("message", chat=group, from_=ana.phone, id="K1", time=AT, text="one")
    await talk.op("message", chat=group, from_=bob.phone, id="K2", time=AT + 1, text="two")
    await talk.server.op("rotate", group=group)
    await talk.op("message", chat=group, from_=ana.phone, id="K3", time=AT + 2, text="three", addressing=other)
    await talk.op("message", chat=group, from_me=True, id="K4", time=AT + 3, text="four")
    by_lid = addressing == "lid"
    ours = {"participant": OUR_LID, "participantAlt": US} if by_lid else {"participant": US, "participantAlt": OUR_LID}
    await talk.is_written(
        talk.in_group(group, ana, "K1", body="one", by_lid=by_lid)
        | talk.in_group(group, bob, "K2", at=AT + 1, body="two", by_lid=by_lid)
        | talk.in_group(group, ana, "K3", at=AT + 2, body="three", by_lid=not by_lid)
        | talk.of.message("K4", chat=group, at=AT + 3, body="four", own=True, key=ours)
        | talk.of.thread(group, id="K4", at=AT + 3, preview="four", own=True, inbound_at=AT + 2, unread=3)
        | talk.contact(ana)
        | talk.contact(bob),
        group,
        ana.jid,
        bob.jid,
    )


async def test_what_happens_in_a_group_is_told_in_it(talk: Conversation, ana: Person, bob: Person) -> None:
    """As a sentence and as fields, under the numbers of those it is about; its subject names the thread."""
    group = a_group()
    eve = Person()
    about: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
        ("create", {"subject": "Team", "members": [bob.phone, talk.whole.phone]}, "Group “Team” created",
         {"name": "group_created", "subject": "Team"}),
        ("add", {"members": [eve.phone]}, f"+{eve.phone} was added",
         {"name": "participants_added", "participants": [eve.jid]}),
        ("promote", {"members": [bob.phone]}, f"+{bob.phone} is an admin now",
         {"name": "participants_promoted", "participants": [bob.jid]}),
        ("demote", {"members": [bob.phone]}, f"+{bob.phone} is no longer an admin",
         {"name": "participants_demoted", "participants": [bob.jid]}),
        ("remove", {"members": [eve.phone]}, f"+{eve.phone} was removed",
         {"name": "participants_removed", "participants": [eve.jid]}),
        ("description", {"description": "About us"}, "Description changed to “About us”",
         {"name": "description_changed", "description": "About us"}),
        ("announce", {"on": True}, "Only admins can send messages now", {"name": "messages_restricted", "on": True}),
        ("subject", {"subject": "Crew"}, "Subject changed to “Crew”", {"name": "subject_changed", "subject": "Crew"}),
    ]  # fmt: skip
    written: Documents = {}
    for number, (action, args, body, event) in enumerate(about):
        event_id, at = f"{group}-{number}", AT + number
        more = {"addressing": "lid"} if action == "create" else {}
        await talk.op("group-event", group=group, action=action, by=ana.phone, id=event_id, time=at, **args, **more)
        written |= talk.in_group(
            group,
            ana,
            event_id,
            at=at,
            name=None,
            kind="event",
            body=body,
            origin="derived",
            details={"event": {"by": ana.jid, **event}},
        )
    await talk.op("group-event", group=group, action="leave", by=bob.phone, id=f"{group}-left", time=AT + 20)
    written |= talk.in_group(
        group,
        bob,
        f"{group}-left",
        at=AT + 20,
        name=None,
        kind="event",
        body=f"+{bob.phone} left",
        origin="derived",
        details={"event": {"name": "participants_left", "by": bob.jid, "participants": [bob.jid]}},
    )
    await talk.op("group-event", group=group, action="ephemeral", by=ana.phone, seconds=86400, time=AT + 30)
    await talk.is_written(
        written | talk.of.thread(group, id=f"{group}-left", at=AT + 20, preview=f"+{bob.phone} left", name="Crew"),
        group,
        ana.jid,
        bob.jid,
        eve.jid,
    )


# -- Calls --------------------------------------------------------------------------------------------------------


async def test_calls_are_messages_that_say_how_they_ended(talk: Conversation, ana: Person) -> None:
    """Missed by voice and by video; one of a group; one that was taken."""
    group = await talk.group(ana)
    await talk.op("call", from_=ana.phone, id="CALL1", time=AT)
    await talk.op("call", from_=ana.phone, id="CALL1", time=AT + 30, what="timeout")
    await talk.op("call", from_=ana.phone, id="CALL2", time=AT + 40, video=True, addressing="lid")
    await talk.op("call", from_=ana.phone, id="CALL2", time=AT + 70, what="timeout", addressing="lid")
    await talk.op("call", from_=ana.phone, id="CALL3", time=AT + 80, group=group)
    await talk.op("call", from_=ana.phone, id="CALL3", time=AT + 110, group=group, what="timeout")

    def call(id: str, body: str, *, at: int, video: bool = False, group: str | None = None, **key: str) -> Documents:
        details = {"call": {"missed": True, "video": video, "group": group is not None}}
        chat, sender = group or ana.jid, ana.jid
        return talk.of.message(
            id, chat=chat, at=at, kind="call", body=body, sender=sender, lid=ana.lid, details=details, key=key
        )

    await talk.is_written(
        call("CALL1", "Missed voice call", at=AT, remoteJidAlt=ana.lid)
        | call("CALL2", "Missed video call", at=AT + 40, video=True, remoteJid=ana.lid, remoteJidAlt=ana.jid)
        | call(
            "CALL3",
            "Missed group voice call",
            at=AT + 80,
            group=group,
            participant=ana.jid,
            participantAlt=ana.lid,
        )
        | talk.of.thread(ana.jid, id="CALL2", at=AT + 40, preview="Missed video call", unread=2)
        | talk.of.thread(group, id="CALL3", at=AT + 80, preview="Missed group voice call", unread=1),
        ana.jid,
        ana.lid,
        group,
    )


# -- Receipts -----------------------------------------------------------------------------------------------------


async def test_receipts_climb_under_either_identity_and_before_their_message(talk: Conversation, ana: Person) -> None:
    """With the times they tell; of a played voice message too."""
    sent = {"from_me": True, "chat": ana.phone}
    await talk.op("message", id="R1", time=AT, text="delivered", **sent)
    await talk.op("message", id="R2", time=AT + 1, text="read by lid", **sent)
    await talk.op("receipt", from_=ana.phone, ids=["R1"], time=AT + 10)
    await talk.op("receipt", from_=ana.phone, ids=["R2"], time=AT + 11)
    await talk.op("receipt", from_=ana.phone, ids=["R2", "R3"], type="read", time=AT + 12, addressing="lid", alt=True)
    await talk.op("receipt", from_=ana.phone, ids=["R2"], time=AT + 13)  # late, and turns nothing back
    await talk.op("receipt", from_=ana.phone, ids=["R4"], type="played", time=AT + 14)
    await talk.op("message", id="R3", time=AT + 2, text="read before it came", **sent)
    await talk.op("message", id="R4", time=AT + 3, kind="audio", **sent)

    def receipt(**times: int) -> dict[str, Any]:
        return {"by": ana.jid, **{name: (AT + at) * 1000 for name, at in times.items()}}

    await talk.is_written(
        talk.own(
            ana,
            "R1",
            body="delivered",
            status="delivered",
            deliveredAt=moment(AT + 10),
            receipts=[receipt(deliveredAtMs=10)],
        )
        | talk.own(
            ana,
            "R2",
            at=AT + 1,
            body="read by lid",
            status="read",
            deliveredAt=moment(AT + 11),
            readAt=moment(AT + 12),
            receipts=[{**receipt(deliveredAtMs=11, readAtMs=12), "lid": ana.lid}],
        )
        | talk.own(
            ana,
            "R3",
            at=AT + 2,
            body="read before it came",
            status="read",
            deliveredAt=moment(AT + 12),
            readAt=moment(AT + 12),
            receipts=[{**receipt(readAtMs=12), "lid": ana.lid}],
        )
        | talk.own(
            ana,
            "R4",
            at=AT + 3,
            kind="audio",
            status="read",
            deliveredAt=moment(AT + 14),
            readAt=moment(AT + 14),
            playedAt=moment(AT + 14),
            receipts=[receipt(playedAtMs=14)],
            media=a_file("R4", "audio", "audio/ogg; codecs=opus", seconds=7, ptt=True),
        )
        | talk.of.thread(ana.jid, id="R4", at=AT + 3, preview="[Audio]", own=True),
        ana.jid,
        ana.lid,
    )


async def test_receipts_of_a_group_are_kept_for_each_participant(talk: Conversation, ana: Person, bob: Person) -> None:
    """Alone or several in one; the status says that somebody has it."""
    group = await talk.group(ana, bob)
    await talk.op("message", chat=group, from_me=True, id="GR1", time=AT, text="hello all")
    users = [{"phone": ana.phone, "time": AT + 5}, {"phone": bob.phone, "time": AT + 6}]
    await talk.op("receipt", chat=group, ids=["GR1"], users=users, addressing="pn")
    await talk.op(
        "receipt", chat=group, from_=bob.phone, ids=["GR1"], type="read", time=AT + 9, addressing="lid", alt=True
    )
    await talk.is_written(
        talk.of.message(
            "GR1",
            chat=group,
            at=AT,
            body="hello all",
            own=True,
            key={"participant": OUR_LID, "participantAlt": US},
            status="read",
            deliveredAt=moment(AT + 5),
            readAt=moment(AT + 9),
            receipts=[
                {"by": ana.jid, "deliveredAtMs": (AT + 5) * 1000},
                {"by": bob.jid, "lid": bob.lid, "deliveredAtMs": (AT + 6) * 1000, "readAtMs": (AT + 9) * 1000},
            ],
        )
        | talk.of.thread(group, id="GR1", at=AT, preview="hello all", own=True),
        group,
        ana.jid,
        bob.jid,
    )


async def test_our_own_reading_on_another_device_resets_what_is_unread(talk: Conversation, ana: Person) -> None:
    """Under either identity; what came later stays unread."""
    await talk.says(ana, "U1", text="one")
    await talk.says(ana, "U2", at=AT + 1, text="two")
    await talk.says(ana, "U3", at=AT + 60, text="three")
    messages = (
        talk.message(ana, "U1", body="one")
        | talk.message(ana, "U2", at=AT + 1, body="two")
        | talk.message(ana, "U3", at=AT + 60, body="three")
        | talk.contact(ana)
    )
    await talk.is_written(messages | talk.thread(ana, "U3", at=AT + 60, preview="three", unread=3), ana.jid)
    await talk.op("receipt", own=True, chat=ana.phone, ids=["U2"], type="read", time=AT + 30, alt=True)
    await talk.is_written(messages | talk.thread(ana, "U3", at=AT + 60, preview="three", unread=1), ana.jid)
    await talk.op(
        "receipt", own=True, chat=ana.phone, ids=["U3"], type="read-self", time=AT + 90, addressing="lid", alt=True
    )
    await talk.is_written(messages | talk.thread(ana, "U3", at=AT + 60, preview="three", unread=0), ana.jid)


async def test_a_refused_send_is_failed(talk: Conversation, ana: Person) -> None:
    """WhatsApp said so in its acknowledgement."""
    await talk.op("message", chat=ana.phone, from_me=True, id="N1", time=AT, text="refused")
    ack = {"class": "message", "id": "N1", "from": ana.jid, "error": "463", "t": str(AT)}
    await talk.op("stanza", node={"tag": "ack", "attrs": ack}, queued=False)
    await talk.is_written(
        talk.own(ana, "N1", body="refused", status="failed", failed=True)
        | talk.of.thread(ana.jid, id="N1", at=AT, preview="refused", own=True),
        ana.jid,
    )


# -- Debts --------------------------------------------------------------------------------------------------------


async def test_a_placeholder_gives_way_to_the_message_whichever_comes_first(talk: Conversation, ana: Person) -> None:
    """Sent again by its sender, or by our phone; and a placeholder that comes late replaces nothing."""
    await talk.says(ana, "D0", text="so that there is a session")
    await talk.says(ana, "D1", at=AT + 1, text="undecryptable at first", corrupt=True)
    await talk.says(ana, "D2", at=AT + 2, text="unavailable at first", encryption="none")
    await talk.says(ana, "D3", at=AT + 3, text="there from the start")
    await talk.says(ana, "D3", at=AT + 3, text="there from the start", encryption="none")
    await talk.op("store", chat=ana.phone, messages=[{"id": "D4", "time": AT + 4, "text": "absent at first"}])
    await absent(talk, ana, "D4", at=AT + 4)
    await talk.is_written(
        talk.message(ana, "D0", body="so that there is a session")
        | talk.message(ana, "D1", at=AT + 1, body="undecryptable at first")
        | talk.message(ana, "D2", at=AT + 2, body="unavailable at first")
        | talk.message(ana, "D3", at=AT + 3, body="there from the start")
        | talk.message(ana, "D4", at=AT + 4, body="absent at first")
        | talk.thread(ana, "D4", at=AT + 4, preview="absent at first", unread=5)
        | talk.contact(ana),
        ana.jid,
    )


async def absent(talk: Conversation, person: Person, id: str, *, at: int) -> None:
    """A message of which only the envelope came."""
    attrs = {
        "from": person.jid,
        "sender_lid": person.lid,
        "id": id,
        "t": str(at),
        "type": "text",
        "notify": person.name,
    }
    await talk.op("stanza", node={"tag": "message", "attrs": attrs})


async def test_messages_that_nobody_sends_again_stay_placeholders_that_say_why(talk: Conversation, ana: Person) -> None:
    """Until the phone sends it after all."""
    await talk.server.op("person", phone=ana.phone, answers_retries=False)
    await talk.server.op("person", phone=talk.whole.phone, resends_placeholders=False)
    try:
        await talk.says(ana, "O0", text="so that there is a session")
        await talk.says(ana, "O1", at=AT + 1, text="owed", corrupt=True)
        await talk.says(ana, "O2", at=AT + 2, text="owed", encryption="none")
        await absent(talk, ana, "O3", at=AT + 3)
        reasons = {"O1": "undecryptable", "O2": "unavailable", "O3": "absent"}

        def written(**shown: dict[str, Any]) -> Documents:
            documents = talk.message(ana, "O0", body="so that there is a session") | talk.contact(ana)
            for number, one in enumerate(("O1", "O2", "O3"), 1):
                documents |= talk.message(ana, one, at=AT + number, **shown[one])
            return documents | talk.thread(ana, "O3", at=AT + 3, preview=shown["O3"]["body"], unread=4)

        owed = {"kind": "placeholder", "body": "Waiting for this message"}
        await talk.is_written(
            written(**{one: {**owed, "details": {"placeholder": {"reason": reasons[one]}}} for one in reasons}), ana.jid
        )
        for number, one in enumerate(reasons, 1):
            await talk.says(ana, one, at=AT + number, text=f"after all {one}")
        await talk.is_written(written(**{one: {"body": f"after all {one}"} for one in reasons}), ana.jid)
    finally:
        await talk.server.op("person", phone=talk.whole.phone, resends_placeholders=True)


# -- History ------------------------------------------------------------------------------------------------------


async def test_a_history_tells_names_and_what_became_of_its_messages(
    talk: Conversation, ana: Person, bob: Person
) -> None:
    """Nothing of it is unread, and rows are what they have become."""
    group = await talk.group(ana, bob)
    reaction = {
        "key": {"remoteJid": ana.jid, "fromMe": False, "id": "HR"},
        "text": "👍",
        "senderTimestampMs": AT * 1000,
    }
    receipt = {"userJid": ana.jid, "receiptTimestamp": AT + 1, "readTimestamp": AT + 2}
    vote = {
        "pollUpdateMessageKey": {"remoteJid": group, "fromMe": False, "id": "HG3-v", "participant": bob.lid},
        "vote": {"selectedOptions": [base64.b64encode(hashlib.sha256(b"Here").digest()).decode()]},
        "senderTimestampMs": (AT + 7) * 1000,
    }
    protocol = {
        "key": {"remoteJid": ana.jid, "fromMe": False, "id": "HI4"},
        "type": 14,
        "editedMessage": {"conversation": "new text"},
        "timestampMs": (AT + 50) * 1000,
    }
    edited = {"editedMessage": {"message": {"protocolMessage": protocol}}}
    in_ana = [
        {"id": "HI1", "time": AT, "text": "old", "name": ana.name},
        {"id": "HI2", "time": AT + 1, "text": "ours", "from_me": True, "web": {"reactions": [reaction], "status": 4}},
        {"id": "HI3", "time": AT + 2, "web": {"message": None, "messageStubType": 1}, "name": ana.name},
        {"id": "HI4", "time": AT + 3, "message": edited, "name": ana.name},
    ]
    in_group = [
        {"id": "HG1", "time": AT, "text": "hi all", "participant": bob.lid, "name": bob.name},
        {"id": "HG2", "time": AT + 1, "text": "ours", "from_me": True, "web": {"userReceipt": [receipt]}},
        {
            "id": "HG3",
            "time": AT - 1,
            "participant": ana.jid,
            "name": ana.name,
            "message": {"pollCreationMessageV3": {"name": "Where?", "options": [{"optionName": "Here"}]}},
            "web": {"pollUpdates": [vote]},
        },
    ]
    conversations = [
        {"chat": ana.phone, "name": "Ana of the phone book", "unread": 4, "messages": in_ana},
        {"chat": group, "name": "Old team", "messages": in_group},
    ]
    await talk.op("history", chunks=[{"sync_type": "RECENT", "conversations": conversations, "mappings": [bob.phone]}])
    history = {"origin": "history", "syncSource": "history_sync"}
    await talk.is_written(
        talk.of.message("HI1", chat=ana.jid, at=AT, body="old", name=ana.name, **history)
        | talk.of.message(
            "HI2",
            chat=ana.jid,
            at=AT + 1,
            body="ours",
            own=True,
            **history,
            status="read",
            reactions=[{"by": ana.jid, "text": "👍", "atMs": AT * 1000}],
        )
        | talk.of.message(
            "HI3",
            chat=ana.jid,
            at=AT + 2,
            kind="placeholder",
            name=ana.name,
            **history,
            revoked=True,
            revokedBy=ana.jid,
            revokedAt=moment(AT + 2),
            revokedAtMs=(AT + 2) * 1000,
            revokes=[{"by": ana.jid, "of": ana.jid, "atMs": (AT + 2) * 1000}],
            kept={
                "body": "Waiting for this message",
                "messageType": "placeholder",
                "details": {"placeholder": {"reason": "revoked"}},
            },
        )
        | talk.of.message(
            "HI4",
            chat=ana.jid,
            at=AT + 3,
            body="new text",
            name=ana.name,
            **history,
            edited=True,
            editedAt=moment(AT + 50),
            editedAtMs=(AT + 50) * 1000,
            versions=[{"id": "HI4", "by": ana.jid, "atMs": (AT + 50) * 1000, "body": "new text"}],
            details={"asEdited": True},
        )
        | talk.of.thread(ana.jid, id="HI4", at=AT + 3, preview="new text", name="Ana of the phone book", by=ana.name)
        | talk.of.contact(
            ana.jid, "Ana of the phone book", name="Ana of the phone book", pushName=ana.name, lid=ana.lid
        )
        | talk.of.message(
            "HG1",
            chat=group,
            at=AT,
            body="hi all",
            name=bob.name,
            sender=bob.jid,
            lid=bob.lid,
            key={"participant": bob.lid},
            **history,
        )
        | talk.of.message(
            "HG2",
            chat=group,
            at=AT + 1,
            body="ours",
            own=True,
            **history,
            status="read",
            deliveredAt=moment(AT + 1),
            readAt=moment(AT + 2),
            receipts=[{"by": ana.jid, "deliveredAtMs": (AT + 1) * 1000, "readAtMs": (AT + 2) * 1000}],
        )
        | talk.of.message(
            "HG3",
            chat=group,
            at=AT - 1,
            kind="poll",
            body="Where?\nHere",
            name=ana.name,
            sender=ana.jid,
            key={"participant": ana.jid},
            **history,
            details={"poll": {"question": "Where?", "options": ["Here"]}},
            votes=[{"by": bob.jid, "lid": bob.lid, "atMs": (AT + 7) * 1000}],
        )
        | talk.of.thread(group, id="HG2", at=AT + 1, preview="ours", own=True, inbound_at=AT, name="Old team")
        | talk.contact(bob),
        ana.jid,
        group,
        bob.jid,
    )


async def test_push_names_without_messages_are_contacts(talk: Conversation, ana: Person, bob: Person) -> None:
    """And name nobody whom the phone book names."""
    names = [{"phone": ana.phone, "name": "Annie"}, {"phone": bob.phone, "name": "+1 555"}]
    await talk.op("history", chunks=[{"sync_type": "PUSH_NAME", "pushnames": names}])
    await talk.is_written(talk.of.contact(ana.jid, "Annie", notify="Annie"), ana.jid)
    await talk.says(ana, "PN1", text="hi")
    await talk.is_written(
        talk.message(ana, "PN1", body="hi")
        | talk.thread(ana, "PN1", preview="hi", name="Annie")
        | talk.of.contact(ana.jid, "Annie", notify="Annie", pushName=ana.name, lid=ana.lid)
        | talk.of.contact(bob.jid, f"+{bob.phone}"),
        ana.jid,
        bob.jid,
    )


# -- Identity -----------------------------------------------------------------------------------------------------


async def test_a_person_first_seen_by_lid_has_one_thread_once_the_number_is_known(
    talk: Conversation, ana: Person
) -> None:
    """Everything is under the number; the old thread leads there, and nothing is deleted."""
    await talk.says(ana, "L1", addressing="lid", alt=False, text="by lid")
    await talk.says(
        ana, "L1-r", at=AT + 1, addressing="lid", alt=False, react={"id": "L1", "text": "👍", "from_me": True}
    )
    by_lid = talk.of.message(
        "L1",
        chat=ana.lid,
        at=AT,
        body="by lid",
        name=ana.name,
        sender=ana.lid,
        reactions=[{"by": ana.lid, "lid": ana.lid, "of": ana.lid, "text": "👍", "atMs": (AT + 1) * 1000}],
    )
    await talk.is_written(
        by_lid | talk.of.thread(ana.lid, id="L1", at=AT, preview="by lid", name=ana.name, by=ana.name, unread=1),
        ana.lid,
        ana.jid,
    )
    await talk.says(ana, "L2", at=AT + 2, addressing="lid", text="by both")
    leads = f"{talk.whole.account}__{ana.jid}"
    await talk.is_written(
        talk.of.message(
            "L1",
            chat=ana.jid,
            at=AT,
            body="by lid",
            name=ana.name,
            lid=ana.lid,
            key={"remoteJid": ana.lid},
            reactions=[{"by": ana.jid, "lid": ana.lid, "of": ana.lid, "text": "👍", "atMs": (AT + 1) * 1000}],
        )
        | talk.message(ana, "L2", at=AT + 2, lid_first=True, body="by both")
        | talk.thread(ana, "L2", at=AT + 2, preview="by both", unread=2)
        | talk.contact(ana)
        | by_lid
        | talk.of.thread(
            ana.lid,
            id="L1",
            at=AT,
            preview="by lid",
            name=ana.name,
            by=ana.name,
            redirectTo=leads,
            canonicalThreadId=leads,
        ),
        ana.lid,
        ana.jid,
    )
