"""A phone's archive of one chat, a server that delivers it badly, and the ledger that keeps account of what came.

Time is the server's, in seconds; the daemon's clock is off by `skew_s`. Ids say nothing of the order within a second.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from whatsapp_backend.domain.coverage import (
    SECOND_MS,
    UNCLOSED,
    Asking,
    Coverage,
    Gap,
    Held,
    Interval,
    Outcome,
    Point,
    Proof,
)
from whatsapp_backend.rules import requests
from whatsapp_backend.rules.coverage import epochs, ledger, threads
from whatsapp_backend.rules.coverage.intervals import Cover
from whatsapp_backend.rules.coverage.ledger import NO_MORE
from whatsapp_backend.rules.coverage.pages import chunk_spans
from whatsapp_backend.rules.requests import Budget
from whatsapp_backend.testing.memory_ledger import around_of

ACCOUNT, THREAD, CHAT = "account_test_0a", "threads/t", "15550001111@s.whatsapp.net"


class World:
    """Every method is something that can happen; `check` must hold after each of them."""

    def __init__(self, rng: random.Random, *, deep: int = 0, skew_s: int = 0, page: int = 3) -> None:
        self.rng = rng
        self.now_s = 1_700_000_000
        self.skew_s = skew_s
        self.archive: list[Point] = []
        self.queue: list[Point] = []
        self.held: dict[Point, Held] = {}
        self.lost: set[Point] = set()
        self.never_sent = 0  # of what the server will announce
        self.epochs = []
        self.connected = self.caught_up = self.dead = False
        self.inbound_at_s = 0
        self.coverage = Coverage(account=ACCOUNT, thread=THREAD, jid=CHAT)
        self.asking = Asking(account=ACCOUNT)
        self.budget = Budget(page=page, thread=10**9, spacing_ms=0)
        self.pick_anchor: Callable[[World, requests.Request], Point] = lambda _, request: request.anchor.at
        self.may_go_below = False
        self.requests: list[Point] = []
        for _ in range(deep):
            self.archive.append(self._point())
            self.wait(rng.choice([0, 0, 1, 100]))
        self.wait(60)

    def _point(self) -> Point:
        return Point(self.now_s * 1000, f"{self.rng.randrange(16**6):06X}")

    @property
    def now_ms(self) -> int:
        return (self.now_s + self.skew_s) * 1000

    # -- What happens ----------------------------------------------------------------------------------------------

    def wait(self, seconds: int) -> None:
        """Time passes; a connection that lives is heard."""
        self.now_s += seconds
        if self.connected and not self.dead:
            self._hear()

    def _hear(self) -> None:
        self.inbound_at_s = self.now_s
        self.epochs[-1] = epochs.heard(self.epochs[-1], self.now_ms)

    def message(self, *, early: bool = False) -> None:
        """Somebody writes. Before catching up it may come at once, or wait."""
        point = self._point()
        self.archive.append(point)
        early = early or (self.connected and not self.caught_up and self.rng.random() < 0.5)
        if self.connected and not self.dead and (self.caught_up or early):
            self._hear()
            self._receive([point], live=self.caught_up)
        else:
            self.queue.append(point)

    def connect(self) -> None:
        """A socket opens."""
        if self.connected:
            return
        last = self.epochs[-1] if self.epochs else None
        rows = {epoch.number: epoch for epoch in (*self.epochs, *epochs.opened(ACCOUNT, last, self.now_ms))}
        self.epochs = list(epochs.folded(rows.values(), self.now_ms))
        self.connected, self.caught_up, self.dead = True, False, False
        self.inbound_at_s = self.now_s

    def drain(self, share: float) -> None:
        """Part of what waits comes, the oldest first, and no more on this connection."""
        if self.connected and not self.caught_up and not self.dead:
            count = int(len(self.queue) * share)
            came, self.queue = self.queue[:count], self.queue[count:]
            self._receive(came)
            self._hear()

    def catch_up(self, losing: int = 0) -> None:
        """All that waits comes, and the server says that it was all. `losing` of them it announces and never sends."""
        if not self.connected or self.caught_up or self.dead:
            return
        announced, self.never_sent = len(self.queue) + self.never_sent, 0
        gone = self.rng.sample(self.queue, min(losing, len(self.queue)))
        came = [point for point in self.queue if point not in gone]
        self.queue = []
        self.lost |= set(gone)
        self._receive(came)
        self._hear()
        self.epochs[-1] = epochs.announced(self.epochs[-1], announced)
        self.epochs[-1] = epochs.caught_up(self.epochs[-1], len(came), self.now_ms)
        self.caught_up = True
        self._settle()

    def die(self) -> None:
        """Nothing comes through any more, and nobody notices."""
        self.dead = True

    def disconnect(self, how: str) -> None:
        """The socket closes; or the daemon finds it deaf though its heart seemed to beat; or the daemon crashes."""
        if not self.connected:
            return
        epoch = self.epochs[-1]
        if how == "deaf":
            epoch = epochs.deaf(epochs.heard(epoch, self.now_ms), (self.inbound_at_s + self.skew_s) * 1000, self.now_ms)
        elif how == "closed":
            epoch = epochs.closed(epoch, self.now_ms)
        self.epochs[-1] = epoch
        self.connected = self.caught_up = False
        self._settle()

    def chunk(self, start: float, count: int) -> None:
        """The phone sends a piece of what it has."""
        first = int(start * len(self.archive))
        page = self.archive[first : first + count]
        self._receive(page)
        self.coverage = threads.proven(self.coverage, [Interval(a, b, Proof.HISTORY) for a, b in chunk_spans(page)])
        self._settle()

    def ask(self, *, silent: bool = False, end: bool = True) -> bool:
        """Ask the phone for what is most wanted. False when there is nothing to ask for."""
        for gap in requests.in_turn(self.coverage.gaps):
            later = [self.held[at] for at in sorted(self.held) if at.second > gap.above.second]
            anchors = [self.held[gap.above], *later[:2]]
            request = requests.next_request(gap, anchors, jid=CHAT, budget=self.budget, asked_for=0, now_ms=self.now_ms)
            if request is not None:
                self._answer(request, silent=silent, end=end)
                return True
        return False

    def _answer(self, request: requests.Request, *, silent: bool, end: bool) -> None:
        anchor, gap = self.pick_anchor(self, request), request.gap
        self.requests.append(anchor)
        place = self.archive.index(anchor)
        if gap.below is not None and not self.may_go_below:
            assert anchor != gap.below, "a request began at the bound"
            assert anchor.second >= gap.below.second, "a request began below the bound"
        if silent:
            self._note(gap, Outcome.NO_ANSWER)
            return
        page = self.archive[max(0, place - request.count) : place]
        word = NO_MORE if end and place <= request.count else None
        self._receive(page)
        self.coverage = ledger.answered(self.coverage, gap, page, anchor, word)
        self._settle()
        self._note(gap, requests.outcome_of(len(page), word))

    def _note(self, asked: Gap, outcome: Outcome) -> None:
        self.asking = requests.asking_after(self.asking, outcome, self.now_ms)
        gaps = tuple(
            requests.gap_after(asked, one, outcome, self.now_ms) if one.number == asked.number else one
            for one in self.coverage.gaps
        )
        self.coverage = replace(self.coverage, gaps=gaps)

    # -- The ledger ------------------------------------------------------------------------------------------------

    def _receive(self, points: list[Point], *, live: bool = False) -> None:
        epoch = self.epochs[-1].number if live else None
        new = [Held(thread=THREAD, at=point, epoch=epoch) for point in points if point not in self.held]
        self.coverage = threads.surprised(self.coverage, self.claims, new)
        self.held |= {one.at: one for one in new}
        self._settle()

    @property
    def claims(self) -> epochs.Claims:
        return epochs.claims_of(self.epochs)

    def _settle(self) -> None:
        held = [self.held[at] for at in sorted(self.held)]
        around = [
            around_of(held, one.first * SECOND_MS, one.last * SECOND_MS)
            for one in ledger.to_look_at(self.coverage, self.claims)
        ]
        self.coverage = ledger.settled(self.coverage, self.claims, around, self.now_ms)
        gaps = tuple(gap for gap in self.coverage.gaps if gap.state in UNCLOSED)
        self.coverage = replace(self.coverage, gaps=gaps)

    @property
    def cover(self) -> Cover:
        return threads.cover_of_thread(self.coverage, self.claims, self.held.values())

    # -- What must hold --------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Nothing that is claimed is missing, and what is missing with a message after it is a gap."""
        cover = self.cover
        assert self.coverage.withdrawn == 0, "a claim turned out to be wrong"
        missing = [point for point in self.archive if point not in self.held]
        wrong = [point for point in missing if cover.claims(point)]
        assert not wrong, f"claimed to be here: {wrong}"
        self._check_links(cover)
        newest = max((self.archive.index(point) for point in self.held), default=-1)
        for point in missing:
            if self.archive.index(point) < newest:
                assert self._reported(point), f"{point} is missing and no gap says so"

    def _check_links(self, cover: Cover) -> None:
        for second, start, end in cover.links:
            there = [point for point in self.archive if point.second == second]
            places = {point.id: place for place, point in enumerate(there)}
            first = places.get(start, 0)
            last = len(there) - 1 if end is None else places[end]
            assert first <= last
            assert all(point in self.held for point in there[first : last + 1])

    def _reported(self, point: Point) -> bool:
        return any(gap.start_ms <= point.ms < gap.end_ms for gap in self.coverage.gaps if gap.state in UNCLOSED)

    def finish(self) -> None:
        """The phone is there, the connection stays, somebody writes at last, and everything is asked for."""
        self.wait(100)
        self.disconnect("closed")
        self.connect()
        self.catch_up()
        self.wait(60)
        self.message()
        for _ in range(20 * len(self.archive) + 50):
            self.wait(100_000)
            if not self.ask():
                return
            self.check()
        raise AssertionError("asking never ends")
