"""The bridge's socket of one account, and what the frames of that account are worth.

DOWN     nothing: they are leftovers of a socket that was given up. A ratchet that came after one that was not kept, or
         after a line that could not be read, must not be kept either, and the store cannot tell.
UP       everything: the bridge was told to start it.
LEAVING  it was told to stop or to log out. What it commits still counts, how it ends no longer matters.

Whatever ends a socket (the bridge's `closed`, a halt of ours, the end of the bridge) settles one future, once.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
from dataclasses import dataclass, replace

import structlog

from whatsapp_backend.domain.journal import Commit, OpenNotice
from whatsapp_backend.errors import BridgeGone, CommandFailed, CommandTimedOut
from whatsapp_backend.ports import Gateway
from whatsapp_backend.rules.encode import open_notice
from whatsapp_backend.rules.reconnect import BRIDGE, NOT_STARTED, UNREADABLE, WRONG_NUMBER

log = structlog.get_logger()

COMMAND_TIMEOUT_S = 30.0
_LONGEST_REASON = 500


class _Phase(enum.Enum):
    DOWN = enum.auto()
    UP = enum.auto()
    LEAVING = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it ended: a code of WhatsApp's or of `rules.reconnect`."""

    code: int
    reason: str


class Socket:
    """`ending` is settled when it ended; a new one begins with `expect`."""

    def __init__(self, account: str, gateway: Gateway) -> None:
        self._account = account
        self._gateway = gateway
        self._phase = _Phase.DOWN
        self._strange = False
        self._ending: asyncio.Future[Ended] | None = None

    @property
    def up(self) -> bool:
        """Whether it was started and has not ended."""
        return self._phase is _Phase.UP

    @property
    def heeded(self) -> bool:
        """Whether what the bridge says of this account counts."""
        return self._phase is not _Phase.DOWN

    def admitted(self, commit: Commit) -> Commit | None:
        """What of a commit is to be kept: nothing of a socket that was given up, no messages of a stranger's phone."""
        if not self.heeded:
            return None
        # The keys are kept and the commit is answered: the engine would wait, and could not log the stranger out.
        return replace(commit, entries=(), begin=None) if self._strange else commit

    def expect(self) -> asyncio.Future[Ended]:
        """It is about to be started. The future is settled when it has ended."""
        self._phase, self._strange = _Phase.UP, False
        self._ending = asyncio.get_running_loop().create_future()
        return self._ending

    def end(self, code: int, reason: str) -> None:
        """It is gone, whoever ended it."""
        if self.up and self._ending and not self._ending.done():
            self._ending.set_result(Ended(code=code, reason=reason[:_LONGEST_REASON]))
        self._phase = _Phase.DOWN

    def halt(self, why: str, code: int, reason: str) -> None:
        """End it ourselves; once."""
        if self.heeded:
            log.error("account_halted", account=self._account, reason=reason)
            self._gateway.halt(self._account, why)
            self.end(code, reason)

    def give_up(self) -> None:
        """Nobody waits for its end any more."""
        self._phase = _Phase.DOWN

    def disown(self) -> None:
        """It is a stranger's: it has ended for us, but is yet to be logged out."""
        self.end(WRONG_NUMBER, "paired with another number")
        self._strange, self._phase = True, _Phase.LEAVING

    async def start(self, *, creds: str | None, full_history: bool, notices: list[OpenNotice]) -> None:
        """Tell the bridge to open it."""
        try:
            await self._gateway.do(
                "start",
                account=self._account,
                timeout_s=COMMAND_TIMEOUT_S,
                creds=creds,
                fullHistory=full_history,
                open=[open_notice(notice) for notice in notices],
            )
        except BridgeGone as error:
            self.end(BRIDGE, str(error))
        except CommandFailed as error:
            bad_creds = str(error) == "bad-arguments: creds"
            self.halt("stopped", UNREADABLE if bad_creds else NOT_STARTED, str(error))
        except CommandTimedOut as error:  # it may open all the same
            log.warning("start_unanswered", account=self._account, reason=str(error))

    async def close(self) -> None:
        """Have the bridge close what it may have open. Raises BridgeGone and CommandTimedOut.

        Its answer comes after every frame of the old socket.
        """
        with contextlib.suppress(CommandFailed):  # there was none
            await self._gateway.do("stop", account=self._account, timeout_s=COMMAND_TIMEOUT_S)

    async def leave(self) -> None:
        """Say goodbye: we are about to stop."""
        self._phase = _Phase.LEAVING
        try:
            await self.close()
        except (BridgeGone, CommandTimedOut) as error:
            log.warning("stop_unanswered", account=self._account, reason=str(error))

    async def log_out(self) -> None:
        """Have the phone forget us."""
        try:
            await self._gateway.do("logout", account=self._account, timeout_s=COMMAND_TIMEOUT_S)
        except (BridgeGone, CommandFailed, CommandTimedOut) as error:
            log.warning("logout_failed", account=self._account, reason=str(error))
        self.halt("stopped", WRONG_NUMBER, "logged out")  # where it has not closed by now
