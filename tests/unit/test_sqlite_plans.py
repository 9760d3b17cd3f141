"""What is asked every second while somebody looks on does not grow with all that ever was."""

import contextlib
import sqlite3

import pytest

from whatsapp_backend.adapters.sqlite_store import jobs, opening, overview


@pytest.fixture
def connection(tmp_path):
    opened = opening.open_file(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / opening.FILE_NAME)) as connection:
        yield connection
    opened.reading.close()
    opened.writing.close()
    opened.lock.release()


def plan(connection, ask):
    """The steps by which SQLite finds what this asks for."""
    asked = []
    connection.set_trace_callback(asked.append)
    ask(connection)
    connection.set_trace_callback(None)
    return [row[3] for sql in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]


def test_the_newest_jobs_are_found_without_reading_what_every_job_tells(connection):
    steps = plan(connection, lambda it: jobs.newest(it, None, 20, (1 << 53, "")))
    assert [step for step in steps if step.startswith("SCAN")] == ["SCAN job USING COVERING INDEX job_of_account"]


def test_gaps_are_counted_without_looking_at_those_that_are_closed(connection):
    steps = plan(connection, overview.tallies)
    assert "SCAN gap USING INDEX gap_open" in steps
