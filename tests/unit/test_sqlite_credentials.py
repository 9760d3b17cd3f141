"""Credentials that are there but cannot be read must never look like an account that was never paired."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from whatsapp_backend.adapters.sqlite_store import SqliteStore, opening
from whatsapp_backend.domain.journal import Commit
from whatsapp_backend.errors import CredentialsUnreadable

ANA, BEN = "account_test_0a", "account_test_0b"
SECRET = '{"noiseKey":"' + "k" * 200 + '"}'


@pytest.fixture
async def file(tmp_path):
    async with SqliteStore.opened(tmp_path) as store:
        await store.commit(Commit(account=ANA, id="1", creds=SECRET, keys={"session": {"x": "1"}}))
    return tmp_path / opening.FILE_NAME


def replace_bytes(file, old, new):
    content = file.read_bytes()
    assert content.count(old) == 1
    file.write_bytes(content.replace(old, new))


async def assert_unreadable(file, account=ANA):
    async with SqliteStore.opened(file.parent) as store:
        with pytest.raises(CredentialsUnreadable) as caught:
            await store.creds(account)
        message = str(caught.value)
        assert account in message
        assert str(file) in message
        assert "backup" in message
        assert await store.get(ANA, "session", ["x"]) == {"x": "1"}


async def test_a_flipped_bit_in_them_is_noticed(file):
    replace_bytes(file, SECRET.encode(), SECRET.replace("kkkk", "kkkj", 1).encode())
    await assert_unreadable(file)


async def test_a_flipped_bit_in_the_name_of_the_account_is_noticed(file):
    replace_bytes(file, ANA.encode() + SECRET.encode(), b"account_test_0c" + SECRET.encode())
    await assert_unreadable(file)


async def test_text_that_is_no_longer_text_is_noticed(file):
    replace_bytes(file, SECRET.encode(), b"\xff" * len(SECRET))
    await assert_unreadable(file)


async def test_a_page_that_cannot_be_read_is_noticed(file, monkeypatch):
    monkeypatch.setattr(opening, "FULLY_CHECKED_BYTES", 0)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'creds'").fetchone()
    with file.open("r+b") as damaged:
        damaged.seek((page - 1) * 4096)
        damaged.write(b"\xa5" * 4096)
    await assert_unreadable(file)


async def test_damage_to_one_account_is_no_damage_to_another(file):
    async with SqliteStore.opened(file.parent) as store:
        await store.commit(Commit(account=BEN, id="1", creds="theirs"))
    replace_bytes(file, SECRET.encode(), SECRET.replace("k", "j").encode())
    async with SqliteStore.opened(file.parent) as store:
        assert await store.creds(BEN) == "theirs"


async def test_new_credentials_mend_it(file):
    replace_bytes(file, SECRET.encode(), SECRET.replace("k", "j").encode())
    async with SqliteStore.opened(file.parent) as store:
        await store.forget(ANA)
        assert await store.creds(ANA) is None
        await store.commit(Commit(account=ANA, id="2", creds="new"))
        assert await store.creds(ANA) == "new"
