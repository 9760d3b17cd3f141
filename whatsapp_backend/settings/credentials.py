"""A service account, which may be given as a file, as JSON or as base64 of JSON."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path

from whatsapp_backend.settings.kinds import File


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Where the credentials are: a Path, or the JSON text itself."""

    allowed = "a service account: JSON, base64 of it, or a file that exists"

    def parse(self, text: str) -> Path | str:
        """The file, or the JSON text."""
        if text.startswith("{"):
            return _service_account(text)
        try:
            return _service_account(base64.b64decode("".join(text.split()), validate=True).decode())
        except (binascii.Error, ValueError):
            return File().parse(text)


def _service_account(text: str) -> str:
    value = json.loads(text)
    if not isinstance(value, dict) or not isinstance(value.get("project_id"), str):
        raise ValueError("not a service account")
    return text
