"""What the daemon answers, as tables for people and as lines for scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_MINUTE, _SECOND = 16, 19
"""Where in a moment of the API they end."""


def print_line(answer: Mapping[str, Any]) -> None:
    """One JSON object on a line of its own, at once: who reads it through a pipe waits for it."""
    print(orjson.dumps(answer).decode(), flush=True)


def print_jobs(jobs: Sequence[Mapping[str, Any]]) -> None:
    """Jobs, a table for each account."""
    for account in dict.fromkeys(job["accountId"] for job in jobs):
        table = Table(Column("job", no_wrap=True), Column("what came", overflow="fold"), title=account, show_lines=True)
        for job in jobs:
            if job["accountId"] == account:
                kind = ", ".join([job["kind"], job["trigger"], *(["dry run"] if job["dryRun"] else [])])
                table.add_row(cell(job["id"], kind, f"{moment(job['createdAt'])} UTC"), cell(*_came(job)))
        Console().print(table)


def print_plans(jobs: Sequence[Mapping[str, Any]]) -> None:
    """What dry runs would do."""
    table = Table(Column("account", overflow="fold"), "what would be done", show_lines=True)
    for job in jobs:
        plan = job["plan"]
        planned = _planned(plan) if plan else [str(job["errorMessage"] or job["state"])]
        table.add_row(cell(job["accountId"]), cell(*planned))
    Console().print(table)


def _planned(plan: Mapping[str, Any]) -> list[str]:
    certain, most = _priced(plan["writes"], plan["costUsd"]), _priced(plan["mostWrites"], plan["mostCostUsd"])
    return [
        f"{several(plan['gaps'], 'gap')} of {several(plan['threads'], 'thread')}",
        f"requests, at least: {plan['requests']}",
        f"writes of these, at most: {certain}",
        f"writes in all, at most: {most}",
    ]


def _priced(writes: int | None, cost_usd: float | None) -> str:
    return "the phone knows" if writes is None else f"{writes}, ${cost_usd:.4f}"


def print_account(answer: Mapping[str, Any]) -> None:
    """What is missing of an account."""
    counts, phone = answer["counts"], answer["phone"]
    print(f"{answer['accountId']}: {_counted(counts['byState']) or 'no gaps'}")
    if counts["byReason"]:
        print(f"  not closed, by reason: {_counted(counts['byReason'])}")
    if phone["unanswered"] or phone["pausedUntil"]:
        paused = f", left alone until {moment(phone['pausedUntil'])} UTC" if phone["pausedUntil"] else ""
        print(f"  the phone: {phone['unanswered']} requests in a row without an answer{paused}")
    for asked in answer["requests"]:
        print(f"  asked at {moment(asked['askedAt'])} UTC, no answer yet: {_chat(asked['threadId'])}")
    _print_announced(answer["announced"])
    if answer["gaps"]:
        Console().print(_gaps(answer["gaps"]))


def print_thread(answer: Mapping[str, Any]) -> None:
    """What is known of a thread, and by what proof."""
    newest = answer["contiguous"]
    said = f"from {moment(newest['from'])} until {moment(newest['until'])} UTC" if newest else "nothing"
    print(f"{printable(answer['chat'])}: known without a hole: {said}")
    print(f"  proofs withdrawn: {answer['withdrawn']}, messages owed: {len(answer['owed'])}")
    table = Table("from (UTC)", "until (UTC)", "why it is known, or not")
    for claim in answer["proven"]:
        table.add_row(*_span(claim), *texts(f"proven: {claim['proof']}"))
    for claim in answer["claimed"]:
        table.add_row(*_span(claim), *texts(f"claimed by connections: {claim['proof']}"))
    for doubt in answer["doubts"]:
        table.add_row(*_span(doubt), *texts(f"connections are doubted: {doubt['reason']}"))
    if table.row_count:
        Console().print(table)
    if answer["gaps"]:
        Console().print(_gaps(answer["gaps"]))
    else:
        print("no gaps")


def moment(iso: str | None, *, until: int = _MINUTE) -> str:
    """A moment of the API, short."""
    return iso[:until].replace("T", " ") if iso else "-"


def _came(job: Mapping[str, Any]) -> list[str]:
    work, why = job["progress"], job["errorMessage"] or job["errorCode"]
    why = None if job["errorCode"] == job["state"] else why  # cancelled: it was cancelled
    asked = f"{several(work['threads'], 'thread')}, {several(work['requests'], 'request')}"
    return [
        f"{job['state']}: {why}" if why else job["state"],
        f"{asked}, {work['unanswered']} of them without an answer",
        f"{work['fetched']} fetched, {work['stored']} stored, {several(work['duplicates'], 'duplicate')}",
        f"{several(work['gapsClosed'], 'gap')} closed",
    ]


def _print_announced(announced: Mapping[str, Any]) -> None:
    for one in announced["missingChunks"]:
        of_type = "" if one["syncType"] is None else f", of type {one['syncType']}"
        print(f"  pieces of history that did not come{of_type}: {_listed(one['orders'])}")
    for one in announced["lostOffline"]:
        came = f"{one['received']} of {one['announced']} that had waited came"
        print(f"  connection of {moment(one['openedAt'])} UTC: {came}")


def _gaps(gaps: Iterable[Mapping[str, Any]]) -> Table:
    columns = (Column(name, overflow="fold") for name in ("chat", "unknown (UTC)", "why", "state"))
    table = Table(*columns, show_lines=True)
    for gap in gaps:
        unanswered = f"{gap['tried'] + 2 * gap['rounds']} without an answer" if gap["tried"] or gap["rounds"] else ""
        waits = f"left alone until {moment(gap['nextAt'])}" if gap["nextAt"] else ""
        table.add_row(
            cell(_chat(gap["threadId"])),
            Text("\n").join(_span(gap)),
            cell(gap["reason"], f"known since {moment(gap['openedAt'])}"),
            cell(gap["state"], *filter(None, (unanswered, waits))),
        )
    return table


def _span(span: Mapping[str, Any]) -> list[Text]:
    return texts(moment(span["from"], until=_SECOND), moment(span["until"], until=_SECOND))


def cell(*lines: str) -> Text:
    """Lines of one cell."""
    return Text("\n").join(texts(*lines))


def texts(*values: object) -> list[Text]:
    """Text of strangers is shown as it is: no markup, and nothing that a terminal would obey."""
    return [Text("-" if value is None else printable(str(value))) for value in values]


def printable(text: str) -> str:
    """Text without anything that a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)


def several(number: int, what: str) -> str:
    """One gap, two gaps."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _chat(thread: str) -> str:
    return thread.partition("__")[2] or thread


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
