"""`deploy/firestore.indexes.json`: every query of this code and of the app has its index, and every index its query."""

import copy
import inspect
import json
from pathlib import Path

import aiohttp
import pytest
from flutter_app import FOLDER
from google.cloud.firestore import FieldFilter
from inbox_people import ADMIN, DIRECTORY, SHOP, STRANGER
from index_usage import Index, held, missing, named_in, unused, used, without_automatic

from whatsapp_backend.adapters.firestore import queries
from whatsapp_backend.adapters.firestore.index_probe import missing_indexes
from whatsapp_backend.adapters.firestore.queries import FirestoreQueries
from whatsapp_backend.domain.pages import Place
from whatsapp_backend.rules.generations import MESSAGE_FIELDS
from whatsapp_backend.rules.surveying import THREAD_FIELDS

FILE = json.loads((Path(__file__).parents[2] / "deploy" / "firestore.indexes.json").read_text())
OURS = {
    "threads": {"account": SHOP, "limit": 50},
    "messages": {"thread": f"{SHOP}__15550001111@s.whatsapp.net", "limit": 50},
    "messages_by": {"field": "createdAt", "thread": f"{SHOP}__15550001111@s.whatsapp.net", "limit": 1},
    "list_threads": {"accounts": [SHOP, "account_dev_0a"], "fields": THREAD_FIELDS, "after": "a", "limit": 50},
    "list_messages": {"thread": f"{SHOP}__x@lid", "fields": MESSAGE_FIELDS, "after": "a", "limit": 50},
}
"""How each method of FirestoreQueries is called."""
ABOUT = {"account": SHOP, "thread": OURS["messages"]["thread"], "to": "staff-1", "collection": "contacts"}
"""What the app's queries are about."""
EQUALITIES: set[Index] = set()
"""Needs of queries that compare several fields with `==` and order by none: production merges automatic indexes."""


@pytest.fixture
async def usage(app, daemon, firestore, firestore_emulator, firestore_project):
    """What the emulator says after every query was issued, the app's by one who may."""
    await daemon.others(DIRECTORY)
    asked = FirestoreQueries(firestore)
    for name, arguments in OURS.items():
        await getattr(asked, name)(**arguments)
    for name in ("threads", "messages"):  # a further page names the tie-break
        await getattr(asked, name)(**OURS[name], after=Place(value=None, id="a"))
    issued = (await app.of(ADMIN).see("everyQuery", **ABOUT))["issued"]
    assert {"threads", "messages", "statusUpdates"} <= set(issued)
    return await usage_of(firestore_emulator, firestore_project)


async def usage_of(emulator, project):
    url = f"http://{emulator.address}/emulator/v1/projects/{project}:indexUsage"
    database = {"database": f"projects/{project}/databases/(default)"}
    async with aiohttp.ClientSession() as session, session.get(url, params=database) as answer:
        assert answer.ok, await answer.text()
        return await answer.json(content_type=None)


def without(file, index):
    """The file, with one of its indexes removed."""
    less = copy.deepcopy(file)
    for entry in list(less["indexes"]):
        if held({"indexes": [entry], "fieldOverrides": []}) == {index}:
            less["indexes"].remove(entry)
    for override in less["fieldOverrides"]:
        override["indexes"] = [
            each
            for each in override["indexes"]
            if held({"indexes": [], "fieldOverrides": [{**override, "indexes": [each]}]}) != {index}
        ]
    return less


def test_every_method_that_queries_firestore_is_asked_here():
    """Whoever adds a query adds it to the table above, or this fails."""
    methods = {name for name, _ in inspect.getmembers(FirestoreQueries, inspect.iscoroutinefunction)}
    assert {name for name in methods if not name.startswith("_")} == set(OURS)


async def test_every_query_has_its_index(usage):
    """Production refuses a query without; the emulator does not, but tells which it would have needed."""
    assert missing(usage, FILE, equalities=EQUALITIES) == []


async def test_every_index_has_its_query(usage):
    """An index that nobody asks costs storage and time at every write."""
    assert unused(usage, FILE) == []


async def test_the_doctor_asks_for_every_index_and_for_no_other(firestore, firestore_emulator, firestore_project):
    """So that production refuses him exactly those that are missing."""
    assert await missing_indexes(firestore, FILE, timeout_s=10) == []
    assert used(await usage_of(firestore_emulator, firestore_project)) == held(FILE)


async def test_an_index_that_is_taken_away_is_missed(usage):
    """The control: each of them, one after the other."""
    indexes = held(FILE)
    assert len(indexes) == len(FILE["indexes"]) + 1
    for index in indexes:
        assert missing(usage, without(FILE, index), equalities=EQUALITIES) == [index]


async def test_a_query_that_is_refused_tells_nothing_of_its_index(app, daemon, firestore_emulator, firestore_project):
    """Why the queries above are asked by one who may: a guard that asked as a stranger would always be content."""
    await daemon.others(DIRECTORY)
    with pytest.raises(Exception, match="permission-denied"):
        await app.of(STRANGER).see("inbox", account=SHOP)
    assert used(await usage_of(firestore_emulator, firestore_project)) == set()


async def test_a_new_query_without_an_index_is_missed(firestore, firestore_emulator, firestore_project):
    """As somebody might add one tomorrow: ordered the other way round, over two equalities, over a collection group."""
    threads = firestore.collection("threads").where(filter=FieldFilter("accountId", "==", SHOP))
    await threads.order_by("lastMessageAt").limit(1).get()
    await threads.where(filter=FieldFilter("clientJid", "==", "x")).limit(1).get()
    await firestore.collection_group("messages").order_by("tsSort").limit(1).get()
    usage = await usage_of(firestore_emulator, firestore_project)
    equality = Index("threads", "COLLECTION", (("accountId", "ASCENDING"), ("clientJid", "ASCENDING")))
    ordered = Index("threads", "COLLECTION", (("accountId", "ASCENDING"), ("lastMessageAt", "ASCENDING")))
    group = Index("messages", "COLLECTION_GROUP", (("tsSort", "ASCENDING"),))
    assert missing(usage, FILE) == [group, equality, ordered]
    assert missing(usage, FILE, equalities={equality}) == [group, ordered]


def test_no_field_that_is_asked_for_lacks_its_automatic_indexes():
    """The emulator tells nothing of queries over one field, so the programs are read instead."""
    programs = (FOLDER / "queries.js").read_text() + inspect.getsource(queries)
    assert named_in(programs, without_automatic(FILE)) == set()
    exempted = {"collectionGroup": "messages", "fieldPath": "tsSort", "indexes": []}
    halved = {**FILE["fieldOverrides"][0], "indexes": FILE["fieldOverrides"][0]["indexes"][:1]}
    assert halved["fieldPath"] == "tsClient"
    careless = {"indexes": [], "fieldOverrides": [exempted, halved]}
    assert named_in(programs, without_automatic(careless)) == {("messages", "tsSort"), ("messages", "tsClient")}
