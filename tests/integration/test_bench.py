"""`make bench` runs, and its last line holds the names that others read."""

import asyncio
import json
import sys
from pathlib import Path

from firestore_fixtures import need_emulator

from bench.report import NAMES


async def test_the_last_line_is_json_with_every_name() -> None:
    """At a scale at which the numbers mean nothing; what must hold at any scale holds."""
    need_emulator()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench", "--quick", cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(110):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == 0
    measured = json.loads(output.decode().splitlines()[-1])
    assert tuple(measured) == NAMES
    assert all(isinstance(value, int | float) for value in measured.values())
    assert measured["writes_per_new_message"] == 1
    assert measured["reads_per_new_message"] == 0
    assert measured["operations_per_redelivered_message"] == 0
    assert measured["stanza_to_document_ms_p50"] > 0
