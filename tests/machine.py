"""What can be wrong with the machine that a daemon runs on."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_room(pid: int) -> Iterator[None]:
    """No file of this process can grow: SQLite meets it as a disk that is full."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
