"""Listen: whether messages still arrive where nothing comes, and what is done when they do not.

What is journaled costs one note a commit. Only silent accounts are looked at closely, some at a time. All that an
account's silence means is decided by `rules.hearing`; here the server and our phone are asked, and a connection that
hears nothing is ended, so that its link connects anew and the server hands over what waits.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.journal import NewEntry
from whatsapp_backend.errors import BridgeGone, CommandFailed, CommandTimedOut
from whatsapp_backend.flows.recall import Recall
from whatsapp_backend.ports import Gateway, Journal
from whatsapp_backend.rules import hearing as rules
from whatsapp_backend.rules.echoes import OUTSIDE, brought_by_echo, is_answer
from whatsapp_backend.rules.hearing import Act, Ear, Hearing, Patience, Signs, Step
from whatsapp_backend.rules.request_ids import RANDOM_DIGITS, echo_id

log = structlog.get_logger()

_AT_ONCE = 40
"""Accounts in one round: hundreds may fall silent at one moment, and none of them is in a hurry."""
_BEYOND_S = 10.0
"""What a command may take longer than what it waits for."""
_ECHO_S = 30.0
_NO_CONNECTION = frozenset(("not-open", "not-started"))
_HOUR_MS = 60 * 60_000
_AGAIN = 3
"""Times within an hour, after which reconnecting is no cure."""

Deafened = Callable[[str, str], None]


class Listener:
    """`shown(account, hearing)` when that changes, `deafened(account, reason)` when its connection must end.

    `cut(account, ms)` is called before that: nothing that came after this moment can be relied on. `owed` counts the
    commits that the store has not answered yet, by account.
    """

    def __init__(
        self,
        journal: Journal,
        gateway: Gateway,
        clock: Clock,
        *,
        echoes: bool,
        shown: Callable[[str, Hearing], None],
        cut: Callable[[str, int], None],
        deafened: Deafened,
        patience: Patience,
        owed: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._echoes = echoes
        self._shown = shown
        self._cut = cut
        self._deafened = deafened
        self._patience = patience
        self._owed = owed
        self._recall = Recall(journal, clock)
        self._ears: dict[str, Ear] = {}
        self._up: set[str] = set()
        self._signs: dict[str, Signs] = {}
        self._spoke: dict[str, int] = {}
        """Accounts of which something came since the last round, and when."""
        self._echoed: set[str] = set()
        """Accounts whose phone was asked in this silence: what comes may be its answer."""
        self._deaf: dict[str, deque[int]] = {}
        """When each account was found deaf within the last hour."""
        self.deafness: dict[str, int] = {}
        """How often each account was found deaf in this life."""

    # -- What it is told -------------------------------------------------------------------------------------------

    def on_change(self, view: AccountView) -> None:
        """An account's connection changed."""
        account, is_up = view.account, view.status == "connected"
        if is_up and account not in self._up:
            self._up.add(account)
            self._signs.pop(account, None)  # of the connection before
            self._ears[account] = rules.opened(self._ear(account), self._now_ms())
        elif not is_up:
            self._up.discard(account)

    def on_journaled(self, account: str, entries: Sequence[NewEntry]) -> None:
        """Something came, and is in the journal."""
        came = [entry for entry in entries if entry.origin in OUTSIDE]
        if not came:
            return
        if account in self._echoed:
            self._in_silence(account, came)
        else:
            self._spoke[account] = self._now_ms()
        self._recall.note(account, came)

    def on_ping(self, answer: Mapping[str, object]) -> None:
        """The bridge told when each open connection was heard, and what is not dealt with."""
        heard, stuck = answer.get("heard"), answer.get("stuck")
        waits = stuck if isinstance(stuck, Mapping) else {}
        now_ms, wall_ms = self._now_ms(), self._clock.wall_ms()
        self._signs = {
            # What waits for our own store says nothing of the engine.
            account: _signs(now_ms, wall_ms - at_ms, None if self._owed.get(account) else waits.get(account))
            for account, at_ms in (heard.items() if isinstance(heard, Mapping) else ())
            if isinstance(at_ms, int)
        }

    def _in_silence(self, account: str, came: Sequence[NewEntry]) -> None:
        """It is silent, and its phone was asked."""
        ear = self._ears[account]
        brought = [entry for entry in came if brought_by_echo(entry)]
        if len(brought) == len(came):
            if is_answer(brought):
                self._ears[account] = rules.answered(ear, self._now_ms())
                self._show(account)
            return
        waited = any(entry.origin == "offline" for entry in came)
        self._echoed.discard(account)
        self._ears[account] = rules.spoke(ear, self._now_ms(), waited=waited)
        if ear.suspected and waited:
            self._count(account, "messages had waited at the server, though its connection looked alive")

    def signs(self, account: str) -> Signs:
        """What the bridge said of its connection last."""
        return self._signs.get(account, Signs())

    # -- A round ---------------------------------------------------------------------------------------------------

    async def tick(self) -> None:
        """Look at every connected account; ask where it is due, and end what hears nothing."""
        steps = {account: self._step(account) for account in sorted(self._up)}
        for account, step in steps.items():
            self._shown(account, step.hearing)
        due = [account for account, step in steps.items() if step.act is not Act.NOTHING]
        due.sort(key=lambda account: (steps[account].act in (Act.PROBE, Act.ECHO), self._ears[account].since_ms * -1))
        async with asyncio.TaskGroup() as tasks:
            for account in due[:_AT_ONCE]:
                tasks.create_task(self._attend(account), name=f"listen to {account}")
        self._recall.sum_up()

    async def _attend(self, account: str) -> None:
        """Do what is due, a round trip before an echo."""
        while account in self._up:
            step = self._step(account)
            match step.act:
                case Act.NOTHING:
                    break
                case Act.PROBE:
                    if not await self._probe(account):
                        break
                case Act.ECHO:
                    await self._echo(account)
                    break
                case Act.CONCLUDE:
                    self._ears[account] = rules.unanswered(self._ears[account], self._now_ms())
                    break
                case Act.SUSPECT if self._owed.get(account):
                    break  # the phone's answer may be what waits for our own store
                case Act.SUSPECT:
                    self._ears[account] = rules.suspected(self._ears[account], self._now_ms())
                    log.warning("[deaf] suspected", account=account, reason=step.reason)
                    self._end(account, step)
                    return
                case Act.DEAF:
                    self._count(account, step.reason)
                    self._end(account, step)
                    return
        self._show(account)

    async def _probe(self, account: str) -> bool:
        """Make a round trip; whether there is more to be done now."""
        patience = self._patience
        try:
            await self._gateway.do(
                "probe",
                account=account,
                timeout_s=patience.trip_ms / 1000 + _BEYOND_S,
                within=patience.trip_ms,
            )
        except BridgeGone:
            return False
        except CommandTimedOut:
            came = False
        except CommandFailed as error:
            if error.code in _NO_CONNECTION:
                return False
            came = error.code != "timeout"  # a server that says no has answered
        else:
            came = True
        ear = self._ears[account] = rules.tripped(self._ears[account], self._now_ms(), came=came)
        if came:
            self._signs.pop(account, None)  # the next ping says better
        return came or ear.trips_failed == patience.trips

    async def _echo(self, account: str) -> None:
        """Ask our phone. What the engine refuses to send says nothing; that it hangs says as much as no answer."""
        key = await self._recall.key(account) if self._echoes else None
        before = self._ears[account]
        if key is None:
            self._ears[account] = rules.unanswered(before, self._now_ms())
            return
        # Noted before it is sent: its answer may be here before the bridge says that it was.
        self._ears[account] = rules.echoed(before, self._now_ms())
        self._echoed.add(account)
        request, fresh = echo_id(secrets.token_hex(RANDOM_DIGITS)), before.echo_ms is not None
        try:
            await self._gateway.do("echo", account=account, timeout_s=_ECHO_S, key=key, id=request, fresh=fresh)
        except (BridgeGone, CommandFailed, CommandTimedOut) as error:
            log.info("echo_not_sent", account=account, reason=str(error))
            if isinstance(error, CommandFailed) and error.code != "timeout":
                self._ears[account] = rules.unanswered(self._ears[account], self._now_ms())

    def _end(self, account: str, step: Step) -> None:
        self._cut(account, self._clock.wall_ms() - (self._now_ms() - step.until_ms))
        self._deafened(account, step.reason)

    def _count(self, account: str, reason: str) -> None:
        """Tell that it was deaf; louder, when it is not for the first time."""
        now_ms = self._now_ms()
        lately = self._deaf.setdefault(account, deque())
        lately.append(now_ms)
        self.deafness[account] = self.deafness.get(account, 0) + 1
        log.error("[deaf]", account=account, reason=reason)
        if self._lately_deaf(account) >= _AGAIN:
            log.critical("[deaf] again", account=account, times=len(lately), within_s=_HOUR_MS // 1000, reason=reason)

    # -- What is known ---------------------------------------------------------------------------------------------

    def _step(self, account: str) -> Step:
        ear = self._ears[account] = self._ear(account) or rules.opened(None, self._now_ms())
        signs = self.signs(account)
        lately = self._lately_deaf(account)
        return rules.decide(ear, signs, self._now_ms(), self._patience, lately_deaf=lately)

    def _show(self, account: str) -> None:
        if account in self._up:
            self._shown(account, self._step(account).hearing)

    def _ear(self, account: str) -> Ear | None:
        """With what came since it was last looked at."""
        ear = self._ears.get(account)
        at_ms = self._spoke.pop(account, None)
        if at_ms is None:
            return ear
        return rules.spoke(ear or rules.opened(None, at_ms), at_ms)

    def _lately_deaf(self, account: str) -> int:
        lately = self._deaf.get(account)
        while lately and self._now_ms() - lately[0] >= _HOUR_MS:
            lately.popleft()
        return len(lately) if lately else 0

    def _now_ms(self) -> int:
        return round(self._clock.monotonic_s() * 1000)


def _signs(now_ms: int, frame_age_ms: int, waits: object) -> Signs:
    signs = Signs(asked_ms=now_ms, frame_age_ms=frame_age_ms)
    if not isinstance(waits, Mapping):
        return signs
    stuck_ms, age_ms = waits.get("for"), waits.get("age")
    if not isinstance(stuck_ms, int) or not isinstance(age_ms, int):
        return signs
    return replace(signs, stuck_ms=stuck_ms, stuck_age_ms=age_ms)
