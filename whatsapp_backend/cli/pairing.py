"""`pair`: from a number to a connected account. The code is drawn anew whenever WhatsApp gives another one."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import segno
from rich.console import Console

from whatsapp_backend.cli.client import Daemon
from whatsapp_backend.cli.exits import Exit
from whatsapp_backend.cli.history import history_came
from whatsapp_backend.cli.meant import e164_of, with_daemon
from whatsapp_backend.cli.options import Asked
from whatsapp_backend.cli.tables import print_line, printable
from whatsapp_backend.clock import Clock, SystemClock
from whatsapp_backend.rules.reconnect import STOPS

_LOOK_EVERY_S = 0.5
_ON_THE_PHONE = "On the phone: WhatsApp → Settings → Linked devices → Link a device, and scan:"
_UNDER_WAY = frozenset({"connecting", "reconnecting", "qr_ready", "pairing"})
_SAYINGS = {
    "connecting": "connecting to WhatsApp; the code will appear here",
    "reconnecting": "the connection was lost and is being made again",
    "pairing": "the phone has scanned the code; finishing",
}


@dataclass(frozen=True, slots=True)
class _Ended:
    code: Exit
    said: str


async def pair(
    asked: Asked,
    *,
    phone: str | None,
    account: str | None,
    name: str | None,
    history: bool = False,
    patience_s: float,
    clock: Clock | None = None,
) -> int:
    """Pair the phone of this number, or of this account, however far it had come."""
    number = e164_of(phone) if phone else None
    clock = clock or SystemClock()

    async def ask(daemon: Daemon) -> int:
        known = await _begun(daemon, number=number, account=account, name=name)
        ended = await _followed(daemon, str(known["id"]), asked.as_json, clock, patience_s)
        if ended.code is Exit.DONE and not asked.as_json:
            print(f"{printable(str(known['name']))} ({known['phone']}) is {ended.said}: {known['id']}")
        elif ended.code is not Exit.DONE:
            print(f"whatsapp-backend: {ended.said}", file=sys.stderr)
        if history and ended.code is Exit.DONE:
            await history_came(daemon, str(known["id"]), clock)
        return ended.code

    return await with_daemon(asked, ask)


async def _begun(daemon: Daemon, *, number: str | None, account: str | None, name: str | None) -> Mapping[str, Any]:
    """The account, its pairing started where it had ended."""
    if account is None:
        return dict((await daemon.post("add-account", phone=number, name=name or number))["account"])
    await daemon.post("regenerate-qr", account)
    return next(one for one in (await daemon.get("accounts"))["accounts"] if one["id"] == account)


async def _followed(daemon: Daemon, account: str, as_json: bool, clock: Clock, patience_s: float) -> _Ended:  # noqa: FBT001 -- an operator's choice, passed on
    """Show every state and every code until it has ended."""
    shown: tuple[str, str | None] | None = None
    came = False
    until_s = clock.monotonic_s() + patience_s
    while True:
        answer = await daemon.get("qr", account)
        status, code = str(answer["status"]), answer["qr"]
        if (status, code) != shown:
            shown, came = (status, code), came or code is not None
            if as_json:
                print_line({"accountId": account, "status": status, "qr": code})
            else:
                _show(status, code)
        if ended := await _ended(daemon, account, status):
            return ended
        if clock.monotonic_s() >= until_s:
            return await _too_late(daemon, account, patience_s, came=came)
        await clock.sleep(_LOOK_EVERY_S)


async def _too_late(daemon: Daemon, account: str, patience_s: float, *, came: bool) -> _Ended:
    if came:
        return _Ended(Exit.NOT_SCANNED, f"nobody scanned the code within {patience_s:.0f} s: ask again")
    known = await _now(daemon, account)
    why = known["lastError"] if known else None
    told = f", the last connection ended: {why}" if why else ""
    return _Ended(Exit.NOT_SCANNED, f"WhatsApp gave no code within {patience_s:.0f} s{told}; ask again")


async def _now(daemon: Daemon, account: str) -> Mapping[str, Any] | None:
    """The account as it is listed now."""
    return next((one for one in (await daemon.get("accounts"))["accounts"] if one["id"] == account), None)


async def _ended(daemon: Daemon, account: str, status: str) -> _Ended | None:
    """What came of it; None while it is under way."""
    if status == "connected":
        return _Ended(Exit.DONE, "connected")
    if status in _UNDER_WAY:
        return None
    told = await _now(daemon, account)
    if told is None or told["status"] != status:  # it has changed between the two questions
        return None
    why = told["lastError"] or told.get("passiveModeReason") or f"its status is {status}"
    if why == STOPS["wrong-number"].reason:
        return _Ended(Exit.WRONG_NUMBER, why)
    return _Ended(Exit.NOT_SCANNED if why == STOPS["not-scanned"].reason else Exit.NOT_CONNECTED, why)


def _show(status: str, code: str | None) -> None:
    """Draw the code, in a terminal over the one before."""
    console = Console(highlight=False)
    if code is None:
        if console.is_terminal:
            console.clear()
        print(_SAYINGS.get(status, status), file=sys.stderr)
        return
    if console.is_terminal:
        console.clear()
    picture = drawn(code, coloured=console.is_terminal)
    print(_ON_THE_PHONE, picture, "This code is a secret: whoever scans it links the account.", sep="\n", flush=True)


def drawn(code: str, *, coloured: bool) -> str:
    """The code as half blocks, light ones filled; coloured, it is dark on light in every terminal."""
    picture = io.StringIO()
    segno.make(code, error="l", micro=False).terminal(out=picture, border=2, compact=True)
    lines = picture.getvalue().rstrip("\n").split("\n")
    return "\n".join(f"\x1b[97;40m{line}\x1b[0m" if coloured else line for line in lines)
