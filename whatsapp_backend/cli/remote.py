"""`backfill`, `resync`, `gaps` and `jobs`: what a running daemon is asked."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import typer

from whatsapp_backend.cli.client import Daemon
from whatsapp_backend.cli.exits import Exit, gravest
from whatsapp_backend.cli.follow import Job, follow, job_of
from whatsapp_backend.cli.meant import accounts_of, code_of, e164_of, say, with_daemon
from whatsapp_backend.cli.options import Asked
from whatsapp_backend.cli.tables import print_account, print_jobs, print_line, print_plans, print_thread
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.errors import DaemonRefused
from whatsapp_backend.rules.document_ids import thread_id
from whatsapp_backend.rules.identity import canonical_jid


async def backfill(asked: Asked, *, dry_run: bool, wait: bool) -> int:
    """Fill every gap, then dig for history."""
    return await with_daemon(asked, lambda daemon: _run(daemon, asked, "backfill", {"dryRun": dry_run}, wait=wait))


async def resync(
    asked: Asked, *, since: str, until: str | None, chats: Iterable[str], dry_run: bool, wait: bool
) -> int:
    """Fill what is missing between two moments."""
    body: dict[str, Any] = {"since": since, "dryRun": dry_run}
    if until is not None:
        body["until"] = until
    if jids := [_jid(chat) for chat in chats]:
        body["chats"] = jids
    return await with_daemon(asked, lambda daemon: _run(daemon, asked, "resync", body, wait=wait))


async def gaps(asked: Asked, *, chat: str | None, reset: bool, limit: int) -> int:
    """Show what is missing, or of one chat what is known and why."""
    jid = canonical_jid(_jid(chat)) if chat else None

    async def ask(daemon: Daemon) -> int:
        for account in await accounts_of(daemon, asked, one=jid is not None):
            thread = thread_id(account, jid) if jid else None
            if thread and reset:
                print((await daemon.post("gaps", account, thread, "reset"))["message"], file=sys.stderr)
            answer = await daemon.get("gaps", account, *([thread] if thread else []), limit=limit)
            show = print_line if asked.as_json else print_thread if thread else print_account
            show(answer)
        return Exit.DONE

    return await with_daemon(asked, ask)


async def jobs(asked: Asked, *, cancel: str | None, limit: int) -> int:
    """Show the newest runs, or end one."""

    async def ask(daemon: Daemon) -> int:
        accounts = await accounts_of(daemon, asked)
        found = [await _cancelled(daemon, accounts, cancel)] if cancel else await _newest(daemon, accounts, limit)
        _show(found, asked)
        return Exit.DONE

    return await with_daemon(asked, ask)


# -- Runs ------------------------------------------------------------------------------------------------------------


async def _run(daemon: Daemon, asked: Asked, route: str, body: dict[str, Any], *, wait: bool) -> int:
    """Start one for each account; the gravest of what came of them."""
    started: list[Job] = []
    codes: list[Exit] = []
    for account in await accounts_of(daemon, asked, chosen=True):
        try:
            answer = await daemon.post(route, account, **body)
            started.append(await job_of(daemon, account, answer.get("data", answer)["jobId"]))
        except DaemonRefused as refused:
            say(refused, account, as_json=asked.as_json)
            codes.append(code_of(refused))
    dry_run = bool(body["dryRun"])
    ended = started
    if wait or dry_run:
        open_gaps = {job["id"]: await _open_gaps(daemon, job["accountId"]) for job in started}
        ended = await follow(daemon, started, SystemClock(), gaps=open_gaps)
    if ended:
        _show(ended, asked, plans=dry_run)
    codes += [Exit.FAILED if job["state"] in ("failed", "cancelled") else Exit.DONE for job in ended]
    return gravest(codes)


def _show(found: list[Job], asked: Asked, *, plans: bool = False) -> None:
    if asked.as_json:
        for job in found:
            print_line(job)
    elif plans:
        print_plans(found)
    elif found:
        print_jobs(found)
    else:
        print("nothing ran yet")


async def _open_gaps(daemon: Daemon, account: str) -> int:
    counts = (await daemon.get("gaps", account, limit=1))["counts"]["byState"]
    return sum(counts.values())


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


def _jid(chat: str) -> str:
    return chat if "@" in chat else f"{e164_of(chat).lstrip('+')}@s.whatsapp.net"
