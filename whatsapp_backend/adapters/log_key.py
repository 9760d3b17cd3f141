"""The key behind the hashes in log lines.

Random, so that nobody can find a number by trying them all; kept, so that lines of two starts can be compared.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from whatsapp_backend.errors import StoreUnusable

_FILE = "log-key"
_BYTES = 32


def log_key(state_dir: Path) -> bytes:
    """The key in this directory, made if it is missing. Call it while holding the directory. Raises StoreUnusable."""
    path = state_dir / _FILE
    try:
        key = path.read_bytes() if path.exists() else b""
        return key if len(key) == _BYTES else _made(path)
    except OSError as error:
        raise StoreUnusable(f"{path} cannot be used: {error}. Make it readable for this user, or delete it") from error


def _made(path: Path) -> bytes:
    """Under another name first: a key that is half written would be a key that changes."""
    key = secrets.token_bytes(_BYTES)
    unfinished = path.with_name(f"{_FILE}.new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    return key
