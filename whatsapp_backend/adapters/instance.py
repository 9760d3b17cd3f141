"""Who this process is, to others that share its Firestore."""

from __future__ import annotations

import secrets
from pathlib import Path

from whatsapp_backend.domain.leases import Instance

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def new_instance(name: str, *, locked: Path | None = None, boot_id: Path = _BOOT_ID) -> Instance:
    """An instance of this name, like no other: two processes may be given one name by mistake.

    `locked` is the state directory that this process has locked. Its home is told from all others by the running
    kernel and the directory's place in it: a copy elsewhere, or the same one after a reboot, is another home, whose
    instances must be waited for.
    """
    home = ""
    if locked is not None and boot_id.exists():
        place = locked.stat()
        home = f"{boot_id.read_text(encoding='ascii').strip()}:{place.st_dev:x}:{place.st_ino:x}"
    return Instance(id=f"{name}.{secrets.token_hex(4)}", nonce=secrets.token_hex(16), home=home)
