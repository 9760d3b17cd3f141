"""Collect: our own phone is asked to send again what is owed to us, until it comes or is given up.

What the phone sends comes through the journal like everything else, and there it pays the debt. An account that is not
connected is not asked; what is too old is given up all the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import orjson
import structlog

from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.accounts import AccountView
from whatsapp_backend.domain.mirror import Debt
from whatsapp_backend.errors import BridgeGone, CommandFailed, CommandTimedOut, StoreUnwell
from whatsapp_backend.ports import Debts, Gateway
from whatsapp_backend.rules.debts import asked, given_up, is_too_old

log = structlog.get_logger()

_AT_ONCE = 10
"""Of one account in one round: a phone that is asked for hundreds of things answers none of them."""
_COMMAND_TIMEOUT_S = 15.0
_LATER = frozenset({"not-open", "not-started", "timeout"})
"""What says nothing against the debt."""


class Collector:
    """Does one round whenever it is nudged. `forgive` returns when the ledger waits for a message no longer."""

    def __init__(
        self,
        debts: Debts,
        gateway: Gateway,
        clock: Clock,
        *,
        views: Callable[[], Iterable[AccountView]],
        forgive: Callable[[Debt], Awaitable[None]],
    ) -> None:
        self._debts = debts
        self._forgive = forgive
        self._gateway = gateway
        self._clock = clock
        self._views = views

    async def collect(self) -> None:
        """Ask for what is due, of all accounts."""
        for view in self._views():
            try:
                await self._of(view.account, may_ask=view.status == "connected" and view.caught_up)
            except StoreUnwell as error:
                log.warning("debts_wait_for_the_store", account=view.account, reason=str(error))

    async def _of(self, account: str, *, may_ask: bool) -> None:
        now_ms = self._clock.wall_ms()
        due = await self._debts.debts_due(account, now_ms, _AT_ONCE)
        done: list[Debt] = []
        wanted: list[Debt] = []
        for debt in due:
            if is_too_old(debt, now_ms):
                await self._forgive(debt)  # first: after a crash in between it is given up again
                done.append(given_up(debt, now_ms))
            else:
                wanted.append(debt)
        requests = 0
        for debt in wanted if may_ask else ():
            if not await self._ask(debt):
                break
            requests += 1
            done.append(asked(debt, now_ms))
        if done:
            await self._debts.put_debts(done)
            log.info("debts_collected", account=account, asked=requests, given_up=len(done) - requests)

    async def _ask(self, debt: Debt) -> bool:
        try:
            await self._gateway.do(
                "request-resend", account=debt.account, timeout_s=_COMMAND_TIMEOUT_S, key=orjson.loads(debt.key)
            )
        except (BridgeGone, CommandTimedOut) as error:
            log.warning("debt_not_asked_for", account=debt.account, reason=str(error))
            return False
        except CommandFailed as error:
            log.warning("debt_not_asked_for", account=debt.account, reason=str(error))
            return error.code not in _LATER  # one that is refused for what it is counts as asked for: others wait
        return True
