"""The port Pauses, in memory."""

from __future__ import annotations


class MemoryPauses:
    """The part of MemoryStore that keeps pauses."""

    def __init__(self) -> None:
        super().__init__()
        self._pauses: dict[str, int] = {}

    def _check(self, *, writes: bool) -> None:
        raise NotImplementedError

    async def pauses(self) -> dict[str, int]:
        """See the port."""
        self._check(writes=False)
        return dict(self._pauses)

    async def put_pause(self, account: str, until_ms: int | None) -> None:
        """See the port."""
        self._check(writes=True)
        self._pauses.pop(account, None)
        if until_ms is not None:
            self._pauses[account] = until_ms
