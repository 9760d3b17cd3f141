"""The API and `deploy/firestore.rules` on the same people and accounts: whom the one lets in, the other does."""

from __future__ import annotations

import pytest
from aiohttp import web
from daemon_writes import message
from flutter_app import Refused
from inbox_people import BOSS, CONFIG, DIRECTORY, NOBODY, PEOPLE, SHOP
from world import ANA

from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.api.limits import FailureLimits
from whatsapp_backend.api.routes import get
from whatsapp_backend.api.server import application
from whatsapp_backend.api.sessions import Sessions
from whatsapp_backend.api.staff import Staff
from whatsapp_backend.api.tokens import Gate, Tokens
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.testing.memory_id_tokens import MemoryIdTokens

ACCOUNTS = (SHOP, BOSS)
CONFIGS = {
    "as it should be": CONFIG,
    "none": None,
    "empty": {},
    "nobody super-admin": {"adminOnlyAccountIds": [BOSS]},
    "nothing for admins only": {"superAdminEmails": CONFIG["superAdminEmails"]},
    "both for admins only": CONFIG | {"adminOnlyAccountIds": [BOSS, SHOP]},
    "accounts as a text": CONFIG | {"adminOnlyAccountIds": BOSS},
    "accounts as null": CONFIG | {"adminOnlyAccountIds": None},
    "accounts as a number": CONFIG | {"adminOnlyAccountIds": 7},
    "accounts as a map": CONFIG | {"adminOnlyAccountIds": {BOSS: True}},
    "accounts among other things": CONFIG | {"adminOnlyAccountIds": [7, None, BOSS, {"a": "b"}]},
    "addresses as a text": CONFIG | {"superAdminEmails": "admin@example.com"},
    "addresses as null": CONFIG | {"superAdminEmails": None},
    "addresses as a map": CONFIG | {"superAdminEmails": {"admin@example.com": False}},
    "addresses in other letters": CONFIG | {"superAdminEmails": ["Admin@example.com"]},
}


@pytest.fixture
async def stocked(daemon):
    """Two accounts with something to be seen in each, and everybody known."""
    for account in ACCOUNTS:
        await daemon.receive(account, [message("M1", chat=ANA)])
        await daemon.others({f"outbox/of-{account}": {"accountId": account, "status": "queued"}})
    await daemon.others(DIRECTORY)
    return daemon


async def by_rules(person, account):
    """Whether the rules show what only staff may see of an account: the owner of one is no staff."""
    try:
        return len((await person.see("ofAccount", collection="outbox", account=account))["documents"]) == 1
    except Refused as refused:
        if refused.code != "permission-denied":
            raise
        return False


class Asked:
    """The API's door, before a route of every account."""

    def __init__(self, firestore, aiohttp_client):
        self._id_tokens = MemoryIdTokens("demo-inbox", SystemClock())
        self._firestore, self._client = firestore, aiohttp_client

    async def open(self):
        """With nothing remembered."""

        async def look(_request):
            return web.Response(status=204)

        clock = SystemClock()
        gate = Gate(
            tokens=Tokens(admin="not-used-here", obs=None, id_tokens=self._id_tokens),
            staff=Staff(FirestoreDocuments(self._firestore), clock),
            sessions=Sessions(clock),
            limits=FailureLimits(clock),
        )
        self._door = await self._client(application([get("/look/{account}", look)], guards=[gate.guard()]))

    async def lets_in(self, claims, account):
        headers = {"Authorization": f"Bearer {self._id_tokens.issue(**claims)}"} if claims is not NOBODY else {}
        answer = await self._door.get(f"/look/{account}", headers=headers)
        assert answer.status in (204, 401, 403)
        return answer.status == 204


@pytest.mark.parametrize("config", CONFIGS)
async def test_the_api_lets_in_whom_the_rules_let_in(stocked, app, firestore, aiohttp_client, config):
    if CONFIGS[config] is None:
        await firestore.document("config/whatsapp_inbox").delete()
    else:
        await stocked.others({"config/whatsapp_inbox": CONFIGS[config]})
    api = Asked(firestore, aiohttp_client)
    await api.open()
    rules, door = {}, {}
    for name, claims in PEOPLE.items():
        for account in ACCOUNTS:
            rules[name, account] = await by_rules(app.of(claims), account)
            door[name, account] = await api.lets_in(claims, account)
    assert door == rules
    if config == "as it should be":
        seen = {("staff", SHOP), ("super-admin", SHOP), ("super-admin", BOSS)}
        assert {who for who, may in door.items() if may} == seen, "the two do not only agree, they are right"
