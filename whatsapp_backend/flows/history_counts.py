"""How many messages the histories brought, as the account's document tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from whatsapp_backend.domain.events import PARTS, Origin
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.flows.publish import Published
from whatsapp_backend.rules.history import HistoryEnd, history_end


class HistoryCounts:
    """Counts what landed of each history. A history that a restart broke in two tells only of its second half."""

    def __init__(self) -> None:
        self._saved: Counter[str] = Counter()

    def of_window(self, published: Published, now_ms: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """For each history that ended in this window, the account and the fields that tell of it.

        `historySyncCount` is what to add to what the document says.
        """
        landed = Counter(
            seen.order // PARTS
            for seen in published.seen
            if seen.origin is Origin.HISTORY and seen.order not in published.refused
        )
        for entry in published.entries:
            self._saved[entry.account] += landed[entry.seq]
            end = history_end(entry.new)
            if end is not None and entry.new.origin == "history":  # `ondemand` is one page that somebody asked for
                yield entry.account, _fields(end, self._saved.pop(entry.account, 0), now_ms)


def _fields(end: HistoryEnd, saved: int, now_ms: int) -> dict[str, Any]:
    result: Mapping[str, Any] = {
        "saved": saved,
        "skipped": max(0, end.messages - saved),
        "errors": int(end.result != "complete"),
        "total": end.messages,
        "dryRun": False,
    }
    return {"lastHistorySyncAt": at_ms(now_ms), "historySyncCount": saved, "lastHistorySyncResult": result}
