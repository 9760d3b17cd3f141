"""Landing: slots become documents, whatever it takes, and never two versions of one document at a time.

One retry policy for everything Firestore says. A write whose outcome is unknown is simply made again: a create that had
landed after all comes back as EXISTS, is read, and turns out to need nothing. What Firestore will never accept is given
back to be parked; refused credentials hold the queue until an operator acts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_never, wait_random_exponential

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.mirror import Mirrored, Waiting
from whatsapp_backend.domain.writes import Document, Outcome, Result, Write
from whatsapp_backend.errors import DocumentsUnavailable, WhatsAppBackendError
from whatsapp_backend.ports import DocumentStore
from whatsapp_backend.rules import landing
from whatsapp_backend.rules.landing import Arrival, Slot
from whatsapp_backend.rules.told import reason_of

log = structlog.get_logger()

T = TypeVar("T")
_DENIED_WAIT_S = 30.0
_LONGEST_WAIT_S = 30.0
_HELD_UP_S = 30.0
_CONFLICTS_IN_A_ROW = 8


class NotLandedYet(WhatsAppBackendError):
    """Firestore did not take all of it."""


class Denied(NotLandedYet):
    """Firestore refuses our credentials or permissions."""


@dataclass(slots=True)
class Landed:
    """What became of a batch of slots."""

    mirrored: list[Mirrored] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    """Amendments to be kept for later."""
    left: list[str] = field(default_factory=list)
    """Paths at which they waited before, and do no longer."""
    there: list[Slot] = field(default_factory=list)
    """Those whose document holds their outcome now."""
    invalid: list[tuple[Slot, str]] = field(default_factory=list)
    displaced: list[Arrival] = field(default_factory=list)
    """What turned out to be about another sender's message, to be landed where that is."""
    unchanged: int = 0

    def add(self, later: Landed) -> None:
        """Take in what became of another batch."""
        self.mirrored += later.mirrored
        self.waiting += later.waiting
        self.left += later.left
        self.there += later.there
        self.invalid += later.invalid
        self.unchanged += later.unchanged


class Lander:
    """Lands message slots. `problem` says what is holding it up, None while all is well."""

    def __init__(self, documents: DocumentStore, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock
        self.problem: str | None = None
        self._since_s: dict[object, float] = {}

    def longest_wait_s(self) -> float:
        """For how long the oldest of what is being landed or read has been waiting for Firestore; 0 when nothing is."""
        return self._clock.monotonic_s() - min(self._since_s.values()) if self._since_s else 0.0

    @property
    def is_held_up(self) -> bool:
        """Whether Firestore keeps something from landing for so long that it is no matter of a single call."""
        return self.longest_wait_s() > _HELD_UP_S

    async def land(self, slots: Iterable[Slot]) -> Landed:
        """Land all of them, however long it takes."""
        landed = Landed()
        pending = list(slots)
        await self._until_landed(lambda: self._attempt(pending, landed))
        return landed

    async def write(self, writes: Sequence[Write]) -> list[Outcome]:
        """Carry out writes that need no merging until each has an answer that lasts."""
        outcomes: dict[str, Outcome] = {}

        async def attempt() -> None:
            left = [write for write in writes if write.path not in outcomes]
            answers = await self._documents.write(left)
            outcomes.update(
                (write.path, answer)
                for write, answer in zip(left, answers, strict=True)
                if answer.result not in (Result.RETRY, Result.DENIED)
            )
            _raise_for(answers)

        await self._until_landed(attempt)
        return [outcomes[write.path] for write in writes]

    async def read(self, paths: Sequence[str]) -> dict[str, Document]:
        """The documents that exist, however long it takes to learn."""
        found: dict[str, Document] = {}

        async def attempt() -> None:
            found.update(await self._documents.read(paths))

        await self._until_landed(attempt)
        return found

    async def patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer to a question that reads, however long it takes to come."""
        answers: list[T] = []

        async def attempt() -> None:
            answers.append(await ask())

        await self._until_landed(attempt)
        return answers[-1]

    async def _until_landed(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Try until nothing is left. Never gives up: what is in the journal was promised to WhatsApp."""
        call = object()
        self._since_s[call] = self._clock.monotonic_s()
        try:
            await self._trials(attempt)
        finally:
            del self._since_s[call]
        if self.problem:
            log.info("firestore_well_again", was=self.problem)
            self.problem = None

    async def _trials(self, attempt: Callable[[], Awaitable[None]]) -> None:
        async for trial in AsyncRetrying(
            retry=retry_if_exception_type((NotLandedYet, DocumentsUnavailable)),
            wait=_wait,
            stop=stop_never,
            sleep=self._clock.sleep,
            before_sleep=self._note_problem,
        ):
            with trial:
                await attempt()

    async def _attempt(self, pending: list[Slot], landed: Landed) -> None:
        """One try at each slot, taking from `pending` what has its answer; conflicts with other writers are settled
        at once. Raises NotLandedYet for what is left.
        """
        for _ in range(_CONFLICTS_IN_A_ROW):
            await self._look_up([slot for slot in pending if slot.must_read], landed)
            pending[:] = [slot for slot in pending if not slot.must_read]
            due = self._due(pending, landed)
            if not due:
                pending.clear()
                return
            outcomes = await self._documents.write([write for _, write in due])
            answers = zip(due, outcomes, strict=True)
            pending[:] = [slot for (slot, _), outcome in answers if not self._took(slot, outcome, landed)]
            if not pending:
                return
            _raise_for(outcomes)
        raise NotLandedYet("other writers kept changing the same documents")

    def _due(self, slots: list[Slot], landed: Landed) -> list[tuple[Slot, Write]]:
        due = []
        now_ms = self._clock.wall_ms()
        for slot in slots:
            waiting = landing.to_wait(slot, now_ms)
            if waiting is not None:
                landed.waiting.append(waiting)
                if slot.waited and slot.waited.path != slot.path:
                    landed.left.append(slot.waited.path)
                continue
            write = landing.write_for(slot)
            if write:
                due.append((slot, write))
                continue
            landed.unchanged += 1
            landed.there.append(slot)
            if slot.read is not None or slot.waited:  # remembered, so that it need not be read or waited for again
                landed.mirrored.append(landing.mirrored(slot, slot.updated_at_ns, now_ms))
        return due

    def _took(self, slot: Slot, outcome: Outcome, landed: Landed) -> bool:
        if outcome.result is Result.LANDED:
            landed.there.append(slot)
            landed.mirrored.append(landing.mirrored(slot, outcome.updated_at_ns, self._clock.wall_ms()))
            return True
        if outcome.result is Result.INVALID:
            landed.invalid.append((slot, outcome.detail))
            return True
        if outcome.result in (Result.EXISTS, Result.STALE, Result.MISSING):
            slot.must_read = True
        return False

    async def _look_up(self, slots: list[Slot], landed: Landed) -> None:
        """Read what the documents hold; a slot whose place is another sender's moves aside and is looked up there."""
        while slots:
            found = await self._documents.read([slot.path for slot in slots])
            moved = []
            for slot in slots:
                try:
                    if landing.settle(slot, found.get(slot.path)):
                        landed.displaced += map(landing.aside, slot.of_others)
                    else:
                        landed.displaced += landing.move_aside(slot)
                        moved.append(slot)
                except ValueError as error:  # settle() left must_read on: _attempt drops it
                    landed.invalid.append((slot, f"what lies at its place cannot be read: {reason_of(error)}"))
            slots = moved

    def _note_problem(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if str(error) != self.problem:
            self.problem = str(error)
            log.error("firestore_holds_the_queue", reason=self.problem, denied=isinstance(error, Denied))


def _raise_for(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.result is Result.DENIED:
            raise Denied(f"Firestore refuses: {outcome.detail}. Check the service account and its role")
        if outcome.result is Result.RETRY:
            raise NotLandedYet(f"Firestore did not answer: {outcome.detail}")


_backoff = wait_random_exponential(multiplier=0.2, max=_LONGEST_WAIT_S)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return _DENIED_WAIT_S if isinstance(error, Denied) else _backoff(state)
