"""The dashboard as an operator uses it: by what is written on it, never by the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect
from qr_reader import modules_of, text_of

TOKEN = "t0ken-of-the-admin-for-tests"
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
_PICTURE = """picture => {
  const canvas = document.createElement("canvas");
  canvas.width = picture.naturalWidth; canvas.height = picture.naturalHeight;
  const on = canvas.getContext("2d");
  on.drawImage(picture, 0, 0);
  const { data } = on.getImageData(0, 0, canvas.width, canvas.height);
  return { width: canvas.width, dark: Array.from({ length: data.length / 4 }, (_, at) => data[at * 4] < 128 ? 1 : 0) };
}"""


class OperatorPage:
    """One page in a browser of its own, with all that went wrong in it."""

    def __init__(self, context: BrowserContext, page: Page, url: str) -> None:
        self.context = context
        self.page = page
        self.url = url
        self.errors: list[str] = []
        self.violations: list[str] = []

    @classmethod
    async def opened(cls, browser: Browser, url: str, *, width: int = 1280, dark: bool = False) -> Self:
        """Open it; nobody is signed in."""
        context = await browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", locale="en-GB"
        )
        context.set_default_timeout(PATIENCE_MS)
        made = cls(context, await context.new_page(), url)
        await context.expose_function("violated", made._violated)
        await context.add_init_script(
            "addEventListener('securitypolicyviolation', event => violated(event.violatedDirective))"
        )
        made.page.on("pageerror", lambda error: made.errors.append(str(error)))
        made.page.on("console", made._noted)
        await made.page.goto(f"{url}/dashboard")
        return made

    def _noted(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.violations.append(message.text)

    def _violated(self, directive: str) -> None:
        self.violations.append(directive)

    async def close(self) -> None:
        """Leave."""
        await self.context.close()

    # -- What is done ----------------------------------------------------------------------------------------------

    async def sign_in(self, token: str = TOKEN) -> None:
        """With a token."""
        await self.page.get_by_label("Token").fill(token)
        await self.page.get_by_role("button", name="Sign in").click()

    async def signed_in(self) -> None:
        """As the admin, and the first status is there."""
        await self.sign_in()
        await expect(self.page.locator("#headline")).not_to_have_text("Looking…")

    async def add(self, name: str, phone: str) -> None:
        """Declare an account; the page goes on to its code."""
        await self.page.get_by_role("button", name="Add an account").click()
        await self.page.get_by_label("Name").fill(name)
        await self.page.get_by_label("Phone number").fill(phone)
        await self.page.get_by_role("button", name="Add and pair").click()

    async def code(self) -> str:
        """What the code on the page says, read off its picture."""
        picture = self.page.locator("#code img")
        await expect(picture).to_be_visible()
        drawn: Any = await picture.evaluate(_PICTURE)
        dark, width = drawn["dark"], drawn["width"]
        rows = [[bool(pixel) for pixel in dark[at : at + width]] for at in range(0, len(dark), width)]
        return text_of(modules_of(rows))

    # -- What is seen ----------------------------------------------------------------------------------------------

    def account(self, name: str) -> Locator:
        """An account's card."""
        return self.page.locator(".account", has=self.page.get_by_role("heading", name=name, exact=True))

    def thread(self, name: str) -> Locator:
        """A thread's row in the gap map."""
        return self.page.locator(".thread", has=self.page.locator(".name", has_text=name))

    def number(self, name: str) -> Locator:
        """One of the numbers below the first line."""
        return self.page.locator(f"[data-number={name}] dd")

    async def picture(self, path: Path) -> None:
        """Keep what it looks like, all of it."""
        await self.page.screenshot(path=path, full_page=True, animations="disabled")
