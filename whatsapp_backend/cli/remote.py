"""`backfill`, `resync`, `gaps` and `jobs`: what a running daemon is asked. docs/operations.md has the exit codes."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import typer

from whatsapp_backend.cli.client import Daemon, address
from whatsapp_backend.cli.follow import Job, follow, job_of
from whatsapp_backend.cli.tables import print_account, print_jobs, print_line, print_plans, print_thread
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.errors import DaemonRefused, DaemonSilent
from whatsapp_backend.rules.document_ids import thread_id
from whatsapp_backend.rules.identity import canonical_jid, e164
from whatsapp_backend.settings import Settings

DONE, FAILED, USAGE, BUSY, NOT_CONNECTED, SILENT, LATER = 0, 1, 2, 3, 4, 69, 75
_GRAVEST = (FAILED, USAGE, LATER, BUSY, NOT_CONNECTED, DONE)
_BAD_REQUEST, _OURS = 400, 500
"""Of HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which daemon, for which accounts, and how to answer."""

    settings: Settings
    url: str | None
    accounts: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    everyone: bool = False
    as_json: bool = False


async def backfill(asked: Asked, *, dry_run: bool, wait: bool) -> int:
    """Fill every gap, then dig for history."""
    return await _with_daemon(asked, lambda daemon: _run(daemon, asked, "backfill", {"dryRun": dry_run}, wait=wait))


async def resync(
    asked: Asked, *, since: str, until: str | None, chats: Iterable[str], dry_run: bool, wait: bool
) -> int:
    """Fill what is missing between two moments."""
    body: dict[str, Any] = {"since": since, "dryRun": dry_run}
    if until is not None:
        body["until"] = until
    if jids := [_jid(chat) for chat in chats]:
        body["chats"] = jids
    return await _with_daemon(asked, lambda daemon: _run(daemon, asked, "resync", body, wait=wait))


async def gaps(asked: Asked, *, chat: str | None, reset: bool, limit: int) -> int:
    """Show what is missing, or of one chat what is known and why."""
    jid = canonical_jid(_jid(chat)) if chat else None

    async def ask(daemon: Daemon) -> int:
        for account in await _accounts(daemon, asked, one=jid is not None):
            thread = thread_id(account, jid) if jid else None
            if thread and reset:
                print((await daemon.post("gaps", account, thread, "reset"))["message"], file=sys.stderr)
            answer = await daemon.get("gaps", account, *([thread] if thread else []), limit=limit)
            show = print_line if asked.as_json else print_thread if thread else print_account
            show(answer)
        return DONE

    return await _with_daemon(asked, ask)


async def jobs(asked: Asked, *, cancel: str | None, limit: int) -> int:
    """Show the newest runs, or end one."""

    async def ask(daemon: Daemon) -> int:
        accounts = await _accounts(daemon, asked)
        found = [await _cancelled(daemon, accounts, cancel)] if cancel else await _newest(daemon, accounts, limit)
        _show(found, asked)
        return DONE

    return await _with_daemon(asked, ask)


# -- Runs ------------------------------------------------------------------------------------------------------------


async def _run(daemon: Daemon, asked: Asked, route: str, body: dict[str, Any], *, wait: bool) -> int:
    """Start one for each account; the gravest of what came of them."""
    started: list[Job] = []
    codes: list[int] = []
    for account in await _accounts(daemon, asked, chosen=True):
        try:
            answer = await daemon.post(route, account, **body)
            started.append(await job_of(daemon, account, answer.get("data", answer)["jobId"]))
        except DaemonRefused as refused:
            _say(refused, account, as_json=asked.as_json)
            codes.append(_code(refused))
    dry_run = bool(body["dryRun"])
    ended = await follow(daemon, started, SystemClock()) if wait or dry_run else started
    if ended:
        _show(ended, asked, plans=dry_run)
    codes += [FAILED if job["state"] in ("failed", "cancelled") else DONE for job in ended]
    return next(code for code in _GRAVEST if code in codes)


def _show(found: list[Job], asked: Asked, *, plans: bool = False) -> None:
    if asked.as_json:
        for job in found:
            print_line(job)
    elif plans:
        print_plans(found)
    else:
        print_jobs(found)


async def _newest(daemon: Daemon, accounts: list[str], limit: int) -> list[Job]:
    pages = [(await daemon.get("jobs", account, limit=limit))["jobs"] for account in accounts]
    return sorted((job for page in pages for job in page), key=lambda job: job["createdAt"], reverse=True)[:limit]


async def _cancelled(daemon: Daemon, accounts: list[str], job_id: str) -> Job:
    """The job, wherever it is. Raises DaemonRefused where it has ended, and where there is none."""
    for account in accounts:
        try:
            return dict((await daemon.post("jobs", account, job_id, "cancel"))["job"])
        except DaemonRefused as refused:
            if refused.answer.get("error") not in ("job_not_found", "wrong_account") or account == accounts[-1]:
                raise
    raise typer.BadParameter("no account is declared yet, so there are no jobs")


# -- Who -------------------------------------------------------------------------------------------------------------


async def _accounts(daemon: Daemon, asked: Asked, *, chosen: bool = False, one: bool = False) -> list[str]:
    """The ids of the accounts that are meant: those named, else all. `chosen`: more than one only if that was said."""
    known = (await daemon.get("accounts"))["accounts"]
    ids = [str(account["id"]) for account in known]
    by_phone = {account["phone"]: str(account["id"]) for account in known}
    phones = [_e164(phone) for phone in asked.phones]
    unknown = [name for name in asked.accounts if name not in ids] + [name for name in phones if name not in by_phone]
    if unknown:
        raise typer.BadParameter(f"no such account: {unknown[0]}. There are: {', '.join(ids) or 'none yet'}")
    named = list(dict.fromkeys([*asked.accounts, *(by_phone[phone] for phone in phones)]))
    if named and asked.everyone:
        raise typer.BadParameter("--all and the name of an account contradict each other")
    meant = named or ids
    if not meant and chosen:
        raise typer.BadParameter("no account is declared yet: POST /api/whatsapp/add-account")
    if len(meant) > 1 and (one or (chosen and not named and not asked.everyone)):
        raise typer.BadParameter(
            f"name one of {len(ids)} accounts with --account or --phone" + " or say --all" * chosen
        )
    return meant


def _e164(phone: str) -> str:
    try:
        return e164(phone)
    except ValueError as error:
        raise typer.BadParameter(f"{phone} is {error}") from None


def _jid(chat: str) -> str:
    return chat if "@" in chat else f"{_e164(chat).lstrip('+')}@s.whatsapp.net"


# -- What came of it -------------------------------------------------------------------------------------------------


async def _with_daemon(asked: Asked, ask: Callable[[Daemon], Awaitable[int]]) -> int:
    try:
        url = address(asked.settings, asked.url)
    except ValueError as error:
        raise typer.BadParameter(f"--url: {error}") from None
    try:
        async with Daemon.at(url, admin_token=asked.settings.admin_token) as daemon:
            return await ask(daemon)
    except DaemonSilent as silent:
        print(f"whatsapp-backend: {silent}", file=sys.stderr)
        return SILENT
    except DaemonRefused as refused:
        _say(refused)
        return _code(refused)


def _say(refused: DaemonRefused, account: str | None = None, *, as_json: bool = False) -> None:
    if as_json:
        print_line({"accountId": account, **refused.answer})
    else:
        print(f"whatsapp-backend: {account + ': ' if account else ''}{refused}", file=sys.stderr)


def _code(refused: DaemonRefused) -> int:
    match refused.answer.get("error"):
        case "busy":
            return BUSY
        case "invalid_state":
            return NOT_CONNECTED
        case _ if refused.status == _BAD_REQUEST:
            return USAGE
        case _:
            return LATER if refused.status >= _OURS else FAILED
