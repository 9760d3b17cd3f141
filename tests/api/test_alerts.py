"""The alert rules: what they name exists, what they say can be found, and they fire when they should and only then."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed
from sights import sight

from whatsapp_backend.api.metrics import shown

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "alerts.yml"
TESTS = ROOT / "deploy" / "alerts.test.yml"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None and not os.environ.get("CI"), reason="no promtool: apt-get install prometheus"
)


def alerts() -> dict[str, str]:
    """The text of each rule, by its name."""
    _, *rules = re.split(r"^ +- alert: ", RULES.read_text(), flags=re.MULTILINE)
    return {rule.split()[0]: rule for rule in rules}


def metrics(text: str) -> set[str]:
    """What a text names."""
    return set(re.findall(r"\bwhatsapp_[a-z_]+\b", text))


def anchors(page: Path) -> set[str]:
    """The sections of a page, as links name them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


def promtool(*arguments: str | Path) -> None:
    assert PROMTOOL, "CI installs prometheus"
    done = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_that_a_rule_or_the_operators_page_names_is_told():
    told = {one.name for family in parsed(shown(sight()).decode()) for one in family.samples}
    page = (ROOT / "docs" / "operations.md").read_text().partition("### Metrics")[2].partition("### The log")[0]
    for where, text in (("rules", RULES.read_text()), ("tests", TESTS.read_text()), ("page", page)):
        named = metrics(text) - {"whatsapp_landing_seconds"}  # of which there are only its buckets, sum and count
        assert len(named) > 10
        assert named <= told, where


@pytest.mark.parametrize("name", alerts())
def test_every_alert_says_what_to_do_and_where_more_is_said(name):
    rule = alerts()[name]
    assert re.search(r"severity: (critical|warning)", rule)
    (summary,) = re.findall(r"summary: (.+)", rule)
    assert len(summary.split()) > 8
    ((page, anchor),) = re.findall(r"runbook: (\S+)#(\S+)", rule)
    assert anchor in anchors(ROOT / page)


@pytest.mark.parametrize("name", alerts())
def test_every_alert_is_shown_to_fire_and_not_to_fire(name):
    shown_to = re.findall(r"- name: (.+)", TESTS.read_text())
    assert f"{name} fires" in shown_to
    assert f"{name} does not fire" in shown_to


@needs_promtool
def test_the_rules_are_rules():
    promtool("check", "rules", RULES)


@needs_promtool
def test_they_fire_when_they_should_and_only_then():
    promtool("test", "rules", TESTS)


@needs_promtool
def test_the_tests_notice_a_rule_that_never_fires(tmp_path):
    deaf = RULES.read_text().replace("whatsapp_frame_age_seconds) > 300", "whatsapp_frame_age_seconds) > 300000")
    assert deaf != RULES.read_text()
    (tmp_path / RULES.name).write_text(deaf)
    shutil.copy(TESTS, tmp_path)
    with pytest.raises(AssertionError, match="WhatsAppDeaf"):
        promtool("test", "rules", tmp_path / TESTS.name)
