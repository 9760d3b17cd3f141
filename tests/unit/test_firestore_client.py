"""Which credentials make a client for Firestore, and what is said of those that do not."""

import json
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.errors import FirestoreCredentialsUnusable


@cache
def made_up_key() -> str:
    """A service account of nobody's."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "demo-inbox",
            "private_key_id": "1",
            "private_key": pem,
            "client_email": "daemon@demo-inbox.example.com",
            "client_id": "1",
            "token_uri": "https://token.example.com/token",
        }
    )


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "key.json"
    file.write_text(made_up_key())
    return file


@pytest.mark.parametrize("form", ["file", "text"])
async def test_a_service_account_may_be_a_file_or_its_text(key_file, form, monkeypatch):
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
    client = firestore_client(None, credentials=key_file if form == "file" else made_up_key())
    assert client.project == "demo-inbox"
    assert client._credentials.service_account_email == "daemon@demo-inbox.example.com"
    assert client._emulator_host is None
    await close(client)


async def test_another_project_may_be_named(key_file):
    client = firestore_client("demo-other", credentials=key_file)
    assert client.project == "demo-other"
    await close(client)


BAD = ["", "{", "{}", "[]", "null", "5", '{"private_key": 5}', "not json", "\ud800"]


@pytest.mark.parametrize("text", BAD)
async def test_text_that_is_no_service_account_is_refused_without_showing_it(text):
    with pytest.raises(FirestoreCredentialsUnusable, match="FIREBASE_SERVICE_ACCOUNT_JSON"):
        firestore_client(None, credentials=text)


async def test_a_key_that_is_damaged_is_refused_without_showing_it():
    account = json.loads(made_up_key()) | {"private_key": "hush hush"}
    with pytest.raises(FirestoreCredentialsUnusable) as caught:
        firestore_client(None, credentials=json.dumps(account))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"type": "service_account"}'])
async def test_a_file_that_is_no_service_account_is_refused_by_name(tmp_path, content):
    file = tmp_path / "key.json"
    file.write_bytes(content)
    with pytest.raises(FirestoreCredentialsUnusable, match=r"key\.json"):
        firestore_client(None, credentials=file)


async def test_a_file_that_is_gone_is_refused_by_name(tmp_path):
    with pytest.raises(FirestoreCredentialsUnusable, match=r"key\.json"):
        firestore_client(None, credentials=tmp_path / "key.json")
