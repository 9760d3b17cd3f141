"""The commands send ADMIN_TOKEN with everything, and say so when that is what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from backend import OTHER
from doors import ADMIN_TOKEN
from whole import run

from whatsapp_backend.cli.client import address
from whatsapp_backend.settings import load

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def command(tmp_path, doors, real_door):
    """Run a command to its end against the API behind its door; exit code, standard output, standard error."""
    del doors.backend.desk.known[OTHER]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "PORT": str(real_door.port),
        "COLUMNS": "250",
    }

    async def command(*arguments, **more):
        return await run(environment | more, *arguments)

    return command


@pytest.mark.parametrize("arguments", [["gaps"], ["jobs", "--json"], ["resync", "--no-wait"]])
async def test_with_the_token_of_the_settings_a_command_is_let_in(command, arguments):
    code, _, err = await command(*arguments, ADMIN_TOKEN=ADMIN_TOKEN)
    assert (code, err) == (0, "")


async def test_the_token_may_stand_in_the_env_file(command, tmp_path):
    file = tmp_path / "env"
    file.write_text(f"ADMIN_TOKEN={ADMIN_TOKEN}\n")
    assert (await command("gaps", "--env-file", str(file)))[0] == 0


@pytest.mark.parametrize("arguments", [["gaps"], ["backfill"]])
async def test_without_one_it_says_which_setting_is_missing(command, arguments):
    code, out, err = await command(*arguments)
    assert (code, out) == (1, "")
    assert "ADMIN_TOKEN is not set for this command" in err
    assert "Traceback" not in err


async def test_with_a_wrong_one_it_says_that_it_is_another_than_the_daemons_and_does_not_show_it(command):
    code, out, err = await command("gaps", ADMIN_TOKEN="another-token-than-that-of-the-daemon")
    assert (code, out) == (1, "")
    assert "ADMIN_TOKEN of this command's settings was sent, and is not that of the daemon" in err
    assert "another-token" not in err


@pytest.mark.parametrize(
    ("bound", "asked"),
    [("0.0.0.0", "http://127.0.0.1:8080"), ("::", "http://[::1]:8080"), ("192.168.0.2", "http://192.168.0.2:8080")],
)
def test_where_the_daemon_listens_everywhere_it_is_asked_on_this_machine(bound, asked):
    settings = load({"HOME": "/home/operator", "BIND_HOST": bound, "ADMIN_TOKEN": ADMIN_TOKEN})
    assert str(address(settings, None)) == asked
