"""The whole system and the dashboard of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from google.cloud.firestore import AsyncClient
from missing import Missing
from operator_page import TOKEN, OperatorPage
from playwright.async_api import expect
from whole import PHONE, RealDaemon

from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp


class Watched(Missing):
    """With the page of an operator who looks on."""

    def __init__(self, server: FakeWhatsApp, daemon: RealDaemon, firestore: AsyncClient, page: OperatorPage) -> None:
        super().__init__(server, daemon, firestore)
        self.page = page

    async def pair(self, name: str = "Shop", phone: str = PHONE) -> None:
        """By the code that the page shows: nobody asks the API for it."""
        await self.page.add(name, phone)
        await self.server.scan(await self.page.code(), phone=phone.lstrip("+"))
        await expect(self.page.page.locator("#pair-state")).to_have_text("Paired. You can close this.")
        await self.page.page.get_by_role("dialog").get_by_role("button", name="Close").click()
        await expect(self.page.account(name)).to_contain_text("Connected")

    async def get(self, path: str) -> Any:
        """What the API says to the admin."""
        return await self.daemon.get(path, Authorization=f"Bearer {TOKEN}")

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """What the admin does by the API."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(self.daemon.url + path, json=body) as answer,
        ):
            return await answer.json()
