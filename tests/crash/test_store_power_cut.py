"""A power cut at any write or sync of the store's own SQL, on a disk that keeps its word only about what was synced.

The SQL, the schema and the settings are the store's; only the file system below SQLite is exchanged. The controls show
that the test can see a loss: with less syncing than `synchronous=FULL` it must find one.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil

import apsw
import pytest
from power_cut import CuttableDisk, Platter, PowerCut

from whatsapp_backend.adapters.sqlite_store import journal, keys, opening
from whatsapp_backend.domain.journal import Commit, NewEntry
from whatsapp_backend.errors import StoreUnusable

CUTS = int(os.environ.get("STORE_POWER_CUTS", "100"))
ANA = "account_test_0a"
COMMITS = 60
FEW_PAGES = 20  # checkpoint often, so that many cuts fall into one


def numbered(n):
    entry = NewEntry(kind="message", source=f"enc:{n}", origin="live", received_at_ms=n, payload=b"x" * (n * 97 % 3000))
    return Commit(account=ANA, id=str(n), keys={"session": {"x": str(n)}}, creds=str(n), entries=(entry,))


def close(opened):
    opened.reading.close()
    opened.writing.close()
    opened.lock.release()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A store as it is before its first commit."""
    directory = tmp_path_factory.mktemp("fresh") / "state"
    close(opening.open_file(directory))
    return directory


def commit_until_the_power_goes(directory, platter, pragmas):
    """Return how many commits were answered."""
    disk = CuttableDisk(platter)
    answered = 0
    with contextlib.suppress(PowerCut):
        connection = apsw.Connection(str(directory / opening.FILE_NAME), vfs=CuttableDisk.NAME)
        try:
            for pragma in (*pragmas, f"PRAGMA wal_autocheckpoint={FEW_PAGES}"):
                connection.execute(pragma)
            for n in range(1, COMMITS + 1):
                connection.execute("BEGIN IMMEDIATE")
                journal.commit(connection, numbered(n))
                connection.execute("COMMIT")
                answered = n
        finally:
            with contextlib.suppress(PowerCut):
                connection.close()
    disk.unregister()
    return answered


def was_lost(directory, answered):
    """Tell what went wrong, or None, as the real store finds the files after the cut."""
    try:
        opened = opening.open_file(directory)
    except StoreUnusable as error:
        return f"unusable: {error}"
    entries = journal.read(opened.writing, after=0, limit=10**6, max_bytes=10**9)
    creds = keys.creds(opened.writing, ANA, opened.path)
    ratchet = keys.get(opened.writing, ANA, "session", ["x"]).get("x")
    close(opened)
    if [entry.new.source for entry in entries] != [f"enc:{n}" for n in range(1, len(entries) + 1)]:
        return "torn"
    if len(entries) < answered:
        return f"{answered} answered, {len(entries)} kept"
    whole = str(len(entries)) if entries else None
    return None if (creds, ratchet) == (whole, whole) else "a ratchet without its message"


def losses(fresh, tmp_path, pragmas, cuts):
    found = []
    for cut in range(cuts):
        chance = random.Random(f"cut {cut}")
        running, after = tmp_path / "running", tmp_path / "after"
        shutil.copytree(fresh, running)
        platter = Platter(running, operations=chance.randrange(20, 1500))
        answered = commit_until_the_power_goes(running, platter, pragmas)
        platter.restore(after, chance)
        loss = was_lost(after, answered)
        if loss is not None:
            found.append((cut, loss))
        shutil.rmtree(running)
        shutil.rmtree(after)
    return found


def instead_of_full(synchronous):
    return [f"PRAGMA synchronous={synchronous}" if "synchronous" in pragma else pragma for pragma in opening.PRAGMAS]


@pytest.mark.timeout(120 + CUTS)
def test_a_power_cut_loses_nothing_that_was_answered(fresh, tmp_path):
    assert losses(fresh, tmp_path, opening.PRAGMAS, CUTS) == []


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_control_with_less_syncing_a_power_cut_loses_what_was_answered(fresh, tmp_path, synchronous):
    assert losses(fresh, tmp_path, instead_of_full(synchronous), 20)
