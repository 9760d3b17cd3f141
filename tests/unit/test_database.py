"""Who can sign in with Firebase: users of the project that is named, and nobody where Firestore is local."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from whatsapp_backend.adapters.id_tokens import GoogleIdTokens
from whatsapp_backend.database import firestore
from whatsapp_backend.settings import load

PEM, PLAIN = serialization.Encoding.PEM, serialization.NoEncryption()


@pytest.fixture(scope="module")
def service_account():
    """One that nobody has."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "demo-inbox",
            "client_email": "daemon@demo-inbox.example.com",
            "token_uri": "https://token.example.com",
            "private_key": key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, PLAIN).decode(),
        }
    )


@pytest.mark.parametrize(
    ("project", "emulator", "can"),
    [
        ("demo-inbox", None, True),
        (None, None, False),
        ("demo-inbox", "127.0.0.1:1", False),
        (None, "127.0.0.1:1", False),
    ],
)
async def test_only_users_of_a_named_project_in_production_can_sign_in(service_account, project, emulator, can):
    environ = {"HOME": "/home/operator", "FIREBASE_SERVICE_ACCOUNT_JSON": service_account}
    settings = load(environ | ({"FIREBASE_PROJECT_ID": project} if project else {}))
    async with firestore(settings, emulator=emulator) as documents:
        assert isinstance(documents.id_tokens, GoogleIdTokens) == can
        assert (documents.id_tokens is not None) == can
