"""One process at a time per state directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, Self

from whatsapp_backend.errors import StateInUse

if TYPE_CHECKING:
    from pathlib import Path


class StateLock:
    """Holds the state directory until released, or until this process is gone, however it went."""

    def __init__(self, path: Path, *, guarded: Path) -> None:
        # Never deleted: between another's open and its flock a deleted file would be locked by two.
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip()
            self.release()
            raise StateInUse(str(guarded), holder or "(unknown)") from error
        # The pid is only for people: a full disk must not keep us from the clearer message of the first real write.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let another process have it. Does nothing the second time."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
