"""Chromium of this machine; nothing is downloaded."""

from __future__ import annotations

import os
import shutil

from playwright.async_api import Browser, Playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "no Chromium here: apt-get install chromium, or name one in CHROMIUM"


def chromium_path() -> str | None:
    """Where it is, if it is."""
    return os.environ.get("CHROMIUM") or next((path for name in _NAMES if (path := shutil.which(name))), None)


async def launched(playwright: Playwright) -> Browser:
    """Start it, without a window. Raises FileNotFoundError, with the command that installs it."""
    path = chromium_path()
    if path is None:
        raise FileNotFoundError(MISSING)
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    return await playwright.chromium.launch(executable_path=path, args=[*as_root, "--disable-dev-shm-usage"])
