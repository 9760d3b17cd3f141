"""`survey`: what an existing database holds, as it was found, or as it would be found now."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from whatsapp_backend.adapters.sqlite_store import SqliteStore
from whatsapp_backend.adapters.sqlite_store.beside import surveys_in
from whatsapp_backend.cli.serving import emulator_of
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.database import firestore
from whatsapp_backend.domain.moments import at_ms
from whatsapp_backend.domain.surveys import Survey
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.survey import Surveyor
from whatsapp_backend.rules.surveying import counted
from whatsapp_backend.settings import Settings

_CONSUMER = "survey"


async def show_survey(settings: Settings, *, accounts: Sequence[str], dry_run: bool, as_json: bool) -> int:
    """Print a report for each account: of those in the store, or of a survey made now that changes nothing."""
    declared, stored = surveys_in(settings.state_dir)
    wanted = list(accounts) or declared
    if dry_run and not wanted:
        print("whatsapp-backend: no account is declared yet: name one with --phone or --account", file=sys.stderr)
        return 1
    surveys = await _made_now(settings, wanted) if dry_run else stored
    shown = [survey for survey in surveys if survey.account in wanted] if accounts else surveys
    if as_json:
        print(orjson.dumps([_plain(survey) for survey in shown], option=orjson.OPT_INDENT_2).decode())
    elif shown:
        Console().print(_table(shown))
    else:
        print("nothing has been surveyed yet; --dry-run looks without changing anything")
    return 0


async def _made_now(settings: Settings, accounts: Sequence[str]) -> list[Survey]:
    """Surveys in a store that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="whatsapp-backend-") as folder:
        async with (
            emulator_of(settings) as emulator,
            firestore(settings, emulator=emulator) as documents,
            SqliteStore.opened(Path(folder) / "state") as store,
        ):
            clock = SystemClock()
            surveyor = Surveyor(
                queries=documents.queries,
                mirror=store,
                identities=store,
                lander=Lander(documents.store, clock),
                clock=clock,
                keep=store.advance,
                consumer=_CONSUMER,
                changes=False,
            )
            # Asked once without patience: an operator wants to know that Firestore does not answer.
            await documents.queries.list_threads(accounts[:1], fields=("accountId",), after="", limit=1)
            return [await surveyor.survey(account) for account in accounts]


def _plain(survey: Survey) -> dict[str, object]:
    return {"account": survey.account, "done": survey.done_at_ms is not None, **counted(survey)}


def _table(surveys: Sequence[Survey]) -> Table:
    table = Table("found")
    for survey in surveys:
        table.add_column(survey.account, justify="right", overflow="fold")
    reports = [counted(survey) for survey in surveys]
    for name in reports[0]:
        table.add_row(name.replace("_", " "), *(str(report[name]) for report in reports))
    table.add_row("done", *(_moment(survey) for survey in surveys))
    return table


def _moment(survey: Survey) -> str:
    if survey.done_at_ms is None:
        return "not yet"
    return at_ms(survey.done_at_ms).isoformat(timespec="minutes")
