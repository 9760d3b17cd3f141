"""What holds for every test: no settings from outside, and in CI nothing is skipped."""

from __future__ import annotations

import os
import signal

import pytest

from whatsapp_backend.settings.table import KNOWN

pytest_plugins = ["firestore_fixtures", "whole", "world"]

IN_CI = os.environ.get("CI", "").lower() not in {"", "0", "false", "no"}
_ABOUT_THE_MACHINE = {"FIRESTORE_EMULATOR_JAR"}

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell; commands would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

for name in KNOWN - _ABOUT_THE_MACHINE:
    os.environ.pop(name, None)


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"In CI nothing may be skipped, and this was: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    _refuse_skip(report)
    return report
