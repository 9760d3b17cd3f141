"""Who is staff: looked up in Firestore, remembered for a minute, and not guessed while it is away."""

from __future__ import annotations

import asyncio

import pytest

from whatsapp_backend.api.staff import Staff
from whatsapp_backend.api.who import Role, Who
from whatsapp_backend.domain.people import Identity
from whatsapp_backend.domain.writes import Write
from whatsapp_backend.errors import AuthUnavailable
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_documents import Fault, MemoryDocuments

CONFIG = {"adminOnlyAccountIds": ["boss"], "superAdminEmails": ["boss@example.com"]}


def identity(uid="staff-1", email=None, *, verified=False):
    return Identity(uid=uid, email=email, email_verified=verified, expires_at_ms=0)


class Place:
    def __init__(self):
        self.clock = FakeClock()
        self.documents = MemoryDocuments(self.clock)
        self.staff = Staff(self.documents, self.clock, patience_s=0.02)

    async def put(self, path, **fields):
        await self.documents.write([Write(path=path, fields=fields)])

    @property
    def reads(self):
        return self.documents.operations.reads


@pytest.fixture
async def place():
    place = Place()
    await place.put("staffProfiles/staff-1", name="Staff")
    await place.put("config/whatsapp_inbox", **CONFIG)
    return place


async def test_what_was_read_is_known_for_a_minute(place):
    hidden = Who(role=Role.STAFF, hidden=frozenset({"boss"}))
    assert await place.staff.who(identity()) == hidden
    assert (place.reads, place.documents.operations.rpcs - 2) == (2, 1)
    await place.put("config/whatsapp_inbox")
    await place.clock.advance(59.9)
    assert (await place.staff.who(identity()), place.reads) == (hidden, 2)
    await place.clock.advance(0.1)
    assert (await place.staff.who(identity()), place.reads) == (Who(role=Role.STAFF), 4)
    assert (await place.staff.who(identity("other-1")), place.reads) == (None, 5), "the config is known already"
    assert (await place.staff.who(identity("other-1")), place.reads) == (None, 5), "and that he is not staff"


async def test_who_becomes_staff_waits_for_a_minute_at_most(place):
    assert await place.staff.who(identity("new-1")) is None
    await place.put("staffProfiles/new-1")
    await place.clock.advance(60)
    assert await place.staff.who(identity("new-1")) is not None


async def test_what_is_known_does_not_grow_for_ever_and_holds_no_profiles(place):
    await place.put("staffProfiles/staff-2", photo="x" * 1000)
    await place.staff.who(identity("staff-2"))
    assert place.staff._known["staffProfiles/staff-2"][1] == {}
    for number in range(1500):
        await place.staff.who(identity(f"stranger-{number}"))
    assert len(place.staff._known) == 1000
    assert await place.staff.who(identity()) is not None


async def test_while_firestore_is_away_nobody_is_taken_for_anything(place):
    place.documents.inject(Fault.UNAVAILABLE)
    for person in (identity(), identity("x"), identity("b", "boss@example.com", verified=True)):
        with pytest.raises(AuthUnavailable):
            await place.staff.who(person)
    place.documents.heal()
    assert await place.staff.who(identity()) is not None


async def test_a_firestore_that_does_not_answer_is_not_waited_for(place, monkeypatch):
    async def hang(_paths):
        await asyncio.Event().wait()

    monkeypatch.setattr(place.documents, "read", hang)
    with pytest.raises(AuthUnavailable):
        await place.staff.who(identity())


@pytest.mark.parametrize("uid", ["staff-1/x/staff-1", "../staffProfiles/staff-1", "..", ".", "__x__", "/", "x" * 2000])
async def test_a_uid_that_can_be_no_documents_name_is_no_staff(place, uid):
    assert await place.staff.who(identity(uid)) is None


async def test_a_uid_of_another_system_may_look_odd(place):
    await place.put("staffProfiles/auth0|7 é", name="Staff")
    assert await place.staff.who(identity("auth0|7 é")) is not None


@pytest.mark.parametrize(
    ("email", "verified", "is_super_admin"),
    [
        ("boss@example.com", True, True),
        ("boss@example.com", False, False),
        ("Boss@example.com", True, False),
        ("staff@example.com", True, False),
        (None, True, False),
    ],
)
async def test_a_verified_address_in_the_config_makes_a_super_admin_staff_or_not(
    place, email, verified, is_super_admin
):
    for uid, otherwise in (("staff-1", False), ("stranger-1", None)):
        who = await place.staff.who(identity(uid, email, verified=verified))
        assert (who and who.may_see("boss")) == (True if is_super_admin else otherwise)
        assert who is None or who.role is Role.STAFF, "the routes of admins want ADMIN_TOKEN"
