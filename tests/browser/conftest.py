"""The dashboard in a real browser: Chromium of this machine, driven by Playwright; nothing is downloaded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from browser_here import MISSING, chromium_path, launched
from google.cloud.firestore import AsyncClient
from operator_page import TOKEN, OperatorPage
from playwright.async_api import Browser, async_playwright
from watched import Watched
from whole import RealDaemon

from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

ARTEFACTS = Path(__file__).parents[2] / "test-artefacts"
SHORT = {
    "ADMIN_TOKEN": TOKEN,
    "RECENT_SYNC_ENABLED": "false",
    "WHATSAPP_AUTO_BACKFILL_ENABLED": "false",
    "AUTO_REPAIR_THREADS_ENABLED": "false",
    "WHATSAPP_HISTORY_SPACING_MS": "0",
    "WHATSAPP_HISTORY_TIMEOUT_MS": "5000",
}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without a window."""
    if chromium_path() is None:
        pytest.skip(MISSING)
    async with async_playwright() as playwright:
        started = await launched(playwright)
        yield started
        await started.close()


@pytest.fixture
def artefacts() -> Path:
    """Where screenshots are kept, to be looked at."""
    ARTEFACTS.mkdir(exist_ok=True)
    return ARTEFACTS


@pytest.fixture
async def watched(
    request: Any, server: FakeWhatsApp, daemon: RealDaemon, firestore: AsyncClient, browser: Browser
) -> AsyncIterator[Watched]:
    """The whole system with a token, started; nobody has signed in yet."""
    more: Mapping[str, str] = getattr(request, "param", {})
    daemon.environment |= {**SHORT, **more}
    await daemon.start()
    page = await OperatorPage.opened(browser, daemon.url)
    yield Watched(server, daemon, firestore, page)
    await page.close()
    assert page.violations == [], "the page tried what its policy forbids"
    assert page.errors == []
