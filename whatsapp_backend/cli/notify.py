"""What systemd wants to know of a `Type=notify` service."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping


def notify(environ: Mapping[str, str], state: str) -> None:
    """Tell systemd, where it asked to be told. Never fails: a daemon that runs is better than one that reported."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.connect("\0" + address[1:] if address.startswith("@") else address)
        out.sendall(state.encode())
