"""A disk whose power can be cut: what was written but not synced is lost, kept or torn as chance will have it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import apsw

if TYPE_CHECKING:
    import random

SECTOR = 512


class PowerCut(Exception):
    """The power is gone."""


class Platter:
    """What each file holds for certain, and what was written since its last sync."""

    def __init__(self, directory: Path, *, operations: int) -> None:
        self.left = operations
        """Writes, truncations and syncs until the power goes."""
        self._durable = {path.name: path.read_bytes() for path in directory.iterdir()}
        self._loose: dict[str, list[tuple[int, bytes | None]]] = {}

    def count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise PowerCut

    def write(self, name: str, offset: int, data: bytes) -> None:
        self._loose.setdefault(name, []).append((offset, data))
        self.count()

    def truncate(self, name: str, size: int) -> None:
        self._loose.setdefault(name, []).append((size, None))
        self.count()

    def sync(self, name: str) -> None:
        self.count()
        for offset, data in self._loose.pop(name, []):
            self._durable[name] = _written(self._durable.get(name, b""), offset, data)

    def restore(self, directory: Path, chance: random.Random) -> None:
        """Put into this directory what a machine finds when the power is back."""
        directory.mkdir()
        for name in {*self._durable, *self._loose}:
            content = self._durable.get(name, b"")
            loose = self._loose.get(name, [])
            chance.shuffle(loose)
            for offset, data in loose:
                fate = chance.choice(("lost", "kept", "torn"))
                if fate == "torn" and data is not None:
                    content = _written(content, offset, data[: chance.randrange(0, len(data) + 1, SECTOR)])
                elif fate == "kept":
                    content = _written(content, offset, data)
            if not name.endswith("-shm"):
                (directory / name).write_bytes(content)


def _written(content: bytes, offset: int, data: bytes | None) -> bytes:
    if data is None:
        return content[:offset]
    return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data) :]


class CuttableDisk(apsw.VFS):
    """The default file system of SQLite, with every write noted on a platter."""

    NAME = "cuttable"

    def __init__(self, platter: Platter) -> None:
        self._platter = platter
        super().__init__(self.NAME, "")

    def xOpen(self, name, flags):  # noqa: N802
        return _File(name, flags, self._platter)


class _File(apsw.VFSFile):
    def __init__(self, name, flags, platter) -> None:
        super().__init__("", name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name = Path(path).name if path else "(temporary)"
        self._platter = platter

    def xWrite(self, data, offset):  # noqa: N802
        self._platter.write(self._name, offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, size):  # noqa: N802
        self._platter.truncate(self._name, size)
        super().xTruncate(size)

    def xSync(self, flags):  # noqa: N802
        self._platter.sync(self._name)
        super().xSync(flags)
