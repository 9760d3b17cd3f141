"""A server that publishes certificates as Google does, and the keys that belong to them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "securetoken.example.com")])


class Key:
    """A private key, and its certificate as text."""

    def __init__(self) -> None:
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(_NAME)
            .issuer_name(_NAME)
            .public_key(self.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=7))
            .sign(self.private, hashes.SHA256())
        )
        self.certificate = made.public_bytes(serialization.Encoding.PEM).decode()
        self.public = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def signed(self, header: dict[str, Any], claims: dict[str, Any], algorithm: str = "RS256") -> str:
        """A token of these, signed as `algorithm` wants it, whatever the header says."""
        said = f"{_part(header)}.{_part(claims)}"
        match algorithm:
            case "RS256":
                signature = self.private.sign(said.encode(), padding.PKCS1v15(), hashes.SHA256())
            case "RS512":
                signature = self.private.sign(said.encode(), padding.PKCS1v15(), hashes.SHA512())
            case "HS256":
                signature = hmac.digest(self.public, said.encode(), hashlib.sha256)
            case "HS256 by certificate":
                signature = hmac.digest(self.certificate.encode(), said.encode(), hashlib.sha256)
            case _:
                signature = b""
        return f"{said}.{_unpadded(signature)}"


class KeyServer:
    """What is published is `keys`; `answer` replaces it with anything else."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.cache_control: str | None = "public, max-age=19302, must-revalidate, no-transform"
        self.age: str | None = None
        self.answer: web.Response | None = None
        self.asked = 0
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[TestServer]:
        """Until the context ends, or the server is closed."""
        app = web.Application()
        app.router.add_get("/x509", self._publish)
        async with TestServer(app) as server:
            self.url = str(server.make_url("/x509"))
            yield server

    async def _publish(self, _request: web.Request) -> web.Response:
        self.asked += 1
        if self.answer is not None:
            return web.Response(status=self.answer.status, body=self.answer.body, headers=self.answer.headers)
        headers = {"Cache-Control": self.cache_control, "Age": self.age}
        return web.json_response(self.keys, headers={name: value for name, value in headers.items() if value})


def _part(value: dict[str, Any]) -> str:
    return _unpadded(json.dumps(value).encode())


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
