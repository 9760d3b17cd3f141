"""The project's own files: sizes, generated pages, locks, the example file, the unit."""

from __future__ import annotations

import ast
import configparser
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from whatsapp_backend.settings import load, settings_page
from whatsapp_backend.settings.table import KNOWN

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "whatsapp_backend").rglob("*.py"))
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "docs").rglob("*.svg"),
        *(ROOT / "docs").rglob("*.html"),
    ]
)
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-jdk.lock"]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_modules_and_functions_stay_small(module):
    text = module.read_text()
    assert len(text.splitlines()) <= 400, "split it by concern"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 60, f"{node.name} (line {node.lineno}) has {length} lines"


def test_no_module_is_named_after_nothing():
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    assert not [name_of(module) for module in MODULES if module.stem in vague]


def test_the_settings_page_is_made_from_the_table():
    assert (ROOT / "docs" / "settings.md").read_text() == settings_page(), "run `make docs`"


def test_the_example_env_file_is_valid_and_gentler_than_the_defaults():
    settings = load({"HOME": "/home/operator"}, ROOT / "env.auto-backfill.example")
    assert settings.warnings == ()
    assert settings.auto_backfill_cooldown_s == 6 * 3600
    assert settings.auto_backfill_accounts_per_tick == 3
    assert settings.auto_backfill_concurrency == 1


def test_the_example_env_file_names_only_settings_also_in_what_is_commented_out():
    text = (ROOT / "env.auto-backfill.example").read_text()
    assert set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE)) <= KNOWN


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_requirement_has_hashes_and_no_lock_names_a_host(lock):
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*--(?!hash=sha256:)", text, re.MULTILINE)
    for requirement in re.split(r"\n(?=[a-z])", text):
        assert re.match(r"[a-z0-9._-]+==[^ ]+ ", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement


def test_everything_asked_for_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    asked = {re.match(r"[A-Za-z0-9-]+", line)[0] for line in project["dependencies"]}
    assert asked <= locked
    locked_for_development = set(
        re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE)
    )
    assert locked <= locked_for_development
    asked = {re.match(r"[A-Za-z0-9-]+", line)[0] for line in project["optional-dependencies"]["dev"]}
    assert asked <= locked_for_development


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_between_pages_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target and not target.startswith(("#", "mailto:")):
            assert (page.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages_name_files_and_make_targets_that_exist(page):
    text = page.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", text))
    assert named <= targets
    for path in re.findall(r"`((?:tests|docs|systemd|whatsapp_backend|\.ci)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


def unit() -> configparser.RawConfigParser:
    class LastWins(dict):
        """systemd repeats keys; the parser need not mind."""

    parser = configparser.RawConfigParser(strict=False, dict_type=LastWins, delimiters=("=",))
    parser.optionxform = str
    parser.read(ROOT / "systemd" / "whatsapp-backend.service")
    return parser


def test_the_unit_runs_serve_with_the_env_file_and_does_not_restart_after_bad_settings():
    service = unit()["Service"]
    assert service["Type"] == "notify"
    assert " serve --env-file " in service["ExecStart"]
    assert "EnvironmentFile" not in service
    assert service["RestartPreventExitStatus"] == "78"
    assert service["LimitCORE"] == "0"
    assert "MemoryDenyWriteExecute" not in service, "Node's JIT needs memory that is written and run"
    assert int(service["TimeoutStopSec"]) > 10, "the daemon drains for up to 10 s"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="apt-get install systemd")
def test_systemd_understands_every_line_of_the_unit(tmp_path):
    text = (ROOT / "systemd" / "whatsapp-backend.service").read_text()
    copy = tmp_path / "whatsapp-backend.service"
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False, timeout=60
    )
    complaints = [line for line in done.stderr.splitlines() if "whatsapp-backend" in line]
    assert (done.returncode, complaints) == (0, [])


def test_test_modules_have_names_of_their_own():
    """Test folders are no packages: two of one name cannot be collected together."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py") if "node_modules" not in path.parts]
    assert sorted(names) == sorted(set(names))
