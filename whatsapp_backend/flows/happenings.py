"""What happened lately, for people who look on: no bodies, no numbers, only what, where, when and how many.

Kept in memory, the last two hundred. What comes in floods (messages) is counted and told at most once a second.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.coverage import ASKABLE
from whatsapp_backend.domain.events import REALTIME
from whatsapp_backend.domain.jobs import Job
from whatsapp_backend.domain.overview import Tally
from whatsapp_backend.flows.publish import Published
from whatsapp_backend.rules.history import history_end

KEPT = 200
_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One thing that happened. Ids grow."""

    id: int
    kind: str
    account: str
    what: str
    at_ms: int
    count: int = 1


class Happenings:
    """The last of them. Only what is no more than a fact about an account is kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_id = 0
        self._kept: deque[Happened] = deque(maxlen=KEPT)
        self._counted: Counter[tuple[str, str, str]] = Counter()
        self._told_s = clock.monotonic_s()
        self._statuses: dict[str, tuple[str, bool]] = {}
        self._connected: set[str] = set()
        """Accounts that were connected since we began."""
        self._holes: dict[str, int] | None = None
        self._running: frozenset[str] = frozenset()
        self.reconnects: Counter[str] = Counter()
        """How often each account was connected again since we began."""
        self.history_at_ms: dict[str, int] = {}
        """When a history of each account ended last, since we began."""
        self.runs: Counter[str] = Counter()
        """How many runs of each account have ended since we began."""

    def since(self, id: int) -> list[Happened]:
        """Those after this one, oldest first; all of them where it is none that was given in this life."""
        self.tell()
        known = id if 0 <= id <= self._last_id else 0
        return [one for one in self._kept if one.id > known]

    def tell(self) -> None:
        """Make an end of what was counted."""
        counted, self._counted = self._counted, Counter()
        for (kind, account, what), count in counted.items():
            self._add(kind, account, what, count)
        self._told_s = self._clock.monotonic_s()

    # -- Who tells it ----------------------------------------------------------------------------------------------

    def on_change(self, view: AccountView) -> None:
        """An account's connection changed."""
        before, now = self._statuses.get(view.account), (view.status, view.caught_up)
        self._statuses[view.account] = now
        if before is None or before == now:
            return
        if before[0] != view.status:
            self._add("connection", view.account, view.status)
            self._count_connection(view)
        elif view.caught_up:
            self._add("connection", view.account, "caught_up")

    def _count_connection(self, view: AccountView) -> None:
        if view.status == "connected":
            self.reconnects[view.account] += view.account in self._connected
            self._connected.add(view.account)

    def on_published(self, published: Published) -> None:
        """A window landed."""
        for seen in published.seen:
            if seen.order in published.refused:
                self._counted["parked", seen.account, "parked"] += 1
            else:
                what = "live" if seen.origin in REALTIME else "history"
                self._counted["messages", seen.account, what] += 1
        for entry in published.entries:
            if history_end(entry.new) is not None and entry.new.origin == "history":
                self.history_at_ms[entry.account] = self._clock.wall_ms()
        if self._clock.monotonic_s() - self._told_s >= _EVERY_S:
            self.tell()

    def on_running(self, jobs: Iterable[Job]) -> None:
        """These runs have not ended."""
        jobs = list(jobs)
        for job in jobs:
            if job.id not in self._running:
                self._add("job", job.account, f"{job.kind} began")
        self._running = frozenset(job.id for job in jobs)

    def on_ended(self, job: Job) -> None:
        """A run has ended."""
        self.runs[job.account] += 1
        self._add("job", job.account, f"{job.kind} {job.state}", job.work.gaps_closed)

    def on_tallies(self, tallies: Mapping[str, Tally]) -> None:
        """The gaps were counted."""
        before = self._holes
        self._holes = {
            account: sum(count for state, count in tally.holes.items() if state in ASKABLE)
            for account, tally in tallies.items()
        }
        if before is None:
            return
        for account in before.keys() | self._holes.keys():
            more = self._holes.get(account, 0) - before.get(account, 0)
            if more:
                self._add("gap", account, "opened" if more > 0 else "closed", abs(more))

    def _add(self, kind: str, account: str, what: str, count: int = 1) -> None:
        self._last_id += 1
        self._kept.append(
            Happened(id=self._last_id, kind=kind, account=account, what=what, at_ms=self._clock.wall_ms(), count=count)
        )
