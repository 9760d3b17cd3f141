"""The dashboard in headless Chromium, before the whole real system: daemon, bridge, Baileys, fake server, Firestore."""

from __future__ import annotations

import aiohttp
import pytest
from missing import now_s, row
from operator_page import TOKEN, OperatorPage
from playwright.async_api import Browser, expect
from watched import Watched
from whole import ANA, until

pytestmark = pytest.mark.timeout(240)
MARKUP = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
GROUP = "120363001234567890@g.us"
BODY = "a body that nobody must see here"
STEP_S = 60


async def test_without_a_session_nothing_is_seen_and_a_wrong_token_is_told_so(watched: Watched) -> None:
    page = watched.page.page
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(page.locator("#main")).to_be_hidden()
    async with aiohttp.ClientSession() as stranger:
        for path in ("/api/status/dashboard", "/api/events", "/api/whatsapp/qr/x/code.svg", "/api/whatsapp/coverage/x"):
            async with stranger.get(watched.daemon.url + path) as answer:
                assert answer.status == 401, path
    await watched.page.sign_in("not the token")
    await expect(page.get_by_text("This token is not known here.")).to_be_visible()
    await expect(page.locator("#main")).to_be_hidden()
    assert await watched.page.context.cookies() == []


async def test_the_keyboard_alone_signs_in_and_out_and_the_session_is_a_cookie_no_script_reads(
    watched: Watched, browser: Browser
) -> None:
    page = watched.page.page
    await expect(page.get_by_label("Token")).to_be_focused()
    await page.keyboard.type(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.locator("#headline")).to_have_text("No phone is linked yet.")
    (cookie,) = await watched.page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert TOKEN not in cookie["value"]
    assert await page.evaluate("document.cookie") == ""
    assert await page.evaluate("JSON.stringify([localStorage, sessionStorage])") == "[{},{}]"
    await page.keyboard.press("Tab")
    assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await page.get_by_role("button", name="Sign out").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("watched", [{"ADMIN_TOKEN": ""}], indirect=True)
async def test_where_there_are_no_tokens_nobody_has_to_sign_in_or_can_sign_out(watched: Watched) -> None:
    page = watched.page.page
    await expect(page.locator("#headline")).to_have_text("No phone is linked yet.")
    await expect(page.locator("#sign-in")).to_be_hidden()
    await expect(page.get_by_role("button", name="Sign out")).to_be_hidden()


async def test_a_session_that_ends_elsewhere_ends_the_stream_and_the_page_says_so(watched: Watched) -> None:
    await watched.page.signed_in()
    other = await watched.page.context.new_page()
    await other.goto(f"{watched.daemon.url}/dashboard")
    await other.get_by_role("button", name="Sign out").click()
    await expect(watched.page.page.get_by_text("You are signed out.")).to_be_visible()


async def test_a_page_of_another_origin_can_neither_read_nor_frame_nor_act(watched: Watched, browser: Browser) -> None:
    await watched.page.signed_in()
    elsewhere = await watched.page.context.new_page()
    port = watched.daemon.url.rpartition(":")[2]
    await elsewhere.goto(f"http://localhost:{port}/ready")  # another origin, the same machine
    read = """async url => {
        const tries = [fetch(url + "/api/status/dashboard", { credentials: "include" }),
            fetch(url + "/api/session", { method: "DELETE", credentials: "include" })];
        return (await Promise.allSettled(tries)).map(one => one.status);
    }"""
    assert await elsewhere.evaluate(read, watched.daemon.url) == ["rejected", "rejected"]
    await watched.page.page.reload()
    await expect(watched.page.page.locator("#main")).to_be_visible()


async def test_a_phone_is_paired_by_the_code_on_the_page_and_its_history_is_watched_arriving(watched: Watched) -> None:
    await watched.page.signed_in()
    await watched.pair()
    await expect(watched.page.number("phones")).to_have_text("1 of 1")
    start_s = now_s() - 3600
    for number in range(3):
        chat = f"1555100000{number}"
        await watched.server.op("person", phone=chat, name=f"Customer {number}")
        rows = [row(f"H{number}-{one}", start_s + one, text=BODY) for one in range(40)]
        await watched.server.op(
            "history",
            account=watched.phone,
            chunks=[{"conversations": [{"chat": chat, "name": f"Customer {number}", "messages": rows}]}],
        )
        await expect(watched.page.thread(f"Customer {number}")).to_be_visible()
    await expect(watched.page.page.locator("#happened")).to_contain_text("messages of history landed")
    await expect(watched.page.thread("Customer 1").locator("rect.proof.history")).to_have_count(1)
    seen = await watched.page.page.content()
    assert BODY not in seen and "15550001111" not in seen and "15551000001" not in seen
    assert "+1…11" in seen


async def test_a_lost_connection_shows_and_its_gap_opens_on_the_map_and_closes(watched: Watched) -> None:
    await watched.page.signed_in()
    await watched.pair()
    start_s = now_s() - 15 * STEP_S
    await watched.history([row(f"M{n}", start_s + n * STEP_S) for n in range(1, 6)], name="Ana")
    await expect(watched.page.thread("Ana")).to_have_attribute("data-gaps", "0")
    await watched.server.op("fault", stage="connect", action="terminate", times=100_000)
    await watched.server.op("terminate", account=watched.phone)
    await expect(watched.page.account("Shop")).to_contain_text("Connecting again")
    for number in range(6, 9):
        await watched.send(f"M{number}", time=start_s + number * STEP_S)
    await watched.lose("M6", "M7", "M8")
    await watched.server.op("faults-clear")
    await expect(watched.page.account("Shop")).to_contain_text("Connected")
    await watched.send("M9", time=start_s + 9 * STEP_S)
    await expect(watched.page.thread("Ana")).to_have_attribute("data-gaps", "1")
    await expect(watched.page.number("gaps")).to_have_text("1")
    await expect(watched.page.page.locator("#headline")).to_contain_text("1 gap is to be filled")
    assert await watched.page.thread("Ana").locator("rect.gap.open title").count() >= 1
    await watched.page.account("Shop").get_by_role("button", name="Resync").click()
    await watched.page.page.get_by_label("Since").select_option("1d")
    await watched.page.page.get_by_role("button", name="Start").click()
    await expect(watched.page.thread("Ana")).to_have_attribute("data-gaps", "0")
    await expect(watched.page.number("gaps")).to_have_text("0")
    await expect(watched.page.page.locator("#headline")).to_contain_text("All is well")
    await expect(watched.page.page.locator("#happened")).to_contain_text("gap closed")
    await watched.lands({f"M{n}" for n in range(1, 10)})


@pytest.mark.parametrize("watched", [{"WHATSAPP_HISTORY_TIMEOUT_MS": "60000"}], indirect=True)
async def test_a_run_is_started_and_cancelled_on_the_page(watched: Watched) -> None:
    await watched.page.signed_in()
    await watched.pair()
    await watched.history([row(f"M{n}", now_s() - 3600 + n) for n in range(1, 6)], name="Ana")
    await watched.phone_is(online=False)
    await watched.page.account("Shop").get_by_role("button", name="Backfill").click()
    run = watched.page.page.locator(".job", has_text="Backfill of Shop")
    await expect(run).to_contain_text("running")
    await expect(run.locator("progress")).to_be_visible()
    await run.get_by_role("button", name="Cancel").click()
    await expect(run).to_contain_text("cancelled")
    await expect(run).not_to_contain_text("it was cancelled")
    await expect(run).to_be_focused()
    await expect(run.locator("progress")).to_be_hidden()
    await expect(watched.page.page.locator("#happened")).to_contain_text("Backfill cancelled")


async def test_names_of_markup_are_text_and_do_nothing(watched: Watched) -> None:
    await watched.page.signed_in()
    await watched.pair(name=MARKUP)
    await watched.server.op("person", phone=ANA, name=MARKUP)
    await watched.server.op("group", id=GROUP, subject=MARKUP, members=[watched.phone, ANA])
    await watched.send("A1", text=MARKUP)
    await watched.send("G1", chat=GROUP, from_=ANA, text=MARKUP)
    await watched.server.op(
        "group-event", account=watched.phone, group=GROUP, action="subject", by=ANA, subject=MARKUP, id="S1"
    )
    await watched.lands({"A1", "G1", "S1"})
    await watched.send("A2")
    names = watched.page.page.locator(".thread .name")
    await expect(names).to_have_count(2)
    await expect(names.first).to_have_text(MARKUP)
    await expect(names.last).to_have_text(MARKUP)
    await expect(watched.page.account(MARKUP)).to_be_visible()
    await expect(watched.page.page.locator("img, main script")).to_have_count(0)
    assert "owned" not in await watched.page.page.title()


async def test_while_the_daemon_is_away_the_page_says_so_and_goes_on_when_it_is_back(watched: Watched) -> None:
    await watched.page.signed_in()
    port = watched.daemon.url.rpartition(":")[2]
    assert await watched.daemon.terminate() == 0, "an open page does not hold it up"
    await expect(watched.page.page.locator("#lost")).to_contain_text("cannot be reached")
    watched.daemon.environment["PORT"] = port
    await watched.daemon.start()
    await expect(watched.page.page.get_by_role("heading", name="Sign in")).to_be_visible()
    await watched.page.signed_in()
    await expect(watched.page.page.locator("#lost")).to_be_hidden()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
async def test_it_is_readable_at_any_width_and_in_the_dark(
    watched: Watched, browser: Browser, artefacts, width: int, dark: bool
) -> None:
    page = await OperatorPage.opened(browser, watched.daemon.url, width=width, dark=dark)
    watched.page, first = page, watched.page
    try:
        await page.signed_in()
        await watched.pair()
        start_s = now_s() - 40 * 3600
        for number, (name, count) in enumerate({"Ana": 30, "Bob's bikes": 12, "Mia": 5}.items()):
            chat = f"1555200000{number}"
            rows = [row(f"{name}{n}", start_s + n * 3600) for n in range(count)]
            await watched.history(rows, chat=chat, name=name)
            await expect(page.thread(name)).to_be_visible()
        name = f"dashboard-{width}-{'dark' if dark else 'light'}.png"
        await page.picture(artefacts / name)
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.page.evaluate(overflow) <= 0, "nothing is to be scrolled sideways"
    finally:
        await page.close()
        watched.page = first
    assert page.violations == [] and page.errors == []


async def test_each_number_is_an_answer_of_the_api(watched: Watched) -> None:
    await watched.page.signed_in()
    await watched.pair()

    async def told() -> bool:
        return bool((await watched.get("/api/status/dashboard"))["summary"]["connected"])

    await until(told)
    status = await watched.get("/api/status/dashboard")
    (account,) = status["accounts"]
    assert (account["phone"], account["status"], account["needsQR"]) == ("+1…11", "connected", False)
    assert "qr" not in {name.lower() for name in account} and "2@" not in str(status)
