"""Makes the README's picture of the dashboard: the whole real system, three phones, conversations with holes.

python tests/browser/picture.py docs/dashboard.png
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]  # as pytest finds them

from browser_here import launched
from missing import now_s, row
from operator_page import TOKEN, OperatorPage
from playwright.async_api import Page, async_playwright, expect
from watched import Watched
from whole import NODE_DIR, RealDaemon, until

from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.local_firestore import LocalFirestore
from whatsapp_backend.testing.fake_whatsapp import FakeWhatsApp

_DAY_S = 86400
_HOUR_S = 3600
_PROJECT = "demo-picture"
_SHOPS = {"Flower shop": "+15550001111", "Workshop": "+15550003121", "Front desk": "+15550005131"}
_WIDTH = 1280
ANA, BEN, MIA, TEAM, OLA = "15552000001", "15552000002", "15552000003", "120363001234567890@g.us", "15552000005"


class Shop:
    """The shop whose gap map is shown; its conversations are of the last three weeks."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._began_s = now_s() - 21 * _DAY_S

    def rows(self, prefix: str, first_h: float, last_h: float, count: int) -> list[dict[str, Any]]:
        """So many messages between two hours."""
        step = (last_h - first_h) / count
        at = [self._began_s + round((first_h + number * step) * _HOUR_S) for number in range(count)]
        return [row(f"{prefix}{number}", second) for number, second in enumerate(at)]

    async def tells(self, chat: str, name: str, rows: list[dict[str, Any]]) -> None:
        """A piece of history."""
        await self._watched.history(rows, chat=chat, name=name)

    async def run(self, what: str, **body: Any) -> None:
        """A run by hand, to its end."""
        account = self._watched.account
        answer = await self._watched.post(f"/api/whatsapp/{what}/{account}", body)
        job = (answer.get("data") or answer)["jobId"]

        async def has_ended() -> bool:
            told = await self._watched.get(f"/api/whatsapp/jobs/{account}/{job}")
            return bool(told["job"]["endedAt"])

        await until(has_ended)


async def lived(watched: Watched) -> None:
    """What has happened until the picture is taken."""
    await watched.page.signed_in()
    for name, phone in _SHOPS.items():
        await watched.pair(name, phone)
    accounts = (await watched.get("/api/status/dashboard"))["accounts"]
    watched.account = next(one["accountId"] for one in accounts if one["name"] == "Flower shop")
    watched.phone = _SHOPS["Flower shop"].lstrip("+")
    shop = Shop(watched)
    await shop.tells(MIA, "Mia", shop.rows("mia", 20, 480, 60))
    await shop.run("backfill")
    await shop.tells(ANA, "Ana", shop.rows("ana", 60, 200, 30))
    await watched.store(shop.rows("ana-lost", 205, 290, 20), chat=ANA)
    await shop.tells(ANA, "Ana", shop.rows("ana-late", 300, 500, 30))
    await shop.run("resync", since="20d", chats=[f"{ANA}@s.whatsapp.net"])
    await shop.tells(BEN, "Ben and Sons", shop.rows("ben", 10, 150, 20))
    await watched.store(shop.rows("ben-lost", 160, 330, 150), chat=BEN)
    await shop.tells(BEN, "Ben and Sons", shop.rows("ben-late", 340, 470, 20))
    await shop.run("backfill")
    await shop.tells(OLA, "Ola from the market", shop.rows("ola", 130, 260, 20))
    await shop.tells(OLA, "Ola from the market", shop.rows("ola-late", 330, 495, 20))
    await shop.tells(TEAM, "Team", shop.rows("team", 250, 498, 40))
    for number in range(12):
        await watched.send(f"live{number}", chat=ANA)
    await watched.lands({f"live{number}" for number in range(12)})


async def taken(page: Page, path: Path) -> None:
    """The picture, once the map shows all of it."""
    await expect(page.locator(".thread")).to_have_count(5)
    await expect(page.locator("rect.gap.open:not(.deep)").first).to_be_attached()
    await expect(page.locator("#said")).to_be_empty()
    await page.screenshot(path=path, full_page=True, animations="disabled")


async def main(path: Path) -> None:
    """Make it."""
    with tempfile.TemporaryDirectory() as folder:
        state_dir = Path(folder)
        async with (
            LocalFirestore.started(state_dir / "firestore", project=_PROJECT, heap="512m") as emulator,
            FakeWhatsApp.started(NODE_DIR) as server,
            async_playwright() as playwright,
        ):
            daemon = RealDaemon(
                state_dir=state_dir / "state",
                server_url=server.url,
                emulator=emulator.address,
                project=_PROJECT,
                ADMIN_TOKEN=TOKEN,
                INSTANCE_ID="shops-1",
                RECENT_SYNC_ENABLED="false",
                WHATSAPP_AUTO_BACKFILL_ENABLED="false",
                WHATSAPP_HISTORY_SPACING_MS="0",
                WHATSAPP_BACKFILL_MESSAGES_PER_THREAD="60",
            )
            firestore = firestore_client(_PROJECT, emulator_host=emulator.address)
            browser = await launched(playwright)
            try:
                await daemon.start()
                page = await OperatorPage.opened(browser, daemon.url, width=_WIDTH)
                await lived(Watched(server, daemon, firestore, page))
                await taken(page.page, path)
            finally:
                await browser.close()
                await daemon.close()
                await close(firestore)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
    print(f"{sys.argv[1]}: {Path(sys.argv[1]).stat().st_size // 1024} kB")
