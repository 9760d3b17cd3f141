"""`deploy/firestore.rules`, asked by Google's client SDK: who reads what, and that nobody writes."""

import pytest
from daemon_writes import STATUS, message
from flutter_app import Refused
from inbox_people import ADMIN, BOSS, CONFIG, DIRECTORY, NOBODY, PEOPLE, SHOP, SHOP_OWNER, STAFF, STRANGER, UNVERIFIED
from world import ANA

CLOSED = (
    "wa_sessions",
    "whatsapp_backfill_locks",
    "whatsapp_instances",
    "whatsapp_account_owners",
    "inboundDedupe",
    "incidents",
    "wa_metrics",
    "message_ids",
)
"""Collections no client has any business with."""
OF_BOTH = ("inbox", "chat", "status", "diagnostics", "account", "accounts", "contacts", "outbox")
OF_ALL = ("messages of all", "all threads", "all accounts", "all contacts", "all outbox")
FOR_OWNERS = ("inbox", "chat", "status", "diagnostics", "account", "accounts")


def looks(account):
    """Every way the app has of looking at an account."""
    return {
        "inbox": ("inbox", {"account": account}),
        "chat": ("chat", {"thread": f"{account}__{ANA}"}),
        "status": ("status", {"account": account}),
        "diagnostics": ("diagnostics", {"account": account}),
        "account": ("open", {"path": f"accounts/{account}"}),
        "accounts": ("ofAccount", {"collection": "accounts", "account": account}),
        "contacts": ("ofAccount", {"collection": "contacts", "account": account}),
        "outbox": ("ofAccount", {"collection": "outbox", "account": account}),
    }


LOOKS = {
    **{("shop", name): look for name, look in looks(SHOP).items()},
    **{("boss", name): look for name, look in looks(BOSS).items()},
    ("everyone", "messages of all"): ("diagnosticsOfAll", {}),
    **{
        ("everyone", f"all {name}"): ("everything", {"collection": name})
        for name in ("threads", "accounts", "contacts", "outbox")
    },
}
ALL_OF_SHOP = {("shop", name) for name in OF_BOTH}
MAY = {
    "staff": ALL_OF_SHOP,
    "owner of the shop's account": {("shop", name) for name in FOR_OWNERS},
    "owner of an account for admins only": set(),
    "super-admin": set(LOOKS),
    "one who claims the super-admin's address": set(),
    "stranger": set(),
    "nobody": set(),
}


@pytest.fixture
async def stocked(daemon):
    """Two accounts, each with a chat, a status update, a contact and a message to be sent; everybody known."""
    for account, phone in ((SHOP, "+15550002222"), (BOSS, "+15550003333")):
        await daemon.receive(account, [message("M1", chat=ANA), message("S1", chat=STATUS, participant=ANA)])
        await daemon.connect(account, phone)
        await daemon.others(
            {
                f"contacts/{account}__{ANA}": {"accountId": account, "name": "Ana"},
                f"outbox/of-{account}": {"accountId": account, "status": "queued"},
            }
        )
    await daemon.others(DIRECTORY | {f"{name}/{SHOP}": {"accountId": SHOP, "secret": "keys"} for name in CLOSED})
    return daemon


async def said(person, screen, about):
    """What a look showed: the number of documents, or Firestore's code."""
    try:
        seen = await person.see(screen, **about)
    except Refused as refused:
        return refused.code
    return len(seen["documents"]) if "documents" in seen else int(seen["document"] is not None)


@pytest.mark.parametrize("name", PEOPLE)
async def test_everybody_reads_what_is_his_to_read_and_nothing_else(stocked, app, name):
    """Each look is allowed and finds something, or is refused: the same looks, of everybody."""
    person = app.of(PEOPLE[name])
    answers = {look: await said(person, *LOOKS[look]) for look in LOOKS}
    assert {look for look, answer in answers.items() if answer != "permission-denied"} == MAY[name]
    assert all(answers[look] for look in MAY[name]), "what may be read is there to be read"


@pytest.mark.parametrize("name", PEOPLE)
async def test_what_the_daemon_keeps_for_itself_is_closed_to_everybody(stocked, app, name):
    """Keys of linked devices, locks, owners and the rest: neither a document nor a list, for the super-admin either."""
    person = app.of(PEOPLE[name])
    for collection in CLOSED:
        answers = [
            await said(person, "open", {"path": f"{collection}/{SHOP}"}),
            await said(person, "open", {"path": f"{collection}/absent"}),
            await said(person, "everything", {"collection": collection}),
            await said(person, "ofAccount", {"collection": collection, "account": SHOP}),
        ]
        assert answers == ["permission-denied"] * 4, collection
    assert await said(person, "open", {"path": "config/whatsapp_inbox"}) == "permission-denied"


async def test_a_person_reads_his_own_profile_and_nobody_elses(stocked, app):
    """Also staff: who is staff, and who owns which account, is told to nobody."""
    staff = app.of(STAFF)
    assert await said(staff, "open", {"path": "staffProfiles/staff-1"}) == 1
    assert await said(staff, "open", {"path": "users/staff-1"}) == 1
    assert await said(app.of(STRANGER), "open", {"path": "users/stranger-1"}) == 1
    assert await said(app.of(STRANGER), "open", {"path": "staffProfiles/stranger-1"}) == 0
    for person in (staff, app.of(STRANGER), app.of(ADMIN), app.of(NOBODY)):
        assert await said(person, "open", {"path": "users/owner-of-shop"}) == "permission-denied"
        assert await said(person, "everything", {"collection": "users"}) == "permission-denied"
        assert await said(person, "everything", {"collection": "staffProfiles"}) == "permission-denied"
    for person in (app.of(STRANGER), app.of(ADMIN), app.of(NOBODY)):
        assert await said(person, "open", {"path": "staffProfiles/staff-1"}) == "permission-denied"


@pytest.mark.parametrize("name", PEOPLE)
async def test_nobody_changes_or_deletes_anything(stocked, app, firestore, name):
    """Set, merge, update, delete and add in every collection, on documents that exist and on one that does not."""
    own = (PEOPLE[name] or {"sub": "staff-1"})["sub"]
    paths = [
        f"threads/{SHOP}__{ANA}",
        f"threads/{SHOP}__{ANA}/messages/M1",
        f"accounts/{SHOP}",
        f"contacts/{SHOP}__{ANA}",
        f"outbox/of-{SHOP}",
        "config/whatsapp_inbox",
        f"users/{own}",
        f"staffProfiles/{own}",
        *(f"{collection}/{SHOP}" for collection in CLOSED),
        "anything/else",
    ]
    before = await everything(firestore, paths)
    assert len(before) >= len(paths) - 3, "there is something to be changed"
    tries = (await app.of(PEOPLE[name]).see("attempts", paths=paths))["tries"]
    assert len(tries) == 5 * len(paths)
    assert [attempt for attempt in tries if attempt[2] != "permission-denied"] == []
    assert await everything(firestore, paths) == before


async def test_the_attempts_would_succeed_where_rules_allow_them(stocked, app, open_rules):
    """The control of the test above: with other rules each of these tries changes something."""
    tries = (await app.of(STRANGER).see("attempts", paths=[f"outbox/of-{SHOP}"]))["tries"]
    assert sorted(how for how, _, answer in tries if answer == "done") == ["add", "delete", "merge", "set", "update"]


async def test_without_a_config_document_staff_read_every_account_and_nobody_is_super_admin(stocked, app, firestore):
    """A database on which nothing was configured: nobody is locked out, and nothing more is open."""
    await firestore.document("config/whatsapp_inbox").delete()
    everywhere = {look for look in LOOKS if look[0] in ("shop", "boss")}
    for person, may in ((STAFF, everywhere), (ADMIN, set()), (STRANGER, set()), (NOBODY, set())):
        answers = {look: await said(app.of(person), *LOOKS[look]) for look in LOOKS}
        assert {look for look, answer in answers.items() if answer != "permission-denied"} == may


@pytest.mark.parametrize(
    "config",
    [{}, {"adminOnlyAccountIds": [BOSS]}, {"adminOnlyAccountIds": [BOSS], "superAdminEmails": "admin@example.com"}],
    ids=["empty", "without super-admins", "with one address instead of a list"],
)
async def test_an_incomplete_config_document_makes_nobody_super_admin_and_locks_no_staff_out(stocked, app, config):
    """A forgotten or mistyped field."""
    await stocked.others({"config/whatsapp_inbox": config})
    assert await said(app.of(STAFF), "inbox", {"account": SHOP}) > 0
    assert await said(app.of(ADMIN), "inbox", {"account": SHOP}) == "permission-denied"


async def test_an_exclusion_that_cannot_be_read_closes_every_account_but_to_the_super_admin(stocked, app):
    """`adminOnlyAccountIds` as a text: what was meant is not known, so it fails closed."""
    await stocked.others({"config/whatsapp_inbox": CONFIG | {"adminOnlyAccountIds": BOSS}})
    assert await said(app.of(STAFF), "inbox", {"account": SHOP}) == "permission-denied"
    assert await said(app.of(SHOP_OWNER), "inbox", {"account": SHOP}) == "permission-denied"
    assert await said(app.of(ADMIN), "inbox", {"account": SHOP}) > 0


async def test_messages_without_an_account_are_read_by_whoever_may_read_their_thread(stocked, app):
    """As an earlier generation left them. One whose thread has no account either is the super-admin's alone."""
    await stocked.others(
        {
            f"threads/{SHOP}__{ANA}/messages/OLD": {"body": "old", "tsClient": "2026-01-01T00:00:00Z"},
            "threads/lost": {"lastMessageAt": 0},
            "threads/lost/messages/OLD": {"body": "old", "tsClient": "2026-01-01T00:00:00Z"},
        }
    )
    for person, mine in ((STAFF, 2), (SHOP_OWNER, 2), (ADMIN, 2), (STRANGER, "permission-denied")):
        assert await said(app.of(person), "chat", {"thread": f"{SHOP}__{ANA}"}) == mine
    for person, lost in ((STAFF, "permission-denied"), (SHOP_OWNER, "permission-denied"), (ADMIN, 1)):
        assert await said(app.of(person), "chat", {"thread": "lost"}) == lost


async def test_what_belongs_to_no_account_is_no_ones_but_the_super_admins(stocked, app):
    """Also not of one whose `users` document names no account either: nothing is not the same as nothing."""
    await stocked.others({"threads/lost": {"accountId": None, "lastMessageAt": 0}})
    for person in (STAFF, SHOP_OWNER, STRANGER, NOBODY):
        assert await said(app.of(person), "open", {"path": "threads/lost"}) == "permission-denied"
        assert await said(app.of(person), "inbox", {"account": None}) == "permission-denied"
    assert await said(app.of(ADMIN), "inbox", {"account": None}) == 1


async def test_an_address_makes_a_super_admin_only_when_it_is_verified(stocked, app):
    """Anybody can sign up with any address."""
    assert await said(app.of(ADMIN), "diagnosticsOfAll", {}) == 4
    assert await said(app.of(UNVERIFIED), "diagnosticsOfAll", {}) == "permission-denied"
    assert await said(app.of({"sub": "x", "email": "admin@example.com"}), "diagnosticsOfAll", {}) == "permission-denied"


async def everything(firestore, paths):
    """What the database holds in the collections of these paths, seen from outside the rules."""
    found = {}
    for collection in sorted({path.rpartition("/")[0] for path in paths}):
        async for document in firestore.collection(collection).stream():
            found[document.reference.path] = document.to_dict()
    return found
